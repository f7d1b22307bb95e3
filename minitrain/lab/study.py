"""A study: every optimizer tuned at the same budget, then run on fresh paired seeds.

The protocol, and the reasons for each part of it, are in docs/comparing.md.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets as _datasets
from .. import optimizers as _optimizers
from ..inputs import check_choice, check_count, check_seed
from ..optimizer import Optimizer
from ..schedule import get as get_schedule
from . import again, engine, folder, spaces
from .plan import (
    ARMS,
    PRESETS,
    TRIALS,
    TUNING_SEEDS,
    Budget,
    Config,
    Task,
    batches,
    name_schedules,
)
from .records import Run, Store, environment, write_index
from .result import Result, seconds_of
from .training import Source, Workload, run_batch

Progress = Callable[[int, int, str], Any]

_SECONDS_PER_BATCH = 0.5  # on threads; elsewhere a batch pays for its way
_SECONDS_PER_FAR_BATCH = 1.0


class Study:
    """Compare optimizers on classification data sets.

    Parameters
    ----------
    datasets
        Names, CSV files or Datasets; None: those of the preset.
    optimizers
        Names or optimizers, or a dict of label → either.
    preset
        "quick" (half a minute on two cores), "standard" (minutes) or "full" (the whole protocol):
        what holds for all that is not given here.
    arms
        Any of "defaults" (as published, nothing is tuned), "learning_rate", "everything".
    schedules
        Texts such as "constant" and "cosine(warmup=0.1)", or a dict of label → schedule.
    seeds
        Fresh runs per optimizer and data set; 29 are needed to see P(A > B) = 0.75.
    epochs, gradient_evaluations, seconds
        The length of each training; one of them.  Seconds are turned into gradient evaluations
        once, by a pilot for each optimizer and data set, so that the study can be repeated.
    trials
        Points searched per arm that tunes, in place of 25 and 75; 0 leaves only "defaults".
    layers, batch_size
        Hidden units (ReLU) and rows of a mini-batch, the same for all.
    paired
        All optimizers see the same splits, initial weights and orders of rows.
    baseline
        The optimizer that the others are tested against, and whose runs set the targets for the
        time to target; None: the first, and the best of all sets the targets.
    seed
        Of the whole study.

    Raises
    ------
    ValueError
        For unknown names, numbers out of range, or a data set without classes.
    """

    def __init__(
        self,
        datasets: Any = None,
        optimizers: Sequence[Any] | Mapping[str, Any] = ("sgd", "momentum", "rmsprop", "adam"),
        *,
        preset: str = "quick",
        arms: Sequence[str] | str | None = None,
        schedules: Any = None,
        seeds: int = 30,
        epochs: int | None = None,
        gradient_evaluations: int | None = None,
        seconds: float | None = None,
        trials: int | None = None,
        layers: Sequence[int] = (64, 64),
        batch_size: int = 32,
        paired: bool = True,
        baseline: str | None = None,
        seed: int = 0,
    ) -> None:
        self.preset = check_choice("preset", preset, tuple(PRESETS))
        chosen = PRESETS[preset]
        self.datasets = _read_datasets(chosen.datasets if datasets is None else datasets)
        self.optimizers = _read_optimizers(optimizers)
        self.arms = _read_arms(chosen.arms if arms is None else arms)
        self.trials = {arm: TRIALS[arm] for arm in self.arms}
        if trials is not None:
            count = check_count("trials", trials, 0)
            if count == 0:
                self.arms = ("defaults",)
            self.trials = {arm: count if TRIALS[arm] else 0 for arm in self.arms}
        self.schedules = name_schedules(chosen.schedules if schedules is None else schedules)
        self.seeds = check_count("seeds", seeds, 2)
        self.budget = _read_budget(epochs, gradient_evaluations, seconds, chosen.epochs)
        self.layers = tuple(check_count("layers", n) for n in layers)
        self.batch_size = check_count("batch_size", batch_size)
        self.paired = bool(paired)
        if baseline is not None:
            check_choice("baseline", baseline, tuple(self.optimizers))
        self.baseline, self.declared = baseline or next(iter(self.optimizers)), baseline is not None
        self.seed = check_seed(seed)
        self._paces: dict[tuple[str, str], float] = {}

    @classmethod
    def from_toml(cls, path: "str | os.PathLike[str]", **changes: Any) -> "Study":
        """A study from a TOML file whose keys are this class's arguments.

        Optimizers are names, or a table of label → {rule = "adam", lr = 0.01, …}.
        """
        return cls(**{**folder.read_toml(Path(path)), **changes})

    @classmethod
    def resume(cls, path: "str | os.PathLike[str]") -> "Study":
        """The study that a folder holds; ``run(out=path)`` computes what is missing there."""
        return cls(**folder.read_study(Path(path)))

    @property
    def trainings(self) -> int:
        """How many trainings the study takes; a search that has to be extended takes more."""
        tuning = sum(self.trials.values()) * TUNING_SEEDS
        cells = len(self.datasets) * len(self.optimizers) * len(self.schedules)
        return (tuning + len(self.arms) * self.seeds) * cells

    def rates(self, optimizer: Optimizer) -> np.ndarray:
        """Learning rates that are tried first (trials,), log-uniform on the rule's range."""
        count = max(self.trials.values())
        points = spaces.unit_points(count, self.seed)
        found = spaces.trials(optimizer, "learning_rate", optimizer.rule.rates, points)
        return np.array([o.lr for o in found])

    def run(
        self,
        out: "str | os.PathLike[str] | None" = None,
        progress: Progress | None = None,
        workers: int | None = None,
        joblib: bool | None = None,
    ) -> Result:
        """Run the study and return its result.

        ``workers`` threads (default: all cores) do the work; with ``joblib`` the backend of
        ``joblib.parallel_config`` does (default: if one is configured).  With ``out`` every
        finished batch is written there at once; what is there already is not computed again,
        also on another day or by another process that works on the same study.
        ``progress(done, total, message)`` is called as trainings are finished.

        Raises
        ------
        StudyFolderError
            If the folder holds another study.
        OSError
            If it cannot be written, as on a full disk; what was written before stays, and the
            study can be resumed.
        """
        return _Execution(self, out, progress, workers, joblib).run()

    def describe(self) -> dict[str, Any]:
        """The study as JSON-ready values."""
        return folder.describe(self)


