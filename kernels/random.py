"""Random numbers that are the same on every machine: Philox4x32-10, a counter-based generator.

Four 32-bit words are a pure function of a counter and a key: no state, any word at any time, and
epoch 17 of seed 3 has the same order in every process.  Everything is done in unsigned 64-bit
integers that cannot overflow, so the compiled kernel and plain Python agree.

Source: Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", §3.3;
tested against the known answers of their Random123 library.
"""

import numpy as np

from ._jit import inline, jit

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)


@inline
def philox(x0, x1, x2, x3, k0, k1):
    """Four random words (uint64 below 2**32) for the counter ``x0 … x3`` and the key ``k0 k1``."""
    for _ in range(10):
        a, b = _M0 * x0, _M1 * x2
        x0, x1, x2, x3 = (b >> _32) ^ x1 ^ k0, b & _LOW, (a >> _32) ^ x3 ^ k1, a & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return x0, x1, x2, x3


@inline
def words(out, seed, stream, purpose):
    """Fill the uint64 array ``out`` with 32-bit words: a pure function of the three numbers."""
    s, e, k = np.uint64(seed), np.uint64(stream), np.uint64(purpose)
    n = out.size
    for i in range((n + 3) // 4):
        four = philox(np.uint64(i), e & _LOW, e >> _32, k, s & _LOW, s >> _32)
        for j in range(min(4, n - 4 * i)):
            out[4 * i + j] = four[j]


@inline
def shuffle(items, drawn):
    """Fisher–Yates in place, by as many drawn 32-bit words as there are items.

    A word is mapped to 0 … i by multiply-and-shift; the bias is at most i / 2**32.
    """
    for i in range(items.size - 1, 0, -1):
        j = np.int64((drawn[i] * np.uint64(i + 1)) >> _32)
        items[i], items[j] = items[j], items[i]


@jit
def uniform(out, seed, stream, purpose):
    """Fill a float64 array with numbers from [0, 1) that have 32 random bits each."""
    drawn = np.empty(out.size, np.uint64)
    words(drawn, seed, stream, purpose)
    for i in range(out.size):
        out[i] = np.float64(drawn[i]) * 2.0**-32
