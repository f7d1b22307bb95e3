"""Budgets, sensitivity, time to target and profiles: hand-made numbers and brute force."""

from itertools import combinations

import numpy as np
import pytest

from minitrain.lab import curves


def test_expected_best_is_the_mean_over_all_subsets():
    losses = np.array([3.0, 1.0, 4.0, 1.5, 9.0])
    for b, ours in enumerate(curves.expected_best(losses), 1):
        assert ours == pytest.approx(np.mean([min(s) for s in combinations(losses, b)]))
    assert curves.expected_best(losses)[-1] == 1.0


def test_expected_best_with_failures():
    found = curves.expected_best(np.array([1.0, np.inf, 2.0]))
    assert np.isinf(found[0])  # the only trial may be the failed one
    assert found[1:] == pytest.approx([(1 + 1 + 2) / 3, 1.0])


def test_sensitivity_by_hand():
    rates = np.array([1.0, 1e-3, 1e-1, 1e-2])
    losses = np.array([[np.nan, 5.0, np.inf], [1.9, 2.0, 2.1], [0.2, 0.15, 0.1], [0.1, 0.1, 0.1]])
    found = curves.sensitivity(rates, losses, initial=2.0)
    np.testing.assert_array_equal(found.rates, [1e-3, 1e-2, 1e-1, 1.0])
    np.testing.assert_array_equal(found.median, [2.0, 0.1, 0.15, np.inf])
    # 0.01 and 0.1 are good (at most 0.1 + 0.19); each stands for a decade.
    assert found.width == pytest.approx(2.0)
    assert (found.low, found.high) == (1e-2, 1e-1)


def test_no_rate_is_good_where_nothing_is_learned():
    found = curves.sensitivity(np.array([0.1, 1.0]), np.array([[np.inf], [3.0]]), initial=2.0)
    assert found.width == 0.0
    assert np.isnan(found.low)


def test_first_reached():
    assert curves.first_reached(np.array([0.1, 0.5, 0.4, 0.6]), 0.5) == 2
    assert curves.first_reached(np.array([0.1, np.nan]), 0.5) == np.inf


def test_profile_by_hand():
    times = np.array([[1.0, 2.0, np.inf], [4.0, 1.0, np.inf], [np.inf] * 3])
    lines = curves.profile(times, [1.0, 2.0, 4.0])
    np.testing.assert_allclose(lines, np.array([[1, 1, 2], [1, 2, 2], [0, 0, 0]]) / 3)
    # ∫ρ over [1, 4] by hand: ratios 1 and 4 -> (3 + 0) / 9; 2 and 1 -> (2 + 3) / 9; none.
    np.testing.assert_allclose(curves.profile_score(times), [3 / 9, 5 / 9, 0])


def test_profile_score_is_the_integral_of_the_profile():
    rng = np.random.default_rng(0)
    times = rng.gamma(2.0, size=(9, 4))
    ratios = np.linspace(1, 4, 30_001)
    lines = curves.profile(times, ratios)
    np.testing.assert_allclose(
        curves.profile_score(times), np.trapezoid(lines, ratios, axis=1) / 3, atol=1e-3
    )


def test_quartiles_leave_out_failures():
    values = np.array([[1.0, 2.0], [3.0, 4.0], [np.nan, 6.0], [2.0, 8.0]])
    np.testing.assert_array_equal(curves.quartiles(values)[1], [2.0, 5.0])
