"""What is replaced before a rule is compiled, and the ranges of hyperparameters."""

import math
import re

import numpy as np
import pytest
from numpy import sign as other_sign
from numpy import where as other_where

import minitrain as mt
from minitrain.kernels import _jit
from minitrain.kernels import rule as rules
from minitrain.kernels.interval import Interval
from minitrain.kernels.scalar import for_scalars, has_vectors, operations

pytestmark = pytest.mark.usefixtures("own_registry")


def global_numpy(p, g, c):
    return (np.where(g > p, np.sign(g), p),)


def global_names(p, g, c):
    return (other_where(g > p, other_sign(g), p),)


def local_numpy():
    import numpy as local

    return lambda p, g, c: (local.where(g > p, local.sign(g), p),)


@pytest.mark.parametrize("update", [global_numpy, global_names, local_numpy()])
def test_however_numpy_was_imported(update):
    mine = mt.Optimizer(mt.rule("mine", lr=1.0)(update))
    odd = np.array([0.0, -0.0, 1.5, -2.0, np.nan, np.inf], np.float32)
    theta = np.repeat(odd, odd.size)
    unfused, gradient = theta.copy(), np.tile(odd, odd.size)
    mine.step(theta, gradient, mine.init(theta))
    with np.errstate(invalid="ignore"):
        mine.step_reference(unfused, gradient, mine.init(unfused))
    np.testing.assert_array_equal(theta, unfused)
    np.testing.assert_array_equal(np.signbit(theta), np.signbit(unfused))


def calls_another(p, g, c):
    return (global_numpy(p, g, c)[0] * g,)


def calls_libm(p, g, c):
    return (np.tanh(g),)


def calls_what_calls_libm(p, g, c):
    return (calls_libm(p, g, c)[0] * g,)


@pytest.mark.parametrize(
    "function, expected",
    [
        (global_numpy, True),
        (global_names, True),
        (local_numpy(), True),
        (calls_another, True),
        (lambda p, g, c: (np.sqrt(np.abs(g)), np.maximum(g, p) - np.minimum(p, g)), True),
        (calls_libm, False),
        (calls_what_calls_libm, False),
        (lambda p, g, c: (abs(g),), False),
        (lambda p, g, c: (g ** c[0],), False),
        (lambda p, g, c: (np.where(g != p, g, p),), False),
        (lambda p, g, c: (math.sqrt(c[0]) * g,), False),
        (lambda p, g, c: (g if c[0] > c[1] else p,), False),
        (lambda p, g, c: (np.where(not c[0], g, p),), False),
        (lambda p, g, c: (np.where(g > p and g > c[0], g, p),), False),
    ],
)
def test_what_vectors_have(function, expected):
    assert has_vectors(function) is expected


def of_coefficients(p, g, c):
    a, b = c
    larger = np.maximum(a, b)
    return (
        np.where(a < b, g, p) * np.sqrt(larger) + np.sign(a) * np.abs(b) + np.where(a < b, a, b),
    )


def of_elements(p, g, m, n, c):
    if c[0] > c[1]:
        return g, c[0], m
    return p, np.where(g > m, c[1], n), g


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("values", [(0.5, 2.0), (2.0, 0.5)])
@pytest.mark.parametrize("update", [of_coefficients, of_elements])
def test_numbers_beside_vectors(update, values, dtype):
    """Functions of coefficients alone, a coefficient as a slot's value, and a branch on one."""
    made = mt.rule("mine", lr=1.0, coefficients=lambda t: values)(update)
    mine = mt.Optimizer(made)
    theta = np.random.default_rng(0).standard_normal(37).astype(dtype)
    unfused, gradient = theta.copy(), theta[::-1].copy()
    state, other = mine.init(theta), mine.init(theta)
    for _ in range(2):
        mine.step(theta, gradient, state)
        mine.step_reference(unfused, gradient, other)
    np.testing.assert_array_equal(theta, unfused)
    np.testing.assert_array_equal(state.arrays.slots, other.arrays.slots)


def test_operations():
    """Two calls, a comparison; and with what is called: that and a product."""
    assert operations(global_numpy) == 3
    assert operations(calls_another) == 5
    assert operations(lambda p, g, c: (-g * c[0], p)) == 2


@pytest.mark.compiled
def test_where_is_vectorised(monkeypatch):
    monkeypatch.setattr(_jit, "cache_folder", lambda: None)  # cached code cannot be inspected

    @mt.rule("mine", lr=1.0)
    def update(p, g, m, c):
        m = np.where(g > m, g, m)
        return np.sign(m), m

    _, descend = mt.Optimizer(update).kernels(np.dtype("float32")).dispatchers
    (text,) = descend.inspect_llvm().values()
    assert re.search(r"= select <\d+ x i1> .* <\d+ x float>", text)
    assert "x double>" not in text


def test_the_function_itself_stays():
    made = for_scalars(global_numpy)
    assert made is not global_numpy
    assert global_numpy.__globals__["np"] is np
    assert made.__globals__["np"].sqrt is np.sqrt
    assert made.__module__ == "minitrain.kernels.scalar"


@pytest.mark.parametrize(
    "text, inside, outside, shown",
    [
        ("[0, 1)", (0, 0.5), (-1e-9, 1, 2, np.nan), "[0, 1)"),
        ("[0, 1]", (0, 1), (1.1, -1), "[0, 1]"),
        ("(0, 1)", (0.5,), (0, 1), "(0, 1)"),
        ("[0, inf)", (0, 1e300), (-1, np.inf, np.nan), "finite, at least 0"),
        ("(1, inf)", (1.5,), (1, np.inf), "finite, above 1"),
        ("[0,1)", (0,), (1,), "[0,1)"),
    ],
)
def test_interval(text, inside, outside, shown):
    interval = Interval(text)
    assert all(x in interval for x in inside)
    assert not any(x in interval for x in outside)
    assert str(interval) == shown


@pytest.mark.parametrize("text", ["0..1", "[0, 1", "", "[0; 1]"])
def test_no_interval(text):
    with pytest.raises(ValueError, match="accepted: such as"):
        Interval(text)


def test_ranges_of_a_rule():
    @mt.rule("mine", lr=1.0, gamma=2.0, beta=0.5, ranges={"gamma": "(1, 4]"})
    def update(p, g, c):
        return (g,)

    assert mt.Optimizer(update, gamma=4).hyperparameters["gamma"] == 4
    with pytest.raises(ValueError, match=r"mine: gamma: 1 is out of range; accepted: \(1, 4\]"):
        mt.Optimizer(update, gamma=1)
    with pytest.raises(ValueError, match=r"mine: beta: 1 is out of range; accepted: \[0, 1\)"):
        mt.Optimizer(update, beta=1)
    with pytest.raises(ValueError, match="mine: ranges: no hyperparameter 'delta'"):
        mt.rule("mine", lr=1.0, ranges={"delta": "[0, 1)"})(global_numpy)


def test_coefficients_may_take_the_rate():
    def coefficients(t, lr, beta):
        return (beta / lr,)

    made = mt.rule("mine", lr=0.5, beta=0.25, coefficients=coefficients)(global_numpy)
    assert made.evaluate(1, [], made.inputs(made.defaults)) == ((0.5,), ())


def test_year_and_range():
    adam = rules.get("adam")
    assert adam.year == 2015
    assert rules.get("sgd").year == 1951
    assert adam.range_of("beta1").text == "[0, 1)"
    assert adam.range_of("eps").text == "[0, inf)"
    assert rules.get("ademamix").range_of("alpha").text == "[0, inf)"
    assert mt.rule("mine", lr=1.0)(global_numpy).year is None
