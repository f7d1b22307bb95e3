"""Tables, facts and progress: plain into a pipe, by rich into a terminal."""

import io
import re
import sys

import pytest

from minitrain import console


class Terminal(io.StringIO):
    """A stream on which somebody watches."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "40")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


@pytest.fixture
def without_rich(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)


TABLE = (["name", "rows", "what"], [["iris", "150", "flowers"], None, ["a", "9", "[red] b"]])


def written(function, *arguments, **options):
    stream = io.StringIO()
    function(*arguments, stream=stream, **options)
    return stream.getvalue()


def test_plain_table():
    assert written(console.print_table, *TABLE, right=("rows",)) == (
        "name  rows  what\n"  #
        "iris   150  flowers\n"
        "\n"
        "a        9  [red] b\n"
    )


def test_plain_table_without_rows():
    assert written(console.print_table, ["name", "rows"], []) == "name  rows\n"


def test_wide_characters_take_two_columns():
    out = written(console.print_table, ["class", "n"], [["한국", "1"], ["e\u0301", "2"]])
    assert out == "class  n\n한국   1\ne\u0301      2\n"


def test_facts_may_be_of_different_length():
    facts = [["accuracy", "97.2 %", "of 359 rows"], ["", "none"]]
    assert written(console.print_facts, facts) == "accuracy  97.2 %  of 359 rows\n          none\n"


def test_table_in_a_terminal_holds_the_same_words(terminal):
    console.print_table(*TABLE, right=("rows",), stream=terminal)
    shown = terminal.getvalue()
    assert "\x1b[1m" in shown  # bold
    plain = written(console.print_table, *TABLE, right=("rows",))
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown).split() == plain.split()


@pytest.mark.usefixtures("without_rich")
def test_table_in_a_terminal_without_rich_is_plain(terminal):
    console.print_table(*TABLE, stream=terminal)
    assert terminal.getvalue() == written(console.print_table, *TABLE)


def test_dumb_terminal_gets_plain_text(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console.print_table(*TABLE, stream=terminal)
    assert terminal.getvalue() == written(console.print_table, *TABLE)


CODE = "def f(p):\n    return p  # " + "long " * 30


def test_source_is_coloured_in_a_terminal_and_whole_in_both(terminal):
    assert written(console.print_source, CODE) == CODE + "\n"
    console.print_source(CODE, stream=terminal)
    assert re.search(r"\x1b\[\d*;?3\d|\x1b\[9\d", terminal.getvalue())
    assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).rstrip() == CODE.rstrip()


def test_no_color(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console.print_source(CODE, stream=terminal)
    console.print_heading("Its code", stream=terminal)
    console.print_table(*TABLE, stream=terminal)
    colours = set(re.findall(r"\x1b\[([0-9;]*)m", terminal.getvalue()))
    assert colours <= {"1", "0"}  # bold is no colour


def test_text_is_wrapped_in_a_terminal_alone(terminal):
    text = "a well-known word " * 10
    assert written(console.print_text, text) == text + "\n"
    console.print_text(text, stream=terminal)
    lines = terminal.getvalue().splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) < 60
    assert " ".join(lines).split() == text.split()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.1e-4, "310 µs"),
        (0.0009996, "1 ms"),
        (0.083, "83 ms"),
        (1.234, "1.2 s"),
        (9.99, "10 s"),
        (59.7, "60 s"),
        (125, "2 min 5 s"),
    ],
)
def test_duration(seconds, text):
    assert console.duration(seconds) == text


def test_shares():
    assert console.percent(0.97222) == "97.2 %"
    assert console.percent(float("nan")) == "none"
    assert console.interval(0.9501, 0.985) == "95.0 to 98.5 %"
    assert console.interval(float("nan"), float("nan")) == "none"


def count_to(n, total, stream, **options):
    with console.Progress("epoch", stream=stream, **options) as progress:
        for i in range(1, n + 1):
            progress.update(i, total, f"loss {i}")


def test_progress_in_a_pipe_is_a_handful_of_lines():
    stream = io.StringIO()
    count_to(1000, 1000, stream)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "epoch    1/1000  loss 1"
    assert lines[-1] == "epoch 1000/1000  loss 1000"
    assert len(lines) == 9


def test_short_progress_says_everything():
    stream = io.StringIO()
    count_to(3, 3, stream)
    assert stream.getvalue() == "epoch 1/3  loss 1\nepoch 2/3  loss 2\nepoch 3/3  loss 3\n"


def test_progress_that_ends_early_says_where():
    stream = io.StringIO()
    count_to(7, 100, stream)
    assert stream.getvalue() == "epoch   1/100  loss 1\nepoch   7/100  loss 7\n"


def test_progress_without_news_says_nothing():
    stream = io.StringIO()
    count_to(0, 100, stream)
    count_to(9, 9, stream, quiet=True)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("keep", [True, False])
def test_progress_in_a_terminal(terminal, keep):
    count_to(100, 100, terminal, keep=keep)
    shown = terminal.getvalue()
    assert "━" in shown
    assert "100/100" in shown
    assert "\x1b[?25h" in shown  # the cursor is back
    assert ("epoch   1/100  loss 1\n" in shown) == keep


def test_on_a_narrow_line_the_message_alone_gives_way(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with console.Progress("training", stream=terminal) as progress:
        progress.update(1234, 11880, "tuning: a_name_that_is_long on " + "another_name " * 5)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert re.search("training 1234/11880 [━╸╺]{12} .{5} tuning: a_name_that_is_long on.*…", shown)


def test_progress_that_jumps_misses_no_line():
    stream = io.StringIO()
    with console.Progress("epoch", stream=stream) as progress:
        for done in (1, 40, 55, 60, 100):
            progress.update(done, 100, "")
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == [
        "1/100", "40/100", "55/100", "100/100",
    ]  # fmt: skip


@pytest.mark.usefixtures("without_rich")
def test_progress_in_a_terminal_without_rich(terminal):
    count_to(2, 2, terminal)
    assert terminal.getvalue() == "epoch 1/2  loss 1\nepoch 2/2  loss 2\n"


class FakeResult:
    """A study in which adam wins on moons, and every sgd run on xor failed."""

    columns = [("learning_rate", "constant")]

    def __init__(self, failed=0):
        self.failed = failed

    def summary(self, arm, schedule):
        def row(dataset, optimizer, accuracy, failed=0):
            return {
                "dataset": dataset, "optimizer": optimizer, "lr": 0.012345, "accuracy": accuracy,
                "low": accuracy - 0.01, "high": accuracy + 0.01, "seconds_per_training": 0.0123,
                "runs": 30, "failed": failed,
            }  # fmt: skip

        nan = float("nan")
        return [
            row("moons", "sgd", 0.9),
            row("moons", "adam", 0.95),
            row("xor", "sgd", nan if self.failed else 0.5, self.failed),
            row("xor", "adam", 0.9),
        ]

    def verdicts(self, arm, schedule):
        return [
            {"dataset": "moons", "a": "adam", "b": "sgd", "verdict": "better"},
            {"dataset": "moons", "a": "sgd", "b": "adam", "verdict": "worse"},
            {"dataset": "xor", "a": "adam", "b": "sgd", "verdict": "not separable"},
        ]

    def sentence(self):
        return "adam wins."

    def limits(self):
        return "Little was seen."


def test_study():
    assert written(console.print_study, FakeResult()) == (
        "adam wins.\n"
        "Little was seen.\n"
        "\n"
        "data set  optimizer     lr  accuracy   95 % interval  better than     time\n"
        "moons     adam       0.012    95.0 %  94.0 to 96.0 %  sgd          12.3 ms\n"
        "moons     sgd        0.012    90.0 %  89.0 to 91.0 %  none         12.3 ms\n"
        "\n"
        "xor       adam       0.012    90.0 %  89.0 to 91.0 %  none         12.3 ms\n"
        "xor       sgd        0.012    50.0 %  49.0 to 51.0 %  none         12.3 ms\n"
    )


def test_study_with_two_columns_names_them():
    result = FakeResult()
    result.columns = [("defaults", "constant"), ("learning_rate", "cosine")]
    lines = written(console.print_study, result).splitlines()
    assert (lines[3], lines[11]) == ("defaults, constant rate", "learning rate, cosine")


def test_study_with_failures():
    lines = written(console.print_study, FakeResult(failed=30)).splitlines()
    assert lines[3].endswith("failed")
    assert lines[4].endswith("none")
    assert lines[8].split()[:4] == ["xor", "sgd", "0.012", "none"]
    assert lines[8].endswith("30 of 30")
