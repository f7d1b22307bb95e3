"""What was run: one small JSON-lines file per batch of runs, whole or not there at all.

The files under ``runs/`` are the truth.  Line 1 is a header (format, study, environment, number
and SHA-256 of the lines that follow); each further line is a run.  A file that does not agree with
its header is set aside under its own name + ".damaged", and its runs are computed again.
"""

import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .plan import Task

FORMAT = "minitrain runs"
CURVES = ("loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy")
_BEFORE_CURVES = ', "curves": '
_NO_CURVES = np.empty((0, len(CURVES)))


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
        return replace(self, curves=_NO_CURVES)

    @classmethod
    def finished(cls, task: Task, curves: np.ndarray, **values: Any) -> "Run":
        rounded = [float(f"{x:.6g}") for x in curves.ravel().tolist()]
        c = task.config
        plain: dict[str, Any] = {
            k: v if isinstance(v, (str, bool, int)) else float(v) for k, v in values.items()
        }
        names = ("stage", "dataset", "optimizer", "arm", "schedule", "extension", "trial", "seed")
        return cls(
            **dict(zip(names, task.key, strict=True)),
            lr=c.optimizer.lr,
            hyperparameters=c.hyperparameters,
            curves=np.array(rounded).reshape(curves.shape),
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
            return cls(**values, curves=_NO_CURVES)
        curves = json.loads(tail.rstrip().removesuffix("}"))
        columns = [np.array(curves[name], float) for name in CURVES]
        return cls(**values, curves=np.stack(columns, axis=1))


FIELDS = tuple(f.name for f in fields(Run))
_TEXTS = ("stage", "dataset", "optimizer", "arm", "schedule")
_NUMBERS = [f.name for f in fields(Run) if f.type in (float, "float")]


_newest: dict[str, dict[str, Any]] = {}


def _shared(values: dict[str, Any]) -> dict[str, Any]:
    """The same values as one dict: runs of a configuration follow each other, 10⁵ of them count."""
    if len(_newest) > 1000:
        _newest.clear()
    return _newest.setdefault(repr(values), values)


@cache
def environment() -> dict[str, Any]:
    """Versions and machine, as every file of runs holds them."""
    found: dict[str, Any] = {}
    for package in ("minitrain", "numba", "numpy", "scipy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return {
        **found,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "host": platform.node(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(x.split(":", 1)[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def write_whole(path: Path, text: str | Iterable[str]) -> None:
    """The file is the old one whole or the new one whole, also if the power fails now.

    What is long may come in pieces, so that it never is in memory whole.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.writelines([text] if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


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


def write_index(folder: Path, runs: Iterable[Run]) -> Path:
    """Make ``index.sqlite3`` anew from the runs: a table ``runs`` without the curves.

    It is made beside and then takes the name, so that nobody ever waits for a lock.
    """
    import sqlite3

    path = folder / "index.sqlite3"
    temporary = folder / f".index.{os.getpid()}.sqlite3"
    temporary.unlink(missing_ok=True)
    names = [name for name in FIELDS if name != "curves"]
    kinds: dict[Any, str] = {str: "TEXT", int: "INTEGER", bool: "INTEGER", float: "REAL"}
    columns = [f"{f.name} {kinds.get(f.type, 'TEXT')}" for f in fields(Run) if f.name in names]
    database = sqlite3.connect(temporary)
    try:
        with database:
            database.execute(f"CREATE TABLE runs ({', '.join(columns)})")
            marks = ", ".join("?" * len(names))
            database.executemany(f"INSERT INTO runs VALUES ({marks})", _rows(runs, names))
            database.execute("CREATE INDEX cells ON runs (dataset, optimizer, arm, schedule)")
    except BaseException as error:
        database.close()
        temporary.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):  # a full disk, for one
            raise OSError(f"{path}: {error}") from error
        raise
    database.close()
    os.replace(temporary, path)
    return path


def _rows(runs: Iterable[Run], names: Sequence[str]) -> Iterator[tuple]:
    for run in runs:
        values = (getattr(run, name) for name in names)
        yield tuple(json.dumps(v) if isinstance(v, dict) else v for v in values)


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
