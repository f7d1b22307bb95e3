"""What searches and learning curves say: budgets, sensitivity, time to a target, profiles."""

from math import comb
from typing import NamedTuple

import numpy as np

MOST_RATIO = 4.0  # of performance profiles (AlgoPerf, arXiv 2306.07179)
GOOD_SHARE = 0.1  # of the way back up that a learning rate may lose and still be a good one


def expected_best(losses: np.ndarray) -> np.ndarray:
    """Expected least of b of the n losses, drawn without replacement, for b = 1 … n.

    E[min] = Σ_i x_(i) · C(n - i, b - 1) / C(n, b): exact, where a bootstrap would only sample
    (Dodge et al. 2019, arXiv 1909.03004, draw with replacement).  inf stays out of it until it
    has to be drawn, and then makes the expectation inf.
    """
    x = np.sort(np.asarray(losses, float))
    n = len(x)
    found = np.empty(n)
    for b in range(1, n + 1):
        weights = np.array([comb(n - i, b - 1) / comb(n, b) for i in range(1, n + 1)])
        used = weights > 0
        found[b - 1] = (weights[used] * x[used]).sum()
    return found


class Sensitivity(NamedTuple):
    """How the loss after training depends on the learning rate.

    ``rates`` (n,) ascending; quartiles (n,) over the seeds; ``width`` in decades is the range
    around the best rate where the median stays within a tenth of the way back to the loss before
    training; ``low`` and ``high`` are its ends.
    """

    rates: np.ndarray
    first: np.ndarray
    median: np.ndarray
    third: np.ndarray
    width: float
    low: float
    high: float


def sensitivity(rates: np.ndarray, losses: np.ndarray, initial: float) -> Sensitivity:
    """From the rates (n,) of a search and losses (n, seeds); nan or inf is a failure."""
    order = np.argsort(rates)
    rates = np.asarray(rates, float)[order]
    losses = np.where(np.isfinite(losses), losses, np.inf)[order]
    first, median, third = (
        np.quantile(losses, q, axis=1, method="inverted_cdf") for q in (0.25, 0.5, 0.75)
    )
    width = low = high = np.nan
    if np.isfinite(median).any():
        best = int(np.argmin(median))
        most = median[best] + GOOD_SHARE * max(initial - median[best], 0.0)
        good = median <= most
        left = right = best
        while left > 0 and good[left - 1]:
            left -= 1
        while right < len(rates) - 1 and good[right + 1]:
            right += 1
        low, high = float(rates[left]), float(rates[right])
        width = float(np.log10(high / low))
    return Sensitivity(rates, first, median, third, width, low, high)


def first_reached(curve: np.ndarray, target: float) -> float:
    """The epoch (from 1) in which the curve first is at least the target; inf if never."""
    reached = np.flatnonzero(np.asarray(curve) >= target)
    return float(reached[0] + 1) if len(reached) else np.inf


def profile(times: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Performance profiles ρ (k, len(ratios)) of times (N workloads, k optimizers).

    ρ(τ) is the share of workloads on which an optimizer takes at most τ times as long as the
    fastest; inf is a miss.  A workload that nobody solved counts against all.
    """
    times = np.asarray(times, float)
    best = times.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        relative = np.where(np.isfinite(times), times / best, np.inf)
    return (relative[:, :, None] <= np.asarray(ratios)).mean(axis=0)


def profile_score(times: np.ndarray) -> np.ndarray:
    """∫ρ over τ in [1, 4], divided by 3: exact, since ρ is a staircase; (k,)."""
    times = np.asarray(times, float)
    best = times.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        relative = np.where(np.isfinite(times), times / best, np.inf)
    left = np.clip(MOST_RATIO - relative, 0.0, MOST_RATIO - 1)
    return (left / (MOST_RATIO - 1)).mean(axis=0)


def quartiles(values: np.ndarray) -> np.ndarray:
    """First quartile, median and third of (runs, epochs), a failed run's nan left out; (3, …)."""
    if not len(values):
        return np.full((3, values.shape[1]), np.nan)
    return np.nanquantile(values, (0.25, 0.5, 0.75), axis=0)
