"""Tests over many data sets: Demšar's example, scikit-posthocs, autorank and scipy as oracles."""

import warnings

import numpy as np
import pytest
from scipy import stats

from minitrain.lab import ranks

# Demšar (2006), table 6: AUC of C4.5 and three variants on 14 data sets.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_demsars_example():
    found = ranks.ranking(DEMSAR)
    np.testing.assert_allclose(found.ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    # The paper's own statistic is uncorrected for ties: 9.28; with scipy's correction a bit more.
    assert found.p == pytest.approx(stats.friedmanchisquare(*DEMSAR.T).pvalue)
    assert found.p < 0.05


def test_critical_values_are_demsars():
    q = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    for k, value in zip(range(2, 11), q, strict=True):
        ours = ranks.critical_difference(k, 10) / np.sqrt(k * (k + 1) / 60)
        assert ours == pytest.approx(value, abs=2e-3)


def test_cliques_are_the_largest_groups_within_the_difference():
    assert ranks._cliques(np.array([1.0, 1.5, 2.2, 4.0]), 1.0) == [[0, 1], [1, 2]]
    assert ranks._cliques(np.array([2.0, 1.0, 1.5]), 2.0) == [[1, 2, 0]]
    assert ranks._cliques(np.array([1.0, 9.0]), 1.0) == []


def test_holm_by_hand():
    np.testing.assert_allclose(ranks.holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])
    assert ranks.holm(np.array([0.9, 0.8])).max() == 1.0


def test_a_failure_has_the_last_rank_and_two_share_it():
    np.testing.assert_array_equal(
        ranks.rank(np.array([[0.9, np.nan, 0.8, np.nan]])), [[1, 3.5, 2, 3.5]]
    )


def test_wilcoxon_against_the_baseline_agrees_with_scipy():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(12, 4)) + np.array([0, 0.3, 1.5, 0])
    rows = ranks.wilcoxon_holm(scores, baseline=0)
    assert [row["column"] for row in rows] == [1, 2, 3]
    for row in rows:
        oracle = stats.wilcoxon(scores[:, row["column"]], scores[:, 0]).pvalue
        assert row["p"] == pytest.approx(oracle)
    assert rows[1]["corrected"] == pytest.approx(3 * rows[1]["p"])


def test_the_smallest_p_is_that_of_wins_everywhere():
    for n in (4, 5, 6, 9):
        p = stats.wilcoxon(np.arange(1.0, n + 1), method="exact").pvalue
        assert ranks.smallest_p(n) == pytest.approx(p)
    assert ranks.smallest_p(5) == 0.0625


def test_nemenyi_agrees_with_scikit_posthocs():
    posthocs = pytest.importorskip_or_fail("scikit_posthocs")
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(20, 5)) + np.linspace(0, 1.5, 5)
    p = posthocs.posthoc_nemenyi_friedman(scores).to_numpy()
    found = ranks.ranking(scores)
    apart = np.abs(found.ranks[:, None] - found.ranks[None, :])
    np.testing.assert_array_equal(apart > found.critical_difference, p < 0.05)
    assert (p < 0.05).any()


def test_wilcoxon_with_holm_agrees_with_scikit_posthocs():
    posthocs = pytest.importorskip_or_fail("scikit_posthocs")
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(15, 4)) + np.array([0, 0.4, 1.5, -0.2])
    groups = [scores[:, j] for j in range(4)]
    p = posthocs.posthoc_wilcoxon(groups).to_numpy()[0, 1:]
    rows = ranks.wilcoxon_holm(scores, baseline=0)
    np.testing.assert_allclose([row["p"] for row in rows], p)
    multitest = pytest.importorskip_or_fail("statsmodels.stats.multitest")
    corrected = multitest.multipletests(p, method="holm")[1]
    np.testing.assert_allclose([row["corrected"] for row in rows], corrected)


def test_ranking_agrees_with_autorank():
    autorank = pytest.importorskip_or_fail("autorank")
    pandas = pytest.importorskip_or_fail("pandas")
    frame = pandas.DataFrame(DEMSAR, columns=list("abcd"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own libraries' deprecations
        oracle = autorank.autorank(frame, alpha=0.05, force_mode="nonparametric")
    found = ranks.ranking(DEMSAR)
    assert found.critical_difference == pytest.approx(oracle.cd, rel=1e-3)
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-6)
    theirs = oracle.rankdf["meanrank"]
    np.testing.assert_allclose(found.ranks, [theirs[name] for name in "abcd"])


@pytest.mark.parametrize("n", [1, 2, 5, 9, 20])
@pytest.mark.parametrize("digits", [8, 1, 0])  # without ties, with some, with many and zeros
def test_the_signed_rank_test_is_scipys(n, digits):
    random = np.random.default_rng([n, digits])
    for _ in range(3):
        differences = np.round(random.normal(0.5, 1, n), digits)
        if differences.any():
            wanted = stats.wilcoxon(differences).pvalue
            assert ranks.signed_rank_p(differences) == pytest.approx(wanted, rel=1e-12)
