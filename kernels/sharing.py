"""One optimizer step on several cores: helpers stand by in compiled code, and whoever is free takes
the next part of the parameters.

A rule of one element at a time has the same bits however the parameters are cut and whoever
computes them.  A step leads: it writes a job into a *mailbox*, opens it, and works; helpers see it,
enter, and take parts, each its own range first, so that it finds them in its core's cache, and then
what others have left.  Nobody waits for a helper that has not entered, only for the part that one
is working on.
"""

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import from_dtype, int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import COMPILED, address_of, inline, jit
from .fuse import call
from .plan import DESCEND, PHASED, RATE, STATE
from .threads import LINE, SPINS, add_atomic, give_way, load_atomic, pause

# Places in the mailbox.  Its first line is the job: its number (odd while the rest is being
# written), the address of the kernel that takes its parts, and what that needs.
JOB, TAKE, PLAN, THETA, GRADIENT, CUT = range(6)
LEADING = LINE  # how many want to lead; the first may
# Of each thread, a line: is it awake; how many parts of its range are taken, and of which job; how
# many parts it has completed, of which job; and room for a range of parameters.
AWAKE, _TAKEN, _COMPLETED, _BLOCK, _FIRST_LINE = 0, 1, 2, 3, 2 * LINE
COUNT = 20  # bits of a number of parts, or of threads; above them stands the job's, or the size

# How many parts each thread has: one of few parameters, since beginning one costs 0.1 µs; more
# where there are more, so that nobody waits long for a core that is busy elsewhere.
LEAST, PARTS, MOST = 1 << 16, 4, 1 << 18  # parameters of a part, parts, parameters


@inline
def places(threads):
    """How long the mailbox is."""
    return _FIRST_LINE + threads * LINE


@inline
def line_of(thread):
    return _FIRST_LINE + LINE * thread


