"""A user's own CSV file as a `Dataset`. Nothing is guessed silently and nothing filled in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .checks import DataError, check_integer, counted, did_you_mean, listing
from .csv_columns import Column, as_number, option, problem
from .csv_features import feature_matrix
from .csv_rows import CsvRows
from .csv_target import choose_target, class_codes
from .dataset import Dataset


def read_csv(
    path: str | os.PathLike[str],
    target: str | None = None,
    drop: str | Sequence[str] = (),
    categorical: str | Sequence[str] = (),
    delimiter: str | None = None,
    encoding: str = "utf-8",
    max_levels: int = 50,
) -> Dataset:
    """Read a table with a header line, for classification.

    target: the column of classes, text or whole numbers; left out, a last column named target,
    label, class or y. drop: columns to leave out. categorical: columns whose numbers are names
    (postcodes, "3+"). delimiter: found among , tab ; | if left out. encoding: any of Python's.

    Columns of numbers ("3.5", " 1e3 ") become one float32 feature each. Columns of at most
    `max_levels` texts become one 0/1 feature per text, "colour=red". Spaces around a cell do not
    count, blank lines are skipped. The file is read once.

    Raises DataError, beginning with the path, for whatever cannot be trained on as it stands:
    missing cells (empty, NA, N/A, NaN, null, ?) and infinite ones, by column and line; rows of
    another width than the header; numbers mixed with text; a target that measures a quantity.
    """
    check_integer("max_levels", max_levels, 1)
    dropped, texts = _column_names("drop", drop), _column_names("categorical", categorical)
    with CsvRows(Path(path), delimiter, encoding) as rows:
        try:
            return _read(rows, target, dropped, texts, max_levels)
        except DataError as error:
            prefix = f"{path}: "
            message = str(error)
            raise DataError(message if message.startswith(prefix) else prefix + message) from None


def _read(
    rows: CsvRows,
    target: str | None,
    dropped: Sequence[str],
    texts: Sequence[str],
    max_levels: int,
) -> Dataset:
    header = rows.header
    _check_header(header, rows.delimiter, dropped)
    for argument, names in (("drop", dropped), ("categorical", texts)):
        _check_known(argument, names, header)
    target = choose_target(header, dropped, target)
    columns = [
        None
        if name in dropped
        else Column(name, name in texts or name == target, None if name == target else max_levels)
        for name in header
    ]
    count = _fill(columns, rows)
    if not count:
        raise DataError("there is a header but no row below it")
    kept = [column for column in columns if column is not None]
    features = [column for column in kept if column.name != target]
    if not features:
        raise DataError(f"no feature columns are left beside the target {target!r}")
    _refuse_missing(kept)
    for column in features:
        if trouble := problem(column):
            raise DataError(trouble)
    y, class_names = class_codes(next(c for c in kept if c.name == target), target in texts)
    X, feature_names = feature_matrix(features, count)
    return Dataset(
        name=rows.path.stem,
        X=X,
        y=y,
        feature_names=feature_names,
        class_names=class_names,
        source=f"file {rows.path}",
        licence="your own file",
    )


def _fill(columns: Sequence[Column | None], rows: CsvRows) -> int:
    """Pass every cell to its column; return the number of rows."""
    count = 0
    for lines, block in rows.blocks():
        for column, cells in zip(columns, zip(*block, strict=True), strict=True):
            if column is not None:
                column.add(cells, lines)
        count += len(lines)
    return count


def _column_names(argument: str, names: Any) -> tuple[str, ...]:
    given = (names,) if isinstance(names, str) else tuple(names)
    for name in given:
        if not isinstance(name, str):
            raise DataError(f"{argument} must hold column names; got {name!r}")
    return given


def _check_header(header: Sequence[str], delimiter: str, dropped: Sequence[str]) -> None:
    if not header:
        raise DataError("the file holds only blank lines; expected a header line and rows")
    if all(as_number(name) is not None for name in header):
        raise DataError(
            f"the first line holds numbers ({listing(header, 5)}); "
            "put a header line with the columns' names above it"
        )
    if len(header) == 1:
        raise DataError(
            f"there is a single column, {header[0]!r}, when split at {delimiter!r}; expected "
            "features and a target, split at a comma, tab, semicolon or |; give another delimiter "
            "with --delimiter"
        )
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        named = listing([repr(name) for name in repeated])
        raise DataError(f"column names must differ; repeated in the header: {named}")
    if "" in header and "" not in dropped:
        raise DataError(
            f"column {header.index('') + 1} has no name in the header; give it one, or leave it "
            f"out (a table's row numbers must not be learned from): {option('drop', '')}"
        )


def _check_known(argument: str, names: Sequence[str], header: Sequence[str]) -> None:
    for name in names:
        if name not in header:
            raise DataError(
                f"no column {name!r} for {argument}{did_you_mean(name, header)}; "
                f"columns: {listing(header)}"
            )


def _refuse_missing(columns: Sequence[Column]) -> None:
    gaps = [column for column in columns if column.missing.count]
    if gaps:
        told = [f"column {column.name!r} in {column.missing}" for column in gaps]
        raise DataError(
            f"missing values in {counted(len(gaps), 'column')}: {'; '.join(told[:5])}"
            f"{'; …' if len(told) > 5 else ''}. Fill in or delete those rows, or leave a column "
            f"out: {option('drop', gaps[0].name)}"
        )
