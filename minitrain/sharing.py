"""Helpers for optimizer steps: threads that stand by on the other cores (see kernels/sharing.py).

They come with the first large step.  After a step they look for the next one for a tenth of a
millisecond, as torch's threads do, and then sleep until a step wakes them.
"""

import atexit
import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from time import perf_counter

import numpy as np

from .kernels import sharing
from .kernels._jit import COMPILED
from .kernels.plan import UNSHARED, Shared

# Bytes that a step moves: from the first on it is shared with helpers that are awake, from the
# second on they are woken for it, which takes them 50 µs.
WORTH_SHARING, WORTH_WAKING = 0.6e6, 4e6
PER_THREAD = 0.3e6  # bytes that a thread moves at least
STANDS_BY = 1e-4  # seconds


@cache
def cores() -> int:
    """How many cores this process may use."""
    if not COMPILED:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth_sharing(moved: float) -> bool:
    """Is a step that moves so many bytes faster on all cores?"""
    return moved > WORTH_SHARING and cores() > 1


def shared(moved: float, dtype: np.dtype) -> Shared:
    """What the plan of a step that moves so many bytes says of sharing it."""
    if not worth_sharing(moved):
        return UNSHARED
    threads = min(cores(), int(moved / PER_THREAD))
    address = _helpers().mailbox.ctypes.data
    return Shared(address, threads, sharing.take_parts_at(dtype), int(moved > WORTH_WAKING))


def wake() -> bool:
    """Call the helpers; False if there are none."""
    return _helpers().wake()


def missed() -> None:
    """A step was made without the helpers, since they sleep: wake them if it was one of many."""
    helpers = _helpers()
    now = perf_counter()
    if now - helpers.missed < STANDS_BY:
        helpers.wake()
    helpers.missed = now


class _Helpers:
    def __init__(self) -> None:
        self.mailbox = np.zeros(sharing.places(cores()), np.int64)
        self.missed = 0.0
        self._threads: list[threading.Thread] = []
        self._beds: list[SimpleQueue] = []
        self._homes: list[set[int]] = []
        self._lock = threading.Lock()

    def wake(self) -> bool:
        if not self._threads and not self._start():
            return False
        self._stay_away()
        for number, bed in enumerate(self._beds, 1):
            if not self.mailbox[sharing.line_of(number) + sharing.AWAKE]:
                self.mailbox[sharing.line_of(number) + sharing.AWAKE] = 1
                bed.put(True)
        return True

    def _start(self) -> bool:
        with self._lock:
            if self._threads:
                return True
            beds = [SimpleQueue() for _ in range(1, cores())]
            spins = spins_in(STANDS_BY, self.mailbox)
            threads = [
                threading.Thread(
                    target=stand_by, args=(self.mailbox, number, bed, spins), daemon=True,
                    name=f"minitrain-step-{number}",
                )
                for number, bed in enumerate(beds, 1)
            ]
            try:
                for thread in threads:
                    thread.start()
            except RuntimeError:
                return False
            self._beds, self._homes = beds, [set() for _ in beds]
            self._threads = threads
            atexit.register(self._send_home)
        return True

    def _stay_away(self) -> None:
        """Keep the helpers off the core that this thread is on."""
        here, available = current_core(), os.sched_getaffinity(0)
        others = sorted(available - {here})
        if not others:
            return
        for k, thread in enumerate(self._threads):
            home = {others[k % len(others)]}
            if self._homes[k] != home:
                os.sched_setaffinity(thread.native_id, home)
                self._homes[k] = home

    def _send_home(self) -> None:
        for bed in self._beds:
            bed.put(False)


def stand_by(mailbox, number, bed, spins):
    while bed.get():
        sharing.serve(mailbox, number, spins)
        mailbox[sharing.line_of(number) + sharing.AWAKE] = 0


def spins_in(seconds: float, mailbox: np.ndarray) -> int:
    few = 1000
    sharing.serve(mailbox, 0, few)
    began = perf_counter()
    sharing.serve(mailbox, 0, few)
    return max(few, int(few * seconds / (perf_counter() - began)))


@cache
def _helpers() -> _Helpers:
    return _Helpers()


def current_core():
    ask = _sched_getcpu()
    return ask() if ask else None


@cache
def _sched_getcpu() -> Callable[[], int] | None:
    return getattr(ctypes.CDLL(None), "sched_getcpu", None) if os.name == "posix" else None
