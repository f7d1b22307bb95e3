"""Sums over many elements: what rules that need norms or dot products are compiled to.

    tally(theta, gradient, slots, block, scales, c, rate, out)    sums over a portion of a block
    settle(c, kept, sums)                                         what the sums are for, float64

Sums are made in float64, in portions of PORTION elements, each by itself: whoever makes it, and
whoever makes the next one, the result is the same.  In a portion they are made lane by lane of a
vector of float64, and then across its lanes.
"""

import numpy as np

from ._jit import inline, jit
from .access import read_slots, store, unpack, widest_vectors, write_slots
from .adding import add_each, totals, zero_sums
from .ahead import AT_A_TIME, FAR, ask_ahead
from .functions import slots_read
from .slots import load_slots
from .vector import lanes, load, splat, total

PORTION = 2048
_WAITING = 256  # of a portion's numbers at a time


def tally_of(terms, n_slots, n_terms, scalars, key):
    """Sums of the terms over at most PORTION elements, a vector at a time.

    Of what vectors do not have, the terms are computed number by number.
    """
    used = slots_read(terms, n_slots)

    @jit(key=key, by_address=True)
    def tally(theta, gradient, slots, block, scales, c, rate, out):
        _, coupled, _, cs = scalars(theta, scales, c, rate)
        far, many, added = theta.size >= FAR, lanes(theta), zero_sums(n_terms)
        start, stop = block[0], block[1]
        whole = start + (stop - start) // many * many
        for first in range(start, whole, AT_A_TIME):
            if far:
                ask_ahead(theta, gradient, slots, first, AT_A_TIME, used)
            for i in range(first, min(first + AT_A_TIME, whole), many):
                p, g, s = load(theta, i), load(gradient, i), load_slots(slots, i, n_slots)
                added = add_each(added, terms(p, g + coupled * p, *s, cs))
        if whole < stop:
            n = stop - whole
            p, g = load(theta, whole, n), load(gradient, whole, n)
            s = load_slots(slots, whole, n_slots, n)
            added = add_each(added, terms(p, g + coupled * p, *s, cs), n)
        totals(out, added)

    return tally


def tally_of_numbers(terms, n_slots, n_terms, scalars, key):
    """The same for terms of what vectors do not have, such as np.exp: number by number.

    What is summed stays in the first cache, since only a few numbers of each term wait at a time.
    """

    @jit(key=key, by_address=True)
    def tally(theta, gradient, slots, block, scales, c, rate, out):
        widest_vectors()
        _, coupled, _, cs = scalars(theta, scales, c, rate)
        found = np.empty((n_terms, _WAITING), theta.dtype)
        added = zero_sums(n_terms)
        for first in range(block[0], block[1], _WAITING):
            last = min(first + _WAITING, block[1])
            p, g, s = theta[first:last], gradient[first:last], slots[:, first:last]
            for i in range(p.size):
                values = terms(p[i], g[i] + coupled * p[i], *read_slots(s, i, n_slots), cs)
                write_slots(found, i, values, 0, 0)
            for i in range(0, p.size, lanes(theta)):
                added = add_each(added, load_slots(found, i, n_terms), p.size - i)
        totals(out, added)

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
