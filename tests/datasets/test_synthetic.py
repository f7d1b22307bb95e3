"""The generators: repeatable, and of the shape that they are named after."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from minitrain import datasets
from minitrain.datasets import DataError

# The first row and the first classes at the defaults (seed 0): a changed stream shows here.
FIRST = {
    "moons": ([2.086144, 0.574014], [1, 1, 0, 1, 1, 1, 0, 0]),
    "circles": ([0.541496, 0.011964], [1, 1, 0, 1, 1, 1, 0, 0]),
    "spirals": ([-0.069892, -0.073217], [1, 1, 0, 1, 0, 1, 1, 1]),
    "xor": ([-0.052787, -0.583657], [1, 1, 0, 1, 0, 1, 1, 1]),
    "blobs": ([-0.807236, 2.669463], [2, 0, 2, 2, 2, 1, 0, 0]),
    "classification": ([0.736207, -2.606219], [1, 2, 0, 1, 1, 1, 2, 2]),
    "imbalanced": ([0.736207, 1.978346], [0, 0, 0, 0, 0, 0, 0, 0]),
    "noisy_labels": ([0.736207, -3.606219], [1, 2, 0, 1, 1, 2, 2, 2]),
    "ill_scaled": ([-6.644473, 7.047396], [1, 2, 0, 1, 1, 1, 2, 2]),
}


def nearest_neighbour_accuracy(data) -> float:
    """Leave one out: how many rows have the class of the row nearest to them."""
    X = data.X.astype(np.float64)
    distance = ((X[:, None, :] - X[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    return float((data.y[distance.argmin(axis=1)] == data.y).mean())


def linear_accuracy(data) -> float:
    return float(LogisticRegression(max_iter=1000).fit(data.X, data.y).score(data.X, data.y))


def test_every_synthetic_set_is_tested_here():
    made = {row.name for row in datasets.describe() if row.source.startswith("generated")}
    assert made == set(FIRST)


@pytest.mark.parametrize("name", FIRST)
def test_first_values_are_pinned(name):
    data = datasets.load(name)
    row, classes = FIRST[name]
    # 1e-5: BLAS and libm may differ in the last bits from one machine to another.
    np.testing.assert_allclose(data.X[0, :2], row, rtol=0, atol=1e-5)
    assert data.y[:8].tolist() == classes
    assert data.n_rows == 1000


@pytest.mark.parametrize("name", FIRST)
def test_a_seed_decides_everything(name):
    checksums = [datasets.load(name, seed=seed).checksum for seed in (3, 3, 4)]
    assert checksums[0] == checksums[1] != checksums[2]


@pytest.mark.parametrize("name", FIRST)
def test_the_global_random_state_is_neither_used_nor_moved(name):
    np.random.seed(99)  # noqa: NPY002
    untouched = np.random.random_sample()  # noqa: NPY002
    first = datasets.load(name).checksum
    np.random.seed(99)  # noqa: NPY002
    assert datasets.load(name).checksum == first
    assert np.random.random_sample() == untouched  # noqa: NPY002


@pytest.mark.parametrize("name", sorted(set(FIRST) - {"imbalanced", "noisy_labels"}))
@pytest.mark.parametrize("n", [101, 300])
def test_n_rows_in_equal_classes(name, n):
    data = datasets.load(name, n=n)
    counts = np.bincount(data.y, minlength=data.n_classes)
    assert counts.sum() == n
    # make_classification rounds per cluster, two to a class.
    assert counts.max() - counts.min() <= 3


def test_moons_without_noise_lie_on_two_half_circles():
    data = datasets.moons(noise=0.0)
    centres = np.array([[0.0, 0.0], [1.0, 0.5]])
    radius = np.linalg.norm(data.X - centres[data.y], axis=1)
    np.testing.assert_allclose(radius, 1.0, atol=1e-6)
    assert data.X[data.y == 0, 1].min() >= -1e-6  # the upper one
    assert data.X[data.y == 1, 1].max() <= 0.5 + 1e-6
    assert linear_accuracy(data) < 0.95


def test_circles_without_noise_lie_on_their_radii():
    data = datasets.circles(noise=0.0, factor=0.3)
    radius = np.linalg.norm(data.X, axis=1)
    np.testing.assert_allclose(radius, np.where(data.y == 0, 1.0, 0.3), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_spirals_are_separable_by_neighbours_and_not_by_lines(classes):
    data = datasets.spirals(n=1500, classes=classes, noise=0.0)
    assert nearest_neighbour_accuracy(data) > 0.99
    assert linear_accuracy(data) < 1.0 / classes + 0.25


def test_spirals_follow_the_stated_curve():
    data = datasets.spirals(n=999, classes=3, turns=2.0, noise=0.0)
    radius = np.linalg.norm(data.X, axis=1)
    assert radius.min() > 0.0
    assert radius.max() <= 1.0 + 1e-6
    angle = 2.0 * np.pi * (2.0 * radius + data.y / 3)
    on_curve = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(data.X, on_curve, atol=1e-5)
    # uniform in radius squared: half of the points lie outside of radius sqrt(1/2)
    assert (radius > np.sqrt(0.5)).mean() == pytest.approx(0.5, abs=0.05)


def test_xor_is_the_sign_of_the_product():
    data = datasets.xor(noise=0.0)
    np.testing.assert_array_equal(data.y, (np.prod(data.X, axis=1) < 0).astype(int))
    quadrants = np.bincount(2 * (data.X[:, 0] > 0) + (data.X[:, 1] > 0))
    assert quadrants.tolist() == [250] * 4
    assert np.abs(data.X).max() <= 1.0
    assert np.abs(data.X).mean() == pytest.approx(0.5, abs=0.03)  # uniform, not at the corners
    assert linear_accuracy(data) < 0.6
    assert nearest_neighbour_accuracy(data) > 0.9


@pytest.mark.parametrize("name", ["moons", "circles", "spirals", "xor"])
def test_noise_is_the_deviation_of_the_jitter(name):
    """With the same seed the points without noise are the same; what is added has that size."""
    noisy = datasets.load(name, noise=0.3, seed=5)
    exact = datasets.load(name, noise=0.0, seed=5)
    np.testing.assert_array_equal(noisy.y, exact.y)
    jitter = noisy.X.astype(np.float64) - exact.X
    assert jitter.std() == pytest.approx(0.3, rel=0.06)


def test_blobs_have_the_stated_spread():
    data = datasets.blobs(n=3000, classes=4, features=5, spread=2.0)
    assert (data.n_classes, data.n_features) == (4, 5)
    within = [data.X[data.y == code].std(axis=0) for code in range(4)]
    np.testing.assert_allclose(within, 2.0, rtol=0.12)


def test_imbalanced_has_the_stated_shares():
    counts = np.bincount(datasets.imbalanced().y)
    np.testing.assert_allclose(counts, [900, 80, 20], atol=4)
    counts = np.bincount(datasets.imbalanced(weights=(3, 1)).y)
    np.testing.assert_allclose(counts, [750, 250], atol=4)


def test_noisy_labels_flip_exactly_the_stated_share():
    clean, noisy = datasets.noisy_labels(flipped=0.0), datasets.noisy_labels(flipped=0.2)
    np.testing.assert_array_equal(clean.X, noisy.X)
    assert int((clean.y != noisy.y).sum()) == 200
    flips = np.bincount((noisy.y - clean.y)[noisy.y != clean.y] % 3, minlength=3)
    assert flips[0] == 0
    assert flips[1:].min() > 70  # to each of the other classes equally often
    plain = datasets.classification(separation=2.0)
    np.testing.assert_array_equal(clean.y, plain.y)
    np.testing.assert_array_equal(clean.X, plain.X)


def training_condition(data) -> float:
    train = data.split(0)[0]
    return float(np.linalg.cond(np.cov(train.X.T.astype(np.float64))))


def test_ill_scaled_stays_so_when_standardised():
    assert training_condition(datasets.ill_scaled()) > 1000
    assert training_condition(datasets.ill_scaled(rotate=False)) < 30
    assert training_condition(datasets.classification()) < 30


def test_ill_scaled_is_the_same_problem_stretched():
    plain, stretched = datasets.classification(), datasets.ill_scaled(rotate=False)
    np.testing.assert_array_equal(plain.y, stretched.y)
    factors = np.sort(np.median(stretched.X / plain.X, axis=0))
    np.testing.assert_allclose(factors, np.logspace(-1, 1, 20), rtol=1e-5)
    turned = datasets.ill_scaled()  # a rotation keeps lengths
    np.testing.assert_allclose(
        np.linalg.norm(turned.X, axis=1), np.linalg.norm(stretched.X, axis=1), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("moons", {"n": 1}, r"n must be a whole number of at least 2; got 1"),
        ("moons", {"n": "300"}, r"n must be a whole number of at least 2; got '300'"),
        ("moons", {"n": True}, r"n must be a whole number of at least 2; got True"),
        ("circles", {"noise": -0.1}, r"noise must be a finite number of at least 0; got -0.1"),
        ("circles", {"factor": 1.5}, r"factor must be .* at most 0.99; got 1.5"),
        ("spirals", {"noise": float("nan")}, r"noise must be a finite number .*; got nan"),
        ("spirals", {"classes": 1}, r"classes must be a whole number of at least 2; got 1"),
        ("xor", {"seed": True}, r"seed must be .*; got True"),
        ("xor", {"noise": True}, r"noise must be .*; got True"),
        ("xor", {"seed": -3}, r"seed must be .*; got -3"),
        ("blobs", {"n": 2}, r"n must be a whole number of at least 3; got 2"),
        ("classification", {"informative": 21}, r"informative must be .* at most 20; got 21"),
        ("classification", {"informative": 2}, r"informative must be at least 3 for 3 classes"),
        ("noisy_labels", {"flipped": 1.2}, r"flipped must be .* at most 1; got 1.2"),
        ("noisy_labels", {"classes": 1}, r"classes must be .* at least 2; got 1"),
        ("imbalanced", {"weights": (1.0,)}, r"weights must hold a number per class"),
        ("imbalanced", {"weights": (1.0, -1.0)}, r"each of weights must be .*; got -1.0"),
        ("ill_scaled", {"decades": 9}, r"decades must be .* at most 6; got 9"),
    ],
)
def test_bad_options_are_named(name, options, message):
    with pytest.raises(DataError, match=message):
        datasets.load(name, **options)
