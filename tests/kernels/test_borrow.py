"""Borrowed arrays: the same numbers, and a kernel may do with them what it likes."""

import sys

import numpy as np

from minitrain.kernels._jit import jit
from minitrain.kernels.borrow import borrowed
from minitrain.kernels.minibatch import Team


@jit
def double_rows(values, team):
    values, team = borrowed((values, team))
    rows = values[1:]
    for i in range(rows.shape[0]):
        row = rows[i]
        row[team.thread] *= 2.0
    team.shared[0] += 1
    return rows[0, 0]


def test_borrowed_arrays_are_the_callers():
    values, shared = np.ones((3, 2)), np.zeros(1, np.int64)
    counts = sys.getrefcount(values), sys.getrefcount(shared)
    for _ in range(3):
        double_rows(values, Team(1, 2, shared))
    np.testing.assert_array_equal(values, [[1, 1], [1, 8], [1, 8]])
    assert shared[0] == 3
    assert (sys.getrefcount(values), sys.getrefcount(shared)) == counts
