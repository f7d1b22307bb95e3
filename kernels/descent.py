"""One fused pass over a block of parameters: what the update of a rule is compiled to.

    descend(theta, gradient, slots, block, scales, c, rate)

For every parameter: add the coupled decay to the gradient, let the rule say the direction u, and
subtract the step and the decoupled decay in one rounded update, which keeps a decay that the factor
1 - lr * decay rounds away.
"""

from ._jit import jit
from .access import read_slots, widest_vectors, write_slots
from .ahead import AT_A_TIME, FAR, ask_ahead
from .functions import slots_left, slots_read
from .slots import load_slots, store_slots
from .vector import lanes, load, store


def descend_of(update, n_slots, scalars, key):
    """The pass a vector at a time: a root then need not wait for the unit that divides, and what is
    left over at the end is one vector in part."""
    left, read = slots_left(update), slots_read(update, n_slots)

    @jit(key=key, by_address=True)
    def descend(theta, gradient, slots, block, scales, c, rate):
        lr, coupled, decay, cs = scalars(theta, scales, c, rate)
        far, many = theta.size >= FAR, lanes(theta)
        start, stop = block[0], block[1]
        whole = start + (stop - start) // many * many
        part = AT_A_TIME if far else max(whole - start, 1)
        for first in range(start, whole, part):
            if far:
                ask_ahead(theta, gradient, slots, first, part, read)
            for i in range(first, min(first + part, whole), many):
                p, g, s = load(theta, i), load(gradient, i), load_slots(slots, i, n_slots)
                values = update(p, g + coupled * p, *s, cs)
                store_slots(slots, i, values, 1, left)
                store(theta, i, p - lr * (values[0] + decay * p))
        if whole < stop:
            n = stop - whole
            p, g = load(theta, whole, n), load(gradient, whole, n)
            values = update(p, g + coupled * p, *load_slots(slots, whole, n_slots, n), cs)
            store_slots(slots, whole, values, 1, left, n)
            store(theta, whole, p - lr * (values[0] + decay * p), n)

    return descend


def descend_of_numbers(update, n_slots, scalars, key):
    """The pass for an update of what vectors do not have, such as np.exp, number by number; LLVM
    makes vectors of what it can."""
    left, read = slots_left(update), slots_read(update, n_slots)

    @jit(key=key, by_address=True)
    def descend(theta, gradient, slots, block, scales, c, rate):
        widest_vectors()
        lr, coupled, decay, cs = scalars(theta, scales, c, rate)
        far = theta.size >= FAR
        part = AT_A_TIME if far else max(block[1] - block[0], 1)
        for first in range(block[0], block[1], part):
            last = min(first + part, block[1])
            if far:
                ask_ahead(theta, gradient, slots, first, part, read)
            p, g, s = theta[first:last], gradient[first:last], slots[:, first:last]
            for i in range(p.size):
                x = p[i]
                values = update(x, g[i] + coupled * x, *read_slots(s, i, n_slots), cs)
                write_slots(s, i, values, 1, left)
                p[i] = x - lr * (values[0] + decay * x)

    return descend
