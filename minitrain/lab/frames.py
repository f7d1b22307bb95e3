"""Runs as a pandas DataFrame."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .records import CURVES, FIELDS, Run, Store


def read_runs(folder: "str | os.PathLike[str]") -> Any:
    """The runs of a study's folder as a pandas DataFrame, a row each (extra ``lab``).

    Hyperparameters become columns ("hyper.beta1"), curves arrays ("curve.loss").
    """
    stored = Store(Path(folder), _study_of(Path(folder))).new(set_aside=False, all_curves=True)
    return to_frame((run for runs in stored for run in runs), with_curves=True)


def to_frame(runs: Iterable[Run], with_curves: bool = False) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "runs as a DataFrame need pandas: pip install 'minitrain[lab]'"
        ) from error
    rows = []
    for run in runs:
        row = {name: getattr(run, name) for name in FIELDS if name != "curves"}
        row |= {f"hyper.{k}": v for k, v in row.pop("hyperparameters").items()}
        if with_curves:
            row |= {f"curve.{k}": run.curves[:, i] for i, k in enumerate(CURVES)}
        rows.append(row)
    return pandas.DataFrame(rows)


def _study_of(folder: Path) -> str:
    try:
        return str(json.loads((folder / "study.json").read_text("utf-8"))["fingerprint"])
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder}: no study.json there; accepted: a study's folder") from (
            None
        )