@inline
def cut_of(word):
    """(parameters, threads, parameters of a part, parts) of the word CUT of a job.

    Parts are of whole cache lines.
    """
    size, threads = word >> COUNT, word & ((1 << COUNT) - 1)
    own = size // threads + 1
    each = max(min(own // LEAST, PARTS), own // MOST, 1)
    part = (own // each + 64) // 64 * 64
    return size, threads, part, (size + part - 1) // part


@inline
def descend_on(theta, gradient, state, first, last, block, rate, descend):
    """One step on the parameters first … last; ``block`` is room for two numbers."""
    for k in range(state.blocks.shape[0]):
        block[0], block[1] = max(state.blocks[k, 0], first), min(state.blocks[k, 1], last)
        if block[0] < block[1]:
            call(descend, (theta, gradient, state.slots, block, state.scales[k], state.c, rate))


if COMPILED:
    from .places import float_of, vector
    from .plan import state_at

    @intrinsic
    def replace_atomic(typingctx, array, i, old, new):
        """array[i] = new if it is still ``old``; returns whether."""

        def codegen(context, builder, signature, arguments):
            data = context.make_array(array)(context, builder, arguments[0]).data
            place = builder.gep(data, [arguments[1]])
            result = builder.cmpxchg(place, arguments[2], arguments[3], "acq_rel", "acquire")
            return builder.extract_value(result, 1)

        return types.boolean(array, types.intp, types.int64, types.int64), codegen

    @intrinsic
    def store_atomic(typingctx, array, i, x):
        """array[i] = x, and all that was written before it."""

        def codegen(context, builder, signature, arguments):
            data = context.make_array(array)(context, builder, arguments[0]).data
            builder.store_atomic(arguments[2], builder.gep(data, [arguments[1]]), "release", 8)
            return context.get_dummy_value()

        return types.void(array, types.intp, types.int64), codegen

    @intrinsic
    def fence(typingctx, order):
        """What follows ("release": is written, "acquire": is read) stays behind what precedes."""
        if not isinstance(order, types.StringLiteral):
            return None

        def codegen(context, builder, signature, arguments):
            builder.fence(order.literal_value)
            return context.get_dummy_value()

        return types.void(order), codegen

    @inline
    def next_part(mailbox, owner, job, count):
        """The next of ``count`` parts of a thread's range; -1 if all are taken.

        What an older job has left there counts as nothing, so nobody has to clear it; and who
        comes late, when all parts are taken or another job has begun, gets none.
        """
        place = line_of(owner) + _TAKEN
        while True:
            seen = load_atomic(mailbox, place)
            whose, taken = seen >> COUNT, seen & ((1 << COUNT) - 1)
            if whose < job:
                taken = 0
            if whose > job or taken >= count:
                return -1
            if replace_atomic(mailbox, place, seen, (job << COUNT) + taken + 1):
                return taken

    @cache
    def take_parts_at(dtype: np.dtype) -> int:
        """The address of the kernel that takes parts of arrays of this dtype."""
        number = from_dtype(dtype)
        numbers_at, words_at = vector(number), vector(int64)

        @jit(key=str(number), by_address=True)
        def take_parts(mailbox, thread, job):
            address, given = mailbox[PLAN], (mailbox[THETA], mailbox[GRADIENT])
            cut = mailbox[CUT]
            fence("acquire")
            if load_atomic(mailbox, JOB) != job:
                return  # it is over, and what was read may be of another one
            size, threads, part, parts = cut_of(cut)
            own, done = line_of(thread), 0
            for k in range(threads):
                owner = (thread + k) % threads
                begin = parts * owner // threads
                count = parts * (owner + 1) // threads - begin
                i = next_part(mailbox, owner, job, count)
                while i >= 0:
                    # From here on the leader waits for this part, and the plan stays.
                    plan = words_at(address, PHASED)
                    theta, gradient = numbers_at(given[0], size), numbers_at(given[1], size)
                    state, rate = state_at(theta, plan, STATE), float_of(plan[RATE])
                    first = (begin + i) * part
                    last = min(first + part, size)
                    block = mailbox[own + _BLOCK : own + _BLOCK + 2]
                    descend_on(theta, gradient, state, first, last, block, rate, plan[DESCEND])
                    done += 1
                    store_atomic(mailbox, own + _COMPLETED, (job << COUNT) + done)
                    i = next_part(mailbox, owner, job, count)

        return address_of(take_parts, types.void(int64[::1], int64, int64))


@inline
def anyone(mailbox, threads):
    """Is any helper awake, or called?"""
    awake = 0
    for k in range(1, threads):
        awake += mailbox[line_of(k) + AWAKE]
    return awake > 0


@inline
def may_lead(mailbox):
    """True if nobody else leads; ``lead`` then must follow."""
    if add_atomic(mailbox, LEADING, 1) == 0:
        return True
    add_atomic(mailbox, LEADING, -1)
    return False


@inline
def begin_job(mailbox):
    """The number of a new job, which may be written now."""
    job = mailbox[JOB] + 2
    store_atomic(mailbox, JOB, job - 1)
    fence("release")
    return job


@inline
def lead(mailbox, job):
    """Open the job that has been written, work on it, and wait for those who help."""
    store_atomic(mailbox, JOB, job)
    call(mailbox[TAKE], (mailbox, 0, job))
    _, threads, _, parts = cut_of(mailbox[CUT])
    spins, completed = 0, 0
    while True:
        completed = 0
        for k in range(threads):
            word = load_atomic(mailbox, line_of(k) + _COMPLETED)
            if word >> COUNT == job:
                completed += word & ((1 << COUNT) - 1)
        if completed == parts:
            break
        spins += 1
        if spins < SPINS:
            pause()
        else:
            give_way()
    add_atomic(mailbox, LEADING, -1)


@jit
def serve(mailbox, thread, spins):
    """Help with each job, until there was none for so many looks."""
    idle, last = 0, np.int64(0)
    while idle < spins:
        job = load_atomic(mailbox, JOB)
        if job > last and job % 2 == 0:
            last = job
            if thread < mailbox[CUT] & ((1 << COUNT) - 1):
                call(mailbox[TAKE], (mailbox, thread, job))
                idle = 0
        else:
            idle += 1
            pause()
