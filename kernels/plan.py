"""A plan of an optimizer's steps: one array of words that says where everything stands.

A step from Python hands over its plan's address instead of a dozen arrays, and threads that help
with one are handed nothing else (see quick.py and sharing.py).
"""

from collections import namedtuple

import numpy as np
from numba import float64, int64, types
from numba.extending import intrinsic

from ._jit import COMPILED
from .fuse import Fused, State
from .places import EACH, words_of

# The words: how many parameters and the bytes of one; the rate (of a float64); the addresses of
# advance and descend; where the mailbox of the helpers is (0: never share), for how many threads,
# where the kernel is that takes parts, and whether helpers that sleep are waited for; then the
# words of the state.  Where a step has phases: the address of all of them, and behind the state the
# words of a Phased and of a team of one.
SIZE, ITEM, RATE, ADVANCE, DESCEND, MAILBOX, THREADS, TAKER, WAKES, PHASES, STATE = range(11)
PHASED = STATE + EACH * len(State._fields)

# How a step is shared: not at all.
Shared = namedtuple("Shared", "mailbox threads taker wakes")
UNSHARED = Shared(0, 1, 0, 0)


def plan_of(
    arrays: State,
    size: int,
    rate: float,
    kernels: Fused,
    shared: Shared = UNSHARED,
    phases: int = 0,
    phased: tuple = (),
) -> np.ndarray:
    """The plan of steps on ``size`` parameters; it holds while all arrays are kept alive.

    Of a step in phases, ``phases`` is the kernel's address, ``phased`` the Phased and a Team.
    """
    head = size, arrays.slots.itemsize, float(rate), kernels.advance, kernels.descend
    return np.array(words_of((*head, *shared, phases, arrays, phased)), np.int64)


if COMPILED:
    from .places import value_at

    @intrinsic
    def state_at(typingctx, like, words, start):
        """The state whose words begin at ``start``; its slots are of the dtype of ``like``."""
        doubles = types.Array(float64, 1, "C")
        kinds = (
            types.Array(like.dtype, 2, "C"), doubles, doubles, doubles,
            types.Array(int64, 2, "C"), types.Array(float64, 2, "C"),
        )  # fmt: skip
        return value_at(types.NamedTuple(kinds, State), like, words, start)
