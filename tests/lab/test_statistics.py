"""Paired comparison: hand-made cases, scipy as the oracle of the bootstrap, and its error rate."""

import numpy as np
import pytest
from scipy import stats

from minitrain.lab.statistics import compare, mean_interval, smallest_visible_difference


def test_a_winner_a_loser_and_a_tie():
    a, b = np.full(30, 0.9), np.full(30, 0.8)
    assert compare(a, b) == (1.0, 1.0, 1.0, "better")
    assert compare(b, a) == (0.0, 0.0, 0.0, "worse")
    assert compare(a, a) == (0.5, 0.5, 0.5, "not separable")


def test_ties_count_half():
    a = np.array([1.0, 1.0, 0.0, 0.5])
    b = np.array([0.0, 0.0, 1.0, 0.5])
    assert compare(a, b).p == (2 + 0.5) / 4


def test_a_failed_run_loses_and_two_failures_tie():
    nan = np.nan
    assert compare(np.array([0.1, nan, nan]), np.array([nan, 0.1, nan])).p == 0.5
    assert compare(np.full(30, 0.1), np.full(30, nan)).verdict == "better"


def test_swapping_the_two_mirrors_the_comparison():
    rng = np.random.RandomState(0)
    a, b = rng.rand(30), rng.rand(30)
    forth, back = compare(a, b), compare(b, a)
    assert forth.p == pytest.approx(1 - back.p)
    assert (forth.low, forth.high) == pytest.approx((1 - back.high, 1 - back.low))


def test_three_wins_in_four_need_enough_pairs():
    wins = np.array([1, 1, 1, 0])
    few = compare(wins, np.full(4, 0.5))
    many = compare(np.tile(wins, 20), np.full(80, 0.5))
    assert few.p == many.p == 0.75
    assert few.verdict == "not separable"
    assert many.verdict == "better"


def test_interval_agrees_with_scipy():
    values = np.random.RandomState(1).gamma(2.0, size=40)
    ours = mean_interval(values)
    oracle = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.RandomState(2)
    ).confidence_interval
    width = oracle.high - oracle.low
    assert ours == pytest.approx((oracle.low, oracle.high), abs=0.05 * width)


def test_interval_of_nothing_is_nan():
    assert np.isnan(mean_interval(np.array([]))).all()


def test_equal_optimizers_are_rarely_told_apart():
    """200 studies of two optimizers that differ by luck alone: below 1 % false verdicts."""
    rng = np.random.RandomState(3)
    verdicts = [compare(rng.rand(30), rng.rand(30)).verdict for _ in range(200)]
    assert sum(v != "not separable" for v in verdicts) <= 2


def test_visible_difference_is_seen_in_four_of_five_studies():
    rng = np.random.RandomState(4)
    b = rng.normal(size=(400, 30))
    a = b + rng.normal(size=(400, 30))
    effect = np.mean([smallest_visible_difference(x, y) for x, y in zip(a, b, strict=True)])
    p = stats.ttest_rel(a + effect, b, axis=1).pvalue
    assert 0.72 < np.mean(p < 0.05) < 0.88
