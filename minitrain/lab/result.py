"""What a study found: its runs, and everything that can be said of them."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import numpy as np

from . import curves, export, findings, targets, words
from .folder import StudyFolderError, read_description
from .records import Run, Store
from .runs import Runs, Selection
from .whole import write_whole

Column = tuple[str, str]


class Result:
    """The runs of a study and what they say; ``study`` describes it, ``seconds`` is its length,
    of all sessions together.

    ``runs`` are a sequence in the order of their keys, of a search without curves, and stay in a
    temporary file until they are asked for.

    A study has a column for each arm and schedule: who tunes what, under which schedule.  Methods
    take ``arm`` and ``schedule``; None means all columns where rows can say theirs, and else the
    main one: the arm that tunes most, under the first schedule.
    """

    def __init__(
        self, study: Mapping[str, Any], runs: Iterable[Run], seconds: float,
        environment: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.study, self.seconds = dict(study), seconds
        self.runs = runs if isinstance(runs, Runs) else Runs(runs)
        self.environment = dict(environment)
        self.damaged: list[str] = []
        self._found: dict[tuple[Callable[..., Any], Column], Any] = {}

    @classmethod
    def load(cls, path: "str | os.PathLike[str]") -> "Result":
        """From a study's folder alone, also of a study that is not finished.

        Raises StudyFolderError where there is none, or nothing in it yet.
        """
        folder = Path(path)
        description = read_description(folder)
        store, runs = Store(folder, description["fingerprint"]), Runs()
        for run in chain.from_iterable(store.new(set_aside=False)):
            runs.add(run)
        if not runs:
            if store.damaged:
                many = f" and {len(store.damaged) - 1} more" * (len(store.damaged) > 1)
                raise StudyFolderError(f"{store.damaged[0]}{many}; no other runs are there")
            raise StudyFolderError(f"{folder}: no run is finished there yet")
        found = cls(description, runs, seconds_of(folder), description["environment"])
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
        final = self.runs.where(stage="final")
        return {
            row[:4]: row[4] for row in final.values("dataset", "optimizer", "arm", "schedule", "lr")
        }

    @property
    def failures(self) -> Selection:
        return self.runs.where(failed=True)

    def of(self, stage: str, dataset: str, optimizer: str, column: Column) -> Selection:
        """The runs of a stage in a cell, of the final ones in the order of their seeds."""
        arm, schedule = column
        return self.runs.where(
            stage=stage, dataset=dataset, optimizer=optimizer, arm=arm, schedule=schedule
        )

    def final(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> list[Run]:
        """The final runs of a cell in the order of their seeds."""
        return list(self.of("final", dataset, optimizer, self._column(arm, schedule)))

    def search(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> list[list[Run]]:
        """The runs of each trial of a cell's search, with all extensions."""
        runs = self.of("tuning", dataset, optimizer, self._column(arm, schedule))
        return [list(trial) for _, trial in groupby(runs, lambda run: (run.extension, run.trial))]

    def scores(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> np.ndarray:
        """Test accuracies of the final runs in the order of their seeds; nan where one failed."""
        return self._scored(dataset, optimizer, self._column(arm, schedule))[1].copy()

    def pairs(
        self, dataset: str, a: str, b: str, arm: str | None = None, schedule: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Test accuracies of two optimizers, run by run; nan where one failed.

        Of the seeds that both have finished; where each has seeds of its own, of as many as both.
        """
        column = self._column(arm, schedule)
        (s, x), (t, y) = (self._scored(dataset, o, column) for o in (a, b))
        if self.study["paired"] and not np.array_equal(s, t):
            x, y = x[np.isin(s, t)], y[np.isin(t, s)]
        both = min(len(x), len(y))
        return x[:both].copy(), y[:both].copy()

    @property
    def missing(self) -> int:
        """How many final runs are not there yet: the study was interrupted, or still goes on."""
        found = [
            len(self._scored(dataset, optimizer, column)[0])
            for column in self.columns
            for dataset in self.datasets
            for optimizer in self.optimizers
        ]
        return sum(max(self.study["seeds"] - n, 0) for n in found)

    # What can be said

    def summary(self, arm: str | None = None, schedule: str | None = None) -> list[dict[str, Any]]:
        """A row per column, data set and optimizer: chosen lr, mean test accuracy and its 95 %
        interval (over the seeds), median seconds and gradient evaluations of a training, failed
        final runs and failed trials."""
        columns = self._columns(arm, schedule)
        return [dict(row) for column in columns for row in self.once(findings.summary, column)]

    def verdicts(self, arm: str | None = None, schedule: str | None = None) -> list[dict[str, Any]]:
        """For each column, data set and ordered pair: P(a beats b), its interval, and the verdict
        on a."""
        columns = self._columns(arm, schedule)
        return [row for column in columns for row in findings.verdicts(self, column)]

    def ranking(self, arm: str | None = None, schedule: str | None = None) -> dict[str, Any]:
        """Average ranks over the data sets, Friedman's p, the critical difference, groups that
        cannot be told apart, Wilcoxon–Holm against the baseline, and the least p that this many
        data sets could give."""
        return deepcopy(self.once(findings.ranking, self._column(arm, schedule)))

    def sensitivity(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> curves.Sensitivity | None:
        """Loss against learning rate; None where nothing was searched."""
        return findings.sensitivity(self, dataset, optimizer, self._column(arm, schedule))

    def expected_best(
        self, dataset: str, optimizer: str, arm: str | None = None, schedule: str | None = None
    ) -> np.ndarray:
        """Expected validation loss of the best of 1, 2, … trials, without the trials that only an
        extension of the range brought.  A failure, or what is worse than no training, counts as
        the loss before training."""
        return findings.expected_best(self, dataset, optimizer, self._column(arm, schedule))

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
        return [dict(row) for row in self.once(targets.times, self._column(arm, schedule))]

    def profiles(
        self, clock: str = "epochs", arm: str | None = None, schedule: str | None = None
    ) -> dict[str, Any]:
        """Performance profiles by a clock: "epochs", "gradient_evaluations" or "seconds"."""
        return targets.profiles(self, clock, self._column(arm, schedule))

    def clocks(self) -> list[dict[str, Any]]:
        """Average rank by three clocks (of the time to target), beside that of the accuracy."""
        datasets, means = findings.mean_scores(self, self.main)
        return targets.clocks(self, means, datasets) if datasets else []

    def visible_difference(
        self, dataset: str, arm: str | None = None, schedule: str | None = None
    ) -> float:
        """Difference in accuracy that this design would show: the median over the pairs."""
        return findings.visible_difference(self, dataset, self._column(arm, schedule))

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
        if self.runs.where(stage="final"):
            text = json.JSONEncoder(indent=1).iterencode(self.to_json())
            write_whole(Path(folder) / "result.json", chain(text, "\n"))

    def report(self, path: "str | os.PathLike[str]" = "report.html") -> Path:
        """Write one self-contained HTML file, and report.md and CSV tables beside it."""
        from .report import write_report

        return write_report(self, Path(path))

    # What the above share

    def _column(self, arm: str | None, schedule: str | None) -> Column:
        return arm or self.main[0], schedule or self.main[1]

    def _columns(self, arm: str | None, schedule: str | None) -> list[Column]:
        return [(a, s) for a, s in self.columns if arm in (None, a) and schedule in (None, s)]

    def _scored(
        self, dataset: str, optimizer: str, column: Column
    ) -> tuple[np.ndarray, np.ndarray]:
        """Seeds and test accuracies of the final runs: what is compared all the time, and small."""
        return self.once(_scores, column).get((dataset, optimizer), (np.empty(0), np.empty(0)))

    def once(self, find: Callable[["Result", Column], Any], column: Column) -> Any:
        """What ``find`` finds for a column: what takes long and is asked for often is kept."""
        if (find, column) not in self._found:
            self._found[find, column] = find(self, column)
        return self._found[find, column]


def _scores(result: Result, column: Column) -> dict[tuple[str, str], tuple[np.ndarray, ...]]:
    return {
        (dataset, optimizer): tuple(
            result.of("final", dataset, optimizer, column).columns("seed", "test_accuracy")
        )
        for dataset in result.datasets
        for optimizer in result.optimizers
    }


def seconds_of(folder: Path) -> float:
    """How long the study of a folder has taken so far, in all sessions; nan if that is unknown."""
    try:
        return float(json.loads((folder / "result.json").read_text("utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return float("nan")
