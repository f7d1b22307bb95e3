"""What a fit is to learn: rows, targets and weights as the kernels' arrays."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import unique_labels

from ..inputs import _cast, _read_only
from ..kernels.minibatch import Data


def labels_of(y: Any) -> np.ndarray:
    """The classes in y, sorted; scikit-learn needs 0.2 ms to see that whole numbers are fine."""
    return np.unique(y) if _are_codes(y) else unique_labels(y)


def binarizer_of(y: Any) -> LabelBinarizer:
    """A fitted LabelBinarizer: by its own ``fit``, which takes 0.3 ms, or as that leaves it."""
    if _are_codes(y):
        classes = np.unique(y)
        if 4 * len(classes) <= len(y):  # else scikit-learn may have something to say about it
            binarizer = LabelBinarizer()
            binarizer.classes_, binarizer.sparse_input_ = classes, False
            binarizer.y_type_ = "multiclass" if len(classes) > 2 else "binary"
            return binarizer
    return LabelBinarizer().fit(y)


def _are_codes(y: Any) -> bool:
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iu" and y.dtype.isnative


def encode(binarizer: LabelBinarizer, y: Any) -> np.ndarray:
    """(n,) class codes of a multiclass y; (n, 1) or (n, outputs) zeros and ones of the others.

    By the binarizer where it has something to say; it takes 0.6 ms.
    """
    several = binarizer.y_type_ == "multiclass"
    classes = binarizer.classes_
    if (several or len(classes) == 2) and not sparse.issparse(y) and np.ndim(y) == 1:
        codes = np.searchsorted(classes, y)
        codes[codes == len(classes)] = 0
        if (classes[codes] == y).all():
            codes = codes.astype(np.int64, copy=False)
            return codes if several else codes.reshape(-1, 1)
    encoded = binarizer.transform(y)
    return encoded.argmax(axis=1) if several else encoded


def weighted_by_class(class_weight: Any, y: np.ndarray, sample_weight: Any) -> np.ndarray:
    """The rows' weights (n,) times those of their classes: "balanced" or {class: weight}."""
    if class_weight == "balanced" and sample_weight is not None and y.ndim == 1:
        # By weight and not by number, so that a weight of 2 is as good as two rows.
        _, codes = np.unique(y, return_inverse=True)
        by_class = np.bincount(codes, sample_weight)
        with np.errstate(divide="ignore"):
            share = sample_weight.sum() / (np.count_nonzero(by_class) * by_class)
        share[by_class == 0] = 0.0
        return share[codes] * sample_weight
    weights = compute_sample_weight(class_weight, y)
    return weights if sample_weight is None else weights * sample_weight


def as_data(X: Any, y: np.ndarray, weights: np.ndarray | None, dtype: np.dtype) -> Data:
    """Validated X and encoded y as :class:`Data`; a sparse X is made dense.

    The kernels read dense rows, so a sparse X takes n · features numbers of memory here.
    """
    rows = _read_only(_cast(X.toarray() if sparse.issparse(X) else X, dtype))
    labels, targets = np.empty(0, np.int64), np.empty((0, 1), dtype)
    if y.ndim == 1 and y.dtype == np.int64:
        labels = y
    else:
        targets = _cast(y.reshape(len(y), -1), dtype)
    given = np.empty(0, dtype) if weights is None else _cast(weights, dtype)
    return Data(rows, _read_only(labels), _read_only(targets), _read_only(given))


def take(data: Data, rows: np.ndarray) -> Data:
    """Some rows of the data."""
    return Data(*(_read_only(a[rows]) if len(a) else a for a in data))
