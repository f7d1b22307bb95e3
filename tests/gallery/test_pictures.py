"""Pictures: their small print, their colours, their files."""

import itertools
import json
import shutil
import subprocess

import numpy as np
import pytest

import minitrain as mt
from minitrain import cli
from minitrain.gallery import animation, figures, style, walks


@pytest.fixture(scope="module")
def three():
    return [walks.tune("ravine", name) for name in ("sgd", "momentum", "adam")]


def words(figure):
    from matplotlib.text import Text

    return " ".join(t.get_text() for t in figure.findobj(Text))


def test_figure_says_how_it_was_made(three):
    text = words(mt.gallery.draw_walks(three)).replace("\n", " ")
    for walk in three:
        assert walks.spelled(walk.optimizer) in text
    assert "Adam(lr=1.3, beta1=0.9, beta2=0.999, eps=1e-08)" in text
    for part in ("best of 51", "30 steps", "no seed", "(-7, 2)", "no ranking", "x²/20 + y²"):
        assert part in text


def test_captions_spell_hyperparameters():
    for optimizer, said in (
        (mt.optimizers.Momentum(lr=0.1), "Momentum(lr=0.1, momentum=0.9)"),
        (mt.optimizers.Adam(lr=1.0, beta1=0.0), "Adam(lr=1, beta1=0, beta2=0.999, eps=1e-08)"),
        (mt.optimizers.SGD(lr=2.0, cautious=True), "SGD(lr=2, cautious=True)"),
    ):
        assert walks.spelled(optimizer) == said


def test_figure_survives_a_divergence():
    wild = walks.walk("rosenbrock", mt.optimizers.SGD(lr=1.0))
    assert wild.diverged
    mt.gallery.draw_walks([wild]).savefig("/dev/null", format="png")


def test_figure_refuses():
    with pytest.raises(ValueError, match="same surface"):
        mt.gallery.draw_walks([walks.walk("ravine", "sgd"), walks.walk("beale", "sgd")])
    with pytest.raises(ValueError, match="at least one"):
        mt.gallery.draw_walks([])


# Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip


def lab(colour, matrix):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    seen = np.clip(np.array(matrix) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    f = np.cbrt(np.maximum(xyz @ seen / [0.9505, 1, 1.089], 1e-4))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colours_can_be_told_apart(kind):
    """A difference of 10 in CIELAB is plain to see; where it is less, the dashes differ."""
    for (_, a), (_, b) in itertools.combinations(style.STYLES.items(), 2):
        apart = np.linalg.norm(lab(a.colour, BLINDNESS[kind]) - lab(b.colour, BLINDNESS[kind]))
        assert apart > 10 or a.dash != b.dash, (a, b, apart)
    markers = [s.marker for s in style.STYLES.values()]
    assert len(set(markers)) == len(markers)


def test_look_of_others_stays():
    assert style.style_of("my_rule") == style.style_of("my_rule")
    assert style.style_of("adam") is style.STYLES["adam"]


def test_small_png_keeps_the_colours(three, tmp_path):
    from PIL import Image

    style.save(figures.draw_walks(three), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 100_000
    pixels = np.array(Image.open(tmp_path / "a.png").convert("RGB")).reshape(-1, 3)
    for walk in three:
        colour = style.style_of(walk.optimizer.name).colour
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == rgb).all(axis=1).any(), walk.optimizer.name


def test_animation(three, tmp_path):
    from PIL import Image

    with Image.open(animation.animate(three, tmp_path / "a.gif", dpi=40)) as gif:
        assert gif.n_frames > 20
        gif.seek(0)
        first = np.array(gif.convert("RGB"), int)
        gif.seek(gif.n_frames - 1)
        assert np.abs(np.array(gif.convert("RGB"), int) - first).max() > 50
    with pytest.raises(ValueError, match=r"\.gif or \.mp4"):
        animation.animate(three, tmp_path / "a.avi")


def test_animation_as_mp4(three, tmp_path, monkeypatch):
    if shutil.which("ffmpeg"):
        path = animation.animate(three, tmp_path / "a.mp4", dpi=40)
        probe = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"]
        assert subprocess.run(probe, capture_output=True, text=True).stderr == ""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="ffmpeg"):
        animation.animate(three, tmp_path / "b.mp4")


def call(capsys, *arguments):
    code = cli.main(["surfaces", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_command_lists_and_walks(capsys, tmp_path):
    code, out, _ = call(capsys)
    assert code == 0
    assert "rosenbrock" in out
    code, out, _ = call(capsys, "saddle", "--optimizers", "sgd,adam", "--out", f"{tmp_path}/s.html")
    assert code == 0
    assert "no ranking" in out
    assert (tmp_path / "s.html").stat().st_size > 10_000
    code, out, _ = call(capsys, "saddle", "--lr", "0.1", "--steps", "5", "--start=1,1", "--json")
    found = json.loads(out)
    assert [w["hyperparameters"]["lr"] for w in found["walks"]] == [0.1] * 8
    assert len(found["walks"][0]["path"]) == 6
    assert json.loads(call(capsys, "--json")[1])[0]["name"] == "ravine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sadle",), "did you mean saddle"),
        (("saddle", "--out", "x.bmp"), "accepted: .png"),
        (("saddle", "--start", "1"), "two numbers"),
        (("saddle", "--start", "nan,1"), "two finite numbers"),
        (("saddle", "--optimizers", "adm"), "did you mean adam"),
        (("--out", "x.png"), "surface: needed"),
    ],
)
def test_command_refuses(capsys, arguments, message):
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
