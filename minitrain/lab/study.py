"""A study: every optimizer tuned at the same budget, then run on fresh paired seeds.

Protocol (the reasons are in docs/comparing.md): a new split, new initial weights and a new order
of the rows per seed, the same for every optimizer.  Each optimizer's learning rate is chosen among
the same number of scrambled Sobol points on its rule's range, by the mean validation loss over
three seeds that are not used again; everything else stays at its default.  The winner reruns on
``seeds`` fresh seeds, and only then is the test part read, once per run.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets as _datasets
from .. import optimizers as _optimizers
from ..inputs import check_count, check_seed
from ..model import MLP
from ..optimizer import Optimizer
from ..trainer import DivergenceError, Trainer
from .result import Result, Run

TUNING_SEEDS = 3

Progress = Callable[[int, int, str], Any]


@dataclass(frozen=True)
class _Job:
    """One training: which optimizer on which data set, and with which seed."""

    stage: str  # "tuning" or "final"
    dataset: str
    label: str
    optimizer: Optimizer
    seed: int


class Study:
    """Compare optimizers on classification data sets.

    Parameters
    ----------
    datasets
        Names, CSV files or Datasets.
    optimizers
        Names or optimizers, or a dict of label → either.
    seeds
        Fresh paired runs per optimizer and data set; 29 are needed to see P(A > B) = 0.75.
    epochs, layers, batch_size
        The same for all: passes over the training part, hidden units (ReLU), rows of a batch.
    trials
        Learning rates tried per optimizer; 0 keeps each optimizer's own (published) rate.
    seed
        Of the whole study.

    Raises
    ------
    ValueError
        For unknown names, numbers out of range, or a data set without classes.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        optimizers: Sequence[Any] | Mapping[str, Any],
        *,
        seeds: int = 30,
        epochs: int = 30,
        trials: int = 8,
        layers: Sequence[int] = (64, 64),
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        if isinstance(datasets, (str, _datasets.Dataset)):
            datasets = [datasets]
        if isinstance(optimizers, (str, Optimizer)):
            optimizers = [optimizers]
        self.datasets: dict[str, _datasets.Dataset] = {}
        for given in datasets:
            data = given if isinstance(given, _datasets.Dataset) else _datasets.load(given)
            if not data.class_names:
                raise ValueError(f"datasets: {data.name} has numbers to predict, not classes")
            if data.name in self.datasets:
                raise ValueError(f"datasets: {data.name} is named twice")
            self.datasets[data.name] = data
        named = (
            optimizers.items()
            if isinstance(optimizers, Mapping)
            else [
                (o.name if isinstance(o, Optimizer) else getattr(o, "name", o), o)
                for o in optimizers
            ]
        )
        self.optimizers: dict[str, Optimizer] = {}
        for label, value in named:
            if label in self.optimizers:
                raise ValueError(
                    f"optimizers: {label!r} is named twice; give a dict of label → optimizer"
                )
            self.optimizers[str(label)] = _optimizers.get(value)
        if not self.datasets or not self.optimizers:
            raise ValueError("datasets and optimizers: at least one of each")
        self.seeds, self.epochs = check_count("seeds", seeds, 2), check_count("epochs", epochs)
        self.trials, self.batch_size = (
            check_count("trials", trials, 0),
            check_count("batch_size", batch_size),
        )
        self.layers = tuple(check_count("layers", n) for n in layers)
        self.seed = check_seed(seed)

    @property
    def trainings(self) -> int:
        """How many trainings the study takes."""
        per_cell = self.trials * TUNING_SEEDS + self.seeds
        return per_cell * len(self.datasets) * len(self.optimizers)

    def rates(self, optimizer: Optimizer) -> np.ndarray:
        """Learning rates to try (trials,): scrambled Sobol points, log-uniform on the range."""
        from scipy.stats import qmc

        low, high = np.log(optimizer.rule.rates)
        points = qmc.Sobol(1, scramble=True, rng=self.seed).random_base2(
            max(self.trials - 1, 0).bit_length()
        )
        return np.sort(np.exp(low + (high - low) * points[: self.trials, 0]))

    def run(
        self,
        out: str | os.PathLike | None = None,
        progress: Progress | None = None,
        workers: int | None = None,
    ) -> Result:
        """Run the study on ``workers`` threads (default: all cores) and return its result.

        ``progress(done, total, message)`` is called after every training.  With ``out`` the runs
        and the result are written into that folder, on Ctrl-C what is finished by then.
        """
        folder = Path(out) if out is not None else None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        runs: list[Run] = []
        started = time.perf_counter()
        splits = self._split()

        def finish(chosen: dict) -> Result:
            result = Result(self._describe(), runs, chosen, time.perf_counter() - started)
            if folder:
                result.write(folder)
            return result

        def report(run: Run) -> None:
            runs.append(run)
            if progress:
                what = f"{run.stage}: {run.optimizer} on {run.dataset}"
                progress(len(runs), self.trainings, what)

        chosen: dict[tuple[str, str], float] = {}
        try:
            self._execute(self._tuning_jobs(), splits, report, workers)
            chosen = self._choose(runs)
            self._execute(self._final_jobs(chosen), splits, report, workers)
        except KeyboardInterrupt:
            if folder:
                finish(chosen)
            raise
        return finish(chosen)

    def _split(self) -> dict[tuple[str, int], tuple]:
        """Training, validation and test part of each data set for each seed."""
        return {
            (name, seed): data.split(seed=seed)
            for name, data in self.datasets.items()
            for seed in (*self._tuning_seeds(), *self._final_seeds())
        }

    def _tuning_seeds(self) -> range:
        first = 1_000_000 * self.seed % 2**31
        return range(first, first + (TUNING_SEEDS if self.trials else 0))

    def _final_seeds(self) -> range:
        first = (1_000_000 * self.seed + TUNING_SEEDS) % 2**31
        return range(first, first + self.seeds)

    def _tuning_jobs(self) -> list[_Job]:
        return [
            _Job("tuning", dataset, label, optimizer.replace(lr=float(rate)), seed)
            for dataset in self.datasets
            for label, optimizer in self.optimizers.items()
            for rate in (self.rates(optimizer) if self.trials else ())
            for seed in self._tuning_seeds()
        ]

    def _final_jobs(self, chosen: Mapping[tuple[str, str], float]) -> list[_Job]:
        return [
            _Job("final", dataset, label, optimizer.replace(lr=chosen[dataset, label]), seed)
            for dataset in self.datasets
            for label, optimizer in self.optimizers.items()
            for seed in self._final_seeds()
        ]

    def _choose(self, runs: Sequence[Run]) -> dict[tuple[str, str], float]:
        """The learning rate with the least mean validation loss; a failed run counts as inf."""
        losses: dict[tuple[str, str], dict[float, list[float]]] = {}
        for run in runs:
            by_rate = losses.setdefault((run.dataset, run.optimizer), {})
            by_rate.setdefault(run.lr, []).append(run.validation_loss)
        return {
            (dataset, label): (
                min(losses[dataset, label], key=lambda r: np.mean(losses[dataset, label][r]))
                if self.trials
                else optimizer.lr
            )
            for dataset in self.datasets
            for label, optimizer in self.optimizers.items()
        }

    def _execute(
        self,
        jobs: Sequence[_Job],
        splits: Mapping[tuple[str, int], tuple],
        report: Callable[[Run], None],
        workers: int | None,
    ) -> None:
        """Train on threads: the kernels release the GIL.  Reports come in the order of jobs."""
        pool = ThreadPoolExecutor(workers or os.cpu_count() or 1)
        pending: set[Future] = set()
        finished: dict[int, Run] = {}
        number = {}
        next_report = 0
        try:
            for i, job in enumerate(jobs):
                future = pool.submit(self._train, job, splits[job.dataset, job.seed])
                number[future] = i
                pending.add(future)
            while pending:
                done, pending = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
                for future in done:
                    finished[number.pop(future)] = future.result()
                while next_report in finished:
                    report(finished.pop(next_report))
                    next_report += 1
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _train(self, job: _Job, parts: tuple) -> Run:
        train, validation, test = parts
        sizes = [train.X.shape[1], *self.layers, len(self.datasets[job.dataset].class_names)]
        model = MLP(sizes, seed=job.seed)
        trainer = Trainer(model, job.optimizer, self.batch_size, seed=job.seed)
        before = time.perf_counter()
        try:
            history = trainer.fit(train, epochs=self.epochs)
        except DivergenceError:
            seconds = time.perf_counter() - before
            return Run(
                job.stage, job.dataset, job.label, job.optimizer.lr, job.seed,
                np.inf, np.nan, seconds, True,
            )  # fmt: skip
        seconds = history.seconds[-1]
        validation_loss, _ = model.evaluate(validation.X, validation.y)
        # The test part is read in the final stage only: it cannot leak into the choice.
        accuracy = model.evaluate(test.X, test.y)[1] if job.stage == "final" else np.nan
        return Run(
            job.stage, job.dataset, job.label, job.optimizer.lr, job.seed,
            validation_loss, accuracy, float(seconds), False,
        )  # fmt: skip

    def _describe(self) -> dict[str, Any]:
        """The study as JSON-ready values."""
        return {
            "datasets": {name: data.checksum for name, data in self.datasets.items()},
            "optimizers": {label: repr(o) for label, o in self.optimizers.items()},
            "seeds": self.seeds,
            "epochs": self.epochs,
            "trials": self.trials,
            "layers": list(self.layers),
            "batch_size": self.batch_size,
            "seed": self.seed,
        }
