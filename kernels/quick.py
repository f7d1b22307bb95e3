"""One optimizer step from Python, with little on the way in.

Numba takes about 0.1 µs per array that it is handed, and a step needs nine of them: more than the
whole step of a small network takes.  Here the state is a *plan*, one array of words that says where
the others stand; what does not fit the plan is refused, and the caller, who then has time, finds
out why.
"""

from threading import Lock
from typing import Any

import numpy as np
from numba import float64, from_dtype, int64

from . import sharing
from ._jit import COMPILED, jit
from .borrow import borrowed
from .fuse import State, call
from .places import words_of
from .sharing import ITEM, SIZE, STATE_WORDS

# What became of a step: it does not fit the plan, or helpers sleep who are to be woken first, and
# nothing is done; it is done; it is done, and would have been faster with the helpers, who sleep.
REFUSED, ASLEEP, DONE, ALONE = range(4)


def plan_of(arrays: State, size: int, sharing_words: tuple[int, ...] = (0, 1, 0, 0)) -> np.ndarray:
    """The plan of a state for ``size`` parameters; it holds while the arrays are kept alive.

    ``sharing_words`` are MAILBOX, THREADS, TAKER and WAKES of it.
    """
    numbers = [size, arrays.slots.itemsize, *sharing_words, *words_of(arrays)]
    return np.array(numbers, np.int64)


if COMPILED:
    from .places import address_in, bits_of, vector
    from .sharing import state_at

    _words_at = vector(int64)

    @jit
    def quick_step(theta, gradient, plan, rate, t, advance, descend):
        """``fuse.step`` for contiguous arrays; returns one of the four words above."""
        if theta.size != plan[SIZE] or gradient.size != plan[SIZE] or theta.itemsize != plan[ITEM]:
            return REFUSED
        p, g = borrowed((theta, gradient))
        state = state_at(theta, plan, STATE_WORDS)
        shares, done = False, DONE
        mailbox = _words_at(plan[sharing.MAILBOX], sharing.places(plan[sharing.THREADS]))
        if plan[sharing.MAILBOX]:
            if not sharing.anyone(mailbox, plan[sharing.THREADS]):
                if plan[sharing.WAKES]:
                    return ASLEEP
                done = ALONE
            else:
                shares = sharing.may_lead(mailbox)
        job = sharing.begin_job(mailbox) if shares else 0
        call(advance, (state.c, state.carry, state.hyper, np.float64(t), rate))
        if shares:
            mailbox[sharing.TAKE], mailbox[sharing.PLAN] = plan[sharing.TAKER], address_in(plan)
            mailbox[sharing.THETA], mailbox[sharing.GRADIENT] = address_in(p), address_in(g)
            mailbox[sharing.RATE], mailbox[sharing.DESCEND] = bits_of(rate), descend
            mailbox[sharing.CUT] = (plan[SIZE] << sharing.COUNT) + plan[sharing.THREADS]
            sharing.lead(mailbox, job)
        else:
            for k in range(state.blocks.shape[0]):
                block, scales = state.blocks[k], state.scales[k]
                call(descend, (p, g, state.slots, block, scales, state.c, rate))
        return done


_one_at_a_time = Lock()


def prepare(dtype: Any) -> None:
    """Compile ``quick_step`` for this dtype; for anything else it raises TypeError."""
    T = from_dtype(np.dtype(dtype))
    with _one_at_a_time:
        quick_step.disable_compile(False)
        quick_step.compile((T[::1], T[::1], int64[::1], float64, int64, int64, int64))
        quick_step.disable_compile()
