"""A result as JSON and as CSV."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .records import FIELDS, Run

if TYPE_CHECKING:
    from .result import Result


def to_json(result: "Result") -> dict[str, Any]:
    """Everything but the single runs, as JSON-ready values; null stands for nan."""
    return {
        "sentence": result.sentence(),
        "limits": result.limits(),
        "summary": _plain(result.summary()),
        "verdicts": _plain(result.verdicts()),
        "rankings": [_plain(result.ranking(*column)) for column in result.columns],
        "time_to_target": _plain(result.times_to_target()),
        "clocks": _plain(result.clocks()),
        "failures": len(result.failures),
        "study": _plain(result.study),
        "trainings": result.trainings,
        "seconds": _plain(result.seconds),
        "environment": _plain(result.environment),
    }


def csv_lines(runs: Sequence[Run]) -> Iterator[str]:
    """A row per run, without curves, under the names of the columns."""
    names = [n for n in FIELDS if n not in ("curves", "hyperparameters")]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, "hyperparameters"])
    for run in runs:
        hyper = json.dumps(run.hyperparameters)
        writer.writerow([*(getattr(run, name) for name in names), hyper])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()  # the names alone, if there are no runs


def _plain(value: Any) -> Any:
    """JSON has no nan and no infinity: null takes their place."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
