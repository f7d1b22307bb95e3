"""Helpers for optimizer steps: threads that stand by on the other cores (see kernels/sharing.py).

They come with the first step that is large.  After a step they look out for the next one for a
tenth of a millisecond, much shorter than torch's threads, and then sleep until a step wakes them.
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

# Bytes that a step moves.  From WORTH_SHARING on it is shared with helpers that are awake; these
# are woken for steps in quick succession, so that a program that does something else between its
# small steps keeps the other cores.  From WORTH_WAKING on they are woken for each step: that takes
# 50 µs.  (scripts/bench_kernels.py)
WORTH_SHARING, WORTH_WAKING = 0.2e6, 4e6
_PER_THREAD = 0.1e6  # that a thread moves at least
_STANDS_BY = 1e-4  # seconds
_SUCCESSION, _BETWEEN = 8, 2e-5  # so many steps, with so many seconds between them
_ALONE = 2e10  # bytes a second of one core, about


@cache
def cores() -> int:
    """How many cores this process may use."""
    if not COMPILED:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worth_sharing(moved: float) -> bool:
    """Is a step that moves so many bytes faster on all cores?"""
    return moved > WORTH_SHARING and cores() > 1


def shared(moved: float, taker: Callable[[], int]) -> Shared:
    """What the plan of steps that move so many bytes says of sharing them; ``taker`` compiles the
    kernel that takes parts, and says where it is."""
    if not worth_sharing(moved):
        return UNSHARED
    threads = min(cores(), int(moved / _PER_THREAD))
    return Shared(helpers().address, threads, taker(), int(moved > WORTH_WAKING))


class Helpers:
    """A thread for each core but one, and the mailbox in which they find their jobs."""

    def __init__(self) -> None:
        self.mailbox = np.zeros(sharing.places(cores()), np.int64)
        self.address = self.mailbox.ctypes.data
        self._start_once = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew: after a fork there are no threads, nor anybody who leads."""
        self.mailbox[:] = 0
        self._threads: list[threading.Thread] = []
        self._beds: list[SimpleQueue[bool]] = []  # where they sleep; False sends them home
        self._homes: list[set[int]] = []
        self._last, self._steps = 0.0, 0

    def wake(self) -> bool:
        """Call all of them; False if there are none."""
        with self._start_once:
            if not self._threads and not self._start():
                return False
        self._leave_this_core()
        for number, bed in enumerate(self._beds, 1):
            awake = sharing.line_of(number) + sharing.AWAKE
            if not self.mailbox[awake]:
                self.mailbox[awake] = 1
                bed.put(True)
        return True

    def missed(self, moved: float) -> None:
        """A step was made without them, since they sleep: wake them if such steps are many."""
        now = perf_counter()
        soon = now - self._last < _BETWEEN + moved / _ALONE
        self._steps = self._steps + 1 if soon else 0
        self._last = now
        if self._steps >= _SUCCESSION:
            self._steps = 0
            self.wake()

    def _start(self) -> bool:
        spins = looks_in(_STANDS_BY)
        for number in range(1, cores()):
            bed: SimpleQueue[bool] = SimpleQueue()
            thread = threading.Thread(
                target=stand_by, args=(self.mailbox, number, bed, spins), daemon=True,
                name=f"minitrain-step-{number}",
            )  # fmt: skip
            try:
                thread.start()
            except RuntimeError:  # "can't start new thread": then with those that there are
                break
            self._threads.append(thread)
            self._beds.append(bed)
            self._homes.append(set())
        return bool(self._threads)

    def _leave_this_core(self) -> None:
        """Keep them off the core that this thread is on, without touching this thread.

        Left alone, Linux wakes a thread on the core of the one that woke it, which then was to
        sleep; but here both go on, and share that core for 10 to 25 ms (see crew.py).
        """
        here = current_core()
        if here is None or not hasattr(os, "sched_setaffinity"):
            return
        others = sorted(os.sched_getaffinity(0) - {here})
        for k, thread in enumerate(self._threads if others else ()):
            home = {others[k % len(others)]}
            if self._homes[k] != home and thread.native_id is not None:
                try:
                    os.sched_setaffinity(thread.native_id, home)
                except OSError:  # a core that was taken away meanwhile
                    continue
                self._homes[k] = home

    def send_home(self) -> None:
        """End the threads, and wait for them: at the end of the program they shall not be in the
        middle of a kernel."""
        for bed in self._beds:
            bed.put(False)
        for thread in self._threads:
            thread.join(timeout=1.0)
        self.forget()


def stand_by(mailbox: np.ndarray, number: int, bed: "SimpleQueue[bool]", looks: int) -> None:
    """What a helper does."""
    while bed.get():
        sharing.serve(mailbox, number, looks)


def looks_in(seconds: float) -> int:
    """How often a helper looks into its mailbox in so many seconds; a look is 5 to 50 ns."""
    nobody, few = np.zeros(sharing.places(1), np.int64), 1000
    sharing.serve(nobody, 0, few)
    began = perf_counter()
    sharing.serve(nobody, 0, few)
    return max(few, int(few * seconds / (perf_counter() - began)))


@cache
def helpers() -> Helpers:
    """The only ones of this process."""
    made = Helpers()
    atexit.register(made.send_home)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=made.forget)
    return made


def current_core() -> int | None:
    """The one that this thread is on; None where the system does not say."""
    ask = _sched_getcpu()
    return ask() if ask else None


@cache
def _sched_getcpu() -> Callable[[], int] | None:
    return getattr(ctypes.CDLL(None), "sched_getcpu", None) if os.name == "posix" else None
