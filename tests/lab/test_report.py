"""The report: one page that asks for nothing, in a real browser; tables and figures beside it."""

import csv
import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import minitrain as mt
from minitrain.lab.report import figures, svg
from minitrain.lab.report.sections import sections

OPTIMIZERS = ["sgd", "momentum", "adam"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "study"
    study = mt.lab.Study(
        ["iris", "wine"], OPTIMIZERS, seeds=6, epochs=6, trials=6, layers=(8,),
        schedules=["constant", "cosine(warmup=0.1)"],
    )  # fmt: skip
    result = study.run(out=folder)
    result.report(folder / "report.html")
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "report.html").read_text("utf-8")


def browser():
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        if path := shutil.which(name):
            return path
    if os.environ.get("CI"):
        pytest.fail("no Chromium: CI installs one (apt-get install chromium)")
    pytest.skip("no Chromium here; CI has one")


def browse(page, script, tmp_path):
    """What ``script`` returns after it ran at the end of the page; fails on any console error."""
    probe = (
        "<script>const answer = document.createElement('pre'); answer.id = 'answer';"
        f"answer.textContent = JSON.stringify((() => {{{script}}})());"
        "document.body.append(answer);</script></body>"
    )
    path = tmp_path / "page.html"
    path.write_text(page.replace("</body>", probe), "utf-8")
    command = [
        browser(), "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--v=0", f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000",
        "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:]
    return json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def test_toggles_sorting_and_theme_in_a_browser(page, tmp_path):
    script = (Path(__file__).parent / "report_probe.js").read_text("utf-8")
    answer = browse(page, script, tmp_path)
    numbers = [[float(x) for x in re.split("[ ,]", answer[k])] for k in ("start", "same")]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.11)  # the script draws as Python did
    heights = [re.findall(r",(\S+)", answer[key]) for key in ("same", "seconds", "xlog")]
    assert heights[0] == heights[1] == heights[2]  # another clock moves points sideways alone
    assert "against seconds" in answer["words"]
    assert len({answer[k] for k in ("same", "xlog", "linear")}) == 3
    values = [float(x.split()[0]) for x in answer["up"]]
    assert values == sorted(values)
    assert answer["ascending"] == "ascending"
    assert answer["down"] == answer["up"][::-1] or len(set(values)) < len(values)
    assert answer["before"] != answer["after"]
    assert answer["focusable"]


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.asked, self.ids, self.anchors, self.unnamed = [], set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.add(given.get("id"))
        for name in ("src", "href", "xlink:href", "action", "data"):
            link = given.get(name)
            if link and link.startswith("#"):
                self.anchors.append(link[1:])
            elif link:
                self.asked.append(link)
        if tag == "svg" and "aria-label" not in given and "aria-hidden" not in given:
            self.unnamed.append(given)


def test_nothing_is_asked_of_the_network_and_every_figure_has_a_name(page):
    links = Links(page)
    assert links.asked == ["data:,"]
    assert not re.search(r"@import|url\(|https?://", page.replace("http://www.w3.org/2000/svg", ""))
    assert set(links.anchors) <= links.ids
    assert not links.unnamed


def test_the_verdict_comes_first_and_everything_is_there(folder, page):
    result = mt.lab.Result.load(folder)
    flat = re.sub(r"\s+", " ", page)
    assert 0 < flat.index(result.sentence()) < flat.index("<h2>")
    for title in (
        "Ranking over 2 data sets", "Test accuracy", "Who beats whom", "Learning curves",
        "Sensitivity to the learning rate", "Expected best against budget", "Time to target",
        "Failures", "Configurations", "Do it again",
    ):  # fmt: skip
        assert f"<h2>{title}</h2>" in page
    for row in result.summary():
        assert f"{100 * row['accuracy']:.1f} %" in page


def test_the_report_comes_from_the_records_alone(folder, page, tmp_path):
    shutil.copytree(folder / "runs", tmp_path / "s" / "runs")
    shutil.copy(folder / "study.json", tmp_path / "s")
    again = mt.lab.Result.load(tmp_path / "s").report(tmp_path / "s" / "report.html")
    mine, theirs = (
        re.sub(r"trainings of .*?</p>", "", one, flags=re.DOTALL)
        for one in (page, again.read_text("utf-8"))
    )
    assert mine == theirs


def test_tables_and_figures_beside_the_page(folder):
    with (folder / "tables" / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 * 4
    pictures = sorted((folder / "figures").iterdir())
    assert {p.name.split("-")[0] for p in pictures} == {
        "curves", "sensitivity", "budget", "profile", "critical",
    }  # fmt: skip
    for picture in pictures:
        assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    written = (folder / "report.md").read_text("utf-8")
    result = mt.lab.Result.load(folder)
    assert 0 < written.index(result.sentence()) < written.index("\n## ")
    linked = re.findall(r"\((figures/.*?|tables/.*?)\)", written)
    assert {folder / link for link in linked} >= set(pictures)
    assert all((folder / link).is_file() for link in linked)
    for said in ("Failures", "Configurations", "Environment", result.study["command"]):
        assert said in written


def test_the_band_of_the_sensitivity_figure_is_around_its_line(folder):
    result = mt.lab.Result.load(folder)
    for panel in figures.sensitivities(result):
        lines = re.findall(r'<polyline class="line (c\d)" points="(.*?)"', panel["svg"])
        bands = dict(re.findall(r'<polygon class="band (c\d)" points="(.*?)"', panel["svg"]))
        assert len(lines) == len(bands) == 3
        for colour, points in lines:
            there = [float(p.split(",")[1]) for p in points.split()]
            band = [float(p.split(",")[1]) for p in bands[colour].split()]
            low, high = band[: len(there)], band[: len(there) - 1 : -1]
            assert all(h <= y <= l for h, y, l in zip(high, there, low, strict=True))  # y is down
            assert low != high


def test_the_same_in_the_terminal(folder, capsys):
    from minitrain import cli

    assert cli.main(["report", str(folder)]) == 0
    said = capsys.readouterr().out
    result = mt.lab.Result.load(folder)
    assert said.startswith(result.sentence())
    for section in sections(result):
        assert section.title in said
    assert f"To do it again: {result.study['command']}" in said


def test_names_are_escaped(tmp_path):
    wild = {"<b>a</b>": "sgd", '"b" & c': "adam"}
    result = mt.lab.Study(["iris"], wild, trials=0, seeds=2, epochs=1, layers=(8,)).run()
    page = result.report(tmp_path / "r.html").read_text("utf-8")
    assert "<b>a" not in page
    assert "&lt;b&gt;a" in page


def test_a_study_that_was_interrupted_has_a_report(tmp_path):
    def interrupt(done, total, message):
        if "leads on iris" in message:
            raise KeyboardInterrupt

    study = mt.lab.Study(["iris", "wine"], OPTIMIZERS, seeds=3, epochs=2, trials=2, layers=(8,))
    with pytest.raises(KeyboardInterrupt):
        study.run(out=tmp_path, progress=interrupt, workers=1)
    assert mt.lab.Result.load(tmp_path).report(tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (3, 47, [10, 20, 30, 40]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
    ],
)  # fmt: skip
def test_ticks(low, high, ticks):
    assert svg.nice_ticks(low, high) == pytest.approx(ticks)


def test_an_axis_without_anything_to_show():
    for values in ([], [float("nan")], [0.0, -1.0], [3.0]):
        axis = svg.Axis(values, 0, 100, log=True)
        assert 0 < axis.low < axis.high
        assert all(0 <= axis.at(t) <= 100 for t in axis.ticks())
