"""What a study is asked for, in the forms that it may have: read, and checked."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import datasets as _datasets
from .. import optimizers as _optimizers
from ..inputs import check_choice, check_count
from ..optimizer import Optimizer
from .plan import ARMS, Budget


def read_datasets(given: Any) -> dict[str, Any]:
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


def read_optimizers(given: Any) -> dict[str, Optimizer]:
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


def read_arms(given: Sequence[str] | str) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        check_choice("arms", name, ARMS)
    if not names:
        raise ValueError(f"arms: none; accepted: any of {', '.join(ARMS)}")
    return tuple(arm for arm in ARMS if arm in names)


def read_budget(
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
