"""The tables of a report: rows of values for CSV, and the same as text."""

import csv
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from ...console import duration, interval, percent
from .. import curves
from ..records import CURVES
from ..result import Result

Rows = list[dict[str, Any]]


def rankings(result: Result) -> Rows:
    """A row per optimizer of the main column: average ranks by every clock, tests."""
    ranking = result.ranking()
    against = {row["optimizer"]: row for row in ranking["wilcoxon_holm"]}
    clocks = {row["optimizer"]: row for row in result.clocks()}
    scores = result.profiles()["scores"]
    return [
        {
            "optimizer": o,
            "rank": rank,
            "rank by epochs": clocks.get(o, {}).get("epochs"),
            "rank by gradient evaluations": clocks.get(o, {}).get("gradient_evaluations"),
            "rank by seconds": clocks.get(o, {}).get("seconds"),
            "p against baseline": against.get(o, {}).get("corrected"),
            "profile score": scores[o],
        }
        for o, rank in sorted(ranking["ranks"].items(), key=lambda item: item[1])
    ]


def configurations(result: Result) -> Rows:
    """Every configuration that was judged: the final one of each cell."""
    rows = []
    for column in result.columns:
        for dataset in result.datasets:
            for optimizer in result.optimizers:
                run = next(iter(result.of("final", dataset, optimizer, column)), None)
                if run:
                    values = run.hyperparameters
                    rows.append(
                        {"arm": column[0], "schedule": column[1], "dataset": dataset,
                         "optimizer": optimizer, "extensions": run.extension,
                         **{k: v for k, v in values.items() if not isinstance(v, bool) or v}}
                    )  # fmt: skip
    return rows


def failures(result: Result) -> Rows:
    """Failed trainings of each data set and optimizer, by reason."""
    counts: dict[tuple[str, str, str, str], int] = {}
    for run in result.failures:
        reason = run.reason.partition(":")[0] if run.is_crash else run.reason
        key = run.stage, run.dataset, run.optimizer, reason
        counts[key] = counts.get(key, 0) + 1
    names = ("stage", "dataset", "optimizer", "reason")
    return [{**dict(zip(names, key, strict=True)), "runs": n} for key, n in counts.items()]


def widths(result: Result) -> Rows:
    """A row per data set and optimizer: how many decades of learning rates are good."""
    return [
        {"data set": dataset, "optimizer": optimizer, "decades": found.width,
         "from": found.low, "to": found.high}
        for dataset, optimizer, found in _sensitivities(result)
    ]  # fmt: skip


def sensitivity(result: Result) -> Rows:
    """A row per data set, optimizer and learning rate: quartiles of the loss after training."""
    return [
        {"dataset": dataset, "optimizer": optimizer, "lr": rate, "first_quartile": first,
         "median": median, "third_quartile": third, "loss_before": found.initial}
        for dataset, optimizer, found in _sensitivities(result)
        for rate, first, median, third in np.stack(found[:4], axis=1).tolist()
    ]  # fmt: skip


def _sensitivities(result: Result) -> list[tuple[str, str, curves.Sensitivity]]:
    if "learning_rate" not in result.study["arms"]:
        return []
    return [
        (dataset, optimizer, found)
        for dataset in result.datasets
        for optimizer in result.optimizers
        if (found := result.sensitivity(dataset, optimizer, "learning_rate", result.main[1]))
    ]


def expected_best(result: Result) -> Rows:
    """A row per data set, optimizer and number of trials."""
    return [
        {"dataset": dataset, "optimizer": optimizer, "trials": b, "expected_loss": loss}
        for dataset in result.datasets
        for optimizer in result.optimizers
        for b, loss in enumerate(result.expected_best(dataset, optimizer).tolist(), 1)
    ]


def learning_curves(result: Result) -> Rows:
    """A row per data set, optimizer and epoch: quartiles of the validation loss."""
    rows = []
    for dataset in result.datasets:
        for optimizer in result.optimizers:
            runs = [r for r in result.final(dataset, optimizer) if not r.failed and len(r.curves)]
            if runs:
                losses = np.array([r.curves[:, CURVES.index("validation_loss")] for r in runs])
                for epoch, (first, median, third) in enumerate(curves.quartiles(losses).T, 1):
                    rows.append(
                        {"dataset": dataset, "optimizer": optimizer, "epoch": epoch,
                         "first_quartile": float(first), "median": float(median),
                         "third_quartile": float(third)}
                    )  # fmt: skip
    return rows


def profiles(result: Result) -> Rows:
    """A row per clock, optimizer and τ: the share of data sets that is solved."""
    rows = []
    for clock in ("epochs", "gradient_evaluations", "seconds"):
        found = result.profiles(clock)
        for optimizer, line in found["lines"].items():
            rows += [
                {"clock": clock, "optimizer": optimizer, "ratio": ratio, "share": share}
                for ratio, share in zip(found["ratios"], line, strict=True)
            ]
    return rows


def to_csv(rows: Rows) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# Every table by the name of its CSV file.
ALL: dict[str, Callable[[Result], Rows]] = {
    "summary": Result.summary,
    "verdicts": Result.verdicts,
    "ranking": rankings,
    "time_to_target": Result.times_to_target,
    "configurations": configurations,
    "failures": failures,
    "sensitivity": sensitivity,
    "expected_best": expected_best,
    "curves": learning_curves,
    "profiles": profiles,
}


def summary_cells(row: dict[str, Any]) -> list[tuple[str, float | str]]:
    """(text, what to sort by) of each cell of a row of the summary."""
    return [
        (row["dataset"], row["dataset"]),
        (row["optimizer"], row["optimizer"]),
        (f"{row['lr']:.2g}", row["lr"]),
        (percent(row["accuracy"]), row["accuracy"]),
        (interval(row["low"], row["high"]), row["low"]),
        (f"{row['gradient_evaluations']}", row["gradient_evaluations"]),
        (duration(row["seconds_per_training"]), row["seconds_per_training"]),
        (f"{row['failed']} of {row['runs']}", row["failed"]),
    ]


SUMMARY = (
    "data set", "optimizer", "lr", "test accuracy", "95 % interval", "gradient evaluations",
    "time of a training", "failed",
)  # fmt: skip
