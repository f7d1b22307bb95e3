"""Dropout, forward and backward, written by hand (Srivastava et al. 2014, JMLR 15).

In training each unit of a hidden layer is 0 with probability ``dropped`` / 65 536, and otherwise
divided by the probability of staying, so that prediction needs nothing ("inverted" dropout, as
torch's).  Which units: a pure function of the seed, the step, the layer, the row's place in the
mini-batch and the unit, so that it does not depend on the number of threads.
"""

import numpy as np

from . import activations as f
from ._jit import inline
from .between import CLOCK, DROPPED, KIND, MASK, NONE, SEED
from .layers import CODE, DZ_, O_, Y_, Z_, at
from .random import philox
from .vector import lanes, load, store

_DROPOUT = 0xD809  # purpose of the random words
_LOW, _32, _16 = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(16)
_HALF = np.uint64(0xFFFF)
SHARES = 1 << 16  # a random word decides on two units, by 16 bits each


@inline
def draw_mask(work, l, r):
    """The factors 0 or 1 / (1 - rate) of a row's units."""
    p, last = work.plan[l], work.plan[work.plan.shape[0] - 1]
    T, O = work.numbers.dtype.type, p[O_]
    kept, dropped = T(SHARES / (SHARES - last[DROPPED])), np.uint64(last[DROPPED])
    row, step, purpose = np.uint64(r), np.uint64(last[CLOCK]) & _LOW, np.uint64(_DROPOUT + l)
    low, high = np.uint64(last[SEED]) & _LOW, np.uint64(last[SEED]) >> _32
    for j in range(0, O, 8):
        four = philox(np.uint64(j), row, step, purpose, low, high)
        mask = at(work, p, p[MASK], r, j)
        for k in range(min(8, O - j)):
            word = four[k // 2]
            bits = word & _HALF if k % 2 == 0 else word >> _16
            work.numbers[mask + k] = T(0) if bits < dropped else kept


@inline
def dropout_forward(work, l, begin, end):
    """Drop units of y; kept is what the activation's derivative is computed from."""
    p = work.plan[l]
    L, O = lanes(work.numbers), p[O_]
    keep = p[KIND] == NONE and p[CODE] < f.GELU  # normalisation has kept it already
    for r in range(begin, end):
        draw_mask(work, l, r)
        for j in range(0, O, L):
            y, mask = at(work, p, p[Y_], r, j), at(work, p, p[MASK], r, j)
            a = load(work.numbers, y, O - j)
            if keep:
                store(work.numbers, at(work, p, p[Z_], r, j), a, O - j)
            store(work.numbers, y, a * load(work.numbers, mask, O - j), O - j)


@inline
def dropout_backward(work, l, begin, end):
    """What was dropped has no part in the loss."""
    p = work.plan[l]
    L, O = lanes(work.numbers), p[O_]
    for r in range(begin, end):
        for j in range(0, O, L):
            dz, mask = at(work, p, p[DZ_], r, j), at(work, p, p[MASK], r, j)
            d = load(work.numbers, dz, O - j) * load(work.numbers, mask, O - j)
            store(work.numbers, dz, d, O - j)
