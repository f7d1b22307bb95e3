"""All runs of a study in a temporary database: memory stays flat, however many there are.

The files of runs are the truth (records.py); in this a study and its result look things up.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, overload

import numpy as np

from .records import CURVES, FIELDS, KEY, KINDS, NO_CURVES, Run

GROUP = KEY[:6]  # what tells a plan.Group from all others of its study
_ORDER = ", ".join(name + " DESC" * (name == "stage") for name in KEY)  # the searches come first
_NUMBERS = [i for i, name in enumerate(FIELDS) if KINDS[name] == "REAL"]
_HYPER, _FAILED = FIELDS.index("hyperparameters"), FIELDS.index("failed")


class Selection(Sequence[Run]):
    """Runs in the order of their keys, those of searches first; each is read when asked for."""

    def __init__(
        self, database: sqlite3.Connection, condition: str = "1", values: Sequence[Any] = ()
    ) -> None:
        self._database, self._condition, self._values = database, condition, tuple(values)

    def where(self, **wanted: Any) -> "Selection":
        """Those of them whose fields have these values; a range stands for all its numbers."""
        conditions, values = [self._condition], list(self._values)
        for name, value in wanted.items():
            is_range = isinstance(value, range)
            conditions.append(f"{name} >= ? AND {name} < ?" if is_range else f"{name} = ?")
            values += [value.start, value.stop] if is_range else [value]
        return Selection(self._database, " AND ".join(conditions), values)

    def values(self, *names: str) -> Iterator[tuple]:
        """These fields of each run, as the database has them: None for nan."""
        return self._select(", ".join(names), f"ORDER BY {_ORDER}")

    def columns(self, *names: str) -> list[np.ndarray]:
        """These fields as arrays of numbers."""
        return list(np.array(list(self.values(*names)), float).reshape(-1, len(names)).T)

    def __len__(self) -> int:
        return int(next(self._select("count(*)"))[0])

    def __iter__(self) -> Iterator[Run]:
        return map(_run, self.values(*FIELDS))

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...
    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        if isinstance(index, slice):
            return [self._at(place) for place in self._places[index]]
        return self._at(self._places[index])

    def __repr__(self) -> str:
        return f"<{len(self)} runs>"

    def __reduce__(self) -> tuple:
        return Runs, (list(self),)

    @cached_property
    def _places(self) -> np.ndarray:
        """Where the database has each run; made for who asks for one by its number."""
        return np.fromiter((place for (place,) in self.values("rowid")), np.int64)

    def _at(self, place: np.int64) -> Run:
        return next(iter(Selection(self._database, "rowid = ?", (int(place),))))

    def _select(self, what: str, how: str = "") -> Iterator[tuple]:
        question = f"SELECT {what} FROM runs WHERE {self._condition} {how}"
        return self._database.execute(question, self._values)


class Runs(Selection):
    """Each run once, without the curves of searches."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        # "": a file that no one else sees and that is gone with this process, however it ends.
        # joblib asks from threads of its own.
        super().__init__(sqlite3.connect("", factory=_Database, check_same_thread=False))
        self._text: tuple[Any, str] = None, ""
        for order in (
            "PRAGMA journal_mode = OFF",
            f"CREATE TABLE runs ({', '.join(f'{n} {k}' for n, k in KINDS.items())})",
            f"CREATE UNIQUE INDEX keys ON runs ({_ORDER})",
        ):
            self._database.execute(order)
        for run in runs:
            self.add(run)

    def add(self, run: Run) -> bool:
        """Take it in; of two with the same key the first stays, unless it crashed.

        Whether there was none with this key.  Raises OSError if there is no room.
        """
        self.__dict__.pop("_places", None)
        row = self._row(run)
        try:
            if self._database.execute(_INSERT, row).rowcount:
                return True
            if self._database.execute(_DELETE_CRASH, row[: len(KEY)]).rowcount:
                self._database.execute(_INSERT, row)
        except sqlite3.Error as error:
            raise OSError(f"the temporary file of runs cannot be written: {error}") from error
        return False

    def _row(self, run: Run) -> list[Any]:
        row = list(_fields(run))
        if run.hyperparameters is not self._text[0]:  # often those of the run before
            self._text = run.hyperparameters, json.dumps(run.hyperparameters)
        row[_HYPER] = self._text[1]
        row[-1] = np.asarray(run.curves, float).tobytes() if run.stage == "final" else None
        return row


class _Database(sqlite3.Connection):
    def __del__(self) -> None:  # from Python 3.13 on there is a warning if nobody does
        self.close()


_fields = attrgetter(*FIELDS)
_INSERT = f"INSERT OR IGNORE INTO runs VALUES ({', '.join('?' * len(FIELDS))})"
_DELETE_CRASH = (
    f"DELETE FROM runs WHERE {' AND '.join(f'{n} = ?' for n in KEY)} AND reason LIKE 'crash%'"
)


def _run(row: Sequence[Any]) -> Run:
    values = list(row)
    for i in _NUMBERS:
        if values[i] is None:
            values[i] = np.nan
    values[_HYPER] = _read(values[_HYPER])
    values[_FAILED] = bool(values[_FAILED])
    curves = values[-1]
    values[-1] = np.frombuffer(curves).reshape(-1, len(CURVES)).copy() if curves else NO_CURVES
    return Run(*values)


_read = lru_cache(maxsize=1000)(json.loads)
