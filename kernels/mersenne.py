"""The shuffles of NumPy's ``RandomState``, compiled: the same orders in a quarter of the time.

That generator is MT19937 (Matsumoto & Nishimura 1998, ACM TOMACS 8), and its shuffle is
Fisher-Yates by rejection: for a place up to i it draws words, cut to as many bits as i has, until
one is not above i.  Whether a word is taken is a coin toss that no processor foresees, so here
there is no branch on it: a word that is refused exchanges a row with itself.
"""

import numpy as np

from ._jit import inline, jit

WORDS = 624  # of the state; behind them stands how many of them are used up
_SHIFT = 397
_HIGH, _LOW, _TWIST = np.uint64(1 << 31), np.uint64((1 << 31) - 1), np.uint64(0x9908B0DF)
_MASKS = np.uint64(0x9D2C5680), np.uint64(0xEFC60000)
_1, _7, _11, _15, _18 = (np.uint64(n) for n in (1, 7, 11, 15, 18))


@inline
def twist(state, i, following, far):
    y = (np.uint64(state[i]) & _HIGH) | (np.uint64(state[following]) & _LOW)
    state[i] = np.uint64(state[far]) ^ (y >> _1) ^ (_TWIST * (y & _1))


@inline
def renew(state):
    """The next 624 words of the recurrence."""
    for i in range(WORDS - _SHIFT):
        twist(state, i, i + 1, i + _SHIFT)
    for i in range(WORDS - _SHIFT, WORDS - 1):
        twist(state, i, i + 1, i + _SHIFT - WORDS)
    twist(state, WORDS - 1, 0, _SHIFT - 1)


@inline
def temper(words, state):
    """The random words that a state stands for."""
    for i in range(WORDS):
        y = np.uint64(state[i])
        y ^= y >> _11
        y ^= (y << _7) & _MASKS[0]
        y ^= (y << _15) & _MASKS[1]
        words[i] = y ^ (y >> _18)


@jit
def shuffles(out, order, state):
    """Shuffle ``order`` (n,) again and again; ``out`` (times · n,) gets what it is each time.

    ``state`` (WORDS + 1,) of uint32 is NumPy's own, and goes on as it would.
    """
    words = np.empty(WORDS, np.uint64)
    temper(words, state)
    n, at = order.size, np.int64(state[WORDS])
    for start in range(0, out.size, n):
        i = n - 1
        while i > 0:
            mask = np.int64(1)
            while mask < i:
                mask = 2 * mask + 1
            half = mask >> 1
            while i > half:
                if at == WORDS:
                    renew(state)
                    temper(words, state)
                    at = 0
                drawn = np.int64(words[at]) & mask
                at += 1
                taken = drawn <= i
                j = drawn if taken else i
                row = order[j]
                order[j] = order[i]
                order[i] = row
                i -= np.int64(taken)
        for k in range(n):
            out[start + k] = order[k]
    state[WORDS] = at
