"""The index: all runs in one sqlite3 table, made of the files and made anew from them."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .records import FIELDS, KINDS, Run


def write_index(folder: Path, runs: Iterable[Run]) -> Path:
    """Make ``index.sqlite3`` anew from the runs: a table ``runs`` without the curves.

    It is made beside and then takes the name, so that nobody ever waits for a lock.
    """
    import sqlite3

    path = folder / "index.sqlite3"
    temporary = folder / f".index.{os.getpid()}.sqlite3"
    temporary.unlink(missing_ok=True)
    names = [name for name in FIELDS if name != "curves"]
    columns = [f"{name} {KINDS[name]}" for name in names]
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
