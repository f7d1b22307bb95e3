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

from ._jit import COMPILED, inline, jit
from .borrow import borrowed
from .fuse import apply_step, call
from .phases import begin_rows, descend_portions, settle_more_rows, settle_rows, tally_portions
from .plan import (
    ADVANCE,
    DESCEND,
    ITEM,
    MAILBOX,
    PHASED,
    PHASES,
    RATE,
    SIZE,
    STATE,
    TAKER,
    THREADS,
    WAKES,
)  # fmt: skip
from .sharing import anyone, begin, lead, may_lead, parts_for, places, stop_leading

SUM, SUM_MORE, UPDATE = range(3)  # the kinds of jobs of a step in phases

# What became of a step: it is done; it is done, and would have been faster with the helpers, who
# sleep; nothing is done, since it does not fit the plan, or since helpers are to be woken first.
DONE, ALONE, REFUSED, ASLEEP = range(4)

if COMPILED:
    from .places import address_in, float_of, value_at, vector
    from .plan import state_at
    from .sharing import taker

    _words_at = vector(int64)

    @jit
    def quick_step(theta, gradient, address, t):  # compiled alone
        """``fuse.step`` for contiguous arrays; returns one of the four words above."""
        plan = _words_at(address, PHASED)
        if theta.size != plan[SIZE] or gradient.size != plan[SIZE] or theta.itemsize != plan[ITEM]:
            return REFUSED
        p, g = borrowed((theta, gradient))
        state, rate = state_at(p, plan, STATE), float_of(plan[RATE])
        if plan[MAILBOX] == 0:
            apply_step(p, g, state, rate, t, plan[ADVANCE], plan[DESCEND])
            return DONE
        mailbox, threads = _words_at(plan[MAILBOX], places(plan[THREADS])), plan[THREADS]
        if not anyone(mailbox, threads):
            if plan[WAKES]:
                return ASLEEP
            apply_step(p, g, state, rate, t, plan[ADVANCE], plan[DESCEND])
            return ALONE
        if not may_lead(mailbox):
            apply_step(p, g, state, rate, t, plan[ADVANCE], plan[DESCEND])
            return DONE
        job = begin(mailbox)
        call(plan[ADVANCE], (state.c, state.carry, state.hyper, np.float64(t), rate))
        arrays = plan[TAKER], address, address_in(p), address_in(g)
        lead(mailbox, job, *arrays, parts_for(p.size, threads), threads, 0, t)
        stop_leading(mailbox)
        return DONE

    @cache
    def quick_phases(kinds: Any) -> Any:
        """The same for steps in phases; ``kinds`` are the Numba types of Phased and Team."""

        @intrinsic
        def phased_at(typingctx, like, words, start):
            return value_at(kinds, like, words, start)

        @inline
        def part_of_phase(theta, gradient, plan, kind, t, i, parts, block):  # compiled alone
            state, rate = state_at(theta, plan, STATE), float_of(plan[RATE])
            phased, _ = phased_at(theta, plan, PHASED)
            count = phased.portions.shape[0]
            first, last = count * i // parts, count * (i + 1) // parts
            arrays = (theta, gradient, state, phased)
            if kind == SUM:
                tally_portions(phased.tally, phased.one_group, *arrays, rate, first, last)
            elif kind == SUM_MORE:
                tally_portions(phased.tally_more, 0, *arrays, rate, first, last)
            else:
                descend_portions(*arrays, plan[DESCEND], rate, t - 1, first, last)

        def takes(dtype):
            return taker(part_of_phase, dtype, str(kinds))

        @jit(key=str(kinds))
        def quick_phases(theta, gradient, address, t):  # compiled alone
            plan = _words_at(address, PHASED + 1)
            if theta.size != plan[SIZE] or gradient.size != plan[SIZE]:
                return REFUSED
            if theta.itemsize != plan[ITEM]:
                return REFUSED
            p, g = borrowed((theta, gradient))
            state, rate = state_at(p, plan, STATE), float_of(plan[RATE])
            phased, team = phased_at(p, plan, PHASED)
            done = DONE
            if plan[MAILBOX]:
                mailbox, threads = _words_at(plan[MAILBOX], places(plan[THREADS])), plan[THREADS]
                if not anyone(mailbox, threads):
                    if plan[WAKES]:
                        return ASLEEP
                    done = ALONE
                elif may_lead(mailbox):
                    call(plan[ADVANCE], (state.c, state.carry, state.hyper, np.float64(t), rate))
                    arrays = plan[TAKER], address, address_in(p), address_in(g)
                    parts, blocks = parts_for(p.size, threads), state.blocks.shape[0]
                    if phased.terms:
                        begin_rows(state, phased, 0, blocks)
                        lead(mailbox, begin(mailbox), *arrays, parts, threads, SUM, t)
                        settle_rows(phased, 0, blocks)
                    if phased.more_terms:
                        lead(mailbox, begin(mailbox), *arrays, parts, threads, SUM_MORE, t)
                        settle_more_rows(phased, 0, blocks)
                    lead(mailbox, begin(mailbox), *arrays, parts, threads, UPDATE, t)
                    stop_leading(mailbox)
                    return DONE
            rest = (phased, rate, np.int64(t), plan[ADVANCE], plan[DESCEND], team)
            call(plan[PHASES], (p, g, state, *rest))
            return done

        return quick_phases, cache(takes)


_one_at_a_time = Lock()


def prepare(kernel: Any, dtype: Any) -> None:
    """Compile ``quick_step`` for this dtype; for anything else it raises TypeError."""
    T = from_dtype(np.dtype(dtype))
    with _one_at_a_time:
        kernel.disable_compile(False)
        kernel.compile((T[::1], T[::1], int64, int64))
        kernel.disable_compile()
