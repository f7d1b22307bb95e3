"""A step on several cores has the bits of one core, however it is cut."""

import threading

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers, sharing
from minitrain.kernels import rule as rules
from minitrain.model import Block

P = 5003


@pytest.fixture
def shared(monkeypatch):
    """Steps of any size are shared, by three threads; yields who computed a part."""
    sharing._pool.cache_clear()
    monkeypatch.setattr(sharing, "cores", lambda: 3)
    monkeypatch.setattr(sharing, "WORTH_SHARING", 0)
    monkeypatch.setattr("minitrain.optimizer._SMALL", 0)
    yield
    sharing._pool().shutdown()
    sharing._pool.cache_clear()


@pytest.mark.parametrize("name", rules.names())
def test_the_bits_of_one_core(name, shared):
    optimizer = optimizers.get(name, weight_decay=0.1, decay_biases=False)
    random = np.random.default_rng(0)
    W, b = Block("W", 0, 3000, (3000, 1)), Block("b", 3000, 3007, (7,))
    blocks = [W, b, Block("V", 3007, P, (1, P - 3007))]
    shared_theta = random.standard_normal(P).astype(np.float32)
    theta = shared_theta.copy()
    states = optimizer.init(theta, blocks), optimizer.init(theta, blocks)
    for _ in range(5):
        gradient = random.standard_normal(P).astype(np.float32)
        optimizer.step(shared_theta, gradient, states[0])
        optimizer.step_reference(theta, gradient, states[1])
    np.testing.assert_array_equal(shared_theta, theta)
    np.testing.assert_array_equal(states[0].arrays.slots, states[1].arrays.slots)
    np.testing.assert_array_equal(states[0].arrays.carry, states[1].arrays.carry)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, P])
@pytest.mark.parametrize("count", [1, 2, 8])
def test_parts_are_all_and_none_twice(size, count):
    third = size // 3
    blocks = [Block("a", 0, third, (third, 1)), Block("b", third, size, (size - third, 1))]
    state = optimizers.get("nadam").init(np.zeros(size), blocks)
    seen = np.zeros(size, int)
    cut = sharing.parts(state.arrays, size, count)
    assert len(cut) == count
    for part in cut:
        for start, stop in part.blocks:
            seen[start:stop] += 1
    assert (seen == 1).all()
    assert cut[-1].carry is state.arrays.carry
    assert all(part.carry is not state.arrays.carry for part in cut[:-1])


def test_helpers_that_never_come(shared, monkeypatch):
    """A core that is busy elsewhere delays nothing."""
    gate = threading.Event()
    for _ in range(2):
        sharing._pool().submit(gate.wait)
    adam = optimizers.get("adam")
    theta, gradient = np.ones(P), np.ones(P)
    adam.step(theta, gradient, adam.init(theta))
    gate.set()
    np.testing.assert_allclose(theta, 0.999)


def test_an_error_in_a_helper_is_raised(shared, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(sharing.fuse, "step", fail)
    adam = optimizers.get("adam")
    theta = np.ones(P)
    with pytest.raises(MemoryError):
        adam.step(theta, np.ones(P), adam.init(theta))


def test_small_steps_are_not_shared(monkeypatch):
    monkeypatch.setattr("minitrain.optimizer.step_shared", None)
    adam = mt.optimizers.Adam()
    theta = np.ones(10_000, np.float32)
    adam.step(theta, theta.copy(), adam.init(theta))
    assert not sharing.worth_sharing(1e6)
    assert sharing.worth_sharing(1e9) == (sharing.cores() > 1)
