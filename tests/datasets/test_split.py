"""Stratified, exhaustive, repeatable, and standardised by the training part alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from minitrain import datasets
from minitrain.datasets import DataError, Dataset, Standardization

COUNTS = st.lists(st.integers(3, 60), min_size=1, max_size=8)


def numbered(counts) -> Dataset:
    """Rows that carry their own number in X, in classes of the given sizes, interleaved."""
    y = np.random.RandomState(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return Dataset("numbered", np.arange(len(y))[:, None], y)


def row_numbers(part: Dataset) -> list[int]:
    return part.X[:, 0].astype(int).tolist()


@given(counts=COUNTS, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_every_row_lands_in_exactly_one_part(counts, seed):
    data = numbered(counts)
    parts = data.split(seed, standardize=False)
    assert sorted(row for part in parts for row in row_numbers(part)) == list(range(sum(counts)))
    for part in parts:
        np.testing.assert_array_equal(part.y, data.y[row_numbers(part)])


@given(counts=COUNTS, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_every_part_holds_every_class_in_sizes_that_do_not_depend_on_the_seed(counts, seed):
    data = numbered(counts)
    one, other = data.split(seed, standardize=False), data.split(0, standardize=False)
    for part, same in zip(one, other, strict=True):
        held = np.bincount(part.y, minlength=len(counts))
        assert held.min() >= 1
        assert held.tolist() == np.bincount(same.y, minlength=len(counts)).tolist()


@given(
    counts=st.lists(st.integers(20, 90), min_size=1, max_size=12),
    weights=st.lists(st.integers(2, 10), min_size=2, max_size=3),
)
@settings(max_examples=80, deadline=None)
def test_parts_have_their_fractions_of_rows_and_of_classes(counts, weights):
    fractions = tuple(weight / sum(weights) for weight in weights)
    parts = numbered(counts).split(3, fractions, standardize=False)
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * sum(counts)) <= 1
        held = np.bincount(part.y, minlength=len(counts))
        assert np.abs(held - fraction * np.array(counts)).max() <= 2


def test_iris_is_split_exactly():
    parts = datasets.iris().split(seed=5)
    assert [np.bincount(part.y).tolist() for part in parts] == [[30] * 3, [10] * 3, [10] * 3]
    assert [part.name for part in parts] == ["iris[train]", "iris[valid]", "iris[test]"]
    assert parts[0].class_names == ("setosa", "versicolor", "virginica")


def test_two_fractions_give_train_and_test():
    train, test = datasets.iris().split(fractions=(0.8, 0.2))
    assert (train.name, test.name) == ("iris[train]", "iris[test]")
    assert (len(train), len(test)) == (120, 30)


def test_same_seed_same_bits_other_seed_other_rows():
    data = numbered([20, 30])
    first, again = data.split(7), data.split(7)
    assert [part.checksum for part in first] == [part.checksum for part in again]
    assert first[0].checksum != data.split(8)[0].checksum


def test_rows_are_shuffled_within_a_part():
    """Iris lies sorted by class; a loader that does not shuffle must not see it so."""
    train = datasets.iris().split(0)[0]
    assert np.count_nonzero(np.diff(train.y)) > 10


def test_smallest_class_of_three_rows_goes_one_to_each_part():
    for seed in range(30):
        parts = numbered([97, 3]).split(seed, standardize=False)
        assert [int((part.y == 1).sum()) for part in parts] == [1, 1, 1]


def test_standardised_as_scikit_learn_does_from_the_training_part():
    data = datasets.breast_cancer()
    raw = data.split(4, standardize=False)
    scaler = StandardScaler().fit(raw[0].X.astype(np.float64))
    for part, original in zip(data.split(4), raw, strict=True):
        expected = scaler.transform(original.X.astype(np.float64))
        # float32 rounds a standardised value by half a unit in its last place.
        np.testing.assert_allclose(part.X, expected, rtol=2**-23, atol=1e-9)


def test_nothing_leaks_from_validation_and_test_rows():
    data = datasets.wine()
    raw_train, *raw_others = data.split(0, standardize=False)
    train = data.split(0)[0]
    X = data.X.copy()
    for part in raw_others:
        for row in part.X:
            X[np.equal(X, row).all(axis=1)] *= 1000.0
    disturbed = Dataset("disturbed", X, data.y).split(0)
    assert disturbed[1].X.max() > 100  # the disturbance did arrive
    np.testing.assert_array_equal(disturbed[0].X, train.X)
    np.testing.assert_array_equal(disturbed[0].standardization.mean, train.standardization.mean)
    np.testing.assert_array_equal(disturbed[0].standardization.scale, train.standardization.scale)
    assert raw_train.standardization is None


def test_new_rows_are_transformed_as_the_parts_were():
    data = datasets.digits()
    raw = data.split(1, standardize=False)[2]
    train, _, test = data.split(1)
    np.testing.assert_array_equal(train.standardization.apply(raw.X), test.X)


def test_a_constant_feature_becomes_exactly_zero():
    X = np.column_stack([np.full(300, 0.1), np.arange(300), np.full(300, 1e30)])
    for part in Dataset("constant", X, np.arange(300) % 2).split(0):
        assert not part.X[:, [0, 2]].any()
    learned = part.standardization
    assert learned.scale[[0, 2]].tolist() == [1.0, 1.0]


def test_constant_float64_features_too():
    """The float64 mean of 300 copies of 0.1 differs from it in the last bits."""
    X = np.full((300, 1), 0.1)
    assert X.mean() != 0.1
    learned = Standardization.fit(X)
    assert (learned.mean[0], learned.scale[0]) == (0.1, 1.0)


def test_a_large_offset_costs_no_accuracy():
    X = (2.0**20 + np.random.RandomState(0).randint(0, 8, size=(500, 1)) / 8).astype(np.float32)
    train = Dataset("offset", X, np.arange(500) % 2).split(0)[0]
    assert abs(train.X.mean(dtype=np.float64)) < 1e-6
    assert train.X.std(dtype=np.float64) == pytest.approx(1.0, abs=1e-6)


def test_splitting_a_standardised_part_again_still_maps_original_rows():
    data = datasets.wine()
    raw = data.split(0, standardize=False)[0].split(1, standardize=False)[1]
    again = data.split(0)[0].split(1)[1]
    assert again.name == "wine[train][valid]"
    np.testing.assert_allclose(again.standardization.apply(raw.X), again.X, rtol=0, atol=2e-6)


def test_standardization_refuses_what_it_does_not_fit():
    learned = Standardization.fit(np.eye(3, dtype=np.float32))
    with pytest.raises(DataError, match=r"shape \(rows, 3\) to be standardised; got shape \(3, 2"):
        learned.apply(np.ones((3, 2)))
    with pytest.raises(DataError, match=r"got nan in row 0, feature 1 \(mean 0.333333, scale"):
        learned.apply([[1.0, np.nan, 2.0]])
    with pytest.raises(DataError, match=r"got 1e\+39 in row 0, feature 2"):
        learned.apply([[1.0, 0.0, 1e39]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fractions": 0.5}, r"fractions must be \(train, test\) or .*; got 0.5"),
        ({"fractions": (1.0,)}, r"fractions must be \(train, test\)"),
        ({"fractions": (0.5, 0.4)}, r"sum to 1; got \(0.5, 0.4\)"),
        ({"fractions": (0.5, 0.5, 0.0)}, r"must all be above 0"),
        ({"fractions": (1.5, -0.5)}, r"each of fractions must be .* at most 1; got 1.5"),
        ({"fractions": ("a", 1)}, r"each of fractions must be a finite number"),
        ({"seed": -1}, r"seed must be a whole number of at least 0 .*; got -1"),
        ({"seed": 2**32}, r"at most 4294967295; got 4294967296"),
        ({"seed": None}, r"seed must be a whole number.*got None"),
        ({"seed": 1.5}, r"seed must be a whole number.*got 1.5"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(DataError, match=message):
        datasets.iris().split(**options)


def test_a_class_too_small_is_named_with_its_count():
    data = Dataset("few", np.eye(9), [0] * 7 + [1] * 2, class_names=("usual", "rare"))
    with pytest.raises(DataError, match=r"class 'rare' has only 2 rows: too few for 3 parts"):
        data.split()
    assert [len(part) for part in data.split(fractions=(0.5, 0.5))] == [5, 4]


def test_too_few_rows_for_a_regression_target():
    with pytest.raises(DataError, match=r"the data have only 2 rows: too few for 3 parts"):
        Dataset("few", np.eye(2), [0.5, 1.5]).split()
