"""Many short trainings at once: threads of one process, or any joblib backend.

Work goes out in batches and comes back to the driver, which alone keeps what came.  Who computes a
batch, and when, changes nothing in it.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from threading import Event
from typing import Any

from . import training
from .plan import Task
from .records import Run
from .training import Workload, run_batch

Batch = list[Task]
Work = Callable[[], Iterable[Batch]]  # what is to be done now, made as it is asked for
Report = Callable[[list[Run]], Any]
Missing = Callable[[Batch], Batch]

_ATTEMPTS = 3  # of a training whose worker dies


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def on_threads(
    workload: Workload, work: Work, report: Report, missing: Missing, workers: int
) -> None:
    """The compiled calls release the GIL.  Ctrl-C reports what is finished, and goes on up."""
    stop = Event()
    pool = ThreadPoolExecutor(workers)
    waiting = iter(work())
    running: set[Future] = set()
    try:
        while True:
            while len(running) < workers + 1 and (batch := next(waiting, None)) is not None:
                if left := missing(batch):
                    running.add(pool.submit(run_batch, workload, left, stop.is_set))
            if not running:
                break
            # A bounded wait, so that Ctrl-C is heard on every system.
            done, running = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
            for future in done:
                report(future.result())
    except BaseException:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        with suppress(OSError):  # a full disk was the reason, perhaps
            for future in running:
                if not future.cancelled():
                    report(future.result())
        raise
    pool.shutdown()


def on_joblib(
    workload: Workload, work: Work, report: Report, missing: Missing, workers: int | None
) -> None:
    """On the backend of ``joblib.parallel_config``, with a bounded retry of our own.

    A worker that dies can take a whole pool with it (joblib#812).  What was in flight then is
    suspect, and is tried again a training at a time, alone, so that the next death has one cause;
    after three the training is set aside as a crash, and named.
    """
    post = _Post(workload)
    suspects: dict[tuple, Task] = {}

    def unsuspected(batch: Batch) -> Batch:
        return [task for task in missing(batch) if task.key not in suspects]

    refused = True
    while refused:
        refused = False
        flying: dict[int, Batch] = {}
        try:
            for number, runs in _parallel(post, work(), flying, unsuspected, workers):
                del flying[number]
                refused |= runs is None
                report(runs or [])
        except Exception as error:
            if not _is_death(error):
                raise
            refused = True
            suspects |= {task.key: task for batch in flying.values() for task in missing(batch)}
    for task in suspects.values():
        _alone(post, task, report, missing, workers)


class _Post:
    """What goes to the workers: a study's own data travel with a batch where they are owed.

    A worker keeps what it gets.  One that has not got any yet refuses its batch, which is then done
    later, and some next batch brings the data along: so they are sent about once to each worker,
    on any backend, and none is lost with the worker that had it, as what Dask scatters would be.
    """

    def __init__(self, workload: Workload) -> None:
        sources = workload.sources
        self.data = {s.checksum: s.data for s in sources.values() if s.data is not None}
        slim = {name: replace(source, data=None) for name, source in sources.items()}
        self.workload, self.owed = replace(workload, sources=slim), 1

    def parcel(self) -> dict[str, Any]:
        if self.owed < 1 or not self.data:
            return {}
        self.owed -= 1
        return self.data


def _alone(post: _Post, task: Task, report: Report, missing: Missing, workers: int | None) -> None:
    for attempt in range(_ATTEMPTS):
        post.owed = 1
        try:
            for _, runs in _parallel(post, [[task]], {}, missing, workers):
                report(runs or [])
            return
        except Exception as error:
            if not _is_death(error):
                raise
            if attempt == _ATTEMPTS - 1:
                reason = f"its worker died {_ATTEMPTS} times ({type(error).__name__})"
                report([Run.crashed(task, reason)])


def _parallel(
    post: _Post, batches: Iterable[Batch], flying: dict[int, Batch], missing: Missing,
    workers: int | None,
) -> Iterator[tuple[int, list[Run] | None]]:  # fmt: skip
    from joblib import Parallel, delayed

    def jobs() -> Iterator[Any]:
        for number, batch in enumerate(batches):
            if left := missing(batch):
                flying[number] = left
                yield delayed(_numbered)(number, post.workload, post.parcel(), left)

    options: dict[str, Any] = {} if workers is None else {"n_jobs": workers}
    # Batches are about a second long already: joblib must not put several together.
    parallel = Parallel(return_as="generator_unordered", batch_size=1, **options)
    for number, runs in parallel(jobs()):
        post.owed += runs is None
        yield number, runs


def _numbered(
    number: int, workload: Workload, parcel: dict[str, Any], tasks: Batch
) -> tuple[int, list[Run] | None]:
    """On a worker: None where data are missing that were not sent along."""
    training.received.update(parcel)
    if not all(workload.sources[task.config.dataset].is_here for task in tasks):
        return number, None
    return number, run_batch(workload, tasks)


def _is_death(error: Exception) -> bool:
    """Whether a worker ended, rather than its work: loky's and Dask's names for it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(
        names & {"BrokenProcessPool", "KilledWorker", "CancelledError", "FutureCancelledError"}
    )
