"""Several threads in one compiled call: started for it, gone after it, no pool in between."""

import os
import threading
from collections.abc import Callable
from typing import Any

from .inputs import check_count
from .kernels import epoch
from .kernels._jit import COMPILED

# Floating-point operations of a step from which a second thread pays: below it, meeting costs
# more than the shared work saves (scripts/bench_epoch.py --threads).
WORTH_SHARING = 20e6


def choose_threads(threads: int | None, flops: float) -> int:
    """How many threads for steps of so many operations: what was asked for, or what pays.

    The result of a training does not depend on it.  Never more than there are cores, since
    waiting threads spin.
    """
    if threads is not None:
        check_count("threads", threads)
    elif flops < WORTH_SHARING:
        threads = 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    most = (cores or 1) if COMPILED else 1
    return min(threads or most, most)


def together(task: Callable[[epoch.Team], Any], threads: int) -> Any:
    """Call ``task`` on this many threads, each with its own team member; return the first's value.

    If the system does not give that many threads, one does all the work.  If one fails, or is
    interrupted, the others are sent home, and its exception is raised.
    """
    crew = epoch.team(threads)
    failures: list[BaseException] = []

    def follow(member: epoch.Team) -> None:
        try:
            task(member)
        except BaseException as error:
            failures.append(error)
            epoch.give_up(member)

    others = [threading.Thread(target=follow, args=(member,)) for member in crew[1:]]
    try:
        try:
            for other in others:
                other.start()
        except RuntimeError:  # "can't start new thread"
            epoch.give_up(crew[0])
            _wait_for(others)
            return task(epoch.team()[0])
        result = task(crew[0])
    except BaseException:
        epoch.give_up(crew[0])
        raise
    finally:
        _wait_for(others)
    if failures:
        raise failures[0]
    return result


def _wait_for(threads: list[threading.Thread]) -> None:
    for thread in threads:
        if thread.ident is not None:  # it was started
            thread.join()
