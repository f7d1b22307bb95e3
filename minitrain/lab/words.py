"""Findings in words that a person understands."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.checks import counted

if TYPE_CHECKING:
    from .result import Result

_MOST_NAMES = 4  # of a group, in the sentence
_NOTHING = "nothing can be compared yet"

TUNED = {
    "defaults": "each as published, untuned",
    "learning_rate": "the learning rate tuned by {trials} trials for each",
    "everything": "all hyperparameters tuned by {trials} trials for each",
}


def sentence(result: "Result") -> str:
    """Who falls behind whom on which data sets, in the main column.

    Of an unfinished study it is said first that it is one; data sets of which no two optimizers
    have a seed in common are named.
    """
    arm, _ = result.main
    verdicts = result.verdicts(*result.main)
    said: dict[str, list[str]] = {}
    for dataset in result.datasets:
        compared = {v["a"] for v in verdicts if v["dataset"] == dataset}
        if compared != set(result.optimizers):
            what = "not all optimizers can be compared yet" if compared else _NOTHING
            said.setdefault(what, []).append(dataset)
            continue
        behind = {v["a"] for v in verdicts if v["dataset"] == dataset and v["verdict"] == "worse"}
        said.setdefault(_groups(result.optimizers, behind), []).append(dataset)
    if set(said) <= {_NOTHING}:
        return (
            "Nothing can be compared yet: no data set has final runs of two optimizers "
            f"{'with the same seed' if result.study['paired'] else ''}".rstrip()
            + "."
        )
    paired = "paired" if result.study["paired"] else "independent"
    tuned = TUNED[arm].format(trials=result.study["trials"][arm])
    found = "; ".join(f"on {where} {what}" for what, where in _places(said, len(result.datasets)))
    start = f"With {result.study['seeds']} {paired} seeds"
    if result.missing:
        start = f"Unfinished, {result.missing} final trainings are missing: with up to {start[5:]}"
    return f"{start} and {tuned}: {found}."


def limits(result: "Result") -> str:
    """What the design could not have shown."""
    found = [(result.visible_difference(dataset), dataset) for dataset in result.datasets]
    found = [(size, dataset) for size, dataset in found if np.isfinite(size)]
    sizes = [f"{100 * size:.1f} points on {dataset}" for size, dataset in found]
    parts = []
    if len(sizes) > _MOST_NAMES:
        (least, easiest), (most, hardest) = min(found), max(found)
        parts.append(
            f"differences in accuracy below {100 * least:.1f} ({easiest}) to {100 * most:.1f} "
            f"points ({hardest}), depending on the data set"
        )
    elif sizes:
        parts.append(f"differences in accuracy below {join(sizes)}")
    ranking = result.ranking()
    n = len(ranking["datasets"])
    if n and ranking["smallest_p"] > 0.05 and len(result.optimizers) > 1:
        parts.append(
            "any order over all data sets by a signed-rank test "
            f"({counted(n, 'data set')} cannot give a p below {ranking['smallest_p']:.3g})"
        )
    if result.study["seeds"] < 29:
        parts.append(
            f"reliably, that one wins three times in four (29 seeds see that, {_seeds(result)})"
        )
    if not parts:
        return "Nothing was measured from which the limits of this design could be told."
    return f"Not shown by this design, if there: {'; '.join(parts)}."


def _places(said: dict[str, list[str]], count: int) -> list[tuple[str, str]]:
    """(what, where) for each finding; of many data sets the largest group is "the others"."""
    if len(said) == 1 and count > _MOST_NAMES:
        return [(what, f"all {count} data sets") for what in said]
    largest = max(said, key=lambda what: len(said[what]))
    if len(said[largest]) <= _MOST_NAMES:
        return [(what, join(names)) for what, names in said.items()]
    others = [(what, join(names)) for what, names in said.items() if what != largest]
    return [*others, (largest, f"the other {len(said[largest])} data sets")]


def join(names: Sequence[str]) -> str:
    """'a, b and c'."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _seeds(result: "Result") -> str:
    return f"there are {result.study['seeds']}"


def _groups(optimizers: Sequence[str], behind: set[str]) -> str:
    """Who falls behind some other, and who does not, in words."""
    ahead = [o for o in optimizers if o not in behind]
    worse = [o for o in optimizers if o in behind]
    if not worse:
        return "no optimizer can be told from another"
    if not ahead:
        return "every optimizer loses to some other, so there is no order"
    if len(worse) > _MOST_NAMES:
        return f"{len(worse)} of {len(optimizers)} fall behind, the rest being {join(ahead)}"
    falls = f"{join(worse)} {'falls' if len(worse) == 1 else 'fall'} behind"
    if len(ahead) == 1:
        return f"{falls} {ahead[0]}"
    if len(ahead) > _MOST_NAMES:
        return f"{falls}, while the other {len(ahead)} cannot be told apart"
    return f"{falls}, while {join(ahead)} cannot be told apart"
