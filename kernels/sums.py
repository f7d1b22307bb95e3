"""Sums over many elements: what rules that need norms or dot products are compiled to.

    tally(theta, gradient, slots, block, scales, c, rate, out)    sums over a portion of a block
    settle(c, kept, sums)                                         what the sums are for, float64

Sums are made in float64, in portions of PORTION elements, each by itself: whoever makes it, and
whoever makes the next one, the result is the same.
"""

import numpy as np

from ._jit import inline, jit
from .access import read_slots, store, unpack, widest_vectors, write_slots
from .simd import LANES
from .vector import lanes, load, load_double, splat, total
from .vector import store as store_lanes

PORTION = 2048
_WAITING, _DOUBLES = 256, LANES[np.float64]  # of a portion's numbers at a time; of a vector


def tally_of(terms, n_slots, n_terms, scalars, key):
    """Sums of the terms over at most PORTION elements: lane by lane, then across the lanes.

    What is summed stays in the first cache, since only a few numbers of each term wait at a time.
    """

    @jit(key=key, by_address=True)
    def tally(theta, gradient, slots, block, scales, c, rate, out):
        widest_vectors()
        _, coupled, _, cs = scalars(theta, scales, c, rate)
        found = np.empty((n_terms, _WAITING), theta.dtype)
        added = np.zeros((n_terms, _DOUBLES))
        for first in range(block[0], block[1], _WAITING):
            last = min(first + _WAITING, block[1])
            p, g, s = theta[first:last], gradient[first:last], slots[:, first:last]
            for i in range(p.size):
                values = terms(p[i], g[i] + coupled * p[i], *read_slots(s, i, n_slots), cs)
                write_slots(found, i, values, 0)
            for k in range(n_terms):
                numbers, lane = found[k], load(added[k], 0)
                for i in range(p.size, -(-p.size // _DOUBLES) * _DOUBLES):
                    numbers[i] = 0
                for i in range(0, p.size, _DOUBLES):
                    lane = lane + load_double(numbers, i)
                store_lanes(added[k], 0, lane)
        for k in range(n_terms):
            out[k] = total(load(added[k], 0))

    return tally


@inline
def sum_of(numbers, n):
    """The sum of the first n numbers: each lane of a vector in order, then the lanes by halves."""
    added = splat(numbers, 0.0)
    for i in range(0, n, lanes(numbers)):
        added = added + load(numbers, i, n - i)
    return total(added)


def settle_of(factors, n, n_kept, n_terms, key):
    if n_kept:

        @jit(key=key, by_address=True)
        def settle(c, kept, sums):
            inputs = unpack(kept, kept, n_kept) + unpack(sums, sums, n_terms)
            values, carried = factors(unpack(c, c, n), *inputs)
            store(c[n:], values)
            store(kept, carried)
    else:

        @jit(key=key, by_address=True)
        def settle(c, kept, sums):
            store(c[n:], factors(unpack(c, c, n), *unpack(sums, sums, n_terms)))

    return settle
