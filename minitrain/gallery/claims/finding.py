"""What an experiment found, and when it may say so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Text = tuple[str, str]  # English, Korean

CONFIRMED, NOT_SEPARABLE, CONTRADICTED = "confirmed", "not separable", "contradicted here"
KOREAN = {
    CONFIRMED: "확인됨",
    NOT_SEPARABLE: "구별되지 않음",
    CONTRADICTED: "여기서는 반대",
}

_RESAMPLES = 4000


@dataclass(frozen=True)
class Part:
    """One statement of a claim, what was measured for it, and the verdict on it.

    ``numbers`` are the same figures again for programs.
    """

    statement: Text
    measured: Text
    verdict: str
    numbers: dict[str, float]


@dataclass(frozen=True)
class Finding:
    """A claim of the introductions with its parts, its figure and how all of it was made.

    ``number`` is its place in the list of claims.
    """

    key: str
    claim: Text
    parts: tuple[Part, ...]
    figure: Any
    setup: str
    number: int = 0


class Difference(NamedTuple):
    """Mean of paired differences with its 95 % bootstrap interval; ``wins`` of ``n`` are below 0,
    a difference of 0 counting half."""

    mean: float
    low: float
    high: float
    wins: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:+.3g} (95 %: {self.low:+.3g} … {self.high:+.3g}, n = {self.n})"

    @property
    def verdict(self) -> str:
        """On the claim that the difference is negative."""
        if self.high < 0:
            return CONFIRMED
        return CONTRADICTED if self.low > 0 else NOT_SEPARABLE


def difference(a: Any, b: Any) -> Difference:
    """Of a − b, pairs in the same order; not finite counts as infinitely large.

    Raises ValueError if there are fewer than two pairs.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape or a.ndim != 1 or a.size < 2:
        raise ValueError(f"a, b: shapes {a.shape}, {b.shape}; accepted: two or more pairs")
    a, b = (np.where(np.isfinite(v), v, np.inf) for v in (a, b))
    both = np.isinf(a) & np.isinf(b)
    with np.errstate(invalid="ignore"):
        gap = np.where(both, 0.0, a - b)
    finite = gap[np.isfinite(gap)]
    limit = 10 * (np.abs(finite).max() if finite.size else 1.0) + 1.0
    gap = np.clip(gap, -limit, limit)  # a failure weighs much, but a mean must exist
    rows = np.random.default_rng(0).integers(0, gap.size, (_RESAMPLES, gap.size))
    low, high = np.quantile(gap[rows].mean(axis=1), [0.025, 0.975])
    wins = (gap < 0).sum() + 0.5 * (gap == 0).sum()
    return Difference(float(gap.mean()), float(low), float(high), float(wins), gap.size)


def spread(values: Any) -> str:
    """'12 (10 … 15)': median and quartiles."""
    low, middle, high = np.quantile(np.asarray(values, float), [0.25, 0.5, 0.75])
    return f"{middle:.3g} ({low:.3g} … {high:.3g})"


Experiment = Callable[[int], Finding]
