"""A study is run: search, choice, fresh runs; and how far that is."""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs import check_count
from ..optimizer import Optimizer
from ..schedule import get as get_schedule
from . import again, engine, folder, spaces
from .index import write_index
from .machine import environment
from .plan import TUNING_SEEDS, Budget, Config, Group, Task, batches
from .records import Run, Store
from .result import Result, seconds_of
from .runs import GROUP, Runs, Selection
from .training import Source, Workload, run_batch

if TYPE_CHECKING:
    from .study import Study

Progress = Callable[[int, int, str], Any]

_SECONDS_PER_BATCH = 0.5  # on threads; elsewhere a batch pays for its way
_SECONDS_PER_FAR_BATCH = 1.0
_GOLDEN = 0.6180339887498949  # its multiples are far from each other, modulo 1


class Execution:
    """One call of ``Study.run``."""

    def __init__(
        self, study: "Study", out: Any, progress: Progress | None, workers: int | None,
        joblib: bool | None,
    ) -> None:  # fmt: skip
        self.study, self.progress = study, progress
        self.folder = Path(out) if out is not None else None
        self.workers = check_count("workers", workers) if workers is not None else None
        self.far = _has_backend() if joblib is None else joblib
        self.runs = Runs()
        self.total = study.trainings
        self.expected: dict[tuple, Group] = {}
        self.done = self.new = self.said = 0
        self.turn = 0.0  # where in the work to begin
        self.before = 0.0  # seconds of the sessions before this one
        self.means: dict[tuple[str, str], tuple[float, int]] = {}
        self.searched: dict[tuple[str, str, tuple[float, float]], list[Optimizer]] = {}
        self.points = {arm: spaces.unit_points(n, study.seed) for arm, n in study.trials.items()}

    def run(self) -> Result:
        study, self.store = self.study, None
        for data in study.datasets.values():
            data.split(seed=0)  # a class with too few rows is an error before anything is run
        if self.folder is not None:
            fingerprint = folder.open_study(self.folder, study)
            self.store = Store(self.folder, fingerprint)
            self.turn = os.getpid() * _GOLDEN % 1
            self._read_new()
            before = seconds_of(self.folder) if self.new else 0.0
            self.before = before if np.isfinite(before) else 0.0
        self._prepare()
        self.new = 0
        self.started = self._read_at = time.perf_counter()
        try:
            self._execute(self._tune())
        except (KeyboardInterrupt, OSError):
            # A full disk has no room for an index either; the files of runs are what counts.
            with suppress(OSError, sqlite3.Error):
                self._finish()
            raise
        return self._finish()

    def _prepare(self) -> None:
        """Compile, and measure the pace where the budget is in seconds: outside the clock."""
        study = self.study
        sources = {name: Source.of(data) for name, data in study.datasets.items()}
        schedules = {label: get_schedule(value) for label, value in study.schedules.items()}
        self.workload = Workload(
            sources, study.layers, study.batch_size, study.budget, schedules, study._paces
        )
        pilot = replace(self.workload, budget=Budget("gradient_evaluations", 1), paces={})
        first = next(iter(study.datasets))
        schedule = next(iter(study.schedules))
        for label, optimizer in study.optimizers.items():
            config = Config(first, label, "defaults", schedule, 0, -1, optimizer)
            run_batch(pilot, [Task("final", config, 0)])
        if study.budget.unit == "seconds" and not study._paces:
            study._paces.update(folder.measure_paces(study, sources))
            if self.folder is not None:
                folder.open_study(self.folder, study)

    def _tune(self) -> list[Group]:
        """The final runs of each cell: of the optimizer itself, or of the best that was found."""
        study = self.study
        cells = [
            (dataset, label, arm, schedule)
            for dataset in study.datasets
            for label in study.optimizers
            for arm in study.arms
            for schedule in study.schedules
        ]
        final: dict[tuple, Group] = {}
        searching: list[tuple[tuple[str, str, str, str], tuple[float, float], int]] = []
        for cell in cells:
            optimizer = study.optimizers[cell[1]]
            if study.trials[cell[2]]:
                searching.append((cell, optimizer.rule.rates, 0))
            else:
                final[cell] = Group("final", cell, 0, [optimizer], self._seeds(cell[1]))
        while searching:
            groups = [
                Group("tuning", cell, number, self._trials(cell, rates), self._seeds(cell[1], True))
                for cell, rates, number in searching
            ]
            self._execute(groups)
            again = []
            for group, (cell, rates, number) in zip(groups, searching, strict=True):
                losses = self._tuning_losses(group)
                least = min(losses)
                best = group.optimizers[losses.index(least)]
                final[cell] = Group("final", cell, number, [best], self._seeds(cell[1]))
                longer = spaces.extended(best.lr, rates)
                if longer and number < spaces.MOST_EXTENSIONS and np.isfinite(least):
                    again.append((cell, longer, number + 1))
            searching = again
            self.total += sum(study.trials[cell[2]] * TUNING_SEEDS for cell, *_ in again)
        return [final[cell] for cell in cells]

    def _trials(
        self, cell: tuple[str, str, str, str], rates: tuple[float, float]
    ) -> Sequence[Optimizer]:
        _, label, arm, _ = cell
        # The same for all data sets and schedules: a large study has thousands of them.
        found = self.searched.get((label, arm, rates))
        if found is None:
            found = spaces.trials(self.study.optimizers[label], arm, rates, self.points[arm])
            self.searched[label, arm, rates] = found
        return found

    def _tuning_losses(self, group: Group) -> list[float]:
        """Mean validation loss of each trial; a failed run counts as infinite."""
        failed, losses = self._runs_of(group).columns("failed", "validation_loss")
        trials = np.where(failed, np.inf, losses).reshape(len(group.optimizers), -1)
        return [float(np.mean(losses)) for losses in trials]

    def _seeds(self, label: str, tuning: bool = False) -> range:
        """Of the splits, initial weights and orders; if not paired, each optimizer's own."""
        first = 1_000_000 * self.study.seed
        if not self.study.paired:
            first += 10_000 * list(self.study.optimizers).index(label)
        first = first % 2**31
        if tuning:
            return range(first, first + TUNING_SEEDS)
        return range(first + TUNING_SEEDS, first + TUNING_SEEDS + self.study.seeds)

    def _execute(self, groups: list[Group]) -> None:
        self.expected |= {group.key: group for group in groups}
        self.done = sum(len(self._runs_of(group)) for group in self.expected.values())
        if self.far:
            work = partial(self._batches, groups, _SECONDS_PER_FAR_BATCH)
            engine.on_joblib(self.workload, work, self._take, self._missing, self.workers)
        else:
            workers = self.workers or engine.cores()
            work = partial(self._batches, groups, _SECONDS_PER_BATCH, workers)
            engine.on_threads(self.workload, work, self._take, self._missing, workers)
        still = sum(self._left(group) for group in groups)
        if still:  # e.g. the file of another process was damaged in between
            raise RuntimeError(f"{still} trainings were not computed")
        if 0 < self.said < self.done:
            self._say("the others by another process")

    def _batches(self, groups: list[Group], seconds: float, workers: int = 0) -> Iterator[list]:
        """What is missing of the groups, in portions of about so many seconds."""
        costs = {(g.cell[0], g.cell[1]): self.workload.cost(next(g.tasks())) for g in groups}

        def cost(task: Task) -> float:
            return costs[task.config.dataset, task.config.label]

        def tasks(first: int = 0, stop: int | None = None) -> Iterator[Task]:
            return islice(chain.from_iterable(g.tasks() for g in groups), first, stop)

        left = sum(costs[g.cell[0], g.cell[1]] * self._left(g) for g in groups)
        # Processes on one folder begin at different places, and meet.
        begin = int(self.turn * sum(map(len, groups)))
        ordered = chain(tasks(begin), tasks(0, begin))
        return batches(self._unfinished(ordered), cost, seconds, workers, left)

    def _runs_of(self, group: Group) -> Selection:
        return self.runs.where(**dict(zip(GROUP, group.key, strict=True)), seed=group.seeds)

    def _left(self, group: Group) -> int:
        return len(group) - len(self._runs_of(group))

    def _unfinished(self, tasks: Iterable[Task]) -> Iterator[Task]:
        for key, some in groupby(tasks, key=lambda task: task.key[: len(GROUP)]):
            finished = self.runs.where(**dict(zip(GROUP, key, strict=True)))
            there = set(finished.values("trial", "seed"))
            yield from (task for task in some if task.key[len(GROUP) :] not in there)

    def _missing(self, tasks: list[Task]) -> list[Task]:
        if self.store is not None and time.perf_counter() - self._read_at > 1.0:
            self._read_new()
        return list(self._unfinished(tasks))

    def _read_new(self) -> None:
        assert self.store is not None
        for runs in self.store.new():
            for run in runs:
                if not run.is_crash:
                    self._keep(run)
        self._read_at = time.perf_counter()

    def _keep(self, run: Run) -> None:
        if self.runs.add(run):
            self.new += 1
            group = self.expected.get(run.key[: len(GROUP)])
            self.done += group is not None and run.seed in group.seeds

    def _take(self, runs: list[Run]) -> None:
        if not runs:
            return
        if self.store is not None:
            self.store.write(runs)
        for run in runs:
            self._keep(run)
            if self.progress:
                self._say(self._message(run))

    def _say(self, message: str) -> None:
        assert self.progress
        self.progress(self.done, self.total, message)
        self.said = self.done

    def _message(self, run: Run) -> str:
        seconds = max(time.perf_counter() - self.started, 1e-9)
        pace = f"{self.new / seconds:.0f} a second"
        # Of the main column: what is tuned more is not to be mixed with what is tuned less.
        main = self.study.arms[-1], next(iter(self.study.schedules))
        if run.stage == "final" and not run.failed and (run.arm, run.schedule) == main:
            total, count = self.means.get((run.dataset, run.optimizer), (0.0, 0))
            self.means[run.dataset, run.optimizer] = total + run.validation_accuracy, count + 1
        means = {o: t / n for (d, o), (t, n) in self.means.items() if d == run.dataset}
        if means:
            leader = max(means, key=means.__getitem__)
            return f"final: {leader} leads on {run.dataset}, {100 * means[leader]:.1f} %; {pace}"
        return f"{run.stage}: {run.optimizer} on {run.dataset}; {pace}"

    def _finish(self) -> Result:
        runs = self.runs
        if len(runs) > self.done:  # a folder may hold more, such as more seeds
            runs = Runs(chain.from_iterable(map(self._runs_of, self.expected.values())))
        seconds = self.before + time.perf_counter() - self.started
        description = {**self.study.describe(), "command": again.command(self.study)}
        result = Result(description, runs, seconds, environment())
        result.damaged = self.store.damaged if self.store else []
        if self.folder is not None:
            write_index(self.folder, runs)
            result.write(self.folder)
        return result


def _has_backend() -> bool:
    """Whether the caller chose a backend by ``joblib.parallel_config``."""
    parallel = sys.modules.get("joblib.parallel")
    config = getattr(getattr(parallel, "_backend", None), "config", None) or {}
    return hasattr(config.get("backend"), "compute_batch_size")  # not joblib's own default
