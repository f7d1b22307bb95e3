"""What a fit draws from ``random_state``, and what it leaves there."""

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.utils import shuffle

import minitrain as mt
from minitrain.estimator import randomness
from minitrain.kernels._jit import COMPILED


@pytest.mark.compiled
def test_numpy_keeps_its_state_where_we_look():
    assert randomness._known()


@pytest.mark.parametrize("compiled", [True, False])
def test_orders_are_those_of_scikit_learn(compiled, monkeypatch):
    monkeypatch.setattr(randomness, "COMPILED", compiled and COMPILED)
    theirs, order = np.random.RandomState(5), np.arange(40)
    orders = randomness.Orders(40, np.random.RandomState(5))
    for epochs in (2, 3, 1):
        for drawn in orders.draw(epochs).reshape(epochs, 40):
            order = shuffle(order, random_state=theirs)
            np.testing.assert_array_equal(drawn, order)
        orders.use(epochs)


@pytest.mark.parametrize("compiled", [True, False])
def test_orders_that_are_not_used_are_drawn_again(compiled, monkeypatch):
    monkeypatch.setattr(randomness, "COMPILED", compiled and COMPILED)
    randoms = [np.random.RandomState(5), np.random.RandomState(5)]
    ahead, alone = (randomness.Orders(40, random) for random in randoms)
    expected = [alone.draw(1).copy() for _ in range(5)]
    np.testing.assert_array_equal(ahead.draw(9)[: 2 * 40].reshape(2, 40), expected[:2])
    ahead.use(2)
    np.testing.assert_array_equal(ahead.draw(700)[: 3 * 40].reshape(3, 40), expected[2:])
    ahead.use(3)
    ahead.take_back()
    assert randoms[0].randint(1 << 31) == randoms[1].randint(1 << 31)


def test_another_generator_than_mersenne(classes):
    def fitted(kind):
        random = np.random.RandomState(np.random.PCG64(1))
        return kind(random_state=random, max_iter=5).fit(*classes)

    ours, theirs = fitted(mt.MLPClassifier), fitted(neural_network.MLPClassifier)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"max_iter": 7},
        {"tol": 1e-2, "n_iter_no_change": 2, "max_iter": 500},  # ends between two returns
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e-2, "n_iter_no_change": 2},
    ],
)
def test_a_given_random_state_goes_on_as_after_scikit_learn(options, classes):
    left, epochs = [], []
    for kind in (mt.MLPClassifier, neural_network.MLPClassifier):
        random = np.random.RandomState(2)
        epochs.append(kind(random_state=random, **options).fit(*classes).n_iter_)
        left.append(random.randint(1 << 30, size=5))
    np.testing.assert_array_equal(*left)
    assert epochs[0] == epochs[1]


def test_a_fit_within_a_fit_of_the_same_seed(classes):
    def another(_):
        mt.MLPClassifier((4,), random_state=0, max_iter=2).fit(*classes)

    alone = mt.MLPClassifier((8,), random_state=0, max_iter=6).fit(*classes)
    busy = mt.MLPClassifier((8,), random_state=0, max_iter=6, callbacks=another).fit(*classes)
    assert alone.loss_curve_ == busy.loss_curve_
