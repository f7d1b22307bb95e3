"""The registered optimizers by name: ``optimizers.Adam(lr=1e-3)``, ``optimizers.get("adam")``."""

from difflib import get_close_matches
from typing import Any

from .kernels import matrix as _matrix
from .kernels import rule as _rule
from .lbfgs import LBFGS
from .matrix_optimizer import MatrixOptimizer
from .optimizer import Optimizer

__all__ = ["LBFGS", "get", "matrix_names", "names", "rule"]

rule = _rule.rule


def names() -> list[str]:
    """Names of all fused optimizers."""
    return _rule.names()


def matrix_names() -> list[str]:
    """Names of those that work on whole matrices, or on the whole training set, in NumPy."""
    return [*_matrix.names(), "lbfgs"]


def get(
    optimizer: "str | _rule.Rule | _matrix.MatrixRule | Optimizer", **hyperparameters: Any
) -> Optimizer:
    """An optimizer from its name, its rule, or an optimizer (whose values may be replaced)."""
    if isinstance(optimizer, Optimizer):
        return optimizer.replace(**hyperparameters) if hyperparameters else optimizer
    if isinstance(optimizer, _matrix.MatrixRule):
        return MatrixOptimizer(optimizer, **hyperparameters)
    if str(optimizer).lower() in _matrix.names():
        return MatrixOptimizer(str(optimizer).lower(), **hyperparameters)
    if str(optimizer).lower() == "lbfgs":
        return LBFGS(**hyperparameters)
    if not isinstance(optimizer, (str, _rule.Rule)):
        raise TypeError(
            f"optimizer: {optimizer!r}; accepted: a name such as 'adam', a rule, or an optimizer"
        )
    return Optimizer(optimizer, **hyperparameters)


def __getattr__(title: str) -> Any:
    for name in _matrix.names():
        if _matrix.get(name).title == title:
            return _constructor(_matrix.get(name), MatrixOptimizer)
    for name in names():
        rule = _rule.get(name)
        if rule.title == title:
            return _constructor(rule, Optimizer)
    titles = {name.lower(): name for name in __dir__()}
    near = get_close_matches(title.lower(), titles, n=1)
    hint = f" (did you mean {titles[near[0]]}?)" if near else ""
    raise AttributeError(f"optimizers: no {title!r}{hint}; there are {', '.join(__dir__())}")


def __dir__() -> list[str]:
    matrices = (_matrix.get(name).title for name in _matrix.names())
    return [*__all__, *(_rule.get(name).title for name in names()), *matrices]


def _constructor(rule: Any, kind: type[Optimizer]) -> Any:
    def make(**hyperparameters: Any) -> Optimizer:
        return kind(rule, **hyperparameters)

    defaults = ", ".join(f"{name}={value!r}" for name, value in rule.defaults.items())
    make.__name__ = make.__qualname__ = rule.title
    make.__doc__ = f"{rule.title}({defaults})\n\n{rule.doc}\n\n{rule.paper}"
    return make
