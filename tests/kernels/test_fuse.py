"""Fused = unfused, bit for bit, for every rule that is registered, by this file too."""

import inspect
import re
from itertools import pairwise, product

import numba
import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers
from minitrain.kernels import _jit, ahead, fuse, quick
from minitrain.kernels import rule as rules
from minitrain.model import Block

DTYPES = ("float32", "float64")
STEPS = 13  # odd, so that steps of one size (Lion) cannot end where they began


def settings(rule):
    """Hyperparameters that choose each variant of a rule, with every numeric one in use."""
    numbers = {
        name: 0.3 if default == 0.0 else default
        for name, default in rule.defaults.items()
        if name in rule.hyperparameters and not isinstance(default, bool)
    }
    if rule.family == "learning-rate-free":  # which would begin with steps too small to be seen
        numbers |= {name: 0.1 for name in ("d0", "reps_rel") if name in numbers}
    for flags in rule.variants:
        switched = {}
        for flag in rule.flags:
            off = False if isinstance(rule.defaults[flag], bool) else 0.0
            on = True if off is False else 0.9
            switched[flag] = on if flag in flags else off
        values = {**numbers, **switched}
        if not rule.check(**{**rule.defaults, **values}):
            yield values
        else:  # a number that this variant forbids, as dampening with nesterov
            yield switched


def registered():
    for name in rules.names():
        rule = rules.get(name)
        for given in settings(rule):
            on = [flag for flag in rule.flags if given[flag]]
            yield pytest.param(rule, given, id="-".join([name, *sorted(on)]))


