"""What a study found: its runs, the summary of each cell, the verdicts and a sentence."""

import csv
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from .statistics import compare, mean_interval, smallest_visible_difference


@dataclass(frozen=True)
class Run:
    """One training.  Losses and accuracies are of the final weights; a failed run has none."""

    stage: str
    dataset: str
    optimizer: str
    lr: float
    seed: int
    validation_loss: float
    test_accuracy: float
    seconds: float
    failed: bool


class Result:
    """The runs of a study and what they say; ``study`` describes it, ``seconds`` is its length."""

    def __init__(
        self,
        study: Mapping[str, Any],
        runs: Sequence[Run],
        chosen: Mapping[tuple[str, str], float],
        seconds: float,
    ) -> None:
        self.study, self.runs, self.chosen, self.seconds = study, list(runs), chosen, seconds

    @property
    def trainings(self) -> int:
        return len(self.runs)

    def scores(self, dataset: str, optimizer: str) -> np.ndarray:
        """Test accuracies of the final runs in the order of their seeds; nan where one failed."""
        return np.array([r.test_accuracy for r in self._final(dataset, optimizer)])

    def summary(self) -> list[dict[str, Any]]:
        """A row per data set and optimizer: chosen lr, mean test accuracy and its 95 % interval
        (over the seeds), median seconds of a training, failed final runs."""
        rows = []
        for dataset in self.study["datasets"]:
            for optimizer in self.study["optimizers"]:
                runs = self._final(dataset, optimizer)
                if not runs:
                    continue
                scores = self.scores(dataset, optimizer)
                fine = scores[~np.isnan(scores)]
                low, high = mean_interval(fine)
                rows.append(
                    {
                        "dataset": dataset,
                        "optimizer": optimizer,
                        "lr": runs[0].lr,
                        "accuracy": float(fine.mean()) if len(fine) else float("nan"),
                        "low": low,
                        "high": high,
                        "seconds_per_training": float(np.median([r.seconds for r in runs])),
                        "runs": len(runs),
                        "failed": sum(r.failed for r in runs),
                    }
                )
        return rows

    def verdicts(self) -> list[dict[str, Any]]:
        """For each data set and ordered pair: P(a beats b), its interval, and the verdict on a."""
        return [
            {
                "dataset": dataset,
                "a": a,
                "b": b,
                **compare(self.scores(dataset, a), self.scores(dataset, b))._asdict(),
            }
            for dataset in self.study["datasets"]
            for a, b in permutations(self.study["optimizers"], 2)
            if self._final(dataset, a) and self._final(dataset, b)
        ]

    def visible_difference(self, dataset: str) -> float:
        """Difference in accuracy that this design would show: the median over the pairs."""
        pairs = permutations(self.study["optimizers"], 2)
        sizes = [
            smallest_visible_difference(self.scores(dataset, a), self.scores(dataset, b))
            for a, b in pairs
        ]
        return float(np.nanmedian(sizes)) if np.isfinite(sizes).any() else float("nan")

    def sentence(self) -> str:
        """The verdict in one sentence."""
        verdicts = self.verdicts()
        said: dict[str, list[str]] = {}
        for dataset in self.study["datasets"]:
            behind = {
                v["a"] for v in verdicts if v["dataset"] == dataset and v["verdict"] == "worse"
            }
            said.setdefault(_say_groups(list(self.study["optimizers"]), behind), []).append(dataset)
        tuned = (
            f"the learning rate tuned by {self.study['trials']} trials for each"
            if self.study["trials"]
            else "each at its own learning rate"
        )
        found = "; ".join(f"on {_join(names)} {what}" for what, names in said.items())
        return f"With {self.study['seeds']} paired seeds and {tuned}: {found}."

    def limits(self) -> str:
        """What the design could not have shown, in one sentence."""
        sizes = _join(
            [
                f"{100 * self.visible_difference(dataset):.1f} points on {dataset}"
                for dataset in self.study["datasets"]
            ]
        )
        return f"Not shown by this design, if there: differences in accuracy below {sizes}."

    def to_json(self) -> dict[str, Any]:
        """Everything but the single runs, as JSON-ready values; null stands for nan."""
        return _without_nan(
            {
                "sentence": self.sentence(),
                "limits": self.limits(),
                "summary": self.summary(),
                "verdicts": self.verdicts(),
                "study": dict(self.study),
                "trainings": self.trainings,
                "seconds": self.seconds,
                "environment": {
                    "minitrain": version("minitrain"),
                    "numba": version("numba"),
                    "numpy": version("numpy"),
                    "python": platform.python_version(),
                    "machine": platform.machine(),
                    "system": platform.system(),
                    "cores": os.cpu_count(),
                },
            }
        )

    def write(self, folder: Path) -> None:
        """Write runs.csv (every run) and result.json into the folder, each whole or not at all."""
        names = [f.name for f in fields(Run)]
        with _replacing(folder / "runs.csv") as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(asdict(run) for run in self.runs)
        with _replacing(folder / "result.json") as path:
            path.write_text(json.dumps(self.to_json(), indent=1) + "\n")

    def _final(self, dataset: str, optimizer: str) -> list[Run]:
        return [
            run
            for run in self.runs
            if (run.stage, run.dataset, run.optimizer) == ("final", dataset, optimizer)
        ]


class _replacing:
    """Write to a temporary path in the same folder; it takes the name when all went well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}")

    def __enter__(self) -> Path:
        return self._temporary

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            os.replace(self._temporary, self._path)
        else:
            self._temporary.unlink(missing_ok=True)


def _say_groups(optimizers: Sequence[str], behind: set[str]) -> str:
    """Who falls behind some other, and who does not, in words."""
    ahead = [o for o in optimizers if o not in behind]
    worse = [o for o in optimizers if o in behind]
    if not worse:
        return "no optimizer can be told from another"
    if not ahead:
        return "every optimizer loses to some other, so there is no order"
    falls = f"{_join(worse)} {'falls' if len(worse) == 1 else 'fall'} behind"
    if len(ahead) == 1:
        return f"{falls} {ahead[0]}"
    return f"{falls}, while {_join(ahead)} cannot be told apart"


def _join(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _without_nan(value: Any) -> Any:
    """JSON has no nan and no infinity: null takes their place."""
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
