"""Activations and their derivatives, seen through a network of one hidden unit."""

import numpy as np
import pytest

import minitrain as mt
from minitrain.kernels import activations

NAMES = activations.NAMES
UNIT_ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}

# Zero of both signs, subnormal results, the bend of every function, and where exp overflows.
GRID = np.concatenate(
    [
        [0.0, -0.0, 1e-30, -1e-30, 1e-6, -1e-6, 88.8, -88.8, 104.0, -104.0, 1e4, -1e4],
        np.linspace(-12, 12, 97),
    ]
)


def unit(name, dtype):
    """z -> f(z)."""
    model = mt.MLP([1, 1, 1], name, loss="squared_error", dtype=dtype)
    model.parameters[:] = [1, 0, 1, 0]
    return model


def test_the_names_are_the_documented_ones():
    assert NAMES == ("identity", "relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_values(name, dtype, activation_functions):
    z = GRID.astype(dtype)
    f, _ = activation_functions[name]
    wanted = f(z.astype(float))
    got = unit(name, dtype).predict(z.reshape(-1, 1))
    # 4 units in the last place; 1 + erf cancels where gelu is small, but not beyond the same
    # fraction of z itself (times 2, the rounded argument).
    u = UNIT_ROUNDOFF[dtype]
    allowed = 8 * u * (np.abs(z) if name == "gelu" else np.abs(wanted)) + np.finfo(dtype).tiny
    assert (np.abs(got - wanted) <= allowed).all(), z[np.abs(got - wanted) > allowed]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_derivatives(name, dtype, activation_functions):
    """The hidden bias's gradient of (f(z) - t)² is 2 (f(z) - t) f'(z)."""
    z = GRID.astype(dtype)[::3]
    f, df = activation_functions[name]
    model, u = unit(name, dtype), UNIT_ROUNDOFF[dtype]
    for x in z:
        target = np.asarray(f(float(x)) - 0.5, dtype)
        _, gradient = model.loss_and_gradient([[x]], [target])
        factor = 2 * (f(float(x)) - float(target))
        # An error of f(z) enters by the factor; 1 - a² and a (1 - a) cancel near saturation.
        allowed = 64 * u * (1 + abs(f(float(x)))) * (1 + abs(df(float(x))))
        assert abs(gradient[1] - factor * df(np.float64(x))) <= allowed, x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_values_are_finite_however_large_z_is(name, dtype):
    z = np.array([[1e30], [-1e30], [1e4], [-1e4]], dtype)
    model = unit(name, dtype)
    values = model.predict(z)
    assert np.isfinite(values).all()
    bounded = {"tanh": [1, -1, 1, -1], "sigmoid": [1, 0, 1, 0]}
    grows = {"leaky_relu": -0.01, "identity": 1.0}
    low = grows.get(name, 0.0)
    wanted = bounded.get(name, [1e30, -1e30 * abs(low), 1e4, -1e4 * abs(low)])
    np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-30)
    for row in z:
        assert np.isfinite(model.loss_and_gradient([row / 1e12], [0.0])[1]).all()


def test_relu_has_no_slope_at_zero():
    """The convention of torch: the derivative of relu at 0 is 0; leaky_relu's is its slope."""
    slopes = {}
    for name in ("relu", "leaky_relu"):
        _, gradient = unit(name, "float64").loss_and_gradient([[0.0]], [-1.0])
        slopes[name] = gradient[1] / 2
    assert slopes == {"relu": 0.0, "leaky_relu": 0.01}
