"""What was run: one small JSON-lines file per batch of runs, whole or not there at all.

The files under ``runs/`` are the truth.  Line 1 is a header (format, study, environment, number
and SHA-256 of the lines that follow); each further line is a run.  A file that does not agree with
its header is set aside under its own name + ".damaged", and its runs are computed again.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from .machine import environment
from .plan import Task
from .whole import write_whole

FORMAT = "minitrain runs"
CURVES = ("loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy")
_BEFORE_CURVES = ', "curves": '
NO_CURVES = np.empty((0, len(CURVES)))


@dataclass(frozen=True, slots=True)
class Run:
    """One training.  Losses and accuracies are of the final weights; a failed run has none.

    ``seconds`` are of computing: waiting for a core that others use is not counted.
    ``curves`` (epochs, 5) holds the columns CURVES, rounded to six digits.  ``reason`` says why it
    failed: a divergence is a result, a crash is computed again.
    """

    stage: str
    dataset: str
    optimizer: str
    arm: str
    schedule: str
    extension: int
    trial: int
    seed: int
    lr: float
    hyperparameters: dict[str, Any]
    steps: int
    gradient_evaluations: int
    steps_per_epoch: int
    seconds: float
    initial_loss: float
    validation_loss: float
    validation_accuracy: float
    test_loss: float
    test_accuracy: float
    failed: bool
    reason: str
    curves: np.ndarray

    @property
    def key(self) -> tuple:
        return (
            self.stage, self.dataset, self.optimizer, self.arm, self.schedule, self.extension,
            self.trial, self.seed,
        )  # fmt: skip

    @property
    def is_crash(self) -> bool:
        return self.reason.startswith("crash")

    def without_curves(self) -> "Run":
        """For the many runs of a search, whose curves stay on the disk."""
        return replace(self, curves=NO_CURVES)

    @classmethod
    def finished(cls, task: Task, curves: np.ndarray, **values: Any) -> "Run":
        # In one piece: number by number it takes twice as long, 1 % of a short training.
        rounded = ("%.6g " * curves.size) % tuple(curves.ravel().tolist())
        c = task.config
        plain: dict[str, Any] = {
            k: v if isinstance(v, (str, bool, int)) else float(v) for k, v in values.items()
        }
        return cls(
            **dict(zip(KEY, task.key, strict=True)),
            lr=c.optimizer.lr,
            hyperparameters=c.hyperparameters,
            curves=np.array(rounded.split(), float).reshape(curves.shape),
            **plain,
        )

    @classmethod
    def crashed(cls, task: Task, reason: str) -> "Run":
        nan = float("nan")
        return cls.finished(
            task, np.empty((0, len(CURVES))), steps=0, gradient_evaluations=0, steps_per_epoch=1,
            seconds=nan, initial_loss=nan, validation_loss=nan, validation_accuracy=nan,
            test_loss=nan, test_accuracy=nan, failed=True, reason=f"crash: {reason}",
        )  # fmt: skip

    def to_line(self) -> str:
        values = {name: getattr(self, name) for name in FIELDS if name != "curves"}
        values = {k: None if v != v else v for k, v in values.items()}
        curves = dict(zip(CURVES, self.curves.T.tolist(), strict=True))
        clean = {k: [None if x != x else x for x in v] for k, v in curves.items()}
        return json.dumps({**values, "curves": clean}, allow_nan=True)

    @classmethod
    def from_line(cls, line: str, with_curves: bool = True) -> "Run":
        """Curves stand last and are most of a line: who does not need them need not read them."""
        head, _, tail = line.partition(_BEFORE_CURVES)
        values = json.loads(head + "}")
        for name in _NUMBERS:
            values[name] = np.nan if values[name] is None else float(values[name])
        for name in _TEXTS:
            values[name] = sys.intern(values[name])
        values["hyperparameters"] = _shared(values["hyperparameters"])
        if not with_curves:
            return cls(**values, curves=NO_CURVES)
        curves = json.loads(tail.rstrip().removesuffix("}"))
        columns = [np.array(curves[name], float) for name in CURVES]
        return cls(**values, curves=np.stack(columns, axis=1))


FIELDS = tuple(f.name for f in fields(Run))
KEY = FIELDS[:8]  # what tells a run from all others of its study
_SQL: dict[Any, str] = {int: "INTEGER", bool: "INTEGER", float: "REAL", np.ndarray: "BLOB"}
KINDS = {f.name: _SQL.get(f.type, "TEXT") for f in fields(Run)}  # in a database
_TEXTS = ("stage", "dataset", "optimizer", "arm", "schedule")
_NUMBERS = [name for name, kind in KINDS.items() if kind == "REAL"]


_newest: dict[str, dict[str, Any]] = {}


def _shared(values: dict[str, Any]) -> dict[str, Any]:
    """The same values as one dict: runs of a configuration follow each other, 10⁵ of them count."""
    if len(_newest) > 1000:
        _newest.clear()
    return _newest.setdefault(repr(values), values)


class DamagedFile(ValueError):
    """A file of runs that does not agree with its header; the message names it."""


def read_batch(
    path: Path, study: str | None = None, all_curves: bool = True
) -> tuple[dict[str, Any], list[Run]]:
    """Header and runs of a file; DamagedFile if it is not whole, or of another study.

    Without ``all_curves`` only final runs have theirs: a search has many runs.
    """
    try:
        head, _, body = path.read_text("utf-8").partition("\n")
        header = json.loads(head)
        if header["format"] != FORMAT or header["version"] != 1:
            raise ValueError(f"format {header['format']!r} version {header['version']!r}")
        if header["sha256"] != hashlib.sha256(body.encode()).hexdigest():
            raise ValueError("its SHA-256 is another one than its header says")
        if study is not None and header["study"] != study:
            raise ValueError("it belongs to another study")
        runs = [
            Run.from_line(line, all_curves or not line.startswith('{"stage": "tuning"'))
            for line in body.splitlines()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFile(f"{path}: damaged ({error})") from None
    return header, runs


class Store:
    """The runs of one study in its folder; several processes may write into it at once."""

    def __init__(self, folder: Path, study: str) -> None:
        self.folder, self.study = folder / "runs", study
        self._seen: set[str] = set()
        self.damaged: list[str] = []

    def new(self, set_aside: bool = True, all_curves: bool = False) -> Iterator[list[Run]]:
        """The runs of each file that was not seen yet, whoever wrote it; of a search without
        curves, unless asked for."""
        if not self.folder.is_dir():
            return
        names = [n for n in os.listdir(self.folder) if n.endswith(".jsonl") and n[0] != "."]
        for name in sorted(set(names) - self._seen):
            self._seen.add(name)
            path = self.folder / name
            try:
                yield read_batch(path, self.study, all_curves)[1]
            except FileNotFoundError:
                self._seen.discard(name)
            except DamagedFile as error:
                self.damaged.append(str(error))
                if set_aside:
                    os.replace(path, path.with_name(f"{name}.damaged"))
                    self._seen.discard(name)

    def write(self, runs: Sequence[Run]) -> None:
        """Write a batch at once.  The name comes from the runs: who computes them again
        replaces the file by an equal one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        body = "".join(run.to_line() + "\n" for run in runs)
        header = {
            "format": FORMAT,
            "version": 1,
            "study": self.study,
            "runs": len(runs),
            "sha256": hashlib.sha256(body.encode()).hexdigest(),
            "environment": environment(),
        }
        keys = json.dumps([run.key for run in runs]).encode()
        name = f"{runs[0].stage}-{hashlib.sha256(keys).hexdigest()[:16]}.jsonl"
        write_whole(self.folder / name, json.dumps(header) + "\n" + body)
        self._seen.add(name)
