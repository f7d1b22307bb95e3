"""The command that runs a study again: from its description, not from what happened to be typed."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import optimizers as _optimizers
from ..schedule import Schedule
from .plan import PRESETS, TRIALS, given
from .training import Source

if TYPE_CHECKING:
    from .study import Study

_RESUME = "minitrain compare --resume FOLDER  # FOLDER: new, with this study's study.json and data/"


def command(study: "Study") -> str:
    """A ``minitrain compare`` with all that differs from its defaults.

    What cannot be typed (hyperparameters of one's own, files as they were then, measured paces) is
    in the study's folder; a rule or a schedule that is a function, in the script that made it.
    """
    if not _is_portable(study):
        script = Path(sys.argv[0]).name if sys.argv else ""
        if script.endswith(".py"):
            return shlex.join(["python", script, *sys.argv[1:]])
        return "study.run()  # in Python: the rule or schedule is a function of one's own"
    if not _is_typable(study):
        return _RESUME
    preset, budget = PRESETS[study.preset], study.budget
    own_trials = {n for arm, n in study.trials.items() if n != TRIALS[arm]}
    options = {
        "arms": (study.arms, preset.arms),
        "schedules": (tuple(study.schedules), preset.schedules),
        "seeds": (study.seeds, 30),
        "trials": (next(iter(own_trials), None), None),
        budget.unit: (budget.amount, preset.epochs if budget.unit == "epochs" else None),
        "batch_size": (study.batch_size, 32),
        "layers": (study.layers or "none", (64, 64)),
        "baseline": (study.baseline if study.declared else None, None),
        "seed": (study.seed, 0),
    }
    words = ["minitrain", "compare", *study.datasets, f"--{study.preset}"]
    words += ["--optimizers", ",".join(study.optimizers)]
    for name, (value, default) in options.items():
        if value != default:
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [f"--{name.replace('_', '-')}", text]
    return shlex.join([*words, *([] if study.paired else ["--unpaired"])])


def _is_portable(study: "Study") -> bool:
    """Whether study.json and data/ say everything."""
    return all(_is_ours(o.rule) for o in study.optimizers.values()) and all(
        isinstance(s, (str, Schedule)) for s in study.schedules.values()
    )


def _is_ours(rule: Any) -> bool:
    """Whether every minitrain has this rule, rather than the script that made the study."""
    updates = [v.update for v in getattr(rule, "variants", {}).values()] or [rule.of_matrix]
    return (
        all(str(u.__module__).startswith("minitrain.kernels.") for u in updates)
        and _optimizers.get(rule.name).rule is rule
    )


def _is_typable(study: "Study") -> bool:
    """Whether options of ``minitrain compare`` say everything."""
    return (
        len(study.optimizers) > 1
        and study.budget.unit != "seconds"  # the paces that were measured then are in study.json
        and all(Source.of(data).data is None for data in study.datasets.values())
        and all(
            label == o.rule.name and given(o) == given(_optimizers.get(label))
            for label, o in study.optimizers.items()
        )
        and all(label == value for label, value in study.schedules.items())
    )
