"""Row weights, the L2 penalty, given orders: against NumPy, and against what they stand for."""

import numpy as np
import pytest

import minitrain as mt
from minitrain.kernels import evaluation, ordering
from minitrain.kernels.losses import NAMES
from minitrain.kernels.objective import Objective


def problem(targets, loss, rows=23, dtype="float64"):
    random = np.random.RandomState(0)
    model = mt.MLP([3, 5, 4], "tanh", loss=loss, dtype=dtype)
    return model, random.standard_normal((rows, 3)), targets(random, loss, rows, 4)


def evaluate(model, X, y, weights=(), scale=1.0, shown=1.0, cap=np.inf, l2=0.0):
    data = model.as_data((X, y))
    w = np.array(weights, model.dtype)
    w.flags.writeable = False
    gradient = np.zeros(model.n_parameters, model.dtype)
    objective = Objective(scale, shown, cap, l2, np.zeros(2))
    work = model.workspace(len(X), 1, objective)
    rows = np.arange(len(X))
    loss = evaluation.loss_gradient(
        gradient, model.parameters, work, data._replace(weights=w), rows
    )
    return loss, gradient


@pytest.mark.parametrize("loss", NAMES)
def test_a_weight_counts_as_so_many_rows(loss, targets):
    model, X, y = problem(targets, loss)
    times = np.random.RandomState(1).randint(0, 4, len(X))
    got = evaluate(model, X, y, times)
    wanted = model.loss_and_gradient(np.repeat(X, times, 0), np.repeat(y, times, 0))
    assert got[0] == pytest.approx(wanted[0], rel=1e-13)
    np.testing.assert_allclose(got[1], wanted[1], rtol=1e-11, atol=1e-15)


def test_equal_weights_change_nothing(targets):
    model, X, y = problem(targets, "softmax_cross_entropy")
    got = evaluate(model, X, y, np.full(len(X), 0.25))
    wanted = model.loss_and_gradient(X, y)
    assert got[0] == pytest.approx(wanted[0], rel=1e-14)
    np.testing.assert_allclose(got[1], wanted[1], rtol=1e-13, atol=1e-17)


def test_weights_that_are_all_zero_ask_for_nothing(targets):
    model, X, y = problem(targets, "softmax_cross_entropy")
    loss, gradient = evaluate(model, X, y, np.zeros(len(X)), l2=1.0)
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize("weights", [False, True])
def test_the_penalty_is_over_the_weight_of_the_rows_and_spares_biases(weights, targets):
    model, X, y = problem(targets, "softmax_cross_entropy")
    model.biases[0][:] = 3.0
    w = np.random.RandomState(2).uniform(0.5, 2, len(X)) if weights else np.empty(0)
    plain, plain_gradient = evaluate(model, X, y, w)
    loss, gradient = evaluate(model, X, y, w, l2=0.7)
    share = 0.7 / (w.sum() if weights else len(X))
    squares = sum((W**2).sum() for W in model.weights)
    assert loss - plain == pytest.approx(0.5 * share * squares, rel=1e-12)
    for block in model.blocks:
        part = slice(block.start, block.stop)
        wanted = 0 if block.is_bias else share * model.parameters[part]
        np.testing.assert_allclose(gradient[part] - plain_gradient[part], wanted, atol=1e-15)


@pytest.mark.parametrize("loss", NAMES)
def test_the_gradient_of_the_whole_objective_is_that_of_differences(loss, targets):
    model, X, y = problem(targets, loss, rows=7)
    w = np.random.RandomState(3).uniform(0.5, 2, 7)
    _, gradient = evaluate(model, X, y, w, scale=3.0, shown=3.0, l2=0.5)
    start, h = model.parameters.copy(), 1e-4
    for k in range(0, model.n_parameters, 3):
        f = []
        for step in (-2, -1, 1, 2):
            model.parameters[:] = start
            model.parameters[k] += step * h
            f.append(evaluate(model, X, y, w, scale=3.0, shown=3.0, l2=0.5)[0])
        slope = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)
        assert gradient[k] == pytest.approx(slope, rel=1e-8, abs=1e-9)


def test_what_is_shown_is_not_what_is_descended(targets):
    model, X, y = problem(targets, "squared_error")
    plain, plain_gradient = evaluate(model, X, y)
    loss, gradient = evaluate(model, X, y, scale=2.0, shown=0.5)
    assert loss == pytest.approx(0.5 * plain, rel=1e-15)
    np.testing.assert_array_equal(gradient, 2 * plain_gradient)
    capped, capped_gradient = evaluate(model, X, y, cap=0.5)
    each = np.array([model.loss_and_gradient(X[i : i + 1], y[i : i + 1])[0] for i in range(len(X))])
    assert (each > 0.5).any()
    assert capped == pytest.approx(np.minimum(each, 0.5).mean(), rel=1e-14)
    np.testing.assert_array_equal(capped_gradient, plain_gradient)


def test_given_orders_are_taken_epoch_by_epoch():
    orders = np.array([2, 0, 1, 1, 2, 0])
    sampling = ordering.Sampling(ordering.GIVEN, 0, 2, 2, np.zeros(1, np.int64), orders, 0)
    order = np.empty(3, np.int64)
    for number in range(2):
        ordering.fill_order(order, sampling, number)
        np.testing.assert_array_equal(order, orders[3 * number : 3 * number + 3])
