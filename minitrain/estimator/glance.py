"""A glance at input before scikit-learn's checks, which take longer than a small network does.

What is plain here is what those checks hand back as it is and without a word, so they may be left
out.  Everything else goes through them.
"""

from math import isfinite
from typing import Any

import numpy as np


def knows_columns(estimator: Any, X: Any) -> bool:
    """Whether an array's columns, which have no names, are as many as were fitted."""
    fitted = estimator.__dict__
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.shape[1] == fitted.get("n_features_in_")
        and "feature_names_in_" not in fitted
    )


def is_plain(X: Any) -> bool:
    """Rows in C order, float64 or float32, all finite."""
    return (
        type(X) is np.ndarray
        and (X.dtype == np.float64 or X.dtype == np.float32)
        and X.ndim == 2
        and X.size > 0
        and X.flags.c_contiguous
        # A sum of squares that overflows is looked into like one that is not finite.
        and isfinite(np.vdot(X, X))
    )


def is_plain_target(y: Any, n: int) -> bool:
    """``n`` whole numbers, or finite float64 or float32, in one dimension."""
    if type(y) is not np.ndarray or y.shape != (n,) or not y.dtype.isnative:
        return False
    if y.dtype == np.float64 or y.dtype == np.float32:
        return isfinite(np.vdot(y, y))
    return y.dtype.kind in "iu"
