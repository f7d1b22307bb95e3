"""Threads that meet inside a compiled kernel, without a pool.

Python threads enter the same nogil kernel, each with its own number, and wait for each other at
barriers: an atomic counter in a shared int64 array, 50 to 100 ns between two cores, against
several microseconds for a parallel region of a pool.  Nothing outlives the call, so there is
nothing that a fork could break or that two concurrent trainings could share.

A waiting thread spins for SPINS reads (some 20 µs), then gives its core away between reads, so
that on a busy machine the others get on.
"""

import platform

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import COMPILED, inline

X86 = platform.machine().lower() in ("x86_64", "amd64", "i686")
SPINS = 2000
# Places in the shared array, a cache line apart; behind them, of each pair of threads, a counter of
# taken parts for each of the three things that are shared.  Those of a pass take turns, since a
# counter can be set back to 0 only while nobody takes any parts.
LINE = 8
COUNTER, ABORTED, TAKEN = 0, LINE, 2 * LINE
WEIGHTS, EVEN, ODD = range(3)


@inline
def places(threads):
    """How long the shared array is."""
    return TAKEN + 3 * LINE * ((threads + 1) // 2)


if COMPILED:

    def _place(context, builder, array_type, array, i):
        return builder.gep(context.make_array(array_type)(context, builder, array).data, [i])

    @intrinsic
    def add_atomic(typingctx, array, i, x):
        """array[i] += x; returns what it was."""

        def codegen(context, builder, signature, arguments):
            a, i, x = arguments
            return builder.atomic_rmw("add", _place(context, builder, array, a, i), x, "acq_rel")

        return types.int64(array, types.intp, types.int64), codegen

    @intrinsic
    def load_atomic(typingctx, array, i):
        def codegen(context, builder, signature, arguments):
            place = _place(context, builder, array, *arguments)
            return builder.load_atomic(place, "acquire", 8)

        return types.int64(array, types.intp), codegen

    @intrinsic
    def pause(typingctx):
        """A spin loop's breath (PAUSE); no instruction elsewhere than on x86."""

        def codegen(context, builder, signature, arguments):
            if X86:
                kind = ir.FunctionType(ir.VoidType(), [])
                name = "llvm.x86.sse2.pause"
                builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
            return context.get_dummy_value()

        return types.void(), codegen

    @intrinsic
    def give_way(typingctx):
        """Let another thread have this core (sched_yield)."""

        def codegen(context, builder, signature, arguments):
            kind = ir.FunctionType(ir.IntType(32), [])
            function = cgutils.get_or_insert_function(builder.module, kind, "sched_yield")
            builder.call(function, [])
            return context.get_dummy_value()

        return types.void(), codegen

else:

    def add_atomic(array, i, x):
        array[i] += x
        return array[i] - x

    def load_atomic(array, i):
        return array[i]

    def pause():
        pass

    def give_way():
        pass


@inline
def meet(shared, threads):
    """Wait until all threads are here; False if one of them has given up (see abort)."""
    if threads == 1:
        return True
    goal = (add_atomic(shared, COUNTER, 1) // threads + 1) * threads
    spins = 0
    while load_atomic(shared, COUNTER) < goal:
        spins += 1
        if spins < SPINS:
            pause()
        else:
            if load_atomic(shared, ABORTED):
                return False
            give_way()
    return True


@inline
def take(team, what, parts, had):
    """The next of so many parts of ``what`` for this thread, which ``had`` so many; -1 if none.

    Each pair of threads has a range of parts; one begins at its front, the other at its back.  So a
    thread gets much the same parts each time, and finds in its core's cache what it left there; yet
    where a core is slow, or busy with other programs, the other one gets more of them.
    """
    thread, threads, shared = team
    if threads == 1:
        return had if had < parts else -1
    pair = thread // 2
    first = parts * 2 * pair // threads
    last = parts * min(2 * pair + 2, threads) // threads
    if add_atomic(shared, TAKEN + LINE * (3 * pair + what), 1) >= last - first:
        return -1
    return last - 1 - had if thread % 2 else first + had


@inline
def give_back(team, what):
    """All parts of ``what`` can be taken again; of one thread, while nobody takes any."""
    for pair in range((team.threads + 1) // 2):
        team.shared[TAKEN + LINE * (3 * pair + what)] = 0


@inline
def share(n, unit, thread, threads):
    """(first, last) of the part of range(n) that a thread works on, in multiples of ``unit``."""
    if threads == 1:  # without divisions: a small network has steps of a microsecond
        return 0, n
    units = (n + unit - 1) // unit
    return (
        min(units * thread // threads * unit, n),
        min(units * (thread + 1) // threads * unit, n),
    )


def abort(shared):
    """Send the waiting threads home: for when one of them could not be started."""
    shared[ABORTED] = 1
