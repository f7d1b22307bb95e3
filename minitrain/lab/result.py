"""What a study found: its runs, and everything that can be said of them."""

import json
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np

from . import curves, export, ranks, targets, words
from .folder import StudyFolderError, read_description
from .records import Run, Store
from .statistics import Comparison, compare, mean_interval, smallest_visible_difference
from .whole import write_whole

Column = tuple[str, str]


class Result:
    """The runs of a study and what they say; ``study`` describes it, ``seconds`` is its length,
    of all sessions together.

    A study has a column for each arm and schedule: who tunes what, under which schedule.  Methods
    take ``arm`` and ``schedule``; None means all columns where rows can say theirs, and else the
    main one: the arm that tunes most, under the first schedule.
    """

    def __init__(
        self, study: Mapping[str, Any], runs: Sequence[Run], seconds: float,
        environment: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.study, self.runs, self.seconds = dict(study), list(runs), seconds
        self.environment = dict(environment)
        self.damaged: list[str] = []
        self._times: dict[Column, list[dict[str, Any]]] = {}
        self._rankings: dict[Column, dict[str, Any]] = {}

    @classmethod
    def load(cls, path: "str | os.PathLike[str]") -> "Result":
        """From a study's folder alone, also of a study that is not finished.

        Raises StudyFolderError where there is none, or nothing in it yet.
        """
        folder = Path(path)
        description = read_description(folder)
        store = Store(folder, description["fingerprint"])
        runs = [run for batch in store.new(set_aside=False) for run in batch]
        if not runs:
            if store.damaged:
                many = f" and {len(store.damaged) - 1} more" * (len(store.damaged) > 1)
                raise StudyFolderError(f"{store.damaged[0]}{many}; no other runs are there")
            raise StudyFolderError(f"{folder}: no run is finished there yet")
        found = cls(description, _unique(runs), seconds_of(folder), description["environment"])
        found.damaged = store.damaged
        return found

    # What there is

    @property
    def trainings(self) -> int:
        return len(self.runs)

    @property
    def datasets(self) -> list[str]:
        return list(self.study["datasets"])

    @property
    def optimizers(self) -> list[str]:
        return list(self.study["optimizers"])

    @property
    def columns(self) -> list[Column]:
        return [(a, s) for a in self.study["arms"] for s in self.study["schedules"]]

    @property
    def main(self) -> Column:
        return self.study["arms"][-1], next(iter(self.study["schedules"]))

    @property
    def chosen(self) -> dict[tuple[str, ...], float]:
        """The learning rate of the final runs of each (data set, optimizer, arm, schedule)."""
        return {cell: runs[0].lr for cell, runs in self._final_runs.items() if runs}

    @property
    def failures(self) -> list[Run]:
        return [run for run in self.runs if run.failed]

    def final(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> list[Run]:
        """The final runs of a cell in the order of their seeds."""
        return self._final_runs.get((dataset, optimizer, *self._column(arm, schedule)), [])

    def search(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> list[list[Run]]:
        """The runs of each trial of a cell's search, with all extensions."""
        return self._searches.get((dataset, optimizer, *self._column(arm, schedule)), [])

    def scores(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> np.ndarray:
        """Test accuracies of the final runs in the order of their seeds; nan where one failed."""
        return np.array(
            [run.test_accuracy for run in self.final(dataset, optimizer, arm, schedule)]
        )

    def pairs(
        self, dataset: str, a: str, b: str, arm: str | None = None, schedule: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Test accuracies of two optimizers, run by run; nan where one failed.

        Of the seeds that both have finished; where each has seeds of its own, of as many as both.
        """
        x, y = (self.final(dataset, o, arm, schedule) for o in (a, b))
        if self.study["paired"] and [r.seed for r in x] != [r.seed for r in y]:
            common = {r.seed for r in x} & {r.seed for r in y}
            x, y = ([r for r in runs if r.seed in common] for runs in (x, y))
        both = min(len(x), len(y))
        first, second = (np.array([r.test_accuracy for r in runs[:both]]) for runs in (x, y))
        return first, second

    @property
    def missing(self) -> int:
        """How many final runs are not there yet: the study was interrupted, or still goes on."""
        cells = len(self.columns) * len(self.datasets) * len(self.optimizers)
        found = sum(min(len(runs), self.study["seeds"]) for runs in self._final_runs.values())
        return cells * self.study["seeds"] - found

    # What can be said

    def summary(self, arm: str | None = None, schedule: str | None = None) -> list[dict[str, Any]]:
        """A row per column, data set and optimizer: chosen lr, mean test accuracy and its 95 %
        interval (over the seeds), median seconds and gradient evaluations of a training, failed
        final runs and failed trials."""
        rows = []
        for column in self._columns(arm, schedule):
            for dataset in self.datasets:
                for optimizer in self.optimizers:
                    runs = self.final(dataset, optimizer, *column)
                    if runs:
                        rows.append(self._summary_row(dataset, optimizer, column, runs))
        return rows

    def _summary_row(
        self, dataset: str, optimizer: str, column: Column, runs: list[Run]
    ) -> dict[str, Any]:
        scores = np.array([run.test_accuracy for run in runs])
        fine = scores[~np.isnan(scores)]
        low, high = mean_interval(fine)
        searched = [run for trial in self.search(dataset, optimizer, *column) for run in trial]
        return {
            "dataset": dataset,
            "optimizer": optimizer,
            "arm": column[0],
            "schedule": column[1],
            "lr": runs[0].lr,
            "accuracy": float(fine.mean()) if len(fine) else float("nan"),
            "low": low,
            "high": high,
            "seconds_per_training": float(np.median([r.seconds for r in runs])),
            "gradient_evaluations": int(np.median([r.gradient_evaluations for r in runs])),
            "runs": len(runs),
            "failed": sum(r.failed for r in runs),
            "trials": len(searched),
            "failed_trials": sum(r.failed for r in searched),
        }

    def verdicts(self, arm: str | None = None, schedule: str | None = None) -> list[dict[str, Any]]:
        """For each column, data set and ordered pair: P(a beats b), its interval, and the verdict
        on a."""
        return [
            dict(row) for column in self._columns(arm, schedule) for row in self._verdicts[column]
        ]

    @cached_property
    def _verdicts(self) -> dict[Column, list[dict[str, Any]]]:
        found: dict[Column, list[dict[str, Any]]] = {column: [] for column in self.columns}
        for column, rows in found.items():
            for dataset in self.datasets:
                pairs: dict[tuple[str, str], Comparison] = {}
                for a, b in combinations(self.optimizers, 2):
                    x, y = self.pairs(dataset, a, b, *column)
                    if len(x):
                        pairs[a, b] = compare(x, y)
                        pairs[b, a] = pairs[a, b].mirrored()
                rows += [
                    {"dataset": dataset, "arm": column[0], "schedule": column[1],
                     "a": a, "b": b, **pairs[a, b]._asdict()}
                    for a, b in permutations(self.optimizers, 2) if (a, b) in pairs
                ]  # fmt: skip
        return found

    def ranking(self, arm: str | None = None, schedule: str | None = None) -> dict[str, Any]:
        """Average ranks over the data sets, Friedman's p, the critical difference, groups that
        cannot be told apart, Wilcoxon–Holm against the baseline, and the least p that this many
        data sets could give."""
        column = self._column(arm, schedule)
        if column not in self._rankings:
            self._rankings[column] = self._ranking(column)
        return deepcopy(self._rankings[column])

    def _ranking(self, column: Column) -> dict[str, Any]:
        datasets, means = self._mean_scores(column)
        found = ranks.ranking(means)
        against = []
        baseline = self.optimizers.index(self.study["baseline"])
        if len(self.optimizers) > 1 and len(datasets):
            for row in ranks.wilcoxon_holm(means, baseline):
                against.append({"optimizer": self.optimizers[row.pop("column")], **row})
        return {
            "arm": column[0],
            "schedule": column[1],
            "datasets": datasets,
            "ranks": dict(zip(self.optimizers, found.ranks.tolist(), strict=True)),
            "friedman_p": found.p,
            "critical_difference": found.critical_difference,
            "cliques": [[self.optimizers[i] for i in group] for group in found.cliques],
            "baseline": self.study["baseline"],
            "wilcoxon_holm": against,
            "smallest_p": ranks.smallest_p(len(datasets)),
        }

    def sensitivity(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> curves.Sensitivity | None:
        """Loss against learning rate; None where nothing was searched."""
        trials = self.search(dataset, optimizer, *self._column(arm, schedule))
        trials = [t for t in trials if t]
        if not trials:
            return None
        seeds = max(map(len, trials))
        losses = np.full((len(trials), seeds), np.inf)
        for row, trial in zip(losses, trials, strict=True):
            row[: len(trial)] = [np.inf if r.failed else r.validation_loss for r in trial]
        initial = float(np.mean([r.initial_loss for t in trials for r in t]))
        return curves.sensitivity(np.array([t[0].lr for t in trials]), losses, initial)

    def expected_best(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> np.ndarray:
        """Expected validation loss of the best of 1, 2, … trials, without the trials that only an
        extension of the range brought.  A failure, or what is worse than no training, counts as
        the loss before training."""
        trials = self.search(dataset, optimizer, *self._column(arm, schedule))
        first = [t for t in trials if t and t[0].extension == 0]

        def loss(run: Run) -> float:
            return run.initial_loss if run.failed else min(run.validation_loss, run.initial_loss)

        return curves.expected_best(np.array([np.mean([loss(r) for r in t]) for t in first]))

    def targets(self, arm: str | None = None, schedule: str | None = None) -> dict[str, float]:
        """Validation accuracy to reach on each data set: the median over the final runs of the
        best in the course of each, of the declared baseline; where none was declared, of the
        optimizer where that is highest."""
        return targets.targets(self, self._column(arm, schedule))

    @property
    def setting_targets(self) -> list[str]:
        """Whose runs say what is to be reached: the declared baseline's, or those of all."""
        return [self.study["baseline"]] if self.study.get("declared") else self.optimizers

    def times_to_target(
        self, arm: str | None = None, schedule: str | None = None
    ) -> list[dict[str, Any]]:
        """A row per data set and optimizer: median epochs, gradient evaluations and seconds to
        the target over the final runs (inf: most runs miss it), and the share that reach it."""
        column = self._column(arm, schedule)
        if column not in self._times:
            self._times[column] = targets.times(self, column)
        return [dict(row) for row in self._times[column]]

    def profiles(
        self, clock: str = "epochs", arm: str | None = None, schedule: str | None = None
    ) -> dict[str, Any]:
        """Performance profiles by a clock: "epochs", "gradient_evaluations" or "seconds"."""
        return targets.profiles(self, clock, self._column(arm, schedule))

    def clocks(self) -> list[dict[str, Any]]:
        """Average rank by three clocks (of the time to target), beside that of the accuracy."""
        datasets, means = self._mean_scores(self.main)
        return targets.clocks(self, means, datasets) if datasets else []

    def visible_difference(
        self, dataset: str, arm: str | None = None, schedule: str | None = None
    ) -> float:
        """Difference in accuracy that this design would show: the median over the pairs."""
        sizes = [
            smallest_visible_difference(x, y)
            for a, b in combinations(self.optimizers, 2)
            for x, y in [self.pairs(dataset, a, b, arm, schedule)]
        ]
        return float(np.nanmedian(sizes)) if np.isfinite(sizes).any() else float("nan")

    def sentence(self) -> str:
        """The verdict of the main column in one sentence."""
        return words.sentence(self)

    def limits(self) -> str:
        """What the design could not have shown, in one sentence."""
        return words.limits(self)

    # How it is handed on

    def to_frame(self) -> Any:
        """The runs as a pandas DataFrame, without their curves."""
        from .frames import to_frame

        return to_frame(self.runs)

    def to_json(self) -> dict[str, Any]:
        """Everything but the single runs, as JSON-ready values; null stands for nan."""
        return export.to_json(self)

    def write(self, folder: "str | os.PathLike[str]") -> None:
        """Write runs.csv (a row per run) and result.json there, each whole or not at all."""
        write_whole(Path(folder) / "runs.csv", export.csv_lines(self.runs))
        if any(run.stage == "final" for run in self.runs):
            write_whole(Path(folder) / "result.json", json.dumps(self.to_json(), indent=1) + "\n")

    def report(self, path: "str | os.PathLike[str]" = "report.html") -> Path:
        """Write one self-contained HTML file, and report.md and CSV tables beside it."""
        from .report import write_report

        return write_report(self, Path(path))

    # What the above share

    def _column(self, arm: str | None, schedule: str | None) -> Column:
        return arm or self.main[0], schedule or self.main[1]

    def _columns(self, arm: str | None, schedule: str | None) -> list[Column]:
        return [(a, s) for a, s in self.columns if arm in (None, a) and schedule in (None, s)]

    @cached_property
    def _final_runs(self) -> dict[tuple[str, ...], list[Run]]:
        found: dict[tuple[str, ...], list[Run]] = {}
        for run in self.runs:
            if run.stage == "final":
                cell = (run.dataset, run.optimizer, run.arm, run.schedule)
                found.setdefault(cell, []).append(run)
        for runs in found.values():
            runs.sort(key=lambda run: run.seed)
        return found

    @cached_property
    def _searches(self) -> dict[tuple[str, ...], list[list[Run]]]:
        found: dict[tuple[str, ...], dict[tuple[int, int], list[Run]]] = {}
        for run in self.runs:
            if run.stage == "tuning":
                cell = (run.dataset, run.optimizer, run.arm, run.schedule)
                trials = found.setdefault(cell, {})
                trials.setdefault((run.extension, run.trial), []).append(run)
        return {cell: [trials[k] for k in sorted(trials)] for cell, trials in found.items()}

    def _mean_scores(self, column: Column) -> tuple[list[str], np.ndarray]:
        """Data sets that all optimizers finished, and their mean test accuracies; nan: failed."""
        rows, names = [], []
        for dataset in self.datasets:
            scores = [self.scores(dataset, o, *column) for o in self.optimizers]
            if all(len(s) for s in scores):
                names.append(dataset)
                # An optimizer that fails half of its runs has no mean worth ranking.
                rows.append([np.nan if np.isnan(s).mean() > 0.5 else np.nanmean(s) for s in scores])
        return names, np.array(rows).reshape(len(rows), len(self.optimizers))


def _unique(runs: Sequence[Run]) -> list[Run]:
    """Each run once: of two of the same, the one that did not crash."""
    found: dict[tuple, Run] = {}
    for run in runs:
        if run.key not in found or found[run.key].is_crash:
            found[run.key] = run
    return sorted(
        found.values(),
        key=lambda run: (run.stage == "final", *map(str, run.key[1:5]), run.key[5:]),
    )


def seconds_of(folder: Path) -> float:
    """How long the study of a folder has taken so far, in all sessions; nan if that is unknown."""
    try:
        return float(json.loads((folder / "result.json").read_text("utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return float("nan")
