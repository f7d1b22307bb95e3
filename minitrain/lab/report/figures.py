"""The figures of a report, made from a Result alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import curves
from ..records import CURVES
from ..result import Result
from .svg import Series, chart

_MOST_POINTS = 50
_MOST_GAIN = 1000  # times less loss than before training that a figure shows
Panel = dict[str, Any]
_LOSS = CURVES.index("validation_loss")


def learning_curves(result: Result) -> list[Panel]:
    """Per data set: validation loss against epochs, median and quartiles over the seeds.

    ``data`` is what the page's script needs to draw it against the other clocks.
    """
    panels = []
    for dataset in result.datasets:
        series, data = [], []
        for i, optimizer in enumerate(result.optimizers):
            runs = [r for r in result.final(dataset, optimizer) if not r.failed and len(r.curves)]
            if not runs:
                continue
            values = np.array([r.curves[:, _LOSS] for r in runs])
            low, median, high = curves.quartiles(values)
            places = _places(len(median))
            x = (places + 1).tolist()
            parts = [_short(v[places]) for v in (median, low, high)]
            series.append(Series(optimizer, x, parts[0], parts[1], parts[2], i))
            per_epoch = runs[0].steps_per_epoch
            seconds = float(np.median([r.seconds / max(r.steps, 1) for r in runs])) * per_epoch
            gradients = per_epoch * runs[0].gradient_evaluations // max(runs[0].steps, 1)
            data.append(
                {"name": optimizer, "number": i, "x": x, "y": parts[0], "low": parts[1],
                 "high": parts[2], "gradient_evaluations": gradients,
                 "seconds": float(f"{seconds:.4g}"), "epochs": 1}
            )  # fmt: skip
        if series:
            svg = chart(dataset, series, "epochs", "validation loss", y_log=True)
            panels.append({"dataset": dataset, "svg": svg, "data": data})
    return panels


def sensitivities(result: Result) -> list[Panel]:
    """Per data set: validation loss against learning rate, quartiles over the tuning seeds."""
    if "learning_rate" not in result.study["arms"]:
        return []
    schedule = result.main[1]
    panels = []
    for dataset in result.datasets:
        series = []
        for i, optimizer in enumerate(result.optimizers):
            found = result.sensitivity(dataset, optimizer, "learning_rate", schedule)
            if found is None:
                continue
            initial = found.initial
            # What is worse than no training at all may be worse by any power of ten, and on a
            # small validation part one lucky seed may be better by as many.
            rows = [np.clip(row, initial / _MOST_GAIN, initial) for row in found[1:4]]
            rates, first, median, third = map(_short, (found.rates, *rows))
            series.append(Series(optimizer, rates, median, first, third, i))
        if series:
            svg = chart(dataset, series, "learning rate", "validation loss", True, True)
            panels.append({"dataset": dataset, "svg": svg})
    return panels


def budgets(result: Result) -> list[Panel]:
    """Per data set: expected validation loss of the best of so many trials."""
    if not any(result.study["trials"].values()):
        return []
    panels = []
    for dataset in result.datasets:
        series = []
        for i, optimizer in enumerate(result.optimizers):
            found = result.expected_best(dataset, optimizer)
            if len(found):
                trials = [float(b) for b in range(1, len(found) + 1)]
                series.append(Series(optimizer, trials, _short(found), number=i))
        if series:
            svg = chart(dataset, series, "trials", "expected validation loss", y_log=True)
            panels.append({"dataset": dataset, "svg": svg})
    return panels


def profiles(result: Result) -> list[Panel]:
    """By each clock: the share of data sets solved within τ times the time of the fastest."""
    if len(result.optimizers) < 2:
        return []
    panels = []
    for clock in ("epochs", "gradient_evaluations", "seconds"):
        found = result.profiles(clock)
        series = [
            Series(name, *_staircase(found["ratios"], line), number=i)
            for i, (name, line) in enumerate(found["lines"].items())
        ]
        words = clock.replace("_", " ")
        labels = "τ: times as long as the fastest", "share of data sets solved"
        svg = chart(words, series, *labels, y_range=(0, 1))
        panels.append({"dataset": f"by {words}", "svg": svg})
    return panels


def _staircase(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """The corners of a line that jumps where its value changes."""
    xs, ys = [x[0]], [y[0]]
    for place, value in zip(x[1:], y[1:], strict=True):
        if value != ys[-1]:
            xs += [place, place]
            ys += [ys[-1], value]
    return [*xs, x[-1]], [*ys, ys[-1]]


def _places(n: int) -> np.ndarray:
    """At most 50 of n epochs, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, _MOST_POINTS)).round().astype(int))


def _short(values: Sequence[float] | np.ndarray) -> list[float]:
    return [float(f"{x:.4g}") for x in values]
