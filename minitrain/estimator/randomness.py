"""scikit-learn's random numbers: its ``random_state``, and the orders of the rows drawn from it."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ..kernels import mersenne
from ..kernels._jit import COMPILED

_free: list[np.random.RandomState] = []  # that fits have given back


@contextmanager
def random_of(given: Any) -> Iterator[np.random.RandomState]:
    """The RandomState that ``random_state=given`` means, for one fit.

    That of a seed is used again by later fits: to make one takes 0.1 ms, to seed it 2 µs.
    """
    if type(given) is not int:
        yield check_random_state(given)
        return
    try:
        random = _free.pop()
    except IndexError:
        random = np.random.RandomState()
    random.seed(given)
    try:
        yield random
    finally:
        _free.append(random)


class Orders:
    """The rows in the order of each epoch: scikit-learn shuffles that of the epoch before."""

    def __init__(self, rows: int, random: np.random.RandomState) -> None:
        self._order, self._random = np.arange(rows), random
        self._generator: Any = getattr(random, "_bit_generator", None)
        known = COMPILED and type(self._generator) is np.random.MT19937 and _known()
        self._words = _words_of(self._generator) if known else None
        self._room = np.empty(0, np.int64)
        # Epochs that were drawn ahead, how many of them were made, and how it was before.
        self._drawn = self._used = 0
        self._before: Any = None

    def draw(self, epochs: int) -> np.ndarray:
        """Those of the next epochs (epochs · rows,), until the next call."""
        self.take_back()
        if epochs > 1:
            self._before, self._drawn = (self._order.copy(), self._state()), epochs
        return self._draw(epochs)

    def use(self, epochs: int) -> None:
        """So many of the epochs that were drawn have been made."""
        self._used += epochs

    def take_back(self) -> None:
        """Leave the random state as if the orders that were not used had not been drawn."""
        if self._used < self._drawn:
            self._order, state = self._before
            self._set_state(state)
            self._draw(self._used)
        self._drawn = self._used = 0

    def _draw(self, epochs: int) -> np.ndarray:
        wanted = epochs * len(self._order)
        if len(self._room) < wanted:
            self._room = np.empty(wanted, np.int64)
        drawn = self._room[:wanted]
        if self._words is not None:
            with self._generator.lock:
                mersenne.shuffles(drawn, self._order, self._words)
        else:
            for one in drawn.reshape(-1, len(self._order)):
                self._random.shuffle(self._order)
                one[:] = self._order
        return drawn

    def _state(self) -> Any:
        """That of the generator; NumPy takes 30 µs to tell it."""
        words = self._words
        return self._random.get_state(legacy=False) if words is None else words.copy()

    def _set_state(self, state: Any) -> None:
        if self._words is None:
            self._random.set_state(state)
        else:
            self._words[:] = state


def _words_of(generator: Any) -> np.ndarray:
    """The memory that an MT19937 keeps its state in."""
    kind = ctypes.c_uint32 * (mersenne.WORDS + 1)
    state: Any = kind.from_address(generator.ctypes.state_address)
    return np.frombuffer(state, np.uint32)


@cache
def _known() -> bool:
    """Whether this NumPy keeps its state and shuffles as ours does: seen by trying it once."""
    if np.random.MT19937().state["state"]["key"].shape != (mersenne.WORDS,):
        return False
    ours, theirs = np.random.MT19937(0), np.random.RandomState(np.random.MT19937(0))
    order, expected = np.arange(700), np.arange(700)
    mersenne.shuffles(np.empty(1400, np.int64), order, _words_of(ours))
    for _ in range(2):
        theirs.shuffle(expected)
    same = np.random.RandomState(ours).randint(1 << 31) == theirs.randint(1 << 31)
    return bool(same and (order == expected).all())
