"""Hyperparameters of an optimizer: defaults overlaid with what was given, every value checked."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from . import modifiers
from .kernels.matrix import MatrixRule
from .kernels.rule import Rule

# What other libraries call it, where the spelling is no help.
_ELSEWHERE = {
    "learning_rate": ("lr",),
    "wd": ("weight_decay",),
    "decay": ("weight_decay",),
    "b1": ("beta1",),
    "b2": ("beta2",),
    "rho": ("alpha", "beta2"),
    "alpha": ("rho",),
    "mu": ("momentum",),
}


def complete(rule: Rule | MatrixRule, given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults overlaid with what was given, every value checked."""
    given = dict(given)
    for name in [name for name in given if name not in rule.defaults]:
        members = _members(rule, name)
        if members:
            given |= _unpack(rule.name, name, given.pop(name), members)
    for name in given:
        if name not in rule.defaults:
            near = get_close_matches(name, [*rule.defaults, *modifiers.NAMES], n=1)
            near = [n for n in _ELSEWHERE.get(name, ()) if n in rule.defaults] or near
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(
                f"{rule.name}: unknown hyperparameter {name!r}{hint} "
                f"Accepted: {', '.join(rule.defaults)}, and the modifiers of every optimizer: "
                f"{', '.join(modifiers.NAMES)}"
            )
    return {
        name: check_value(rule, name, given.get(name, default), default)
        for name, default in rule.defaults.items()
    }


def _members(rule: Rule | MatrixRule, name: str) -> list[str]:
    """The hyperparameters that a plural stands for: betas for beta1 and beta2."""
    members = [n for n in rule.defaults if re.fullmatch(rf"{re.escape(name[:-1])}(\d|_[a-z]+)", n)]
    return members if name.endswith("s") and len(members) > 1 else []


def _unpack(rule: str, name: str, values: Any, members: list[str]) -> dict[str, Any]:
    if not isinstance(values, Sequence) or len(values) != len(members):
        kind = "a pair" if len(members) == 2 else f"{len(members)} numbers"
        raise ValueError(f"{rule}: {name}: {values!r}; accepted: {kind} ({', '.join(members)})")
    return dict(zip(members, values, strict=True))


def check_value(rule: Rule | MatrixRule, name: str, value: Any, default: Any) -> Any:
    """``value`` as a float or, where the default is one, a bool; a ValueError says what may be."""
    if isinstance(default, bool):
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{rule.name}: {name}: {value!r}; accepted: True or False")
        return bool(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{rule.name}: {name}: {value!r} is not a number") from None
    accepted = rule.range_of(name)
    if number not in accepted:
        raise ValueError(f"{rule.name}: {name}: {value!r} is out of range; accepted: {accepted}")
    return number
