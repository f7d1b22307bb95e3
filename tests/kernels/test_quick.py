"""Quick steps from Python: the same bits as any other, and no step where the arrays do not fit."""

import copy

import numpy as np
import pytest

from minitrain import optimizers
from minitrain.kernels import plan
from minitrain.kernels.rule import names
from minitrain.model import Block

pytestmark = pytest.mark.compiled
P = 37
BLOCKS = [Block("W", 0, 30, (5, 6)), Block("b", 30, P, (7,))]


def drawn(dtype):
    random = np.random.RandomState(1)
    return random.standard_normal(P).astype(dtype), random.standard_normal((4, P)).astype(dtype)


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype)
    raw[:] = array
    return raw


@pytest.mark.parametrize("name", names())
def test_same_bits_on_both_ways(name):
    """A gradient that is not aligned goes the long way; decay and blocks are in the plan, too."""
    optimizer = optimizers.get(name, weight_decay=0.1, decay_biases=False)
    theta, gradients = drawn("float32")
    other = theta.copy()
    state, slow = optimizer.init(theta, BLOCKS), optimizer.init(other, BLOCKS)
    for gradient in gradients:
        optimizer.step(theta, gradient, state)
        optimizer.step(other, unaligned(gradient), slow)
    np.testing.assert_array_equal(theta, other)
    np.testing.assert_array_equal(state.arrays.slots, slow.arrays.slots)
    np.testing.assert_array_equal(state.arrays.carry, slow.arrays.carry)
    assert state.t == slow.t == len(gradients)


def test_the_second_step_is_quick(monkeypatch):
    optimizer = optimizers.Adam()
    theta, gradients = drawn("float64")
    state = optimizer.init(theta)
    optimizer.step(theta, gradients[0], state)
    monkeypatch.setattr("minitrain.optimizer.check_step", None)  # not even looked at
    optimizer.step(theta, gradients[1], state)
    assert state.t == 2


@pytest.mark.parametrize(
    "params, gradient",
    [
        (np.ones(P, np.float32), np.ones(P, np.float32)),  # the state is of float64
        (np.ones(P), np.ones(P, np.float32)),
        (np.ones(P + 1), np.ones(P)),
        (np.ones(P), np.ones(P - 1)),
        (np.ones(2 * P)[::2], np.ones(P)),
        (np.ones(P, np.int64), np.ones(P, np.int64)),
        ([1.0] * P, np.ones(P)),
    ],
)
def test_what_does_not_fit_the_plan_changes_nothing(params, gradient):
    optimizer = optimizers.Adam()
    theta, gradients = drawn("float64")
    state = optimizer.init(theta)
    small = theta.astype("float32")
    optimizer.step(small, gradients[0].astype("float32"), optimizer.init(small))  # has both dtypes
    optimizer.step(theta, gradients[0], state)
    slots, before = state.arrays.slots.copy(), np.array(params, float)
    with pytest.raises((TypeError, ValueError)):
        optimizer.step(params, gradient, state)
    np.testing.assert_array_equal(state.arrays.slots, slots)
    np.testing.assert_array_equal(np.array(params, float), before)
    assert state.t == 1


def test_read_only_parameters_are_refused_and_gradients_are_not():
    optimizer, (theta, gradients) = optimizers.Adam(), drawn("float64")
    state = optimizer.init(theta)
    optimizer.step(theta, gradients[0], state)
    gradients[1].flags.writeable = False
    optimizer.step(theta, gradients[1], state)
    theta.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        optimizer.step(theta, gradients[2], state)
    assert state.t == 2


def test_a_copy_of_a_state_has_a_plan_of_its_own():
    optimizer, (theta, gradients) = optimizers.Adam(), drawn("float64")
    state = optimizer.init(theta)
    optimizer.step(theta, gradients[0], state)
    twin, there = copy.deepcopy(state), theta.copy()
    v = state.slots["v"].copy()
    optimizer.step(there, gradients[1], twin)
    np.testing.assert_array_equal(state.slots["v"], v)
    optimizer.step(theta, gradients[1], state)
    np.testing.assert_array_equal(theta, there)


def test_other_arrays_in_a_state_are_noticed():
    """A plan of arrays that are gone would write into someone else's memory."""
    optimizer, (theta, gradients) = optimizers.Adam(), drawn("float64")
    state = optimizer.init(theta)
    optimizer.step(theta, gradients[0], state)
    fresh = optimizer.init(theta).arrays
    old, state.arrays = state.arrays, fresh
    kept = old.slots.copy()
    optimizer.step(theta, gradients[1], state)
    np.testing.assert_array_equal(old.slots, kept)
    assert fresh.slots.any()


def test_the_plan_says_where_the_arrays_stand():
    optimizer = optimizers.NAdam(lr=0.5)
    theta = np.ones(P, np.float32)
    state = optimizer.init(theta, BLOCKS)
    optimizer.step(theta, theta.copy(), state)
    kernels = optimizer.kernels(theta.dtype)
    head = state._plan[: plan.RATE].tolist()
    assert head == [P, 4]
    assert state._plan[[plan.RATE]].view(float) == 0.5
    assert state._plan[plan.ADVANCE] == kernels.advance
    assert state._plan[plan.DESCEND] == kernels.descend
    places = state._plan[plan.STATE :].reshape(-1, plan.EACH).tolist()
    for array, (address, rows, columns) in zip(state.arrays, places, strict=True):
        assert address == array.ctypes.data
        assert (rows or 1) * columns == array.size


def test_an_optimizer_steps_by_its_own_plan():
    """One state, two optimizers in turn: each has its rate and its kernels."""
    theta, gradients = drawn("float64")
    other = theta.copy()
    both = optimizers.Adam(lr=0.1), optimizers.Adam(lr=0.2)
    state, slow = both[0].init(theta), both[0].init(other)
    for k, gradient in enumerate(gradients):
        both[k % 2].step(theta, gradient, state)
        both[k % 2].step_reference(other, gradient, slow)
    np.testing.assert_array_equal(theta, other)


@pytest.mark.parametrize("name", ["adam", "lamb"])
def test_unaligned_parameters(name):
    optimizer, (theta, gradients) = optimizers.get(name), drawn("float32")
    odd = unaligned(theta)
    state, other = optimizer.init(theta), optimizer.init(odd)
    for gradient in gradients:
        optimizer.step(theta, gradient, state)
        optimizer.step(odd, gradient, other)
    np.testing.assert_array_equal(theta, odd)
