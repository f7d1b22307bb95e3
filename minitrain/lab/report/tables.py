"""The tables of a report: rows of values for CSV, and the same as text."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from ...console import duration, interval, percent
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
                runs = result.final(dataset, optimizer, *column)
                if runs:
                    values = runs[0].hyperparameters
                    rows.append(
                        {"arm": column[0], "schedule": column[1], "dataset": dataset,
                         "optimizer": optimizer, "extensions": runs[0].extension,
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


def to_csv(rows: Rows) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def all_tables(result: Result) -> dict[str, Rows]:
    """Every table by the name of its CSV file."""
    return {
        "summary": result.summary(),
        "verdicts": result.verdicts(),
        "ranking": rankings(result),
        "time_to_target": result.times_to_target(),
        "configurations": configurations(result),
        "failures": failures(result),
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


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(str(c).replace('|', '/') for c in row)} |" for row in rows]
    return "\n".join(lines)
