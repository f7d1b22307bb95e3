"""What the runs of a column say: accuracies, verdicts, ranks, and what a search tells of rates.

Of each cell are read only the fields that are needed: a large study has 10⁵ runs.
"""

from itertools import combinations, pairwise, permutations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import curves, ranks
from .statistics import Comparison, compare, mean_interval, smallest_visible_difference

if TYPE_CHECKING:
    from .result import Column, Result

Rows = list[dict[str, Any]]


def summary(result: "Result", column: "Column") -> Rows:
    """A row per data set and optimizer that has final runs."""
    rows = [
        _summary(result, dataset, optimizer, column)
        for dataset in result.datasets
        for optimizer in result.optimizers
    ]
    return [row for row in rows if row]


def _summary(
    result: "Result", dataset: str, optimizer: str, column: "Column"
) -> dict[str, Any] | None:
    final = result.of("final", dataset, optimizer, column)
    rates, scores, seconds, gradients, failed = final.columns(
        "lr", "test_accuracy", "seconds", "gradient_evaluations", "failed"
    )
    if not len(rates):
        return None
    fine = scores[~np.isnan(scores)]
    low, high = mean_interval(fine)
    search = result.of("tuning", dataset, optimizer, column)
    return {
        "dataset": dataset,
        "optimizer": optimizer,
        "arm": column[0],
        "schedule": column[1],
        "lr": float(rates[0]),
        "accuracy": float(fine.mean()) if len(fine) else float("nan"),
        "low": low,
        "high": high,
        "seconds_per_training": float(np.median(seconds)),
        "gradient_evaluations": int(np.median(gradients)),
        "runs": len(rates),
        "failed": int(failed.sum()),
        "trials": len(search),
        "failed_trials": len(search.where(failed=True)),
    }


def comparisons(result: "Result", column: "Column") -> dict[str, dict[tuple[str, str], Comparison]]:
    """Of each data set: the pairs that have runs in common, the one named first in front."""
    found: dict[str, dict[tuple[str, str], Comparison]] = {}
    for dataset in result.datasets:
        pairs = found[dataset] = {}
        for a, b in combinations(result.optimizers, 2):
            x, y = result.pairs(dataset, a, b, *column)
            if len(x):
                pairs[a, b] = compare(x, y)
    return found


def verdicts(result: "Result", column: "Column") -> Rows:
    """A row per data set and ordered pair that has runs in common."""
    rows: Rows = []
    for dataset, pairs in result.once(comparisons, column).items():
        both = pairs | {(b, a): found.mirrored() for (a, b), found in pairs.items()}
        rows += [
            {"dataset": dataset, "arm": column[0], "schedule": column[1],
             "a": a, "b": b, **both[a, b]._asdict()}
            for a, b in permutations(result.optimizers, 2) if (a, b) in both
        ]  # fmt: skip
    return rows


def ranking(result: "Result", column: "Column") -> dict[str, Any]:
    """Average ranks over the data sets and what is significant about them."""
    datasets, means = mean_scores(result, column)
    found = ranks.ranking(means)
    against = []
    names, baseline = result.optimizers, result.study["baseline"]
    if len(names) > 1 and len(datasets):
        for row in ranks.wilcoxon_holm(means, names.index(baseline)):
            against.append({"optimizer": names[row.pop("column")], **row})
    return {
        "arm": column[0],
        "schedule": column[1],
        "datasets": datasets,
        "ranks": dict(zip(names, found.ranks.tolist(), strict=True)),
        "friedman_p": found.p,
        "critical_difference": found.critical_difference,
        "cliques": [[names[i] for i in group] for group in found.cliques],
        "baseline": baseline,
        "wilcoxon_holm": against,
        "smallest_p": ranks.smallest_p(len(datasets)),
    }


def mean_scores(result: "Result", column: "Column") -> tuple[list[str], np.ndarray]:
    """Data sets that all optimizers finished, and their mean test accuracies; nan: failed."""
    rows, names = [], []
    for dataset in result.datasets:
        scores = [result.scores(dataset, o, *column) for o in result.optimizers]
        if all(len(s) for s in scores):
            names.append(dataset)
            # An optimizer that fails half of its runs has no mean worth ranking.
            rows.append([np.nan if np.isnan(s).mean() > 0.5 else np.nanmean(s) for s in scores])
    return names, np.array(rows).reshape(len(rows), len(result.optimizers))


def visible_difference(result: "Result", dataset: str, column: "Column") -> float:
    """Difference in accuracy that this design would show: the median over the pairs."""
    sizes = [
        smallest_visible_difference(*result.pairs(dataset, a, b, *column))
        for a, b in combinations(result.optimizers, 2)
    ]
    return float(np.nanmedian(sizes)) if np.isfinite(sizes).any() else float("nan")


def sensitivity(
    result: "Result", dataset: str, optimizer: str, column: "Column"
) -> curves.Sensitivity | None:
    """Loss against learning rate; None where nothing was searched."""
    trials = _trials(result, dataset, optimizer, column)
    if not trials:
        return None
    losses = np.full((len(trials), max(len(t.loss) for t in trials)), np.inf)
    for row, trial in zip(losses, trials, strict=True):
        row[: len(trial.loss)] = np.where(trial.failed, np.inf, trial.loss)
    initial = float(np.mean(np.concatenate([t.initial for t in trials])))
    return curves.sensitivity(np.array([t.rate for t in trials]), losses, initial)


def expected_best(result: "Result", dataset: str, optimizer: str, column: "Column") -> np.ndarray:
    """Expected validation loss of the best of 1, 2, … trials of the first range."""
    means = []
    for trial in _trials(result, dataset, optimizer, column):
        if trial.extension == 0:
            useless = (trial.failed == 1) | (trial.initial < trial.loss)
            means.append(np.mean(np.where(useless, trial.initial, trial.loss)))
    return curves.expected_best(np.array(means))


class _Trial(NamedTuple):
    """Of a search: its range and rate, and a number for each seed."""

    extension: int
    rate: float
    failed: np.ndarray
    loss: np.ndarray
    initial: np.ndarray


def _trials(result: "Result", dataset: str, optimizer: str, column: "Column") -> list[_Trial]:
    search = result.of("tuning", dataset, optimizer, column)
    extensions, numbers, rates, *measured = search.columns(
        "extension", "trial", "lr", "failed", "validation_loss", "initial_loss"
    )
    begins = np.flatnonzero((np.diff(extensions) != 0) | (np.diff(numbers) != 0)) + 1
    starts = [0, *begins.tolist()][: len(rates)]
    return [
        _Trial(int(extensions[i]), float(rates[i]), *(values[i:j] for values in measured))
        for i, j in pairwise([*starts, len(rates)])
    ]
