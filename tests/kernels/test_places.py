"""Words that say where arrays stand, and the arrays that are made of them."""

from collections import namedtuple

import numpy as np
import pytest

from minitrain.kernels.places import words_of

Pair = namedtuple("Pair", "number rest")


def test_words_of_what_there_is():
    row, rows = np.ones(5, np.float32), np.ones((2, 3))
    assert words_of(row) == [row.ctypes.data, 0, 5]
    assert words_of(Pair(7, (rows, -1))) == [7, rows.ctypes.data, 2, 3, -1]
    assert words_of(1.5) == [int(np.float64(1.5).view(np.int64))]


@pytest.mark.compiled
def test_a_value_comes_back():
    from numba import int64, typeof
    from numba.extending import intrinsic

    from minitrain.kernels._jit import jit
    from minitrain.kernels.places import address_in, float_of, value_at, vector

    row, rows = np.arange(5.0), np.arange(6, dtype=np.float32).reshape(2, 3)
    given = Pair(2.5, (rows, row, 4))
    kind, words_at, doubles_at = typeof(given), vector(int64), vector(typeof(1.0))

    @intrinsic
    def pair_at(typingctx, like, words, start):
        return value_at(kind, like, words, start)

    @jit(key="comes back")
    def read(address, n):
        pair = pair_at(0, words_at(address, n), 1)
        again = doubles_at(address_in(pair.rest[1]), 5)
        return pair.number, pair.rest[0][1, 2], pair.rest[2], again[4]

    words = np.array([99, *words_of(given)])
    assert read(words.ctypes.data, words.size) == (2.5, 5.0, 4, 4.0)

    @jit(key="float of")
    def as_float(word):
        return float_of(word)

    assert as_float(words_of(-0.25)[0]) == -0.25