class _Execution:
    """One call of ``Study.run``."""

    def __init__(
        self, study: Study, out: Any, progress: Progress | None, workers: int | None,
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


def _read_datasets(given: Any) -> dict[str, Any]:
    if isinstance(given, (str, os.PathLike, _datasets.Dataset)):
        given = [given]
    found: dict[str, Any] = {}
    for one in given:
        data = one if isinstance(one, _datasets.Dataset) else _datasets.load(one)
        if not data.class_names:
            raise ValueError(f"datasets: {data.name} has numbers to predict, not classes")
        if data.name in found:
            raise ValueError(f"datasets: {data.name} is named twice")
        found[data.name] = data
    if not found:
        raise ValueError("datasets: none; accepted: at least one")
    return found


def _read_optimizers(given: Any) -> dict[str, Optimizer]:
    if isinstance(given, (str, Optimizer)):
        given = [given]
    named = (
        given.items()
        if isinstance(given, Mapping)
        else [(o if isinstance(o, str) else getattr(o, "name", str(o)), o) for o in given]
    )
    found: dict[str, Optimizer] = {}
    for label, value in named:
        if label in found:
            raise ValueError(
                f"optimizers: {label!r} is named twice; give a dict of label → optimizer"
            )
        optimizer = _optimizers.get(value)
        if not hasattr(optimizer, "rule"):  # L-BFGS takes the whole training set
            raise ValueError(
                f"optimizers: {label!r} does not train by mini-batches; accepted: "
                f"{', '.join([*_optimizers.names(), *_optimizers.matrix_names()[:-1]])}, …"
            )
        found[str(label)] = optimizer
    if not found:
        raise ValueError("optimizers: none; accepted: at least one")
    return found


def _read_arms(given: Sequence[str] | str) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        check_choice("arms", name, ARMS)
    if not names:
        raise ValueError(f"arms: none; accepted: any of {', '.join(ARMS)}")
    return tuple(arm for arm in ARMS if arm in names)


def _read_budget(
    epochs: int | None, gradient_evaluations: int | None, seconds: float | None, default: int
) -> Budget:
    given = {
        "epochs": epochs, "gradient_evaluations": gradient_evaluations, "seconds": seconds,
    }  # fmt: skip
    given = {unit: amount for unit, amount in given.items() if amount is not None}
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)}: accepted: one of them")
    unit, amount = next(iter(given.items()), ("epochs", default))
    if unit != "seconds":
        return Budget(unit, check_count(unit, amount))
    if not (isinstance(amount, (int, float)) and 0 < amount < np.inf):
        raise ValueError(f"seconds: {amount!r}; accepted: a finite number above 0")
    return Budget(unit, float(amount))


__all__ = ["Study"]
