"""Losses and their gradients, seen through a network without hidden layers that passes X on.

With W = 1 and b = 0 the output is z = X, and for a single row the bias's gradient is dloss/dz.
"""

import math

import numpy as np
import pytest

import minitrain as mt
from minitrain.kernels import losses

NAMES = losses.NAMES


def passing(outputs, loss, dtype="float64"):
    model = mt.MLP([outputs, outputs], loss=loss, dtype=dtype)
    model.weights[0][:] = np.eye(outputs)
    return model


def test_the_names_are_the_documented_ones():
    assert NAMES == ("softmax_cross_entropy", "binary_cross_entropy", "squared_error", "poisson")


def test_hand_values_of_softmax():
    """Logits ln 1, ln 2, ln 5: the probabilities are 1/8, 2/8, 5/8."""
    z = np.log([[1.0, 2.0, 5.0]])
    loss, gradient = passing(3, "softmax_cross_entropy").loss_and_gradient(z, [1])
    assert loss == pytest.approx(math.log(4), rel=1e-14)
    np.testing.assert_allclose(gradient[-3:], [0.125, -0.75, 0.625], rtol=1e-14)


def test_hand_values_of_binary_cross_entropy():
    """Logits ln 3 and ln 1: the probabilities are 3/4 and 1/2; the mean is over both outputs."""
    z = np.log([[3.0, 1.0]])
    loss, gradient = passing(2, "binary_cross_entropy").loss_and_gradient(z, [[1, 0]])
    assert loss == pytest.approx((math.log(4 / 3) + math.log(2)) / 2, rel=1e-14)
    np.testing.assert_allclose(gradient[-2:], [-0.125, 0.25], rtol=1e-14)


def test_hand_values_of_squared_error():
    loss, gradient = passing(2, "squared_error").loss_and_gradient([[1.0, 5.0]], [[4.0, 1.0]])
    assert loss == 12.5
    np.testing.assert_array_equal(gradient[-2:], [-3.0, 4.0])


def test_hand_values_of_poisson():
    """Means 2 and 1 for counts 3 and 0: 3 log(3/2) - 3 + 2 and 1; the mean is over both outputs."""
    z = np.log([[2.0, 1.0]])
    loss, gradient = passing(2, "poisson").loss_and_gradient(z, [[3, 0]])
    assert loss == pytest.approx((3 * math.log(1.5) - 1 + 1) / 2, rel=1e-14)
    np.testing.assert_allclose(gradient[-2:], [-0.5, 0.5], rtol=1e-14)


