"""Forward and backward of whole networks: by hand, by NumPy, by differences and by torch.

Every check goes through ``MLP.loss_and_gradient``, whatever kernels are behind it.
"""

import math

import numpy as np
import pytest

import minitrain as mt
from minitrain.kernels import activations, losses
from minitrain.kernels._jit import COMPILED

ACTIVATIONS, LOSSES = activations.NAMES, losses.NAMES
compiled_only = pytest.mark.compiled
SIZES = [
    [3, 2],
    [3, 4, 2],
    pytest.param([3, 4, 3, 2], marks=compiled_only),
    pytest.param([2, 3, 4, 3, 2], marks=compiled_only),
]
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_loss = pytest.mark.parametrize("loss", LOSSES)
kinked = {"relu", "leaky_relu"}


@pytest.fixture
def problem(numpy_network, targets):
    """problem(sizes, activation, loss, rows): a model, X and y without a kink nearby."""

    def make(sizes, activation, loss, rows, *, dtype="float64", clear=0.02):
        for seed in range(100):
            random = np.random.RandomState(seed)
            model = mt.MLP(sizes, activation, loss=loss, seed=seed, dtype=dtype)
            for b in model.biases:
                b[:] = 0.3 * random.standard_normal(b.size)
            X = random.standard_normal((rows, sizes[0])).astype(dtype)
            y = targets(random, loss, rows, sizes[-1])
            y = y.astype(dtype) if loss in ("squared_error", "poisson") else y
            distance = numpy_network.like(model).kink_distance(model.parameters, X)
            if not kinked & set(model.activation) or distance > clear:
                return model, X, y
        raise AssertionError("no seed keeps all units away from their kinks")

    return make


def difference(model, X, y, direction, h):
    """Derivative of the loss along a direction: central differences of fourth order."""
    theta = model.parameters.copy()

    def loss_at(step):
        model.parameters[:] = theta + step * direction
        return model.loss_and_gradient(X, y)[0]

    slope = (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h)
    model.parameters[:] = theta
    return slope


def relative_error(got, wanted):
    return np.linalg.norm(got - wanted) / np.linalg.norm(wanted)


def test_a_network_computed_by_hand():
    """2-2-2 with relu and softmax, all numbers written out.

    z1 = (1, 2) W1 + b1 = (2.5, -0.5);  a1 = (2.5, 0);  z2 = a1 W2 + b2 = (2.5, 0.5), label 1.
    p = softmax(z2) = (p0, 1 - p0) with p0 = 1 / (1 + e^-2);  dz2 = (p0, -p0).
    dz2 W2ᵀ = (p0, 5 p0);  the second unit is off, so that dz1 = (p0, 0).
    """
    model = mt.MLP([2, 2, 2], dtype="float64")
    model.parameters[:] = [1, -1, 0.5, 0.5, 0.5, -0.5, 1, 0, 3, -2, 0, 0.5]
    loss, gradient = model.loss_and_gradient([[1, 2]], [1])
    p0 = 0.8807970779778823
    assert loss == pytest.approx(2.1269280110429727, rel=1e-15)  # log(1 + e²)
    assert math.log1p(math.exp(2)) == pytest.approx(2.1269280110429727, rel=1e-15)
    dW1, db1 = [p0, 0, 2 * p0, 0], [p0, 0]
    dW2, db2 = [2.2019926949447058, -2.2019926949447058, 0, 0], [p0, -p0]
    np.testing.assert_allclose(gradient, dW1 + db1 + dW2 + db2, rtol=1e-15, atol=1e-16)
    np.testing.assert_array_equal(model.decision_function([[1, 2]]), [[2.5, 0.5]])


@pytest.mark.parametrize("sizes", SIZES)
@each_loss
@each_activation
def test_every_gradient_against_differences(activation, loss, sizes, problem):
    """h⁴ f⁽⁵⁾ / 30 ≈ 1e-13 and the rounding u f / h ≈ 1e-13 leave six digits to spare."""
    model, X, y = problem(sizes, activation, loss, rows=4)
    _, gradient = model.loss_and_gradient(X, y)
    some = slice(None, None, 1 if COMPILED else 5)  # plain Python is slow
    wanted = np.array([difference(model, X, y, e, 1e-3) for e in np.eye(gradient.size)[some]])
    assert relative_error(gradient[some], wanted) <= 1e-7 / 10


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 1e-5)])
@pytest.mark.parametrize("sizes", SIZES)
@each_loss
@each_activation
def test_against_numpy(activation, loss, sizes, dtype, tolerance, problem, numpy_network):
    model, X, y = problem(sizes, activation, loss, rows=5, dtype=dtype, clear=1e-3)
    got, gradient = model.loss_and_gradient(X, y)
    wanted, wanted_gradient = numpy_network.like(model).loss_and_gradient(model.parameters, X, y)
    assert got == pytest.approx(wanted, rel=tolerance)
    assert relative_error(gradient, wanted_gradient) <= tolerance
    assert gradient.dtype == dtype
    assert gradient.shape == model.parameters.shape


