"""What this machine can do, measured by our own kernels: the yardstick beside every speed.

Bandwidth depends on the mix of reads and writes and on which cache the arrays fit in; so it is
measured with the mix of the rule (it reads and writes p and each slot, and reads g) and at its
size, in the same run.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from minitrain.kernels._jit import inline, jit
from minitrain.kernels.functions import slots_left
from minitrain.kernels.memory import aligned_zeros
from minitrain.kernels.rule import code_hash
from minitrain.kernels.threads import meet, places


def _stream_0(g, p):
    for i in range(p.size):
        p[i] = p[i] + g[i]


def _stream_1(g, p, a):
    for i in range(p.size):
        p[i], a[i] = p[i] + g[i], a[i] + g[i]


def _stream_2(g, p, a, b):
    for i in range(p.size):
        p[i], a[i], b[i] = p[i] + g[i], a[i] + g[i], b[i] + g[i]


def _stream_3(g, p, a, b, c):
    for i in range(p.size):
        p[i], a[i], b[i], c[i] = p[i] + g[i], a[i] + g[i], b[i] + g[i], c[i] + g[i]


def _stream_4(g, p, a, b, c, d):
    for i in range(p.size):
        p[i], a[i], b[i] = p[i] + g[i], a[i] + g[i], b[i] + g[i]
        c[i], d[i] = c[i] + g[i], d[i] + g[i]


def _left_0(g, z, p):
    for i in range(p.size):
        p[i] = p[i] + g[i] + z[i]


def _left_2(g, z, p, a, b):
    for i in range(p.size):
        p[i], a[i], b[i] = p[i] + g[i] + z[i], a[i] + g[i], b[i] + g[i]


def _left_3(g, z, p, a, b, c):
    for i in range(p.size):
        p[i], a[i] = p[i] + g[i] + z[i], a[i] + g[i]
        b[i], c[i] = b[i] + g[i], c[i] + g[i]


def _again(once):
    """A kernel that streams so many times, once all threads are here."""
    once = inline(once)

    def again(arrays, calls, shared, threads):
        meet(shared, threads)
        for _ in range(calls):
            once(*arrays)
        meet(shared, threads)

    return jit(again, key=code_hash(once))


_WRITE_ALL = [_again(f) for f in (_stream_0, _stream_1, _stream_2, _stream_3, _stream_4)]
_LEAVE_ONE = {1: _again(_left_0), 3: _again(_left_2), 4: _again(_left_3)}


def mix(optimizer):
    """How many slots a rule has, and how many of them it only reads."""
    return len(optimizer.variant.slots), slots_left(optimizer.variant.update).bit_count()


def traffic(slots, left, size, dtype):
    """Bytes that a step moves at least: read g, read and write p and each slot that is not left."""
    return (1 + left + 2 * (1 + slots - left)) * size * aligned_zeros(1, dtype).itemsize


def written(size, dtype):
    """An array that has memory of its own.

    Zeros that were never written are one and the same page, which is read from the cache: a loop
    that reads the gradient there would move a third less than it seems to (SGD).
    """
    array = aligned_zeros(size, dtype)
    array[:] = 1
    return array


def stream(slots, left, size, dtype, threads=1):
    """A function that moves the traffic of a rule with this mix, so many times.

    Each thread has a part of the arrays, and a core of its own: left alone, Linux may keep both on
    one for 10 ms.  They meet in the kernel, before and after, so a call costs nothing but traffic.
    """
    kernel = _LEAVE_ONE[slots] if left else _WRITE_ALL[slots]
    arrays = [written(size, dtype) for _ in range(2 + slots)]
    edges = [size * thread // threads // 16 * 16 for thread in range(threads)] + [size]
    parts = [tuple(a[first:last] for a in arrays) for first, last in pairwise(edges)]
    kernel(parts[0], 0, np.zeros(places(1), np.int64), 1)  # compiles
    pool = ThreadPoolExecutor(threads)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

    def on_core(k, *given):
        if cores:  # any thread of the pool may get any part, so it moves
            os.sched_setaffinity(0, {cores[k % len(cores)]})
        began = time.perf_counter()
        kernel(*given)
        return time.perf_counter() - began

    def together(calls):
        shared = np.zeros(places(threads), np.int64)
        each = [pool.submit(on_core, k, parts[k], calls, shared, threads) for k in range(threads)]
        return min(one.result() for one in each) / calls  # the others had to wait for the last

    together.times_itself = True
    return together


def seconds(function, calls):
    """Mean duration of a call."""
    if getattr(function, "times_itself", False):
        return function(calls)
    began = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - began) / calls


def calls_for(function, at_least):
    """How often to call so that a measurement takes this many seconds."""
    seconds(function, 1)
    once = seconds(function, 1)
    if once >= at_least:
        return 1
    return max(1, int(at_least / max(seconds(function, 3), 1e-7)))
