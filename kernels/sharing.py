"""One optimizer step on several cores: helpers stand by in compiled code, and whoever is free takes
the next part of the parameters.

A rule of one element at a time has the same bits however the parameters are cut and whoever
computes them.  A step leads: it writes a job into a *mailbox*, opens it, and works; helpers see it,
enter, and take parts, each its own range first, so that it finds them in its core's cache, and then
what others have left.  Nobody waits for a helper that has not entered, only for the part that one
is working on.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import from_dtype, int64, types
from numba.extending import intrinsic

from ._jit import COMPILED, address_of, inline, jit
from .fuse import call
from .plan import DESCEND, PHASED, RATE, SIZE, STATE
from .threads import LINE, SPINS, add_atomic, give_way, load_atomic, pause

# Places in the mailbox.  Its first line is the job: its number (odd while the rest is being
# written), the address of the kernel that takes its parts, and what that needs.
JOB, TAKE, PLAN, THETA, GRADIENT, CUT, KIND, T = range(8)
LEADING = LINE  # how many want to lead; the first may
# Of each thread, a line: is it awake; how many parts of its range are taken, and of which job; how
# many parts it has completed, of which job; and room for a range of parameters.
AWAKE, _TAKEN, _COMPLETED, _BLOCK, _FIRST_LINE = 0, 1, 2, 3, 2 * LINE
COUNT = 20  # bits of a number of parts, or of threads; above them stands the job's, or the parts

# How many parts each thread has: one of few parameters, since beginning one costs 0.1 µs; more
# where there are more, so that nobody waits long for a core that is busy elsewhere.
_LEAST, _PARTS, _MOST = 1 << 16, 4, 1 << 18  # parameters of a part, parts, parameters
_NUMBERS = 64  # parameters in whole cache lines


@inline
def places(threads):
    """How long the mailbox is."""
    return _FIRST_LINE + threads * LINE


@inline
def line_of(thread):
    return _FIRST_LINE + LINE * thread


@inline
def parts_for(size, threads):
    """Into how many parts a step on so many parameters is cut."""
    own = size // threads
    return threads * max(min(own // _LEAST, _PARTS), own // _MOST, 1)


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
    def next_part(mailbox, owner, job, count):  # compiled alone
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

    def taker(work: Callable, dtype: np.dtype, key: str) -> int:
        """The address of a kernel that takes parts of a job on arrays of this dtype.

        ``work(theta, gradient, plan, kind, t, i, parts, block)`` does part i of so many; ``block``
        is room for two numbers.
        """
        numbers_at, words_at = vector(from_dtype(dtype)), vector(int64)

        @jit(key=f"{key} {dtype}", by_address=True)
        def take_parts(mailbox, thread, job):  # compiled alone
            plan, theta, gradient = mailbox[PLAN], mailbox[THETA], mailbox[GRADIENT]
            kind, t, cut = mailbox[KIND], mailbox[T], mailbox[CUT]
            fence("acquire")
            if load_atomic(mailbox, JOB) != job:
                return  # it is over, and what was read may be of another one
            parts, threads = cut >> COUNT, cut & ((1 << COUNT) - 1)
            own, done = line_of(thread), 0
            for k in range(threads):
                owner = (thread + k) % threads
                begin = parts * owner // threads
                count = parts * (owner + 1) // threads - begin
                i = next_part(mailbox, owner, job, count)
                while i >= 0:
                    # From here on the leader waits for this part, and all arrays stay.
                    words = words_at(plan, PHASED + 1)
                    p, g = numbers_at(theta, words[SIZE]), numbers_at(gradient, words[SIZE])
                    block = mailbox[own + _BLOCK : own + _BLOCK + 2]
                    work(p, g, words, kind, t, begin + i, parts, block)
                    done += 1
                    store_atomic(mailbox, own + _COMPLETED, (job << COUNT) + done)
                    i = next_part(mailbox, owner, job, count)

        return address_of(take_parts, types.void(int64[::1], int64, int64))

    @inline
    def descend_part(theta, gradient, plan, kind, t, i, parts, block):  # compiled alone
        """A part of a step in one pass."""
        state, rate = state_at(theta, plan, STATE), float_of(plan[RATE])
        lines = (theta.size + _NUMBERS - 1) // _NUMBERS
        first, last = lines * i // parts * _NUMBERS, lines * (i + 1) // parts * _NUMBERS
        last = min(last, theta.size)
        for k in range(state.blocks.shape[0]):
            block[0], block[1] = max(state.blocks[k, 0], first), min(state.blocks[k, 1], last)
            if block[0] < block[1]:
                arrays = (theta, gradient, state.slots, block, state.scales[k], state.c, rate)
                call(plan[DESCEND], arrays)


@cache
def descend_taker(dtype: np.dtype) -> int:
    """The address of the kernel that takes parts of steps in one pass; without the JIT there is one
    core, and nobody asks."""
    return taker(descend_part, dtype, "descend")


@inline
def anyone(mailbox, threads):  # compiled alone
    """Is any helper awake, or called?"""
    awake = 0
    for k in range(1, threads):
        awake += mailbox[line_of(k) + AWAKE]
    return awake > 0


@inline
def may_lead(mailbox):  # compiled alone
    """True if nobody else leads; ``lead`` then must follow."""
    if add_atomic(mailbox, LEADING, 1) == 0:
        return True
    add_atomic(mailbox, LEADING, -1)
    return False


@inline
def lead(mailbox, job, take, plan, theta, gradient, parts, threads, kind, t):  # compiled alone
    """Open a job, work on it, and wait for those who help; ``job`` is what ``begin`` returned."""
    mailbox[TAKE], mailbox[PLAN], mailbox[THETA], mailbox[GRADIENT] = take, plan, theta, gradient
    mailbox[CUT], mailbox[KIND], mailbox[T] = (parts << COUNT) + threads, kind, t
    store_atomic(mailbox, JOB, job)
    call(take, (mailbox, 0, job))
    spins = 0
    while completed(mailbox, job, threads) < parts:
        spins += 1
        if spins < SPINS:
            pause()
        else:
            give_way()


@inline
def completed(mailbox, job, threads):  # compiled alone
    count = 0
    for k in range(threads):
        word = load_atomic(mailbox, line_of(k) + _COMPLETED)
        if word >> COUNT == job:
            count += word & ((1 << COUNT) - 1)
    return count


@inline
def begin(mailbox):  # compiled alone
    """The number of a new job; who may lead says so early, since the line is far away."""
    job = mailbox[JOB] + 2
    store_atomic(mailbox, JOB, job - 1)
    fence("release")
    return job


@inline
def stop_leading(mailbox):  # compiled alone
    add_atomic(mailbox, LEADING, -1)


@jit
def serve(mailbox, thread, looks):  # compiled alone
    """Help with each job, until there was none for so many looks; then this helper is asleep.

    It says so itself: back in Python it might wait long for the GIL, and be counted upon.  Who
    leads may have another job soon: a large step in phases adds its sums up for longer than that.
    """
    idle, last = 0, np.int64(0)
    while idle < looks or load_atomic(mailbox, LEADING) > 0:
        job = load_atomic(mailbox, JOB)
        if job > last and job % 2 == 0:
            last = job
            if help_with(mailbox, thread, job):
                idle = 0
        else:
            idle += 1
            pause()
    awake = line_of(thread) + AWAKE
    add_atomic(mailbox, awake, -load_atomic(mailbox, awake))
    job = load_atomic(mailbox, JOB)
    if job > last and job % 2 == 0:  # whose leader has still seen it awake
        help_with(mailbox, thread, job)


@inline
def help_with(mailbox, thread, job):  # compiled alone
    """Take parts of a job; False if it is not for so many threads."""
    if thread >= mailbox[CUT] & ((1 << COUNT) - 1):
        return False
    call(mailbox[TAKE], (mailbox, thread, job))
    return True
