"""Check what the user hands in and turn it into the arrays that the kernels take."""

from typing import Any

import numpy as np

from .kernels.minibatch import Data

Pair = tuple[Any, Any]


def check_count(name: str, value: Any, least: int = 1) -> int:
    """``value`` as an int; a ValueError or TypeError names the argument otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: {value!r} is not a whole number")
    if value < least:
        raise ValueError(f"{name}: {value} is too small; accepted: whole numbers from {least}")
    return int(value)


def check_share(name: str, value: Any) -> float:
    """``value`` as a float, if it is a share of less than all."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: {value!r} is not a number")
    if not 0 <= value < 1:
        raise ValueError(f"{name}: {value}; accepted: at least 0, below 1")
    return float(value)


def check_choice(name: str, value: Any, accepted: tuple[str, ...]) -> str:
    """``value`` if it is one of the accepted names."""
    if value not in accepted:
        raise ValueError(f"{name}: unknown {value!r}; accepted: {', '.join(accepted)}")
    return str(value)


def check_seed(value: Any) -> int:
    """A seed is a whole number below 2**63."""
    seed = check_count("seed", value, least=0)
    if seed >= 2**63:
        raise ValueError(f"seed: {seed} is too large; accepted: 0 … 2**63 - 1")
    return seed


def as_rows(X: Any, dtype: np.dtype, features: int, name: str = "X") -> np.ndarray:
    """Any array-like as a C-contiguous read-only array (n, features) of finite numbers."""
    if hasattr(X, "tocsr"):
        raise TypeError(f"{name}: a sparse matrix; accepted: dense arrays (call .toarray())")
    rows = _as_array(name, X)
    if rows.dtype == object:
        try:
            rows = rows.astype(float)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name}: holds {rows.dtype}, not numbers ({error})") from None
    if rows.dtype.kind not in "biuf":
        raise TypeError(f"{name}: holds {rows.dtype}, not numbers")
    if rows.ndim != 2:
        raise ValueError(
            f"{name}: shape {rows.shape}; accepted: two dimensions (rows, features)"
            + (f"; for one row write {name}.reshape(1, -1)" if rows.ndim == 1 else "")
        )
    if rows.shape[1] != features:
        raise ValueError(f"{name}: {rows.shape[1]} features, but the network takes {features}")
    converted = _cast(rows, dtype)
    if not np.isfinite(converted).all():
        row, column = np.argwhere(~np.isfinite(converted))[0]
        raise ValueError(
            f"{name}: {rows[row, column]} at row {row}, column {column}; accepted: numbers that "
            f"are finite in {dtype}"
        )
    return _read_only(converted)


def as_data(pair: Any, dtype: np.dtype, features: int, outputs: int, loss: str) -> Data:
    """A Dataset or an (X, y) pair as the kernels' arrays, checked against the network.

    ``y`` is (n,) class codes 0 … outputs - 1 for softmax cross-entropy; (n,) or (n, outputs) of
    zeros and ones for binary cross-entropy, of any numbers for squared error.
    """
    X, y = unpack_pair(pair)
    rows = as_rows(X, dtype, features)
    wanted = _as_array("y", y)
    if wanted.dtype.kind not in "biuf":
        raise TypeError(f"y: holds {wanted.dtype}, not numbers; encode class names as 0, 1, …")
    if len(rows) == 0:
        raise ValueError("X: no rows")
    if wanted.shape[:1] != rows.shape[:1]:
        raise ValueError(
            f"y: {wanted.shape[0] if wanted.ndim else 'one'} for {len(rows)} rows of X"
        )
    nothing, unweighted = np.empty((0, outputs), dtype), _read_only(np.empty(0, dtype))
    if loss == "softmax_cross_entropy":
        return Data(rows, _read_only(_labels(wanted, outputs)), _read_only(nothing), unweighted)
    targets = wanted.reshape(-1, 1) if wanted.ndim == 1 else wanted
    if targets.shape != (len(rows), outputs):
        raise ValueError(
            f"y: shape {wanted.shape}; accepted: {(len(rows), outputs)}"
            + (f" or {(len(rows),)}" if outputs == 1 else "")
        )
    converted = _cast(targets, dtype)
    if not np.isfinite(converted).all():
        row, column = np.argwhere(~np.isfinite(converted))[0]
        raise ValueError(
            f"y: {targets[row, column]} at row {row}; accepted: numbers that are finite in {dtype}"
        )
    if loss == "poisson" and not (targets >= 0).all():
        raise ValueError("y: poisson takes counts and rates, numbers of at least 0")
    if loss == "binary_cross_entropy" and not np.isin(targets, (0, 1)).all():
        raise ValueError("y: binary cross-entropy takes zeros and ones")
    return Data(
        rows,
        _read_only(np.empty(0, np.int64)),
        _read_only(converted),
        unweighted,
    )


def only_rows(rows: np.ndarray) -> Data:
    """Rows without anything to compare their predictions with."""
    nothing = _read_only(np.empty((0, 1), rows.dtype))
    return Data(rows, _read_only(np.empty(0, np.int64)), nothing, nothing[:, 0])


def no_data(data: Data) -> Data:
    """A data set of the same kind without rows."""
    return Data(*(array[:0] for array in data))


def unpack_pair(pair: Any) -> Pair:
    """X and y of a Dataset, of a loader, or of a pair."""
    if hasattr(pair, "X") and hasattr(pair, "y"):
        return pair.X, pair.y
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        return pair[0], pair[1]
    raise TypeError(
        f"data: {type(pair).__name__}; accepted: a Dataset, an (X, y) pair or a MiniBatchLoader"
    )


def _labels(wanted: np.ndarray, classes: int) -> np.ndarray:
    if wanted.ndim != 1:
        raise ValueError(f"y: shape {wanted.shape}; accepted: one class code per row")
    labels = _cast(wanted, np.dtype(np.int64))
    wrong = (labels != wanted) | (labels < 0) | (labels >= classes)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"y: {wanted[row]} at row {row}; accepted: class codes 0 … {classes - 1}"
            f" (the network has {classes} outputs)"
        )
    return labels


def _as_array(name: str, given: Any) -> np.ndarray:
    try:
        return np.asarray(given)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{name}: not an array ({error})") from None


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """C-contiguous and of this dtype; without NumPy's warnings, since the result is checked."""
    if type(array) is np.ndarray and array.dtype == dtype and array.flags.c_contiguous:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(array, dtype)


def _read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written, so that kernels are compiled for one kind of array."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