@each_loss
def test_a_different_activation_in_each_layer(loss, problem, numpy_network):
    model, X, y = problem([3, 4, 2, 3, 2, 4, 3, 3, 2], list(ACTIVATIONS), loss, rows=3, clear=1e-3)
    got, gradient = model.loss_and_gradient(X, y)
    wanted, wanted_gradient = numpy_network.like(model).loss_and_gradient(model.parameters, X, y)
    assert got == pytest.approx(wanted, rel=1e-13)
    assert relative_error(gradient, wanted_gradient) <= 1e-12


@pytest.mark.parametrize(
    "sizes", [[1, 1], [1, 1, 1], [5, 1, 1, 5], [1, 40, 1], [33, 1, 17], [20, 64, 48, 10]]
)
@pytest.mark.parametrize("rows", [1, 2, 33])
def test_sizes_of_all_proportions(sizes, rows, problem, numpy_network):
    if not COMPILED and max(sizes) > 40:
        rows = 1
    model, X, y = problem(sizes, "tanh", "squared_error", rows)
    got, gradient = model.loss_and_gradient(X, y)
    wanted, wanted_gradient = numpy_network.like(model).loss_and_gradient(model.parameters, X, y)
    assert got == pytest.approx(wanted, rel=1e-12)
    assert relative_error(gradient, wanted_gradient) <= 1e-12


@compiled_only
@each_loss
@each_activation
def test_random_directions_of_a_larger_network(activation, loss, problem):
    """Along 5 directions; with kinks a step so small that none of 3584 units crosses its own."""
    model, X, y = problem([20, 64, 48, 10], activation, loss, rows=32, clear=0)
    _, gradient = model.loss_and_gradient(X, y)
    random = np.random.RandomState(7)
    for _ in range(5):
        # Half along the gradient: a random direction alone is nearly orthogonal to it.
        direction = random.standard_normal(gradient.size)
        direction = gradient / np.linalg.norm(gradient) + direction / np.linalg.norm(direction)
        slope = difference(model, X, y, direction, 1e-5 if activation in kinked else 1e-3)
        assert slope == pytest.approx(gradient @ direction, rel=1e-8)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_permuted_units_permute_the_gradient(activation, problem):
    """Hidden units have no order: swapping them swaps their weights' gradients, nothing else."""
    model, X, y = problem([3, 5, 2], activation, "softmax_cross_entropy", rows=4)
    loss, gradient = model.loss_and_gradient(X, y)
    order = np.array([3, 0, 4, 1, 2])

    def permute(flat):
        W1, b1, W2, b2 = np.split(flat, [15, 20, 30])
        W1, W2 = W1.reshape(3, 5)[:, order], W2.reshape(5, 2)[order]
        return np.concatenate([W1.ravel(), b1[order], W2.ravel(), b2])

    model.parameters[:] = permute(model.parameters)
    loss_after, gradient_after = model.loss_and_gradient(X, y)
    assert loss_after == pytest.approx(loss, rel=1e-14)
    np.testing.assert_allclose(gradient_after, permute(gradient), rtol=1e-12, atol=1e-15)


@compiled_only
@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("sizes", [[6, 3], [6, 5, 3], [6, 8, 7, 3], [20, 64, 48, 10]])
@each_loss
@each_activation
def test_against_torch_autograd(activation, loss, sizes, dtype, tolerance, torch, problem):
    model, X, y = problem(sizes, activation, loss, rows=16, dtype=dtype, clear=0)
    got, gradient = model.loss_and_gradient(X, y)

    F = torch.nn.functional
    f = {
        "identity": lambda z: z,
        "relu": F.relu,
        "leaky_relu": F.leaky_relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "gelu": F.gelu,
        "silu": F.silu,
    }[activation]
    theta = torch.tensor(model.parameters, requires_grad=True)
    a = torch.tensor(X)
    for W, b in zip(model.blocks[::2], model.blocks[1::2], strict=True):
        z = a @ theta[W.start : W.stop].reshape(W.shape) + theta[b.start : b.stop]
        a = f(z)
    if loss == "softmax_cross_entropy":
        value = F.cross_entropy(z, torch.tensor(y, dtype=torch.int64))
    elif loss == "binary_cross_entropy":
        value = F.binary_cross_entropy_with_logits(z, torch.tensor(y, dtype=z.dtype))
    elif loss == "poisson":  # torch leaves out what does not depend on z
        t = torch.tensor(y, dtype=z.dtype).reshape(z.shape)
        value = F.poisson_nll_loss(z, t) + (torch.special.xlogy(t, t) - t).mean()
    else:
        value = F.mse_loss(z, torch.tensor(y))
    value.backward()

    assert got == pytest.approx(value.item(), rel=tolerance)
    assert relative_error(gradient, theta.grad.numpy()) <= tolerance
