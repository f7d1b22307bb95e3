"""Columns to the feature matrix: numbers as they are, categories one-hot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .checks import DataError
from .csv_columns import Column, option

# Rounding to float32 may move a value by this much of the column's deviation. A column of
# seconds since 1970 fails: float32 there steps by 128 s, which would wipe out its differences.
ROUNDING_ALLOWED = 1e-3


def feature_matrix(columns: Sequence[Column], rows: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """X (rows, d) float32, read-only, and its d names, in the order of the columns.

    A category gives one 0/1 feature per level, "colour=red", levels sorted.
    Raises DataError naming a column whose values float32 cannot tell apart.
    """
    names: list[str] = []
    for column in columns:
        if column.is_text:
            names += [f"{column.name}={level}" for level in sorted(column.levels)]
        else:
            names.append(column.name)
    X = np.zeros((rows, len(names)), dtype=np.float32)
    at = 0
    for column in columns:
        if column.is_text:
            X[np.arange(rows), at + sorted_codes(column)] = 1.0
            at += len(column.levels)
        else:
            X[:, at] = _as_float32(column)
            at += 1
    X.flags.writeable = False
    return X, tuple(names)


def sorted_codes(column: Column) -> np.ndarray:
    """(n,) int64: the place of each row's text among the column's sorted levels."""
    place = {level: i for i, level in enumerate(sorted(column.levels))}
    place_of_code = np.array([place[level] for level in column.levels], dtype=np.int64)
    places: np.ndarray = place_of_code[column.codes()]
    return places


def _as_float32(column: Column) -> np.ndarray:
    exact = column.values()
    low, high = float(exact.min()), float(exact.max())
    if max(-low, high) > float(np.finfo(np.float32).max):
        trouble = "values too large for float32"
    else:
        rounded: np.ndarray = exact.astype(np.float32)
        off = np.abs(rounded.astype(np.float64) - exact).max()
        if low == high or off <= ROUNDING_ALLOWED * exact.std():
            return rounded
        trouble = "differences too fine for float32"
    raise DataError(
        f"column {column.name!r}, from {low:.12g} to {high:.12g}, has {trouble}; subtract a "
        f"constant or change the unit in the file, or leave the column out: "
        f"{option('drop', column.name)}"
    )
