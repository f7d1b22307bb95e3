"""Compiled shuffles are NumPy's own, and leave its generator where NumPy's would."""

import numpy as np
import pytest

from minitrain.kernels import mersenne

TIMES = 3


def words_of(random):
    """A copy of a RandomState's words, and of how many are used up."""
    _, key, used, *_ = random.get_state()
    return np.append(key, np.uint32(used))


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 9, 300])
@pytest.mark.parametrize("before", [0, 1, 17, 623, 624])
def test_shuffles_are_those_of_random_state(rows, before):
    theirs = np.random.RandomState(rows)
    theirs.randint(1 << 32, size=before, dtype=np.uint32)
    state, order = words_of(theirs), np.arange(rows)
    drawn, expected = np.empty(TIMES * rows, np.int64), np.arange(rows)
    mersenne.shuffles(drawn, order, state)
    for part in drawn.reshape(TIMES, rows):
        theirs.shuffle(expected)
        np.testing.assert_array_equal(part, expected)
    np.testing.assert_array_equal(order, expected)
    np.testing.assert_array_equal(state, words_of(theirs))
