"""The edges of every rule: no gradient, a tiny decay, tiny and huge gradients, nan.

test_rules.py has those of the rules that are alone in each parameter; here are the others, and what
is asked of all.
"""

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers
from minitrain.model import Block

FUSED = optimizers.names()
MATRIX = [name for name in optimizers.matrix_names() if name != "lbfgs"]
RULES = {name: optimizers.get(name).rule for name in FUSED}
ALONE = [name for name, rule in RULES.items() if rule.sums is None and not rule.own_decay]
OTHERS = [name for name in FUSED if name not in ALONE]  # test_rules.py has those that are ALONE
BLOCKS = [Block("W", 0, 6, (3, 2)), Block("b", 6, 8, (2,))]
START = np.array([1.0, -2.0, 0.5, 3.0, -1e-3, 0.25, 1.5, -0.75])
NO_GRADIENT = np.zeros(8)

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def run(optimizer, gradients, start=START, dtype="float64", blocks=BLOCKS):
    """The parameters after the gradients, and the state."""
    theta = start.astype(dtype)
    state = optimizer.init(theta, blocks)
    for gradient in gradients:
        optimizer.step(theta, np.asarray(gradient, dtype), state)
    return theta, state


# ---- g = 0 for 1000 steps ----


@each_dtype
@pytest.mark.parametrize("name", [*OTHERS, *MATRIX, "madgrad"])
def test_nothing_happens_without_a_gradient(name, dtype):
    theta, _ = run(optimizers.get(name, weight_decay=0.0), [NO_GRADIENT] * 1000, dtype=dtype)
    if name.startswith("schedule_free"):  # whose y is rounded anew between z and x
        np.testing.assert_allclose(theta, START, rtol=1000 * np.finfo(dtype).eps)
    else:
        np.testing.assert_array_equal(theta, START.astype(dtype))


def decayed(name, p, lr, decay):
    """Parameters in float64 after 1000 steps of decay alone, by the rule's own recurrence."""
    start, m, z, x, weights = p, 0.0, p, p, 0.0
    for t in range(1, 1001):
        if name == "lamb":  # u = decay · p, as long as p
            p = p - lr * p
        elif name == "novograd":
            m = 0.9 * m + decay * p
            p = p - lr * m
        elif name in ("dadapt_adamw", "prodigy"):  # d stays at d0
            corrected = np.sqrt(1 - 0.999**t) / (1 - 0.9**t) if name == "dadapt_adamw" else 1.0
            p = p - 1e-6 * lr * corrected * decay * p
        elif name == "madgrad":  # and back to where it began
            p = p - lr * decay * p - 0.1 * (p - start)
        elif name.startswith("schedule_free"):
            weights += 1.0
            z = z - lr * decay * p
            x = (1 - 1 / weights) * x + z / weights
            p = 0.1 * z + 0.9 * x
        else:
            p = p - lr * decay * p
    return p


@each_dtype
@pytest.mark.parametrize("name", [*OTHERS, *MATRIX, "madgrad"])
def test_decay_alone(name, dtype):
    given = {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}
    theta, _ = run(optimizers.get(name, **given), [NO_GRADIENT] * 1000, dtype=dtype)
    expected = decayed(name, START, 0.01, 0.1)
    if name == "soap":  # which makes no first step with a matrix
        expected[:6] /= 1 - 0.001
    np.testing.assert_allclose(theta, expected, rtol=1000 * np.finfo(dtype).eps)


# ---- a decay that a factor 1 - lr · decay in float32 would lose ----

RATES = np.linspace(1.5e-6, 2.5e-6, 65)[:-1]  # which dither steps that are signs
# Where a rate of 2e-6 makes no step of a float32's resolution: times what it makes one.
LARGER = {"adadelta": 1e3, "lars": 1e3, "dog": 1e6}


@pytest.mark.compiled  # two million numbers
@pytest.mark.parametrize("name", [n for n in FUSED if n not in ("dadapt_adamw", "prodigy")])
def test_a_tiny_decay_acts_in_float32(name):
    """Two steps of 2000 parameters at 64 rates, beside the same steps in float64.

    D-Adaptation and Prodigy decay by a rate of their own, which is smaller still.
    """
    random, larger = np.random.RandomState(1), LARGER.get(name, 1.0)
    start = random.uniform(1.1, 1.9, 2000).astype("float32")
    gradient, lost = random.standard_normal(2000).astype("float32"), []
    decay = {"weight_decay": 1e-2 / larger, "decoupled_weight_decay": True}
    for lr in RATES:
        assert np.float32(1.0 - lr * 1e-2) == 1.0
        optimizer = optimizers.get(name, lr=lr * larger, **decay)
        ends = [run(optimizer, [gradient, 2 * gradient], start, dtype, None)[0]
                for dtype in ("float32", "float64")]  # fmt: skip
        lost.append(((ends[0].astype(float) - ends[1]) / start).mean())
    # Of the two decays of 2e-8 rounding takes a twentieth; but ADOPT's first comes without a step
    # that could carry it over.
    assert np.mean(lost) == pytest.approx(2e-8 if name == "adopt" else 0.0, abs=2e-9)


# ---- tiny, huge, not finite ----


@each_dtype
@pytest.mark.parametrize("name", OTHERS)
def test_tiny_and_huge_gradients(name, dtype):
    for size in (np.finfo(dtype).smallest_subnormal, 2 * np.sqrt(np.finfo(dtype).max)):
        gradient = size * np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0, -1.0])
        with np.errstate(all="ignore"):
            theta, _ = run(optimizers.get(name), [gradient], dtype=dtype)
        assert np.isfinite(theta).all()


@each_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_a_gradient_that_is_not_finite_shows_where_it_is(name, bad, dtype):
    gradient = np.ones(8)
    gradient[3] = bad
    with np.errstate(invalid="ignore"):
        theta, state = run(optimizers.get(name), [gradient], dtype=dtype)
    assert np.isfinite(np.delete(theta, 3)).all()
    assert not np.isfinite(theta[3])
    assert not np.isfinite(optimizers.get(name).evaluated(theta, state)[3])


@pytest.mark.parametrize("name", FUSED)
def test_not_finite_is_reported(name):
    """A training says so and keeps the weights of the last epoch, here the first ones."""
    X = np.full((4, 2), 1e200)
    model = mt.MLP([2, 2], loss="squared_error", dtype="float64", seed=0)
    start = model.parameters.copy()
    with np.errstate(all="ignore"), pytest.raises(mt.DivergenceError):
        mt.Trainer(model, optimizers.get(name)).fit((X, X), 2)
    np.testing.assert_array_equal(model.parameters, start)


@pytest.mark.parametrize("name", MATRIX)
def test_no_parameters_at_all(name):
    nothing = [Block("W", 0, 0, (0, 3)), Block("b", 0, 0, (0,))]
    theta, state = run(optimizers.get(name), [np.zeros(0)], np.zeros(0), blocks=nothing)
    assert theta.size == 0
    assert state.t == 1
