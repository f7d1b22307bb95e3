"""What this machine can do, measured by our own kernels: the yardstick beside every speed.

Bandwidth depends on the mix of reads and writes and on which cache the arrays fit in; so it is
measured with the mix of the rule (it reads and writes p and each slot, and reads g) and at its
size, in the same run.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from minitrain.kernels._jit import jit
from minitrain.kernels.memory import aligned_zeros
from minitrain.kernels.rule import code_hash


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


_STREAMS = [
    jit(stream, key=code_hash(stream))
    for stream in (_stream_0, _stream_1, _stream_2, _stream_3, _stream_4)
]


def traffic(slots, size, dtype):
    """Bytes that a step moves at least: read g, read and write p and each slot."""
    return (1 + 2 * (1 + slots)) * size * aligned_zeros(1, dtype).itemsize


def written(size, dtype):
    """An array that has memory of its own.

    Zeros that were never written are one and the same page, which is read from the cache: a loop
    that reads the gradient there would move a third less than it seems to (SGD).
    """
    array = aligned_zeros(size, dtype)
    array[:] = 1
    return array


def stream(slots, size, dtype, threads=1):
    """A function without arguments that moves the traffic of a rule with so many slots, once.

    Each thread has a part of the arrays.
    """
    kernel = _STREAMS[slots]
    arrays = [written(size, dtype) for _ in range(2 + slots)]
    edges = [size * thread // threads // 16 * 16 for thread in range(threads)] + [size]
    parts = [[a[first:last] for a in arrays] for first, last in pairwise(edges)]
    for part in parts:
        kernel(*part)  # compiles
    if threads == 1:
        return lambda: kernel(*arrays)
    pool = ThreadPoolExecutor(threads - 1)

    def together():
        others = [pool.submit(kernel, *part) for part in parts[1:]]
        kernel(*parts[0])
        for other in others:
            other.result()

    return together


def seconds(function, calls):
    """Mean duration of a call."""
    began = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - began) / calls


def calls_for(function, at_least):
    """How often to call so that a measurement takes this many seconds."""
    function()
    return max(1, int(at_least / max(seconds(function, 3), 1e-7)))
