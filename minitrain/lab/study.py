"""A study: every optimizer tuned at the same budget, then run on fresh paired seeds.

The protocol, and the reasons for each part of it, are in docs/comparing.md.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..inputs import check_choice, check_count, check_seed
from ..optimizer import Optimizer
from . import folder, spaces
from .arguments import read_arms, read_budget, read_datasets, read_optimizers
from .execution import Execution, Progress
from .plan import PRESETS, TRIALS, TUNING_SEEDS, name_schedules
from .result import Result


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
        self.datasets = read_datasets(chosen.datasets if datasets is None else datasets)
        self.optimizers = read_optimizers(optimizers)
        self.arms = read_arms(chosen.arms if arms is None else arms)
        self.trials = {arm: TRIALS[arm] for arm in self.arms}
        if trials is not None:
            count = check_count("trials", trials, 0)
            if count == 0:
                self.arms = ("defaults",)
            self.trials = {arm: count if TRIALS[arm] else 0 for arm in self.arms}
        self.schedules = name_schedules(chosen.schedules if schedules is None else schedules)
        self.seeds = check_count("seeds", seeds, 2)
        self.budget = read_budget(epochs, gradient_evaluations, seconds, chosen.epochs)
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
        return Execution(self, out, progress, workers, joblib).run()

    def describe(self) -> dict[str, Any]:
        """The study as JSON-ready values."""
        return folder.describe(self)
