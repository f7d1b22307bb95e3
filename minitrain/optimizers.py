"""The registered optimizers by name: ``optimizers.Adam(lr=1e-3)``, ``optimizers.get("adam")``."""

from typing import Any

from .kernels import rule as _rule
from .optimizer import Optimizer

__all__ = ["get", "names", "rule"]

rule = _rule.rule


def names() -> list[str]:
    """Names of all optimizers."""
    return _rule.names()


def get(optimizer: "str | _rule.Rule | Optimizer", **hyperparameters: Any) -> Optimizer:
    """An optimizer from its name, its rule, or an optimizer (whose values may be replaced)."""
    if isinstance(optimizer, Optimizer):
        return optimizer.replace(**hyperparameters) if hyperparameters else optimizer
    return Optimizer(optimizer, **hyperparameters)


def __getattr__(title: str) -> Any:
    for name in names():
        rule = _rule.get(name)
        if rule.title == title:
            return _constructor(rule)
    raise AttributeError(f"optimizers: no {title!r}; there are {', '.join(__dir__())}")


def __dir__() -> list[str]:
    return [*__all__, *(_rule.get(name).title for name in names())]


def _constructor(rule: _rule.Rule) -> Any:
    def make(**hyperparameters: Any) -> Optimizer:
        return Optimizer(rule, **hyperparameters)

    defaults = ", ".join(f"{name}={value!r}" for name, value in rule.defaults.items())
    make.__name__ = make.__qualname__ = rule.title
    make.__doc__ = f"{rule.title}({defaults})\n\n{rule.doc}\n\n{rule.paper}"
    return make
