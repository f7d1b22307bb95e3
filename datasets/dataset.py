"""A `Dataset`: named, checked, read-only arrays that know where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from .arrays import feature_array, frozen, target_array
from .checks import DataError, counted, listing
from .splitting import PART_NAMES, check_fractions, draw_parts
from .standardization import Standardization

__all__ = ["DataError", "Dataset", "Standardization"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Rows to learn from. Shapes: n rows, d features, k classes.

    name             short, for tables: "digits"; a part of a split is "digits[train]"
    X                (n, d) float32, C-contiguous, read-only, finite
    y                (n,) read-only: int64 class codes in 0..k-1, or float64 regression targets
    feature_names    d different names; left out: x0, x1, …
    class_names      k different names; left out: the codes; always () for a regression target
    source, licence  where the data come from, and what may be done with them
    standardization  how X was made from the original features; None: X is as it came

    Raises DataError, naming the argument, where these do not hold together.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    feature_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    source: str = "unknown"
    licence: str = "unknown"
    standardization: Standardization | None = None

    def __post_init__(self) -> None:
        X = feature_array(self.X)
        y = target_array(self.y, len(X))
        features = _names("feature_names", self.feature_names) or _numbered("x", X.shape[1])
        classes = _names("class_names", self.class_names)
        if len(features) != X.shape[1]:
            raise DataError(
                f"feature_names must name the {counted(X.shape[1], 'feature')} of X; "
                f"got {counted(len(features), 'name')}"
            )
        if y.dtype.kind == "i":
            classes = classes or _numbered("", max(int(y.max()), 0) + 1)
            _check_codes(y, classes)
        elif classes:
            raise DataError(
                "y must hold whole-number codes into class_names; got real numbers "
                "(for a regression target leave class_names out)"
            )
        if not isinstance(self.name, str) or not self.name:
            raise DataError(f"name must be a text that is not empty; got {self.name!r}")
        for field, value in (
            ("X", X), ("y", y), ("feature_names", features), ("class_names", classes)
        ):  # fmt: skip
            object.__setattr__(self, field, value)

    @property
    def n_rows(self) -> int:
        return len(self.y)

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for a regression target."""
        return len(self.class_names)

    @property
    def kind(self) -> str:
        """'classification' or 'regression'."""
        return "classification" if self.class_names else "regression"

    @cached_property
    def checksum(self) -> str:
        """SHA-256, in hexadecimal, of the shape and bytes (little-endian) of X and y."""
        digest = hashlib.sha256(f"{self.X.shape} {self.y.dtype.name}".encode())
        digest.update(np.ascontiguousarray(self.X, dtype="<f4").data)
        digest.update(np.ascontiguousarray(self.y, dtype=self.y.dtype.newbyteorder("<")).data)
        return digest.hexdigest()

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        target = counted(self.n_classes, "class") if self.class_names else "regression target"
        return (
            f"<Dataset {self.name}: {counted(self.n_rows, 'row')}, "
            f"{counted(self.n_features, 'feature')}, {target}>"
        )

    def take(self, rows: Any, name: str | None = None) -> Dataset:
        """A new Dataset of these row numbers, in this order; everything else is kept."""
        X, y = frozen(self.X[rows]), frozen(self.y[rows])
        return replace(self, X=X, y=y, name=self.name if name is None else name)

    def split(
        self,
        seed: int = 0,
        fractions: Sequence[float] = (0.6, 0.2, 0.2),
        standardize: bool = True,
    ) -> tuple[Dataset, ...]:
        """Shuffled, stratified parts: (train, valid, test), or (train, test) for two fractions.

        The same seed gives the same parts; sizes are the same for every seed. With `standardize`,
        every part is standardised by the training part's mean and deviation (float64), which
        `part.standardization` keeps, for new rows. Raises DataError for bad fractions or seed,
        and for a class with fewer rows than there are parts.
        """
        shares = check_fractions(fractions)
        codes = self.y if self.class_names else np.zeros(self.n_rows, dtype=np.int64)
        drawn = draw_parts(codes, self.class_names, shares, seed)
        names = [f"{self.name}[{part}]" for part in PART_NAMES[len(shares)]]
        parts = tuple(self.take(rows, name) for rows, name in zip(drawn, names, strict=True))
        if not standardize:
            return parts
        learned = Standardization.fit(parts[0].X)
        return tuple(part._standardized(learned) for part in parts)

    def _standardized(self, following: Standardization) -> Dataset:
        before = self.standardization
        whole = following if before is None else before.then(following)
        return replace(self, X=frozen(following.apply(self.X)), standardization=whole)


def _names(argument: str, names: Any) -> tuple[str, ...]:
    """`names` as a tuple of different texts; else DataError."""
    if isinstance(names, str):
        raise DataError(f"{argument} must be a sequence of names; got the single text {names!r}")
    result = tuple(str(name) for name in names)
    if len(set(result)) != len(result):
        twice = sorted({name for name in result if result.count(name) > 1})
        raise DataError(f"{argument} must be different from each other; repeated: {listing(twice)}")
    return result


def _numbered(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{i}" for i in range(count))


def _check_codes(y: np.ndarray, class_names: tuple[str, ...]) -> None:
    outside = (y < 0) | (y >= len(class_names))
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"y must hold class codes in 0..{len(class_names) - 1} (one per class name); "
            f"got {y[row]} in row {row}"
        )
