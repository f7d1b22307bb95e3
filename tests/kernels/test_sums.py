"""Rules that need sums, and rules evaluated elsewhere: against optax, by hand, at their edges."""

import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers
from minitrain.kernels import reference
from minitrain.kernels.sums import PORTION
from minitrain.model import Block

_spec = importlib.util.spec_from_file_location(
    "block_cases", Path(__file__).parent / "golden" / "blocks" / "cases.py"
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

TOLERANCE = 1e-12  # of the norm, in float64 over 300 steps; observed is 2e-14
WITH_SUMS = [n for n in optimizers.names() if optimizers.get(n).rule.sums is not None]
WITH_POINT = [n for n in optimizers.names() if optimizers.get(n).variant.point is not None]

each_step = pytest.mark.parametrize("which", ["step", "step_reference"])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def blocks_of(shapes):
    blocks, at = [], 0
    for number, shape in enumerate(shapes):
        blocks.append(Block(f"b{number}", at, at + math.prod(shape), shape))
        at += math.prod(shape)
    return blocks


BLOCKS = blocks_of(cases.SHAPES)


@each_step
@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_golden(case, which):
    optimizer = optimizers.get(case.optimizer, **case.hyperparameters)
    theta, noise = cases.drawn()
    state = optimizer.init(theta, BLOCKS)
    rows = []
    for added in noise:
        bowl = 1.0 if case.optimizer in cases.BOWL else 0.0
        getattr(optimizer, which)(theta, bowl * (theta - 1.0) + added, state)
        if state.t in cases.RECORDED:
            rows.append(optimizer.evaluated(theta, state))
    with np.load(cases.FILE) as file:
        expected = file[str(case)]
    error = np.linalg.norm(rows - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error.max() <= TOLERANCE


def test_every_such_rule_is_compared():
    assert {case.optimizer for case in cases.CASES} == {*WITH_SUMS, *WITH_POINT}
    with np.load(cases.FILE) as file:
        assert set(file) == {str(case) for case in cases.CASES}


@pytest.mark.compiled
@each_dtype
@pytest.mark.parametrize("size", [1, 8, PORTION, PORTION + 1, 3 * PORTION + 77])
def test_a_sum_is_that_of_its_portions(size, dtype):
    """‖p‖² through LARS's ratio: in float64, in the promised order, and right to 1e-7."""
    theta = np.random.default_rng(size).standard_normal(size).astype(dtype)
    lars = optimizers.LARS(momentum=0.0)
    state = lars.init(theta)
    lars.step(theta.copy(), np.ones_like(theta), state)
    portions = reference.portion_sums((theta * theta).astype(float))
    np.testing.assert_array_equal(state.phased.partials[:, 0], portions)
    assert sum(portions) == pytest.approx(np.sum(theta.astype(float) ** 2), rel=1e-6)


def test_sums_of_a_rule_of_ones_own(own_registry):
    """Normalised gradients of each block: p - lr · g / ‖g‖."""

    def terms(p, g, c):
        return (g * g,)

    def factors(c, square):
        return (1.0 / math.sqrt(square),)

    @mt.rule("normalized", lr=0.5, terms=terms, factors=factors)
    def update(p, g, c):
        (scale,) = c
        return (scale * g,)

    theta = np.zeros(6)
    mine = optimizers.get("normalized")
    state = mine.init(theta, [Block("W", 0, 2, (1, 2)), Block("b", 2, 6, (4,))])
    mine.step(theta, np.array([3.0, 4.0, 1.0, 1.0, 1.0, 1.0]), state)
    np.testing.assert_allclose(theta, [-0.3, -0.4, -0.25, -0.25, -0.25, -0.25], rtol=1e-15)


@each_dtype
@pytest.mark.parametrize("size", [5, PORTION + 300])
def test_terms_of_what_vectors_do_not_have(size, dtype, own_registry):
    """tanh is computed number by number, by libm: near the reference, if not its bits."""

    def terms(p, g, c):
        return np.tanh(g) * g, g

    def factors(c, tanh, total):
        return tanh, total

    @mt.rule("mine", lr=1.0, terms=terms, factors=factors)
    def update(p, g, c):
        tanh, total = c
        return (tanh * g + total,)

    mine, random = optimizers.get("mine"), np.random.default_rng(0)
    theta, gradient = random.standard_normal((2, size)).astype(dtype)
    expected = theta - (np.sum(np.tanh(gradient) * gradient) * gradient + np.sum(gradient))
    mine.step(theta, gradient, mine.init(theta))
    np.testing.assert_allclose(theta, expected, rtol=2e-4 if dtype == "float32" else 1e-12)


@each_step
def test_terms_that_are_computed_in_vectors(which, own_registry):
    """All that vectors have; what is behind the last number, here 1/0, counts for nothing."""

    def terms(p, g, c):
        (one,) = c
        return one / p, np.where(g > p, np.sqrt(np.abs(g)), -g), np.maximum(p * np.sign(g), one)

    def factors(c, inverse, chosen, larger):
        return inverse, chosen + larger

    def coefficients(t):
        return (1.0,)

    @mt.rule("mine", lr=1.0, coefficients=coefficients, terms=terms, factors=factors)
    def update(p, g, c):
        _, inverse, chosen = c
        return (inverse + chosen,)

    mine = optimizers.get("mine")
    for size in (1, 7, 8, 9, 31):
        theta = np.full(size, 2.0)
        gradient = np.where(np.arange(size) % 2, 4.0, -4.0)
        positive, negative = size // 2, size - size // 2
        step = size / 2 + (2.0 * positive + 4.0 * negative) + (2.0 * positive + 1.0 * negative)
        getattr(mine, which)(theta, gradient, mine.init(theta))
        np.testing.assert_array_equal(theta, 2.0 - step)


def test_kept_scalars_are_of_each_block_or_of_all(own_registry):
    def terms(p, g, c):
        return (g,)

    def factors(c, total, sum_of_g):
        return (total,), (total + sum_of_g,)

    def update(p, g, c):
        (total,) = c
        return (total * g,)

    for over, kept in (("block", [[1.0 + 2.0], [1.0 + 8.0]]), ("all", [[1.0 + 10.0]])):
        mt.rule("mine", lr=1.0, terms=terms, factors=factors, kept={"total": 1.0}, over=over)(
            update
        )
        mine, theta = optimizers.get("mine"), np.zeros(6)
        state = mine.init(theta, [Block("W", 0, 2, (1, 2)), Block("b", 2, 6, (4,))])
        gradient = np.array([1.0, 1.0, 2.0, 2.0, 2.0, 2.0])
        mine.step(theta, gradient, state)
        np.testing.assert_array_equal(theta, -gradient)
        assert state.phased.kept.tolist() == kept


@pytest.mark.parametrize(
    "given, message",
    [
        ({"terms": lambda p, g, c: (g,)}, "mine: terms and factors come together"),
        ({"factors": lambda c, s: (s,)}, "mine: terms and factors come together"),
        (
            {"terms": lambda p, g, v, c: (g,), "factors": lambda c, s: (s,)},
            "mine: terms(p, g, v, c) must take p, g, c, as update does",
        ),
        (
            {"terms": lambda p, g, c: (2.0 * g,), "factors": lambda c, s: (s,)},
            "mine: terms holds the number 2.0",
        ),
        (
            {"terms": lambda p, g, c: (g,), "factors": lambda s: (s,), "kept": {"v": 0.0}},
            "mine: factors(s) must take c, v and then the sums",
        ),
        ({"point": lambda p, g, c: p}, "mine: point(p, g, c) must take p, c, as update does"),
        ({"over": "layer"}, "mine: over: 'layer'; accepted: 'block', 'all'"),
    ],
)
def test_a_rule_that_does_not_fit_together(given, message, own_registry):
    with pytest.raises(ValueError, match=re.escape(message)):
        mt.rule("mine", lr=1.0, **given)(lambda p, g, c: (g,))


# ---- by hand ----


@each_step
def test_lars_by_hand(which):
    """p = (3, 4), g = (0, 2): rate 1e-3 · 5 / 2; then v = 0.9 v + 1e-3 ‖p‖ / 2 · g."""
    theta, gradient = np.array([3.0, 4.0]), np.array([0.0, 2.0])
    lars = optimizers.LARS(lr=100.0)
    state = lars.init(theta)
    getattr(lars, which)(theta, gradient, state)
    np.testing.assert_allclose(theta, [3.0, 3.5], rtol=1e-14)
    getattr(lars, which)(theta, gradient, state)
    np.testing.assert_allclose(theta, [3.0, 3.5 - 0.45 - 0.1 * math.hypot(3, 3.5)], rtol=1e-14)


@each_step
def test_lamb_by_hand(which):
    """The first direction of Adam is the gradient's sign: u = (1, 1), ‖p‖/‖u‖ = 5/√2."""
    theta = np.array([3.0, 4.0])
    lamb = optimizers.LAMB(lr=0.1, eps=0.0)
    getattr(lamb, which)(theta, np.array([7.0, 0.1]), lamb.init(theta))
    np.testing.assert_allclose(theta, np.array([3.0, 4.0]) - 0.5 / math.sqrt(2), rtol=1e-14)


@each_step
def test_novograd_by_hand(which):
    """v = 25, 0.25·25 + 0.75·4; m = g/5, then 0.9·m + g/√9.25."""
    theta = np.zeros(2)
    novograd = optimizers.NovoGrad(lr=1.0, eps=0.0)
    state = novograd.init(theta)
    getattr(novograd, which)(theta, np.array([3.0, 4.0]), state)
    np.testing.assert_allclose(theta, [-0.6, -0.8], rtol=1e-14)
    getattr(novograd, which)(theta, np.array([2.0, 0.0]), state)
    step = np.array([0.54 + 2.0 / math.sqrt(9.25), 0.72])
    np.testing.assert_allclose(theta, [-0.6, -0.8] - step, rtol=1e-14)


@each_step
def test_dog_by_hand(which):
    """r = 0.1·(1 + 5) at first, then how far the first step went: 0.6."""
    theta, gradient = np.array([3.0, 4.0]), np.array([0.0, 2.0])
    dog = optimizers.DoG(reps_rel=0.1, eps=0.0)
    state = dog.init(theta)
    getattr(dog, which)(theta, gradient, state)
    np.testing.assert_allclose(theta, [3.0, 4.0 - 0.6], rtol=1e-14)
    getattr(dog, which)(theta, gradient, state)
    np.testing.assert_allclose(theta, [3.0, 3.4 - 0.6 / math.sqrt(8.0) * 2.0], rtol=1e-14)


@each_step
def test_schedule_free_sgd_by_hand(which):
    """z = -1, -2 from gradients of 1; x their mean -1.5; y = 0.1 z + 0.9 x."""
    theta = np.zeros(1)
    free = optimizers.ScheduleFreeSGD(lr=1.0)
    state = free.init(theta)
    for z, x in ((-1.0, -1.0), (-2.0, -1.5)):
        getattr(free, which)(theta, np.ones(1), state)
        assert state.slots["z"][0] == pytest.approx(z, rel=1e-14)
        assert free.evaluated(theta, state)[0] == pytest.approx(x, rel=1e-14)
        assert theta[0] == pytest.approx(0.1 * z + 0.9 * x, rel=1e-14)


@each_step
def test_schedule_free_weights_follow_the_schedule(which):
    """Rates 1 and 2: weights 1² and 2², so x = (1·z1 + 4·z2)/5 with z1 = -1 and z2 = -3."""
    theta = np.zeros(1)
    free = optimizers.ScheduleFreeSGD(lr=1.0)
    state = free.init(theta)
    getattr(free, which)(theta, np.ones(1), state)
    getattr(free.replace(lr=2.0), which)(theta, np.ones(1), state)
    assert free.evaluated(theta, state)[0] == pytest.approx(-13 / 5, rel=1e-14)


def adabound(p, gradients, lr, beta1, beta2, eps, final_lr, gamma, amsbound, weight_decay, **_):
    """The authors' adabound.py."""
    m = v = largest = 0.0
    for t, g in enumerate(gradients, 1):
        g = g + weight_decay * p
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        largest = np.maximum(largest, v)
        step = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
        rates = step / (np.sqrt(largest if amsbound else v) + eps)
        low, high = final_lr * (1 - 1 / (gamma * t + 1)), final_lr * (1 + 1 / (gamma * t))
        p = p - np.clip(rates, low, high) * m
    return p


@each_step
@pytest.mark.parametrize(
    "given",
    [{}, {"amsbound": True}, {"gamma": 0.1, "weight_decay": 0.1, "lr": 0.05, "final_lr": 0.02}],
)
def test_adabound_restated(given, which):
    optimizer = optimizers.AdaBound(**given)
    theta, gradients = cases.drawn()
    expected = adabound(theta, gradients, **optimizer.hyperparameters)
    state = optimizer.init(theta)
    for gradient in gradients:
        getattr(optimizer, which)(theta, gradient, state)
    assert np.linalg.norm(theta - expected) <= TOLERANCE * np.linalg.norm(expected)


# ---- edges ----


@each_step
@pytest.mark.parametrize("name", WITH_SUMS)
def test_nothing_happens_without_gradient_and_without_weights(name, which):
    for start in (np.zeros(cases.P), np.arange(1.0, cases.P + 1)):
        optimizer = optimizers.get(name, weight_decay=0.0)
        theta = start.copy()
        state = optimizer.init(theta, BLOCKS)
        for _ in range(5):
            getattr(optimizer, which)(theta, np.zeros_like(theta), state)
        np.testing.assert_array_equal(theta, start)


@each_step
@pytest.mark.parametrize("name", ["lars", "lamb"])
def test_the_ratio_is_one_where_the_weights_are_zero(name, which):
    """Or biases, which start at zero, would stay there."""
    optimizer = optimizers.get(name)
    theta = np.zeros(3)
    getattr(optimizer, which)(theta, np.ones(3), optimizer.init(theta))
    np.testing.assert_allclose(theta, -optimizer.lr, rtol=1e-5)


@each_step
@each_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", WITH_SUMS)
def test_a_gradient_that_is_not_finite_shows(name, bad, dtype, which):
    theta = np.ones(cases.P, dtype)
    optimizer = optimizers.get(name, lr=1.0)
    state = optimizer.init(theta, BLOCKS)
    gradient = np.ones_like(theta)
    gradient[4] = bad
    with np.errstate(all="ignore"):
        getattr(optimizer, which)(theta, gradient, state)
        getattr(optimizer, which)(theta, gradient, state)
    seen = [*theta, *state.phased.kept.ravel()]
    assert not np.isfinite(seen).all()


@pytest.mark.parametrize("name", [*WITH_SUMS, *WITH_POINT])
def test_decay_is_kept_from_biases(name):
    theta = np.ones(6)
    decay = {"weight_decay": 0.5, "decoupled_weight_decay": True}
    optimizer = optimizers.get(name, decay_biases=False, **decay)
    state = optimizer.init(theta, [Block("W", 0, 4, (2, 2)), Block("b", 4, 6, (2,))])
    for _ in range(3):
        optimizer.step(theta, np.zeros(6), state)
    assert (theta[:4] < 1.0).all()
    np.testing.assert_array_equal(theta[4:], 1.0)
