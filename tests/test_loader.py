"""The mini-batch loader: which rows, how often, in which order."""

import hashlib

import numpy as np
import pytest

import minitrain as mt

# SHA-256 of the order of epoch 2 of seed 5, 1000 rows, as little-endian int64.
ORDER_SHA256 = "acd741b40208aec04c32f3843974055e7097a7f1169b799546cc2bc8bca6d8ff"


def make(n=23, batch_size=5, y=None, **options):
    y = np.arange(n) % 3 if y is None else y
    return mt.MiniBatchLoader(np.arange(n, dtype=float).reshape(-1, 1), y, batch_size, **options)


def rows_of(loader):
    """Row numbers of the next epoch, a list per batch."""
    return [X[:, 0].astype(int).tolist() for X, y in loader]


def chain(batches):
    return [row for batch in batches for row in batch]


@pytest.mark.parametrize("n, batch_size", [(1, 1), (5, 5), (23, 5), (20, 5), (7, 1), (4, 9)])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_once_per_epoch(n, batch_size, shuffle):
    loader = make(n, batch_size, shuffle=shuffle)
    for _ in range(3):
        batches = rows_of(loader)
        assert len(batches) == len(loader) == -(-n // batch_size)
        assert sorted(chain(batches)) == list(range(n))
        assert {len(b) for b in batches[:-1]} <= {batch_size}
        assert len(batches[-1]) == (n % batch_size or batch_size if batch_size <= n else n)


def test_the_last_short_batch_is_left_out():
    loader = make(23, 5, drop_last=True)
    batches = rows_of(loader)
    assert [len(b) for b in batches] == [5] * 4
    assert len(loader) == 4
    assert len(set(chain(batches))) == 20
    assert len(make(20, 5, drop_last=True)) == 4
    assert [len(b) for b in rows_of(make(4, 9, drop_last=True))] == [4]


def test_rows_and_targets_stay_together():
    y = np.random.RandomState(0).randint(0, 100, 23)
    for X, targets in make(y=y):
        np.testing.assert_array_equal(targets, y[X[:, 0].astype(int)])


def test_iteration_is_the_order_of_the_compiled_loop():
    loader = make(23, 5, seed=4)
    for number in range(4):
        assert chain(rows_of(loader)) == loader.order(number).tolist()
    assert loader.epoch == 4


def test_order_in_order():
    loader = make(shuffle=False)
    assert (
        rows_of(loader)
        == rows_of(loader)
        == [list(range(i, min(i + 5, 23))) for i in range(0, 23, 5)]
    )


def test_orders_differ_from_epoch_to_epoch_and_seed_to_seed():
    orders = [make(100, seed=s).order(e).tolist() for s in (0, 1, 2**63 - 1) for e in range(5)]
    assert len({tuple(order) for order in orders}) == 15
    again = [make(100, seed=s).order(e).tolist() for s in (0, 1, 2**63 - 1) for e in range(5)]
    assert orders == again


def test_same_order_on_every_machine():
    order = make(1000, seed=5).order(2).astype("<i8")
    assert hashlib.sha256(order.tobytes()).hexdigest() == ORDER_SHA256


def test_shuffling_is_uniform():
    """Chi-squared over all 24 orders of 4 rows; 23 degrees of freedom, p = 1e-4 at 54."""
    loader = make(4, 4)
    drawn = [tuple(loader.order(e)) for e in range(4800)]
    counts = [drawn.count(order) for order in set(drawn)]
    assert len(counts) == 24
    assert sum((c - 200) ** 2 / 200 for c in counts) < 54


def test_every_row_visits_every_place():
    """Chi-squared over 50 places of the first row, 50 of the last; p = 1e-4 at 96."""
    loader = make(50)
    orders = np.array([loader.order(e) for e in range(5000)])
    for row in (0, 49):
        counts = np.bincount(np.argmax(orders == row, axis=1), minlength=50)
        assert ((counts - 100) ** 2 / 100).sum() < 96


class TestBalanced:
    y = np.repeat([7, 3, 5], [80, 17, 3])  # any codes; the classes are sorted

    def test_equal_shares_up_to_one(self):
        loader = make(100, 10, y=self.y, balanced=True)
        totals = np.zeros(3)
        for number in range(6):
            counts = np.unique(self.y[loader.order(number)], return_counts=True)[1]
            assert sorted(counts) == [33, 33, 34]
            totals += counts
        assert (totals == 200).all()  # the class with one row more changes

    def test_rows_of_rare_classes_come_equally_often(self):
        order = make(100, 10, y=self.y, balanced=True).order(0)
        times = np.bincount(order, minlength=100)
        assert (times[97:] >= 11).all()
        assert np.ptp(times[97:]) <= 1
        assert (times[80:97] >= 1).all()
        assert np.ptp(times[80:97]) <= 1
        assert (times[:80] <= 1).all()  # a class with enough rows repeats none

    def test_all_rows_of_a_common_class_come_sooner_or_later(self):
        loader = make(100, 10, y=self.y, balanced=True)
        seen = np.unique(np.concatenate([loader.order(e) for e in range(20)]))
        assert len(seen) == 100

    def test_batches_mix_the_classes(self):
        loader = make(100, 10, y=self.y, balanced=True)
        assert all(len(np.unique(y)) >= 2 for _, y in loader)

    def test_one_class_alone(self):
        order = make(10, 3, y=np.zeros(10), balanced=True).order(0)
        assert sorted(order) == list(range(10))

    def test_more_classes_than_fit_into_a_batch(self):
        order = make(10, 3, y=np.arange(10), balanced=True).order(1)
        assert sorted(order) == list(range(10))

    def test_needs_one_class_per_row(self):
        with pytest.raises(ValueError, match=r"y: shape \(10, 2\); balanced=True needs one class"):
            make(10, y=np.zeros((10, 2)), balanced=True)


def test_arrays_are_not_copied():
    X, y = np.zeros((4, 2)), np.zeros(4)
    X.flags.writeable = y.flags.writeable = False
    loader = mt.MiniBatchLoader(X, y)
    assert loader.X is X
    assert loader.y is y
    assert len(list(loader)) == 1


def test_any_array_like():
    loader = mt.MiniBatchLoader([[1, 2], [3, 4], [5, 6]], ["a", "b", "c"], 2, shuffle=False)
    (X, y), (X2, y2) = loader
    assert (X.tolist(), y.tolist()) == ([[1, 2], [3, 4]], ["a", "b"])
    assert (X2.tolist(), y2.tolist()) == ([[5, 6]], ["c"])


def test_a_batch_larger_than_the_data_takes_all():
    loader = make(4, 100)
    assert loader.batch_size == 4
    assert len(loader) == 1


@pytest.mark.parametrize(
    "options, error, message",
    [
        (
            {"batch_size": 0},
            ValueError,
            "batch_size: 0 is too small; accepted: whole numbers from 1",
        ),
        ({"batch_size": -3}, ValueError, "batch_size: -3 is too small"),
        ({"batch_size": 2.0}, TypeError, "batch_size: 2.0 is not a whole number"),
        ({"batch_size": True}, TypeError, "batch_size: True is not a whole number"),
        ({"batch_size": "3"}, TypeError, "batch_size: '3' is not a whole number"),
        ({"seed": -1}, ValueError, "seed: -1 is too small; accepted: whole numbers from 0"),
        ({"seed": 2**63}, ValueError, "seed: 9223372036854775808 is too large"),
        ({"seed": None}, TypeError, "seed: None is not a whole number"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


def test_wrong_data():
    with pytest.raises(ValueError, match="X: no rows"):
        mt.MiniBatchLoader(np.zeros((0, 2)), [])
    with pytest.raises(ValueError, match=r"y: shape \(3,\) for 4 rows of X"):
        mt.MiniBatchLoader(np.zeros((4, 2)), [1, 2, 3])


def test_repr():
    assert repr(make(balanced=True)) == "MiniBatchLoader(23 rows, balanced, 5 × 5)"
    assert repr(make()) == "MiniBatchLoader(23 rows, shuffled, 5 × 5)"
    assert repr(make(shuffle=False)) == "MiniBatchLoader(23 rows, in order, 5 × 5)"
