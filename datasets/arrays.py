"""Turn what the caller has into the read-only arrays that a `Dataset` holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import DataError, counted


def frozen(array: np.ndarray, given: Any = None) -> np.ndarray:
    """A read-only `array`; copied first if somebody could still write to it through `given`."""
    if given is not None and np.may_share_memory(array, given) and _is_writable(array):
        array = array.copy()
    array.flags.writeable = False
    return array


def feature_array(X: Any) -> np.ndarray:
    """X as (n, d) float32, C-contiguous, read-only, finite, n >= 1, d >= 1; else DataError.

    A read-only array of that layout (a memory map, say) is shared, anything else is copied.
    """
    given = np.asarray(X)
    if given.dtype.kind not in "biuf":
        raise DataError(f"X must hold numbers; got an array of {given.dtype}")
    if given.ndim != 2 or 0 in given.shape:
        raise DataError(
            f"X must have shape (rows, features) with at least one of each; got shape {given.shape}"
        )
    with np.errstate(over="ignore"):  # too large for float32: the next check names the place
        converted = np.ascontiguousarray(given, dtype=np.float32)
    finite = np.isfinite(converted).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        column = int(np.argmin(np.isfinite(converted[row])))
        raise DataError(
            f"X must be finite in float32; got {given[row, column]} in row {row}, feature {column} "
            f"({counted(int((~finite).sum()), 'row')} affected)"
        )
    return frozen(converted, given)


def target_array(y: Any, rows: int) -> np.ndarray:
    """y as (rows,), read-only: whole-number types become int64, real types finite float64."""
    given = np.asarray(y)
    if given.shape != (rows,):
        raise DataError(f"y must have shape ({rows},), one entry per row of X; got {given.shape}")
    if given.dtype.kind in "biu":
        return frozen(np.ascontiguousarray(given, dtype=np.int64), given)
    if given.dtype.kind != "f":
        raise DataError(
            f"y must hold class codes 0, 1, … or real numbers; got an array of {given.dtype}"
        )
    if not np.isfinite(given).all():
        row = int(np.argmin(np.isfinite(given)))
        raise DataError(f"y must be finite; got {given[row]} in row {row}")
    return frozen(np.ascontiguousarray(given, dtype=np.float64), given)


def _is_writable(array: np.ndarray) -> bool:
    """Can anybody write to this memory, through the array or through what it is a view of?"""
    level: Any = array
    while isinstance(level, np.ndarray):
        if level.flags.writeable:
            return True
        level = level.base
    return False