@pytest.mark.parametrize("dtype, rtol", [("float32", 2e-6), ("float64", 2e-15)])
@pytest.mark.parametrize("loss", NAMES)
def test_values_against_the_textbook(loss, dtype, rtol, numpy_network, targets):
    """9 classes, 1 output and 17: no vector's width divides them."""
    random = np.random.RandomState(1)
    for outputs in (2, 9, 17) if loss == "softmax_cross_entropy" else (1, 9, 17):
        model = passing(outputs, loss, dtype)
        z = (4 * random.standard_normal((5, outputs))).astype(dtype)
        y = targets(random, loss, 5, outputs).astype(int if "cross" in loss else dtype)
        got, gradient = model.loss_and_gradient(z, y)
        wanted, wanted_gradient = numpy_network.like(model).loss_and_gradient(
            model.parameters, z, y
        )
        assert got == pytest.approx(wanted, rel=rtol)
        error = np.linalg.norm(gradient - wanted_gradient)
        assert error <= 2 * rtol * np.linalg.norm(wanted_gradient)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_logits_of_softmax(dtype):
    model = passing(3, "softmax_cross_entropy", dtype)
    for z, label, wanted, slope in [
        ([1e4, -1e4, 0], 0, 0.0, [0, 0, 0]),
        ([1e4, -1e4, 0], 1, 2e4, [1, -1, 0]),
        ([-1e4, -1e4, -1e4], 2, math.log(3), [1 / 3, 1 / 3, -2 / 3]),
        ([1e30, 1e30, -1e30], 0, math.log(2), [-0.5, 0.5, 0]),
    ]:
        loss, gradient = model.loss_and_gradient([z], [label])
        assert loss == pytest.approx(wanted, rel=1e-6)
        np.testing.assert_allclose(gradient[-3:], slope, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_huge_logits_of_binary_cross_entropy(dtype):
    model = passing(1, "binary_cross_entropy", dtype)
    for z, target, wanted, slope in [
        (1e4, 1, 0.0, 0.0),
        (1e4, 0, 1e4, 1.0),
        (-1e4, 0, 0.0, 0.0),
        (-1e4, 1, 1e4, -1.0),
        (0.0, 1, math.log(2), -0.5),
    ]:
        loss, gradient = model.loss_and_gradient([[z]], [target])
        assert loss == pytest.approx(wanted, rel=1e-6)
        assert gradient[-1] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("dtype, far", [("float32", 2.0**-100), ("float64", 2.0**-1000)])
def test_derivatives_of_a_row_that_is_right_by_far(dtype, far):
    """e^-z, down to where products of it would be subnormal: from there on 0."""
    edge = -math.log(far)
    for z in (1.0, 30.0, edge - 0.01, edge + 0.01, edge + 10):
        wanted = math.exp(-z) / (1 + math.exp(-z)) if z < edge else 0.0
        _, gradient = passing(1, "binary_cross_entropy", dtype).loss_and_gradient([[-z]], [0])
        assert gradient[-1] == pytest.approx(wanted, rel=1e-4, abs=0)
        _, gradient = passing(2, "softmax_cross_entropy", dtype).loss_and_gradient([[z, 0.0]], [0])
        assert gradient[-1] == pytest.approx(wanted, rel=1e-4, abs=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_losses_do_not_vanish(dtype):
    """-log of a probability close to 1 is e^-z, far below the unit roundoff of 1."""
    z = 20.0 if dtype == "float32" else 40.0
    loss, _ = passing(1, "binary_cross_entropy", dtype).loss_and_gradient([[z]], [1])
    assert loss == pytest.approx(math.exp(-z), rel=1e-5)


@pytest.mark.parametrize(
    "loss, z, y, accuracy",
    [
        ("softmax_cross_entropy", [[0, 1, 0], [2, 1, 0], [0, 0, 3], [1, 1, 0]], [1, 1, 2, 0], 0.75),
        ("binary_cross_entropy", [[1, -1], [1, 1], [-1, -1], [2, -3]], [[1, 0]] * 4, 0.5),
        ("binary_cross_entropy", [[1.0], [-1.0], [0.0], [0.0]], [1, 0, 0, 1], 0.75),
    ],
)
def test_accuracy(loss, z, y, accuracy):
    """Ties go to the first class, as in argmax; a logit of 0 is a no; all outputs must be right."""
    model = passing(len(z[0]), loss)
    assert model.evaluate(z, y)[1] == accuracy
    assert (np.asarray(model.predict(z)) == y).reshape(len(y), -1).all(1).mean() == accuracy


@pytest.mark.parametrize("loss", NAMES)
def test_the_mean_is_over_rows(loss, targets):
    """Every row twice is the same loss and the same gradient; rows apart average to the whole."""
    random = np.random.RandomState(2)
    model = passing(3, loss)
    z, y = random.standard_normal((6, 3)), targets(random, loss, 6, 3)
    whole, gradient = model.loss_and_gradient(z, y)
    twice, gradient_twice = model.loss_and_gradient(np.repeat(z, 2, 0), np.repeat(y, 2, 0))
    apart = [model.loss_and_gradient(z[i : i + 1], y[i : i + 1]) for i in range(6)]
    assert twice == pytest.approx(whole, rel=1e-14)
    assert np.mean([one for one, _ in apart]) == pytest.approx(whole, rel=1e-14)
    np.testing.assert_allclose(gradient_twice, gradient, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(np.mean([g for _, g in apart], 0), gradient, rtol=1e-12, atol=1e-16)
    assert model.evaluate(z, y)[0] == pytest.approx(whole, rel=1e-14)
