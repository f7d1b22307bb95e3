"""One optimizer step from Python, with little on the way in.

Numba takes about 0.05 µs per array that it is handed, and a step needs nine of them, one in phases
several dozen: more than the whole step of a small network takes.  Here a step is handed its plan's
address; what does not fit the plan is refused, and the caller, who then has time, finds out why.
"""

from functools import cache
from threading import Lock
from typing import Any

import numpy as np
from numba import from_dtype, int64
from numba.extending import intrinsic

from . import sharing
from ._jit import COMPILED, jit
from .borrow import borrowed
from .fuse import apply_step, call
from .plan import (
    ADVANCE, DESCEND, ITEM, MAILBOX, PHASED, PHASES, RATE, SIZE, STATE, TAKER, THREADS, WAKES,
)  # fmt: skip

# What became of a step: it is done; it is done, and would have been faster with the helpers, who
# sleep; nothing is done, since it does not fit the plan, or since helpers are to be woken first.
DONE, ALONE, REFUSED, ASLEEP = range(4)

if COMPILED:
    from .places import address_in, float_of, value_at, vector
    from .plan import state_at

    _words_at = vector(int64)

    @jit
    def quick_step(theta, gradient, address, t):
        """``fuse.step`` for contiguous arrays; returns one of the four words above."""
        plan = _words_at(address, PHASED)
        if theta.size != plan[SIZE] or gradient.size != plan[SIZE] or theta.itemsize != plan[ITEM]:
            return REFUSED
        p, g = borrowed((theta, gradient))
        state, rate = state_at(p, plan, STATE), float_of(plan[RATE])
        if plan[MAILBOX] == 0:
            apply_step(p, g, state, rate, t, plan[ADVANCE], plan[DESCEND])
            return DONE
        mailbox = _words_at(plan[MAILBOX], sharing.places(plan[THREADS]))
        if not sharing.anyone(mailbox, plan[THREADS]):
            if plan[WAKES]:
                return ASLEEP
            apply_step(p, g, state, rate, t, plan[ADVANCE], plan[DESCEND])
            return ALONE
        if not sharing.may_lead(mailbox):
            apply_step(p, g, state, rate, t, plan[ADVANCE], plan[DESCEND])
            return DONE
        job = sharing.begin_job(mailbox)
        call(plan[ADVANCE], (state.c, state.carry, state.hyper, np.float64(t), rate))
        mailbox[sharing.TAKE], mailbox[sharing.PLAN] = plan[TAKER], address
        mailbox[sharing.THETA], mailbox[sharing.GRADIENT] = address_in(p), address_in(g)
        mailbox[sharing.CUT] = (plan[SIZE] << sharing.COUNT) + plan[THREADS]
        sharing.lead(mailbox, job)
        return DONE

    @cache
    def quick_phases(kinds: Any) -> Any:
        """The same for steps in phases; ``kinds`` are the Numba types of Phased and Team."""

        @intrinsic
        def phased_at(typingctx, like, words, start):
            return value_at(kinds, like, words, start)

        @jit(key=str(kinds))
        def quick_phases(theta, gradient, address, t):
            plan = _words_at(address, PHASED + 1)
            if theta.size != plan[SIZE] or gradient.size != plan[SIZE]:
                return REFUSED
            if theta.itemsize != plan[ITEM]:
                return REFUSED
            p, g = borrowed((theta, gradient))
            state, rate = state_at(p, plan, STATE), float_of(plan[RATE])
            phased, team = phased_at(p, plan, PHASED)
            rest = (phased, rate, np.int64(t), plan[ADVANCE], plan[DESCEND], team)
            call(plan[PHASES], (p, g, state, *rest))
            return DONE

        return quick_phases


_one_at_a_time = Lock()


def prepare(kernel: Any, dtype: Any) -> None:
    """Compile ``quick_step`` for this dtype; for anything else it raises TypeError."""
    T = from_dtype(np.dtype(dtype))
    with _one_at_a_time:
        kernel.disable_compile(False)
        kernel.compile((T[::1], T[::1], int64, int64))
        kernel.disable_compile()
