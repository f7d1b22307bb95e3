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
# Places in the shared array, a cache line apart.  Parts are counted in two places by turns, since
# one can be set back to 0 only while nobody takes any from it.
COUNTER, ABORTED, WEIGHTS_TAKEN, PARTS_TAKEN = 0, 8, 16, 24
PLACES = 40

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
def take(shared, place, threads, taken):
    """The number of the next part to work on, 0, 1, 2, …; ``taken`` was the one before, or -1.

    Parts go to whoever is free, so a thread whose core is slow, or busy with other programs, gets
    fewer of them.  Between two uses of a ``place``, shared[place] has to be set to 0.
    """
    return taken + 1 if threads == 1 else add_atomic(shared, place, 1)


@inline
def other(place):
    """Where parts are counted next, after PARTS_TAKEN or what came after it."""
    return PARTS_TAKEN if place != PARTS_TAKEN else PARTS_TAKEN + 8


@inline
def share(n, unit, thread, threads):
    """(first, last) of the part of range(n) that a thread works on, in multiples of ``unit``."""
    units = (n + unit - 1) // unit
    return (
        min(units * thread // threads * unit, n),
        min(units * (thread + 1) // threads * unit, n),
    )


def abort(shared):
    """Send the waiting threads home: for when one of them could not be started."""
    shared[ABORTED] = 1
