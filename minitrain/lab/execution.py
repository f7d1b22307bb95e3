"""A study is run: search, choice, fresh runs; and how far that is."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..inputs import check_count
from ..optimizer import Optimizer
from ..schedule import get as get_schedule
from . import again, engine, folder, spaces
from .index import write_index
from .machine import environment
from .plan import TUNING_SEEDS, Budget, Config, Task, batches
from .records import Run, Store
from .result import Result, seconds_of
from .training import Source, Workload, run_batch

if TYPE_CHECKING:
    from .study import Study

Progress = Callable[[int, int, str], Any]

_SECONDS_PER_BATCH = 0.5  # on threads; elsewhere a batch pays for its way
_SECONDS_PER_FAR_BATCH = 1.0


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
        self.runs: dict[tuple, Run] = {}
        self.total = study.trainings
        self.expected: set[tuple] = set()
        self.done = self.found = self.said = 0
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
            self._read_new()
            self.found = len(self.runs)
            before = seconds_of(self.folder) if self.found else 0.0
            self.before = before if np.isfinite(before) else 0.0
        self._prepare()
        self.started = self._read_at = time.perf_counter()
        try:
            chosen = self._tune()
            self._execute([t for config in chosen for t in self._final_tasks(config)])
        except (KeyboardInterrupt, OSError):
            # A full disk has no room for an index either; the files of runs are what counts.
            with suppress(OSError):
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

    def _tune(self) -> list[Config]:
        """The configuration of each cell: the optimizer's own, or the best that was found."""
        study = self.study
        cells = [
            (dataset, label, arm, schedule)
            for dataset in study.datasets
            for label in study.optimizers
            for arm in study.arms
            for schedule in study.schedules
        ]
        chosen: dict[tuple, Config] = {}
        searching: list[tuple[tuple[str, str, str, str], tuple[float, float], int]] = []
        for cell in cells:
            optimizer = study.optimizers[cell[1]]
            if study.trials[cell[2]]:
                searching.append((cell, optimizer.rule.rates, 0))
            else:
                chosen[cell] = Config(*cell, 0, -1, optimizer)
        while searching:
            configs = {
                cell: self._trial_configs(cell, rates, number) for cell, rates, number in searching
            }
            self._execute(
                [Task("tuning", config, seed)
                 for found in configs.values() for config in found
                 for seed in self._seeds(config.label, tuning=True)]
            )  # fmt: skip
            again = []
            for cell, rates, number in searching:
                best = min(configs[cell], key=self._tuning_loss)
                chosen[cell] = Config(*cell, number, -1, best.optimizer)
                longer = spaces.extended(best.optimizer.lr, rates)
                if (
                    longer
                    and number < spaces.MOST_EXTENSIONS
                    and np.isfinite(self._tuning_loss(best))
                ):
                    again.append((cell, longer, number + 1))
            searching = again
            self.total += sum(study.trials[cell[2]] * TUNING_SEEDS for cell, *_ in again)
        return [chosen[cell] for cell in cells]

    def _trial_configs(
        self, cell: tuple[str, str, str, str], rates: tuple[float, float], number: int
    ) -> list[Config]:
        _, label, arm, _ = cell
        # The same for all data sets and schedules: a large study has thousands of them.
        found = self.searched.get((label, arm, rates))
        if found is None:
            found = spaces.trials(self.study.optimizers[label], arm, rates, self.points[arm])
            self.searched[label, arm, rates] = found
        return [Config(*cell, number, i, optimizer) for i, optimizer in enumerate(found)]

    def _tuning_loss(self, config: Config) -> float:
        """Mean validation loss over the tuning seeds; a failed run counts as infinite."""
        runs = [
            self.runs[Task("tuning", config, seed).key]
            for seed in self._seeds(config.label, tuning=True)
        ]
        return float(np.mean([np.inf if r.failed else r.validation_loss for r in runs]))

    def _final_tasks(self, config: Config) -> list[Task]:
        return [Task("final", config, seed) for seed in self._seeds(config.label, tuning=False)]

    def _seeds(self, label: str, tuning: bool) -> range:
        """Of the splits, initial weights and orders; if not paired, each optimizer's own."""
        first = 1_000_000 * self.study.seed
        if not self.study.paired:
            first += 10_000 * list(self.study.optimizers).index(label)
        first = first % 2**31
        if tuning:
            return range(first, first + TUNING_SEEDS)
        return range(first + TUNING_SEEDS, first + TUNING_SEEDS + self.study.seeds)

    def _execute(self, tasks: list[Task]) -> None:
        self.expected |= {task.key for task in tasks}
        self.done = sum(key in self.runs for key in self.expected)
        left = self._missing(tasks)
        far = self.far
        seconds = _SECONDS_PER_FAR_BATCH if far else _SECONDS_PER_BATCH
        work = batches(left, self.workload.cost, seconds)
        if self.store is not None and len(work) > 1:
            # Two processes on one folder begin at different places, and meet.
            begin = os.getpid() % len(work)
            work = work[begin:] + work[:begin]
        if far:
            engine.on_joblib(self.workload, work, self._take, self._missing, self.workers)
        else:
            workers = self.workers or engine.cores()
            ordered = [task for batch in work for task in batch]
            work = batches(ordered, self.workload.cost, seconds, workers)
            engine.on_threads(self.workload, work, self._take, self._missing, workers)
        still = self._missing(tasks)
        if still:  # e.g. the file of another process was damaged in between
            raise RuntimeError(f"{len(still)} trainings were not computed")
        if 0 < self.said < self.done:
            self._say("the others by another process")

    def _missing(self, tasks: list[Task]) -> list[Task]:
        if self.store is not None and time.perf_counter() - self._read_at > 1.0:
            self._read_new()
        return [task for task in tasks if task.key not in self.runs]

    def _read_new(self) -> None:
        assert self.store is not None
        for runs in self.store.new():
            for run in runs:
                if not run.is_crash:
                    self._keep(run)
        self._read_at = time.perf_counter()

    def _keep(self, run: Run) -> None:
        key = run.key
        self.done += key in self.expected and key not in self.runs
        self.runs[key] = run if run.stage == "final" else run.without_curves()

    def _take(self, runs: list[Run]) -> None:
        if not runs:
            return
        if self.store is not None:
            self.store.write(runs)
        for run in runs:
            self._keep(run)
            self._say(self._message(run))

    def _say(self, message: str) -> None:
        if self.progress:
            self.progress(self.done, self.total, message)
            self.said = self.done

    def _message(self, run: Run) -> str:
        seconds = max(time.perf_counter() - self.started, 1e-9)
        pace = f"{(len(self.runs) - self.found) / seconds:.0f} a second"
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
        runs = sorted(
            (run for key, run in self.runs.items() if key in self.expected),
            key=lambda run: (run.stage == "final", *map(str, run.key[1:5]), run.key[5:]),
        )
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
