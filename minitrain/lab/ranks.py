"""What can be said over many data sets: average ranks, Friedman, Nemenyi, Wilcoxon with Holm.

Source: Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", JMLR 7.
Scores are (N data sets, k optimizers), higher is better; nan is a failure, and the worst.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

ALPHA = 0.05
_FEW = 13  # differences up to which scipy's signed-rank test with ties is exact


class Ranking(NamedTuple):
    """Average ranks (1 is best), Friedman's test of "all are alike", Nemenyi's difference.

    ``cliques`` are the groups, as places in the order of ``ranks``' columns, whose ranks are
    within the critical difference; p is nan for fewer than three optimizers or two data sets.
    """

    ranks: np.ndarray
    p: float
    critical_difference: float
    cliques: list[list[int]]


def rank(scores: np.ndarray) -> np.ndarray:
    """Ranks (N, k) along each row; ties share the mean of theirs."""
    from scipy.stats import rankdata

    return rankdata(-np.where(np.isnan(scores), -np.inf, scores), axis=1)


def critical_difference(k: int, n: int, alpha: float = ALPHA) -> float:
    """Nemenyi: average ranks of k optimizers on n data sets differ if they are this far apart."""
    if k < 2 or n < 1:
        return np.nan
    return float(_studentized(k, alpha) * np.sqrt(k * (k + 1) / (6 * n)))


@cache
def _studentized(k: int, alpha: float) -> float:
    """q of Demšar's table 5: half a second of integrals."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, k, np.inf)) / np.sqrt(2)


def ranking(scores: np.ndarray) -> Ranking:
    """Average ranks of the columns and what is significant about them."""
    from scipy.stats import friedmanchisquare

    scores = np.asarray(scores, float)
    n, k = scores.shape
    ranks = rank(scores).mean(axis=0) if n else np.full(k, np.nan)
    p = np.nan
    if n >= 2 and k >= 3:
        finite = np.where(np.isnan(scores), -1e300, scores)
        with np.errstate(all="ignore"):
            p = float(friedmanchisquare(*finite.T).pvalue)  # nan if all rows are tied throughout
    difference = critical_difference(k, n)
    return Ranking(ranks, p, difference, _cliques(ranks, difference))


def _cliques(ranks: np.ndarray, difference: float) -> list[list[int]]:
    """The largest groups of neighbours in the order of ranks that are within the difference."""
    order = [int(i) for i in np.argsort(ranks, kind="stable")]
    found: list[list[int]] = []
    for i in range(len(order)):
        group = [j for j in order[i:] if ranks[j] - ranks[order[i]] <= difference]
        if len(group) > 1 and not (found and set(group) <= set(found[-1])):
            found.append(group)
    return found


def smallest_p(n: int) -> float:
    """The least p that a two-sided Wilcoxon test of n differences can give at all."""
    return min(1.0, 2.0 ** (1 - n))


def wilcoxon_holm(scores: np.ndarray, baseline: int) -> list[dict[str, Any]]:
    """Each column against the baseline: two-sided signed-rank tests, Holm's correction.

    A row per other column: ``column``, ``p``, ``corrected``.
    """
    scores = np.where(np.isnan(scores), np.nanmin(scores, initial=0.0) - 1, scores)
    others = [j for j in range(scores.shape[1]) if j != baseline]
    found = []
    for j in others:
        differences = scores[:, j] - scores[:, baseline]
        found.append(signed_rank_p(differences) if differences.any() else 1.0)
    corrected = holm(np.array(found))
    return [
        {"column": j, "p": p, "corrected": float(c)}
        for j, p, c in zip(others, found, corrected, strict=True)
    ]


def signed_rank_p(differences: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's test; exact for few, also with ties, where zeros are left out.

    scipy's is the same (a test compares), but with ties it tries all 2ⁿ signs one after the other:
    half a second for 11 data sets, in a report dozens of times.  Here the sums of ranks that they
    can give are counted.
    """
    from scipy.stats import rankdata, wilcoxon

    if len(differences) > _FEW:
        return float(wilcoxon(differences).pvalue)
    moved = differences[differences != 0]
    doubled = np.rint(2 * rankdata(np.abs(moved))).astype(int)  # ties share halves
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1.0
    for rank in doubled:
        ways[rank:] += ways[:-rank].copy()
    total = doubled[moved > 0].sum()
    tail = min(ways[: total + 1].sum(), ways[total:].sum()) / ways.sum()
    return float(min(1.0, 2 * tail))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of p values."""
    order = np.argsort(p, kind="stable")
    m = len(p)
    stepped = np.maximum.accumulate((m - np.arange(m)) * p[order])
    corrected = np.empty(m)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
