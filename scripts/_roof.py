"""The limits of a training step, measured by our own loops: fma on registers, and memory.

A step of a network cannot be faster than its multiplications at the rate of a loop that does
nothing else (`fma_seconds`), plus the optimizer's numbers and the gathered rows at the rate of a
loop that only moves them (`stream_seconds`, `copy_seconds`), at the same sizes, on as many cores.
All loops repeat inside the compiled code: a call from Python takes as long as a small step.
"""

import threading
import time
from itertools import pairwise

import numpy as np
from _limits import _stream_2, written

from minitrain.crew import together
from minitrain.kernels._jit import inline, jit
from minitrain.kernels.memory import aligned_zeros
from minitrain.kernels.simd import LANES, fma
from minitrain.kernels.tile import load_tile, store_tile

ROWS = 16  # independent chains: more than the latency of an fma times its units (4 × 2)

_move = inline(_stream_2)


@jit
def _fma_loop(x, count):
    # Rows with numbers of their own, or the compiler might find that they are all the same; their
    # result is stored, or it might find that nobody wants it.  C · 0.5 + 1 stays finite.
    C = load_tile(ROWS, 1, x, 0, 16)
    for _ in range(count):
        C = fma(C, 0.5, 1.0)
    store_tile(x, 0, 16, C)


@jit
def _stream_loop(g, p, m, v, count):
    for _ in range(count):
        _move(g, p, m, v)


@jit
def _copy_loop(out, X, rows, count):
    for c in range(count):
        start = c % (X.shape[0] // rows) * rows
        for i in range(rows):
            for j in range(X.shape[1]):
                out[i, j] = X[start + i, j]


def step_flops(sizes, batch):
    """Floating-point operations of a step: forward, dW, and dx of all layers but the first."""
    weights = [i * o for i, o in pairwise(sizes)]
    return batch * (6 * sum(weights) - 2 * weights[0])


class Limits:
    """What bounds a step of this network with Adam on so many threads; each is in seconds."""

    def __init__(self, sizes, batch, X, threads):
        self.flops, self.batch, self.X = step_flops(sizes, batch), batch, X
        parameters = sum(i * o + o for i, o in pairwise(sizes))
        part = -(-parameters // threads)
        self._fma = [(aligned_zeros(ROWS * LANES[np.float32], np.float32),) for _ in range(threads)]
        self._streams = [[written(part, np.float32) for _ in range(4)] for _ in self._fma]
        rows = -(-batch // threads)
        self._copies = [(aligned_zeros((rows, X.shape[1]), np.float32), X, rows) for _ in self._fma]
        for kernel in (self.flops_per_second, self.stream_seconds, self.copy_seconds):
            kernel(1e-4)  # compiles

    def flops_per_second(self, at_least=5e-3):
        each = 2 * ROWS * LANES[np.float32]
        return len(self._fma) * each / _per_pass(_fma_loop, self._fma, at_least, 1000)

    def stream_seconds(self, at_least=3e-3):
        """The optimizer's traffic: g read, p and two slots read and written."""
        return _per_pass(_stream_loop, self._streams, at_least)

    def copy_seconds(self, at_least=1e-3):
        """The rows of a mini-batch, in the order of the data."""
        return _per_pass(_copy_loop, self._copies, at_least)

    def measure(self):
        """The parts of the floor, and their sum."""
        rate, stream, gather = self.flops_per_second(), self.stream_seconds(), self.copy_seconds()
        products = self.flops / rate
        return {
            "flops_per_second": rate,
            "products": products,
            "optimizer": stream,
            "gather": gather,
            "step": products + stream + gather,
        }


# A core that was idle is slow for some ten milliseconds on a virtual machine.
_WAKING = 8


def _per_pass(kernel, arguments, at_least, count=1):
    """Seconds of one pass when each set of arguments has a thread of its own."""
    at_least *= _WAKING if len(arguments) > 1 else 1
    while True:
        took = _together(kernel, arguments, count)
        if took >= at_least:
            return took / count
        count = int(count * min(100.0, max(2.0, 1.3 * at_least / max(took, 1e-7))))


def _together(kernel, arguments, count):
    """The longest that one of them takes, when each has a thread on a core of its own."""
    ready, times = threading.Barrier(len(arguments)), []

    def run(member):
        ready.wait()
        began = time.perf_counter()
        kernel(*arguments[member.thread], count)
        times.append(time.perf_counter() - began)

    together(run, len(arguments))
    return max(times)
