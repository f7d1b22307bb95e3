"""What can be said of paired runs: P(A > B) with a bootstrap interval, and a verdict.

Source: Bouthillier et al. (2021), "Accounting for variance in machine learning benchmarks",
arXiv 2103.03098: A is better than B if it wins at least three in four paired runs, and the
interval excludes a half; 29 pairs are needed to see that reliably.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

MEANINGFUL = 0.75  # P(A > B) from which a difference is worth having
LEVEL = 0.95  # of all intervals
_RESAMPLES = 2000


class Comparison(NamedTuple):
    """P(A > B) over paired runs, its interval, and "better", "not separable" or "worse"."""

    p: float
    low: float
    high: float
    verdict: str

    def mirrored(self) -> "Comparison":
        """The same of B against A."""
        verdict = {"better": "worse", "worse": "better"}.get(self.verdict, self.verdict)
        return Comparison(1 - self.p, 1 - self.high, 1 - self.low, verdict)


def compare(a: np.ndarray, b: np.ndarray, seed: int = 0) -> Comparison:
    """Compare paired scores (n,), higher is better; nan is a failed run and loses.

    A tie counts half, also one of two failures.
    """
    a, b = (np.where(np.isnan(x), -np.inf, x) for x in (np.asarray(a, float), np.asarray(b, float)))
    wins = np.where(a > b, 1.0, np.where(a == b, 0.5, 0.0))
    low, high = mean_interval(wins, seed)
    p = float(wins.mean())
    if p >= MEANINGFUL and low > 0.5:
        verdict = "better"
    elif p <= 1 - MEANINGFUL and high < 0.5:
        verdict = "worse"
    else:
        verdict = "not separable"
    return Comparison(p, low, high, verdict)


def mean_interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Percentile-bootstrap interval of a mean; nan for no values."""
    if len(values) == 0:
        return np.nan, np.nan
    tail = (1 - LEVEL) / 2
    means = np.sort(values[_resamples(len(values), seed)].mean(axis=1))
    # The quantiles as NumPy interpolates them, without its generality: a study has thousands.
    low, high = np.interp([tail, 1 - tail], np.linspace(0, 1, _RESAMPLES), means)
    return float(low), float(high)


@lru_cache(maxsize=16)
def _resamples(n: int, seed: int) -> np.ndarray:
    """Which of n values each of the resamples draws."""
    return np.random.RandomState(seed).randint(n, size=(_RESAMPLES, n))


def smallest_visible_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference that n such pairs would show in four of five studies (two-sided, 5 %)."""
    differences = np.asarray(a, float) - np.asarray(b, float)
    differences = differences[np.isfinite(differences)]
    if len(differences) < 2:
        return np.nan
    return float((1.960 + 0.842) * differences.std(ddof=1) / np.sqrt(len(differences)))
