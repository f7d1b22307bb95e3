"""Numbers below the smallest normal one do not stay in a training."""

import numpy as np
import pytest

import minitrain as mt
from minitrain.kernels._jit import jit
from minitrain.kernels.fuse import call
from minitrain.kernels.subnormal import FLUSHED_EVERY, flush_address
from minitrain.kernels.vector import address

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@jit(key="flush of an array")
def flushed(flush, theta, slots, begin, end):
    call(flush, (address(theta), address(slots), slots.shape, begin, end))


@each_dtype
@pytest.mark.parametrize("begin, end", [(0, 40), (3, 37), (8, 16), (5, 5)])
def test_flush(begin, end, dtype):
    limits = np.finfo(dtype)
    below = np.nextafter(limits.tiny, 0, dtype=dtype)
    kinds = [limits.tiny, -limits.tiny, below, -below, limits.smallest_subnormal, 0.0, -0.0, 1.0]
    kinds += [limits.max, np.inf, -np.inf, np.nan]
    theta, slots = np.resize(np.array(kinds, dtype), 40), np.resize(np.array(kinds, dtype), (3, 43))
    wanted, wanted_slots = theta.copy(), slots.copy()
    for inside in (wanted[begin:end], wanted_slots[:, begin:end]):
        inside[(np.abs(inside) < limits.tiny) & (inside != 0)] = 0
    flushed(flush_address(theta.dtype), theta, slots, begin, end)
    np.testing.assert_array_equal(theta, wanted)
    np.testing.assert_array_equal(slots, wanted_slots)


def trained(threads, steps, rows=32):
    """Two layers whose first input is always 0; its weights and their momentum are subnormal."""
    random = np.random.default_rng(0)
    X = random.standard_normal((rows, 3)).astype(np.float32)
    X[:, 0] = 0
    model = mt.MLP([3, 40, 2], seed=0)
    weights = model.parameters[:40]
    weights[:] = 2.0**-130 * np.where(np.arange(40) % 2, -1, 1)
    optimizer = mt.optimizers.Momentum(lr=1e-3)
    trainer = mt.Trainer(model, optimizer, batch_size=16, seed=0, threads=threads)
    trainer.fit((X, random.integers(0, 2, rows)), epochs=steps * 16 // rows)
    return model.parameters.copy(), weights


@pytest.mark.parametrize("threads", [1, 2])
def test_they_are_gone_after_some_steps(threads):
    _, weights = trained(threads, FLUSHED_EVERY)
    assert (np.abs(weights) == np.float32(2.0**-130)).all()
    after, weights = trained(threads, FLUSHED_EVERY + 2)
    assert not weights.any()
    assert np.abs(after[40:]).min() > 0
    np.testing.assert_array_equal(after, trained(1, FLUSHED_EVERY + 2)[0])


def test_averages_end_with_their_gradient():
    """0.9 times the smallest number is rounded to that number: Adam's m would stay there."""
    X, y = np.zeros((8, 2), np.float32), np.arange(8) % 2
    X[:, 1] = np.random.default_rng(0).standard_normal(8)
    seen = []

    def watch(_):  # a step is an epoch
        m = trainer._run._state.arrays.slots[0]
        if not seen:
            m[:4] = np.finfo(np.float32).smallest_subnormal
        seen.append(m[:20].copy())

    model = mt.MLP([2, 4, 2], seed=0)
    trainer = mt.Trainer(model, mt.optimizers.Adam(lr=1e-3), 8, seed=0, callbacks=[watch])
    trainer.fit((X, y), epochs=FLUSHED_EVERY + 1)
    assert seen[-2][:4].all()
    assert not seen[-1][:4].any()
    assert seen[-1][4:].any()
