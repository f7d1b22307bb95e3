"""Zero mean and unit deviation, with statistics from the training part alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import frozen
from .checks import DataError


@dataclass(frozen=True, eq=False)
class Standardization:
    """The map x -> (x - mean) / scale, feature by feature.

    mean, scale: (d,) float64, read-only. `scale` is the population standard deviation
    (divisor n, as scikit-learn's StandardScaler), and 1 where a feature never varies.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, X: np.ndarray) -> Standardization:
        """Statistics of X (n, d), in float64: two passes, summed down the rows."""
        rows = X.shape[0]
        mean = np.add.reduce(X, axis=0, dtype=np.float64) / rows
        # Constant is decided by comparison, not by a small variance: the mean of n copies of
        # 0.1 is not exactly 0.1, and dividing by that rounding error would blow it up.
        constant = X.min(axis=0) == X.max(axis=0)
        mean[constant] = X[0, constant]
        scale = np.sqrt(np.add.reduce((X - mean) ** 2, axis=0) / rows)
        scale[constant] = 1.0
        return cls(frozen(mean), frozen(scale))

    def apply(self, X: Any) -> np.ndarray:
        """X (n, d) of the original features -> new (n, d) float32 array, standardised.

        Computed in float64, rounded once. Raises DataError for another number of features,
        or where the result is not finite in float32.
        """
        given = np.asarray(X)
        if given.ndim != 2 or given.shape[1] != len(self.mean):
            raise DataError(
                f"X must have shape (rows, {len(self.mean)}) to be standardised; "
                f"got shape {given.shape}"
            )
        with np.errstate(over="ignore"):  # the check below reports it
            result: np.ndarray = ((given - self.mean) / self.scale).astype(np.float32)
        if not np.isfinite(result).all():
            row, feature = np.argwhere(~np.isfinite(result))[0]
            raise DataError(
                f"X is not finite after standardising: got {given[row, feature]} in row {row}, "
                f"feature {feature} (mean {self.mean[feature]:g}, scale {self.scale[feature]:g})"
            )
        return result

    def then(self, following: Standardization) -> Standardization:
        """The single map that equals this one followed by another."""
        return Standardization(
            frozen(self.mean + self.scale * following.mean), frozen(self.scale * following.scale)
        )
