"""Numbers below the smallest normal one, which slow a training down.

A processor takes 200 cycles where a product of 16 normal numbers takes 3, if one of them is
subnormal or becomes so.  Weights that no gradient reaches (those of a pixel that is always 0)
shrink by decay until they are, and so do the averages of their gradients; there they stay, since
0.9 times the smallest number is rounded to that number.  In float32 that takes some hundred steps.
"""

from functools import cache

from numba import from_dtype, types

from ._jit import address_of, inline, jit
from .elementary import SMALLEST_NORMAL
from .simd import absolute, elementwise, pick, where
from .vector import first, lanes, load, store

FLUSHED_EVERY = 64  # steps; or after an epoch of more


@elementwise
def without_subnormal(x):
    return where(absolute(x) < pick(x, SMALLEST_NORMAL), 0.0, x)


@inline
def flush_row(numbers, begin, end):
    for i in range(begin, end, lanes(numbers)):
        x = load(numbers, i, end - i)
        y = without_subnormal(x)
        if first(absolute(x) > absolute(y)) < lanes(numbers):
            store(numbers, i, y, end - i)


@jit(by_address=True)
def flush(theta, slots, shape, begin, end):
    """Zero in place of each subnormal number of theta[begin:end] and of all slots[:, begin:end]."""
    flush_row(theta, begin, end)
    for k in range(shape[0]):
        flush_row(slots, k * shape[1] + begin, k * shape[1] + end)


@cache
def flush_address(dtype):
    """Where `flush` is compiled."""
    numbers = types.CPointer(from_dtype(dtype))
    shape = types.UniTuple(types.int64, 2)
    return address_of(flush, types.void(numbers, numbers, shape, types.int64, types.int64))
