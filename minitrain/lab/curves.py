"""What searches and learning curves say: budgets, sensitivity, time to a target, profiles."""

from functools import cache
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
    for b, weights in enumerate(_weights(n), 1):
        used = weights > 0
        found[b - 1] = (weights[used] * x[used]).sum()
    return found


@cache
def _weights(n: int) -> np.ndarray:
    """C(n - i, b - 1) / C(n, b) for b and i from 1 to n; (n, n)."""
    rows = [[comb(n - i, b - 1) / comb(n, b) for i in range(1, n + 1)] for b in range(1, n + 1)]
    return np.array(rows).reshape(n, n)


class Sensitivity(NamedTuple):
    """How the loss after training depends on the learning rate.

    ``rates`` (n,) ascending; quartiles (n,) over the seeds.  ``width`` is how many decades of the
    searched range are good: there the median loses at most a tenth of what training at the best
    rate gains over the loss before training.  ``low`` and ``high`` are the outermost good rates.
    """

    rates: np.ndarray
    first: np.ndarray
    median: np.ndarray
    third: np.ndarray
    width: float
    low: float
    high: float
    initial: float


def sensitivity(rates: np.ndarray, losses: np.ndarray, initial: float) -> Sensitivity:
    """From the rates (n,) of a search and losses (n, seeds); nan or inf is a failure."""
    order = np.argsort(rates)
    rates = np.asarray(rates, float)[order]
    losses = np.where(np.isfinite(losses), losses, np.inf)[order]
    first, median, third = (
        np.quantile(losses, q, axis=1, method="inverted_cdf") for q in (0.25, 0.5, 0.75)
    )
    width, low, high = 0.0, np.nan, np.nan
    best = median.min()
    if best < initial:
        good = median <= best + GOOD_SHARE * (initial - best)
        # Each rate stands for the range that is nearer to it than to its neighbours.
        places = np.log10(rates)
        middles = (places[1:] + places[:-1]) / 2
        ends = np.concatenate([places[:1], middles, places[-1:]])
        width = float(np.diff(ends)[good].sum())
        low, high = float(rates[good][0]), float(rates[good][-1])
    return Sensitivity(rates, first, median, third, width, low, high, float(initial))


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
