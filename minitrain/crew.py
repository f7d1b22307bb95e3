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

    If the system does not give that many threads, one does all the work.
    """
    crew = epoch.team(threads)
    others = [threading.Thread(target=task, args=(member,)) for member in crew[1:]]
    started = []
    try:
        for other in others:
            other.start()
            started.append(other)
    except BaseException as error:
        epoch.give_up(crew[0])
        for other in started:
            other.join()
        if isinstance(error, RuntimeError):  # "can't start new thread"
            return task(epoch.team()[0])
        raise
    try:
        return task(crew[0])
    finally:
        for other in others:
            other.join()
