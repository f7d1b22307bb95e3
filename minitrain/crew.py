"""Several threads in one compiled call: started for it, gone after it, no pool in between."""

import os
import threading
from collections.abc import Callable
from typing import Any

from .inputs import check_count
from .kernels import minibatch
from .kernels._jit import COMPILED
from .sharing import current_core

# Floating-point operations of a step from which a second thread pays where a core is free for it:
# below it, meeting costs more than the shared work saves (scripts/bench_epoch.py --threads).
WORTH_SHARING = 5e7

_CALLS_BEFORE_TRIAL = 6  # at first; twice as many after each trial that changed nothing
_MOST_CALLS_BEFORE_TRIAL = 96
_WORTH_TIMING = 5e-3  # seconds of a call below which starting threads counts


def choose_threads(threads: int | None, flops: float) -> int:
    """How many threads for steps of so many operations: what was asked for, or what pays.

    The result of a training does not depend on it.  Never more than there are cores, since
    waiting threads spin.
    """
    if threads is not None:
        check_count("threads", threads)
    elif flops < WORTH_SHARING:
        threads = 1
    if threads == 1:
        return 1
    available = _cores()
    cores = os.cpu_count() if available is None else len(available)
    most = (cores or 1) if COMPILED else 1
    return min(threads or most, most)


class Pace:
    """How many threads the next call gets: all that may pay, unless one was faster.

    A core that other programs use is worse than none, since all wait for the last thread; whether
    it is can be seen by doing without.  So now and then a short call is made with one thread, and
    where that was faster, later ones are, with a trial of all threads now and then.
    """

    def __init__(self, threads: int, fixed: bool) -> None:
        self.most = self.threads = threads
        self._fixed = fixed or threads == 1
        self._trial: int | None = None
        self._seconds = 0.0  # per step, of the last call that was no trial
        self._calls, self._wait = 0, _CALLS_BEFORE_TRIAL

    def choose(self, steps: int) -> tuple[int, int]:
        """(threads, steps) of the next call, which may make at most so many steps."""
        self._calls += 1
        tells = steps * self._seconds > _WORTH_TIMING
        if self._fixed or self._calls <= self._wait or not tells:
            self._trial = None
            return self.threads, steps
        self._trial = 1 if self.threads > 1 else self.most
        return self._trial, max(1, steps // 4)

    def note(self, seconds: float) -> None:
        """What a step of that call took."""
        if self._trial is None:
            self._seconds = seconds
            return
        if seconds < self._seconds:
            self.threads, self._seconds, self._wait = self._trial, seconds, _CALLS_BEFORE_TRIAL
        else:
            self._wait = min(2 * self._wait, _MOST_CALLS_BEFORE_TRIAL)
        self._calls = 0


def together(task: Callable[[minibatch.Team], Any], threads: int) -> Any:
    """Call ``task`` on this many threads, each with its own team member; return the first's value.

    If the system does not give that many threads, one does all the work.  If one fails, or is
    interrupted, the others are sent home, and its exception is raised.
    """
    crew = minibatch.team(threads)
    if threads == 1:
        return task(crew[0])
    failures: list[BaseException] = []
    cores = _cores_for(threads)

    def follow(member: minibatch.Team) -> None:
        try:
            _stay_on(cores[member.thread])
            task(member)
        except BaseException as error:
            failures.append(error)
            minibatch.give_up(member)

    others = [threading.Thread(target=follow, args=(member,)) for member in crew[1:]]
    before = _cores() if cores[0] else None
    try:
        _stay_on(cores[0])
        try:
            for other in others:
                other.start()
        except RuntimeError:  # "can't start new thread"
            minibatch.give_up(crew[0])
            _wait_for(others)
            return task(minibatch.team()[0])
        result = task(crew[0])
    except BaseException:
        minibatch.give_up(crew[0])
        raise
    finally:
        _wait_for(others)
        _stay_on(before)
    if failures:
        raise failures[0]
    return result


def _wait_for(threads: list[threading.Thread]) -> None:
    for thread in threads:
        if thread.ident is not None:  # it was started
            thread.join()


def _cores() -> set[int] | None:
    """Those that this thread may use; None where the system does not say."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None


def _stay_on(cores: set[int] | None) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


def _cores_for(threads: int) -> list[set[int] | None]:
    """For each thread cores of its own, for the first the one that it is on; None: any.

    Left alone, Linux wakes a thread on the core of the one that woke it, which then was to sleep;
    but here both go on, and share that core for 10 to 25 ms, until the load is balanced: half of a
    call.  (Meeting took 20 µs then; with cores of their own 0.1 to 0.3 µs, from the start.)
    """
    if threads == 1:
        return [None]
    here, available = current_core(), _cores()
    if available is None or here not in available or len(available) < threads:
        return [None] * threads
    order = [here, *sorted(available - {here})]
    return [set(order[i::threads]) for i in range(threads)]