each_rule = pytest.mark.parametrize("rule, given", list(registered()))
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def blocks_of(size):
    """A network's blocks, weights and biases in turn, for this many parameters."""
    cuts = sorted({0, size // 3, size // 3 + size // 7, size - size // 5, size})
    return [
        Block(f"b{i}", start, stop, (stop - start,) if i % 2 else (stop - start, 1))
        for i, (start, stop) in enumerate(pairwise(cuts))
    ]


def assert_same_bits(fused, unfused):
    assert fused.dtype == unfused.dtype
    np.testing.assert_array_equal(fused.view(np.uint8), unfused.view(np.uint8))


def compare(optimizer, dtype, size, blocks=None, steps=STEPS):
    """Steps of both kinds side by side; the state must agree as well."""
    random = np.random.default_rng(size)
    fused = random.standard_normal(size).astype(dtype)
    start = fused.copy()
    unfused = fused.copy()
    states = optimizer.init(fused, blocks), optimizer.init(unfused, blocks)
    for _ in range(steps):
        gradient = random.standard_normal(size).astype(dtype)
        given = gradient.copy()
        optimizer.step(fused, gradient, states[0])
        optimizer.step_reference(unfused, gradient, states[1])
        assert_same_bits(gradient, given)
        assert_same_bits(fused, unfused)
        assert_same_bits(states[0].arrays.slots, states[1].arrays.slots)
        assert_same_bits(states[0].arrays.carry, states[1].arrays.carry)
    assert states[0].t == states[1].t == steps
    if size:
        assert np.isfinite(fused).all()
        assert (fused != start).mean() > 0.9  # LARS's step may be less than an ulp of a parameter


@each_dtype
@pytest.mark.parametrize("size", [0, 1, 7, pytest.param(1000, marks=pytest.mark.compiled)])
@each_rule
def test_fused_is_unfused(rule, given, size, dtype):
    for decoupled in (False, True):
        decay = {"weight_decay": 0.1, "decoupled_weight_decay": decoupled}
        compare(mt.Optimizer(rule, lr=0.01, **given, **decay), dtype, size)


@each_dtype
@pytest.mark.parametrize("size", [40, pytest.param(1003, marks=pytest.mark.compiled)])
@each_rule
def test_fused_is_unfused_over_blocks(rule, given, size, dtype):
    for decoupled in (False, True):
        decay = {
            "weight_decay": 0.1,
            "decoupled_weight_decay": decoupled,
            "decay_biases": False,
        }
        compare(mt.Optimizer(rule, lr=0.01, **given, **decay), dtype, size, blocks_of(size))


@pytest.mark.compiled
@each_dtype
@pytest.mark.parametrize("name", rules.names())
def test_fused_is_unfused_where_numbers_are_extreme(name, dtype):
    """NaN, infinities, denormals and -0.0: no shortcut of the compiler may touch them."""
    limits = np.finfo(dtype)
    odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, limits.max, limits.tiny, limits.smallest_subnormal]
    fused, gradient = (a.ravel().astype(dtype) for a in np.array(list(product(odd, odd))).T)
    unfused = fused.copy()
    optimizer = optimizers.get(name, weight_decay=0.1)
    states = optimizer.init(fused), optimizer.init(unfused)
    for _ in range(3):
        optimizer.step(fused, gradient, states[0])
        optimizer.step_reference(unfused, gradient, states[1])
        np.testing.assert_array_equal(fused, unfused)  # the payload of a NaN is not promised
        known = ~np.isnan(fused)
        np.testing.assert_array_equal(np.signbit(fused[known]), np.signbit(unfused[known]))
        np.testing.assert_array_equal(states[0].arrays.slots, states[1].arrays.slots)


# ---- rules of one's own, treated as those of the library ----


@pytest.fixture
def my_momentum(own_registry):
    """The example of the documentation."""

    @mt.rule("my_momentum", lr=0.01, beta=0.9)
    def update(p, g, v, c):
        (beta,) = c
        v = beta * v + g
        return v, v

    return update


@pytest.fixture
def everything(own_registry):
    """Four slots, a slot that starts elsewhere, a carried scalar, a flag, a variant."""

    def coefficients(t, done, beta, power, sharp, momentum):
        return (beta, done, 1.0 / t**power, sharp, momentum), (done + beta / t,)

    @mt.rule(
        "everything",
        lr=0.01,
        beta=0.9,
        power=0.5,
        floor=1e-3,
        sharp=True,
        momentum=0.0,
        coefficients=coefficients,
        carry={"done": 1.0},
        start={"a": "floor"},
    )
    def update(p, g, a, b, d, e, c):
        beta, done, annealed, sharp, _ = c
        a = beta * a + g * g
        b = np.maximum(b, np.abs(g))
        d = np.minimum(d, p) + sharp
        e = np.where(g > e, g, beta * e)
        return annealed * g / (np.sqrt(a) + b) + done * e - d, a, b, d, e

    @update.variant("momentum")
    def with_momentum(p, g, a, b, c):
        beta, done, annealed, _, momentum = c
        b = momentum * b + g
        return np.sign(b) * annealed * done, beta * a + b, b

    return update


def test_my_momentum_is_momentum(my_momentum):
    mine = optimizers.get("my_momentum", beta=0.8)
    theirs = optimizers.get("momentum", momentum=0.8, lr=0.01)
    theta, other = np.ones(7), np.ones(7)
    states = mine.init(theta), theirs.init(other)
    for _ in range(5):
        mine.step(theta, np.arange(7.0), states[0])
        theirs.step(other, np.arange(7.0), states[1])
    assert_same_bits(theta, other)
    assert set(states[0].slots) == {"v"}


@each_dtype
def test_my_momentum_fused_is_unfused(my_momentum, dtype):
    compare(mt.Optimizer(my_momentum, weight_decay=0.1), dtype, 40, blocks_of(40))


@each_dtype
def test_a_rule_with_everything_fused_is_unfused(everything, dtype):
    compare(mt.Optimizer(everything), dtype, 40, blocks_of(40))
    compare(mt.Optimizer(everything, momentum=0.5, sharp=False), dtype, 40, blocks_of(40))


def test_without_coefficients_a_flag_is_one_or_zero(own_registry):
    @mt.rule("mine", lr=1.0, scale=2.0, on=True)
    def update(p, g, c):
        scale, on = c
        return (scale * on * g,)

    for on, expected in ((True, -2.0), (False, 0.0)):
        theta = np.zeros(3)
        mine = optimizers.get("mine", on=on)
        mine.step(theta, np.ones(3), mine.init(theta))
        np.testing.assert_array_equal(theta, expected)


def test_a_rule_without_hyperparameters(own_registry):
    @mt.rule("mine", lr=0.5)
    def update(p, g, c):
        return (np.sign(g),)

    theta = np.zeros(2, np.float32)
    mine = optimizers.get("mine")
    mine.step(theta, np.array([3.0, -4.0], np.float32), mine.init(theta))
    np.testing.assert_array_equal(theta, [-0.5, 0.5])


def test_a_rule_that_runs_again_is_compiled_again(own_registry):
    """As a changed notebook cell: same name, same place, other code."""

    def define(flip):
        if flip:
            return mt.rule("mine", lr=1.0)(lambda p, g, c: (-g,))
        return mt.rule("mine", lr=1.0)(lambda p, g, c: (g,))

    for flip, expected in ((False, -1.0), (True, 1.0)):
        define(flip)
        theta = np.zeros(1)
        mine = optimizers.get("mine")
        mine.step(theta, np.ones(1), mine.init(theta))
        assert theta[0] == expected


@each_dtype
def test_any_number_of_slots(own_registry, dtype):
    @mt.rule("mine", lr=0.1)
    def update(p, g, a, b, d, e, f, h, c):
        return g, g, a, b, d, e, f

    compare(optimizers.get("mine"), dtype, 40, blocks_of(40))
    mine, theta = optimizers.get("mine"), np.zeros(3, dtype)
    state = mine.init(theta)
    for step in range(1, 7):
        mine.step(theta, np.full(3, step, dtype), state)
    assert [slot[0] for slot in state.slots.values()] == [6, 5, 4, 3, 2, 1]


# ---- what is decayed, and by how much ----


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("which", ["step", "step_reference"])
def test_biases_can_be_left_out_of_the_decay(which, decoupled):
    blocks = [Block("W", 0, 2, (1, 2)), Block("b", 2, 4, (2,)), Block("V", 4, 6, (2, 1))]
    decay = {"weight_decay": 0.5, "decoupled_weight_decay": decoupled}
    kept = [0.95, 0.95, 1.0, 1.0, 0.95, 0.95]
    for decay_biases, expected in ((True, [0.95] * 6), (False, kept)):
        sgd = optimizers.get("sgd", lr=0.1, decay_biases=decay_biases, **decay)
        theta = np.ones(6)
        state = sgd.init(theta, blocks)
        getattr(sgd, which)(theta, np.zeros(6), state)
        np.testing.assert_array_equal(theta, expected)


# ---- compiled code itself ----


def test_rules_that_share_code_share_kernels():
    adam, adamw = (optimizers.get(name).kernels(np.float32) for name in ("adam", "adamw"))
    assert adam is adamw
    assert optimizers.get("adam").kernels(np.float64) is not adam


@pytest.mark.compiled
@each_dtype
@each_rule
def test_no_closure_captures_a_dispatcher(rule, given, dtype):
    """Such a closure is never found again in the disk cache (kernels.md)."""
    dispatchers = mt.Optimizer(rule, **given).kernels(np.dtype(dtype)).dispatchers
    assert len(dispatchers) in (2, 3, 4)
    for dispatcher in dispatchers:
        assert isinstance(dispatcher, numba.core.dispatcher.Dispatcher)
        seen, queue = set(), [dispatcher.py_func]
        while queue:
            function = queue.pop()
            for name, value in inspect.getclosurevars(function).nonlocals.items():
                assert not isinstance(value, numba.core.dispatcher.Dispatcher), name
                if inspect.isfunction(value) and value not in seen:
                    seen.add(value)
                    queue.append(value)
        assert seen, "the rule's own function is captured"


@pytest.mark.compiled
@pytest.mark.parametrize("name", rules.names())
def test_the_loop_is_vectorised(name, monkeypatch):
    """A float64 in a float32 kernel, or an index check, makes the loop 2 to 13 times slower."""
    monkeypatch.setattr(_jit, "cache_folder", lambda: None)  # cached code cannot be inspected
    monkeypatch.setattr(fuse, "_compiled", fuse._compiled.__wrapped__)
    _, descend, *_ = optimizers.get(name).kernels(np.dtype("float32")).dispatchers
    (text,) = descend.inspect_llvm().values()
    assert re.search(r"= f(sub|add|mul) <\d+ x float>", text)
    assert "x double>" not in text


@pytest.mark.compiled
def test_a_second_optimizer_compiles_no_new_step():
    """One compiled step per dtype serves all rules: kernels are handed over by address."""
    for name in rules.names():
        optimizer = optimizers.get(name)
        theta = np.ones(5)
        optimizer.step(theta, theta.copy(), optimizer.init(theta))
        count = len(quick.quick_step.signatures)
        optimizer = optimizers.get(name, weight_decay=0.1)
        optimizer.step(theta, theta.copy(), optimizer.init(theta))
        assert len(quick.quick_step.signatures) == count
    assert 1 <= len(quick.quick_step.signatures) <= 2  # float32, float64


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["sgd", "lamb"])
def test_what_asks_for_memory_ahead(name):
    """From ahead.FAR parameters on a step goes part by part, and asks behind the end, too."""
    size = ahead.FAR + ahead.AT_A_TIME + 5
    theta, gradient = np.random.default_rng(0).standard_normal((2, size), dtype=np.float32)
    optimizer, unfused = optimizers.get(name), theta.copy()
    optimizer.step(theta, gradient, optimizer.init(theta))
    optimizer.step_reference(unfused, gradient, optimizer.init(unfused))
    np.testing.assert_array_equal(theta, unfused)
