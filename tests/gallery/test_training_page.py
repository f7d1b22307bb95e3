"""What is seen of a training: the page, the live curves, the update ratio, the hidden units."""

import io
import re

import numpy as np
import pytest

import minitrain as mt
from minitrain import cli
from minitrain.cli import train_live
from minitrain.gallery import inside


def test_pre_activations_are_those_of_the_textbook():
    model = mt.MLP([3, 5, 4, 2], ["tanh", "relu"], seed=1, dtype="float64")
    model.parameters += 0.01
    X = np.random.default_rng(0).normal(size=(7, 3))
    first, second = inside.pre_activations(model, X)
    z = X @ model.weights[0] + model.biases[0]
    np.testing.assert_allclose(first, z, rtol=1e-12)
    np.testing.assert_allclose(second, np.tanh(z) @ model.weights[1] + model.biases[1], rtol=1e-10)


@pytest.mark.parametrize(("name", "bias"), [("relu", -100), ("tanh", 100), ("sigmoid", -100)])
def test_idle_units_are_found(name, bias):
    model = mt.MLP([3, 6, 2], name, seed=0)
    X = np.random.default_rng(0).normal(size=(20, 3))
    assert inside.idle_units(model, X)[0].sum() == 0
    model.biases[0][[1, 4]] = bias
    assert np.flatnonzero(inside.idle_units(model, X)[0]).tolist() == [1, 4]


def test_update_ratio_is_that_of_the_step():
    """SGD with full batches: the next step is lr times the gradient at the end of the epoch."""
    train = mt.datasets.load("iris").split(seed=0)[0]
    model, seen = mt.MLP([4, 8, 3], seed=0, dtype="float64"), []
    trainer = mt.Trainer(model, mt.optimizers.SGD(lr=0.1), batch_size=10**6)
    assert np.isnan(trainer.update_ratio())
    before = [model.parameters.copy()]
    trainer.callbacks = (
        lambda history: seen.append(trainer.update_ratio()),
        lambda history: before.append(model.parameters.copy()),
    )
    trainer.fit(train, 4)
    for ratio, old, new in zip(seen, before, before[1:], strict=False):
        # The gradient is that of the step just made, from where it began.
        expected = np.linalg.norm(new - old) / np.linalg.norm(new)
        assert ratio == pytest.approx(expected, rel=1e-9)


def test_update_ratio_follows_the_schedule():
    train = mt.datasets.load("iris").split(seed=0)[0]
    seen = {}
    for factor in (1.0, 0.5):
        model = mt.MLP([4, 8, 3], dtype="float64")
        trainer = mt.Trainer(
            model, mt.optimizers.SGD(lr=1e-6), schedule=lambda step, total, f=factor: f + 0 * step
        )
        trainer.fit(train, 1)
        seen[factor] = trainer.update_ratio()
    assert seen[0.5] / seen[1.0] == pytest.approx(0.5, rel=1e-4)


def test_live_curves():
    lines = train_live.curve([1, 2, 3, 4], 10, height=1)
    assert lines == "▁▃▆█"
    assert train_live.curve([1, np.nan, 1], 10, height=1) == "▄ ▄"
    assert train_live.curve([], 10) == train_live.curve([np.nan], 10) == "\n\n"
    tall = train_live.curve(np.linspace(1, 100, 500), 20, height=3, log=True).split("\n")
    assert [len(line) for line in tall] == [20, 20, 20]
    assert tall[2][5:] == "█" * 15


def test_live_picture_on_a_terminal():
    rich = pytest.importorskip("rich.console")
    out = io.StringIO()
    live = train_live.Live(rich.Console(file=out, force_terminal=True, width=100))
    model = mt.MLP([4, 8, 3])
    trainer = mt.Trainer(model, mt.optimizers.Adam())
    ratios = []

    def show(history):
        ratios.append(trainer.update_ratio())
        live.draw(history, ratios, 5)

    trainer.callbacks = (show,)
    parts = mt.datasets.load("iris").split(seed=0)
    with live:
        trainer.fit(parts[0], 5, validation=parts[1])
    for part in ("loss, training", "accuracy, validation", "update / weights", "5 of 5", "0.001"):
        assert part in out.getvalue()


def page_of(tmp_path, *arguments):
    assert cli.main(["train", *arguments, "--report", str(tmp_path / "r.html")]) == 0
    text = (tmp_path / "r.html").read_text("utf-8")
    assert not re.search(r'(src|href)="(?!data:)', text)
    return text


def test_page_of_digits(tmp_path, in_browser, capsys):
    text = page_of(tmp_path, "digits", "--epochs", "3", "--layers", "16")
    assert "Written: " in capsys.readouterr().out
    heads = in_browser(
        text,
        "return [[...document.querySelectorAll('h2')].map((h) => h.textContent),"
        "[...document.images].every((i) => i.naturalWidth > 100),"
        "document.documentElement.scrollWidth - innerWidth];",
        size="500,900",
    )
    assert heads[0] == ["Curves", "Confusion matrix", "Mistakes", "Weights and activations",
                        "Classes"]  # fmt: skip
    assert heads[1]
    assert heads[2] <= 0
    assert "Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08)" in text
    assert "seed 0" in text


def test_mistakes_are_shown_as_they_came(tmp_path, monkeypatch):
    """Grey levels 0 to 16, not the standardised ones, in which nobody reads a digit."""
    from minitrain.gallery import training_figures

    seen, draw = [], training_figures.draw_mistakes
    monkeypatch.setattr(
        training_figures,
        "draw_mistakes",
        lambda images, *more: (seen.append(images), draw(images, *more))[1],
    )
    page_of(tmp_path, "digits", "--epochs", "1", "--layers", "8")
    (images,) = seen
    assert images.shape[1:] == (8, 8)
    np.testing.assert_allclose(images, np.rint(images), atol=1e-4)
    assert np.rint(images).min() == 0
    assert np.rint(images).max() == 16


def test_page_of_two_features_moves(tmp_path, in_browser):
    from base64 import b64decode

    from PIL import Image

    text = page_of(tmp_path, "moons", "--epochs", "6", "--layers", "8")
    gif = re.search(r"data:image/gif;base64,([^\"]+)", text).group(1)
    frames = Image.open(io.BytesIO(b64decode(gif)))
    assert frames.n_frames >= 7


def test_page_of_numbers_and_live_in_a_pipe(tmp_path, capsys):
    text = page_of(tmp_path, "diabetes", "--epochs", "2", "--live")
    assert "test R²" in text
    assert "Confusion" not in text
    assert "update " in capsys.readouterr().err


def test_report_refuses(capsys):
    assert cli.main(["train", "iris", "--report", "x.pdf"]) == 2
    assert "ends in .html" in capsys.readouterr().err
    assert cli.main(["train", "iris", "--report", "/no/where.html"]) == 2
    assert "is not there" in capsys.readouterr().err
