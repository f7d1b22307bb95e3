"""Time to target: who reaches which accuracy when, by three clocks.

Source: AlgoPerf (arXiv 2306.07179); its targets come from baselines, a miss is infinity.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from . import curves, ranks
from .records import CURVES

if TYPE_CHECKING:
    from .result import Column, Result

CLOCKS = ("epochs", "gradient_evaluations", "seconds")
_VALIDATION_ACCURACY = CURVES.index("validation_accuracy")


def targets(result: "Result", column: "Column") -> dict[str, float]:
    """Validation accuracy to reach on each data set."""
    found = {}
    for dataset in result.datasets:
        medians = []
        for optimizer in result.setting_targets:
            runs = result.final(dataset, optimizer, *column)
            best = [
                np.nan if r.failed or not len(r.curves)
                else r.curves[:, _VALIDATION_ACCURACY].max()
                for r in runs
            ]  # fmt: skip
            if best and not np.isnan(best).all():
                medians.append(float(np.median(np.nan_to_num(best, nan=0.0))))
        if medians:
            found[dataset] = max(medians)
    return found


def times(result: "Result", column: "Column") -> list[dict[str, Any]]:
    """A row per data set and optimizer: medians to the target by each clock."""
    rows = []
    for dataset, target in targets(result, column).items():
        for optimizer in result.optimizers:
            runs = result.final(dataset, optimizer, *column)
            if not runs:
                continue
            epochs = np.array(
                [
                    np.inf if r.failed
                    else curves.first_reached(r.curves[:, _VALIDATION_ACCURACY], target)
                    for r in runs
                ]
            )  # fmt: skip
            steps = epochs * [r.steps_per_epoch for r in runs]
            # A crash has made no step: its inf is to stay one.
            gradients = steps * [r.gradient_evaluations / r.steps if r.steps else 1 for r in runs]
            seconds = steps * [r.seconds / max(r.steps, 1) for r in runs]
            rows.append(
                {
                    "dataset": dataset,
                    "optimizer": optimizer,
                    "target": target,
                    "epochs": _median(epochs),
                    "gradient_evaluations": _median(gradients),
                    "seconds": _median(seconds),
                    "reached": float(np.isfinite(epochs).mean()),
                }
            )
    return rows


def profiles(result: "Result", clock: str, column: "Column") -> dict[str, Any]:
    """Performance profiles by a clock, and their scores."""
    rows = result.times_to_target(*column)
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    times = np.full((len(datasets), len(result.optimizers)), np.inf)
    for row in rows:
        place = datasets.index(row["dataset"]), result.optimizers.index(row["optimizer"])
        times[place] = row[clock]
    ratios = np.linspace(1.0, curves.MOST_RATIO, 61)
    empty = not len(datasets)
    lines = np.zeros((len(result.optimizers), 61)) if empty else curves.profile(times, ratios)
    scores = np.zeros(len(result.optimizers)) if empty else curves.profile_score(times)
    return {
        "clock": clock,
        "ratios": ratios.tolist(),
        "lines": dict(zip(result.optimizers, lines.tolist(), strict=True)),
        "scores": dict(zip(result.optimizers, scores.tolist(), strict=True)),
    }


def clocks(result: "Result", means: np.ndarray, datasets: list[str]) -> list[dict[str, Any]]:
    """Average rank by three clocks, beside that of the accuracies ``means`` (N, k)."""
    rows = result.times_to_target(*result.main)
    found: dict[str, np.ndarray] = {"accuracy": ranks.rank(means).mean(axis=0)}
    for clock in CLOCKS:
        times = np.array(
            [
                [next((r[clock] for r in rows if (r["dataset"], r["optimizer"]) == (d, o)),
                      np.inf) for o in result.optimizers]
                for d in datasets
            ]
        )  # fmt: skip
        found[clock] = ranks.rank(-times).mean(axis=0)
    return [
        {"optimizer": o, **{name: float(values[i]) for name, values in found.items()}}
        for i, o in enumerate(result.optimizers)
    ]


def _median(values: np.ndarray) -> float:
    """Of numbers and inf: the upper of the two in the middle, so that nothing is nan."""
    return float(np.quantile(values, 0.5, method="higher"))
