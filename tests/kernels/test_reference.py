"""The unfused twin: the rule's own update, on whole arrays, block by block."""

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers
from minitrain.kernels.reference import step_reference
from minitrain.model import Block


@pytest.mark.parametrize("name", optimizers.names())
def test_the_update_sees_whole_arrays_of_one_dtype(name, monkeypatch):
    """An array operation at a time, and every scalar in the arrays' dtype."""
    optimizer = optimizers.get(name)
    seen = []
    update = optimizer.variant.update

    def spy(p, g, *rest):
        seen.append((p, g, *rest))
        return update(p, g, *rest)

    theta = np.ones(6, np.float32)
    blocks = [Block("W", 0, 4, (2, 2)), Block("b", 4, 6, (2,))]
    state = optimizer.replace(weight_decay=0.5, decay_biases=False).init(theta, blocks)
    monkeypatch.setitem(optimizer.variant.__dict__, "update", spy)
    rest = optimizer.rule, optimizer.variant, state.phased.kept
    step_reference(theta, theta.copy(), state.arrays, 0.1, 1, *rest)
    assert [len(p) for p, *_ in seen] == [4, 2]
    for *arrays, c in seen:
        assert {a.dtype.name for a in arrays} == {"float32"}
        assert {type(value) for value in c} <= {np.float32}  # SignSGD has none


def test_carried_scalars_go_from_step_to_step(own_registry):
    def coefficients(t, total, amount):
        return (total,), (total + amount,)

    @mt.rule("mine", lr=1.0, amount=2.0, coefficients=coefficients, carry={"total": 10.0})
    def update(p, g, c):
        (total,) = c
        return (total * g,)

    mine = optimizers.get("mine")
    theta = np.zeros(1)
    state = mine.init(theta)
    for expected in (-10.0, -22.0, -36.0):
        mine.step_reference(theta, np.ones(1), state)
        assert theta[0] == expected
    assert state.arrays.carry.tolist() == [16.0]


def test_views_stay_views():
    """Parameters, slots and gradient are changed where they are, or not at all."""
    buffer = np.ones(10)
    theta, gradient = buffer[2:7], np.ones(5)
    momentum = optimizers.get("momentum", lr=1.0)
    state = momentum.init(theta)
    slots = state.slots["v"]
    momentum.step_reference(theta, gradient, state)
    np.testing.assert_array_equal(buffer, [1, 1, 0, 0, 0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(slots, 1.0)
    np.testing.assert_array_equal(gradient, 1.0)


def test_overflow_shows_in_the_result_and_not_as_a_warning():
    adam = optimizers.get("adam")
    theta = np.zeros(2, np.float32)
    state = adam.init(theta)
    adam.step_reference(theta, np.array([1.0, 1e30], np.float32), state)
    assert np.isinf(state.slots["v"][1])
    assert state.slots["v"][0] == np.float32(1.0 - 0.999)
