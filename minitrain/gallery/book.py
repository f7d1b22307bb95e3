"""The two figures of Deep Learning from Scratch (밑바닥부터 시작하는 딥러닝), chapter 6.

They compare optimizers; each as it stands there, and once more as it would have to be to say who
is better: several seeds, tuned rates, rows that were not learned from, and time.
"""

from typing import Any

import numpy as np

from ..optimizer import Optimizer
from ..optimizers import get
from .claims import training
from .claims.training import Setting
from .figures import draw_path, draw_surface, inside
from .style import INK, caption, new_figure, style_of
from .walks import spelled, tune, walk

NAMES = ("sgd", "momentum", "adagrad", "adam")
# Chosen by the authors' hand: (common/optimizer.py and ch06/optimizer_compare_naive.py there).
RAVINE_RATES = {"sgd": 0.95, "momentum": 0.1, "adagrad": 1.5, "adam": 0.3}
MNIST_RATES = {"sgd": 0.01, "momentum": 0.01, "adagrad": 0.01, "adam": 0.001}

_NETWORK = Setting(hidden=(100, 100, 100, 100), batch_size=128, epochs=30)
_STEPS = 500


def draw_ravine(starts: int = 12) -> Any:
    """Above: the book's four ways over x²/20 + y², its rates, its start.  Below: each at its best
    rate, from several starts, and its loss."""
    figure, axes = new_figure(11, 6.6, columns=5, rows=2)
    rng = np.random.default_rng(0)
    places = [(-7.0, 2.0)] + [
        tuple(rng.uniform([4, 1], [9, 3]) * rng.choice([-1, 1], 2)) for _ in range(starts - 1)
    ]
    best = {name: tune("ravine", name).optimizer for name in NAMES}
    for row, title in ((0, "as in the book"), (1, "best rates")):
        for column, name in enumerate(NAMES):
            axis, style = axes[row, column], style_of(name)
            made = get(name, lr=RAVINE_RATES[name]) if row == 0 else best[name]
            ways = [walk("ravine", made, start=place) for place in places[: None if row else 1]]
            draw_surface(axis, ways[0].surface, points=81)
            for way in ways[1:]:
                axis.plot(*inside(way).T, color=style.colour, linewidth=0.7, alpha=0.4)
            draw_path(axis, ways[0])
            axis.set_title(f"{made.rule.title}, lr {made.lr:g}", fontsize=9, loc="left")
            losses = np.array([way.loss for way in ways])
            axes[row, 4].plot(np.median(losses, axis=0), label=name, **style.line())
            if row:
                low, high = np.quantile(losses, [0.25, 0.75], axis=0)
                axes[row, 4].fill_between(range(31), low, high, color=style.colour, alpha=0.15)
        axes[row, 4].set_yscale("log")
        axes[row, 4].set_ylim(1e-9, 20)
        axes[row, 4].set_title(f"loss, {title}", fontsize=9, loc="left")
        axes[row, 4].set_xlabel("step", fontsize=8)
    axes[0, 4].legend(fontsize=8, frameon=False)
    caption(
        figure,
        "Ravine x²/20 + y², 30 steps, float64, no noise. Above: start (−7, 2), rates chosen by "
        f"the book's authors by hand: {_each({n: get(n, lr=r) for n, r in RAVINE_RATES.items()})}. "
        f"Below: {_each(best)}; for each the best of 51 rates in 1e-4 … 10 by mean "
        f"loss from (−7, 2); that start (thick) and {starts - 1} others (seed 0); median and "
        "quartiles of the loss. SGD's zigzag above is its rate, close to the largest that does not "
        "diverge (1.0). One surface is no ranking.",
    )
    return figure


def _each(optimizers: dict[str, Optimizer]) -> str:
    return ", ".join(map(spelled, optimizers.values()))


def draw_training(seeds: int = 8) -> Any:
    """Left: the book's picture, one seed and the authors' rates, training loss per step.  Then the
    same network with tuned rates: validation loss per pass and per second, test accuracy."""
    figure, axes = new_figure(11, 3.9, columns=4)
    best = {name: training.tuned(_NETWORK, name) for name in NAMES}
    timed: dict[str, list] = {name: [] for name in NAMES}
    for seed in range(seeds):
        for name in NAMES:  # in turn, since the machine is not equally fast at all times
            timed[name].append(training.timed_run(_NETWORK, best[name], seed))
    for y, name in enumerate(NAMES):
        line, style = style_of(name).line(), style_of(name)
        seen = training.by_steps(_NETWORK, get(name, lr=MNIST_RATES[name]), 0, _STEPS)
        axes[0, 0].plot(seen.loss, label=get(name).rule.title, **line)
        runs = timed[name]
        losses = np.array([run.validation for run, _ in runs])
        low, middle, high = np.quantile(losses, [0.25, 0.5, 0.75], axis=0)
        passes = np.arange(1, _NETWORK.epochs + 1)
        axes[0, 1].plot(passes, middle, **line)
        axes[0, 1].fill_between(passes, low, high, color=style.colour, alpha=0.15)
        # Of each epoch the least of the seeds: what the machine did besides is left out.
        seconds = np.min([np.diff(time, prepend=0) for _, time in runs], axis=0).cumsum()
        axes[0, 2].plot(1e3 * seconds, middle, **line)
        accuracy = 100 * np.array([run.accuracy for run, _ in runs])
        axes[0, 3].plot(accuracy, y + np.linspace(-0.15, 0.15, seeds), style.marker,
                        color=style.colour, markersize=4, alpha=0.6)  # fmt: skip
        axes[0, 3].plot([accuracy.mean()] * 2, [y - 0.3, y + 0.3], color=INK)
    titles = (
        "as in the book: training loss",
        "validation loss",
        "validation loss",
        "test accuracy",
    )
    labels = ("step", "passes over the data", "milliseconds of training", "%")
    for axis in axes[0, 1:3]:
        axis.set_yscale("log")
    for axis, title, label in zip(axes[0], titles, labels, strict=True):
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_xlabel(label, fontsize=8)
    axes[0, 0].legend(fontsize=8, frameon=False)
    axes[0, 3].set_yticks(range(4), [f"{n}\nlr {best[n].lr:g}" for n in NAMES], fontsize=8)
    axes[0, 3].invert_yaxis()
    authors = _each({name: get(name, lr=rate) for name, rate in MNIST_RATES.items()})
    caption(
        figure,
        "digits instead of MNIST, the book's network: 100-100-100-100 relu, batch 128. Left: seed "
        f"0, the authors' rates ({authors}), {_STEPS} steps, loss of all training rows. Others: "
        f"{_NETWORK.epochs} epochs, {_each(best)}; {training.HOW.format('validation')}; "
        f"seeds 0–{seeds - 1}, each with its own split, weights and order; lines: medians, bands: "
        "quartiles, bar: mean. Times: of each epoch the least of the seeds, optimizers in turn, on "
        "the machine that made this. No ranking: that is what minitrain compare makes.",
    )
    return figure
