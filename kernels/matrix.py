"""Optimizers that work on whole matrices: ``@matrix_rule``, the second and rarer kind of rule.

Such a rule is one NumPy function for a weight matrix and one for a bias vector:

    step(W, g, state, t, h)            ->  direction, of the shape of W

``state`` is a dict that belongs to W and is empty at t = 1, ``h`` has the hyperparameters and
``rate``, that of the step.  As with element rules the framework subtracts
``rate * (direction + decay * W)``.  Weight matrices are (inputs, outputs); torch's are transposed.
Products are BLAS's: results are those of the machine, to rounding.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from .interval import Interval, range_of
from .rule import year_of


@dataclass(frozen=True, eq=False)
class MatrixRule:
    """A rule with a function for matrices and one for vectors.

    ``state`` says for readers what is kept of a weight matrix (inputs, outputs): name -> shape.
    """

    name: str
    title: str
    defaults: Mapping[str, Any]
    of_matrix: Callable
    of_vector: Callable
    rates: tuple[float, float]
    paper: str
    doc: str
    ranges: Mapping[str, Interval]
    elsewhere: Mapping[str, str]
    defaults_from: str
    state: Mapping[str, str]
    family: str = "matrix"

    @property
    def year(self) -> int | None:
        """Year of the first publication that ``paper`` cites."""
        return year_of(self.paper)

    def range_of(self, name: str) -> Interval:
        """What the hyperparameter ``name`` may be."""
        return range_of(name, self.ranges)

    def __reduce__(self) -> tuple:
        return get, (self.name,)


_registry: dict[str, MatrixRule] = {}


def matrix_rule(
    name: str,
    *,
    title: str,
    lr: float,
    of_vector: Callable,
    rates: tuple[float, float] = (1e-5, 1.0),
    paper: str = "",
    ranges: Mapping[str, str] | None = None,
    elsewhere: Mapping[str, str] | None = None,
    defaults_from: str = "",
    state: Mapping[str, str] | None = None,
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = True,
    **hyperparameters: Any,
) -> Callable[[Callable], MatrixRule]:
    """Register a rule whose decorated function is for matrices, ``of_vector`` for biases."""
    defaults = {
        "lr": lr,
        **hyperparameters,
        "weight_decay": weight_decay,
        "decoupled_weight_decay": decoupled_weight_decay,
        "decay_biases": True,
    }

    def register(function: Callable) -> MatrixRule:
        doc = inspect.getdoc(function) or ""
        made = MatrixRule(
            name, title, defaults, function, of_vector, rates, paper, doc,
            {n: Interval(text) for n, text in (ranges or {}).items()}, dict(elsewhere or {}),
            defaults_from, dict(state or {}),
        )  # fmt: skip
        _registry[name] = made
        return made

    return register


def get(name: str) -> MatrixRule:
    """The rule registered under ``name``; a ValueError names the nearest one otherwise."""
    key = str(name).lower()
    if key not in _registry:
        near = get_close_matches(key, _registry, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"optimizer: unknown {name!r}{hint} Accepted: {', '.join(names())}")
    return _registry[key]


def names() -> list[str]:
    return list(_registry)


def moments(g: np.ndarray, state: dict, t: int, beta1: float, beta2: float) -> tuple:
    """Adam's two averages of g, corrected for starting at zero: what many rules begin with."""
    T = g.dtype.type
    m = state["m"] = T(beta1) * state.get("m", 0 * g) + T(1 - beta1) * g
    v = state["v"] = T(beta2) * state.get("v", 0 * g) + T(1 - beta2) * (g * g)
    return m / T(1 - beta1**t), v / T(1 - beta2**t)


def adam_direction(p: np.ndarray, g: np.ndarray, state: dict, t: int, h: Any) -> np.ndarray:
    """AdamW's, for what has no columns and rows: of ``h`` beta1, beta2 and eps."""
    m, v = moments(g, state, t, h.beta1, h.beta2)
    return m / (np.sqrt(v) + g.dtype.type(h.eps))


def inverse_root(A: np.ndarray, power: float, eps: float = 0.0) -> np.ndarray:
    """A^(-1/power) of a symmetric positive semidefinite matrix, eigenvalues at least ``eps``."""
    values, Q = np.linalg.eigh(A)
    return (Q * np.maximum(values, eps) ** (-1.0 / power)) @ Q.T
