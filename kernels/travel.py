"""Rules on their way to another process: those of the library by name, a user's own by their code.

A worker process knows the library, but not the script or the notebook where a rule was written.
cloudpickle (Numba brings it along) sends its functions by value, from a module of the user's too,
which a worker might not find.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from numba import cloudpickle

from . import rule as _rules
from .rule import Rule, code_hash

_arrived: dict[str, Rule] = {}  # so that a rule that comes with every task is compiled once


def pack(rule: Rule) -> tuple[Callable, tuple]:
    """What pickle shall call, there, to have the rule."""
    if _library().get(rule.name) is rule:
        return library_rule, (rule.name,)
    values = {field.name: getattr(rule, field.name) for field in fields(rule)}
    with _by_value(*_functions(rule)):
        return unpack, (cloudpickle.dumps(values), _identity(rule))


def library_rule(name: str) -> Rule:
    return _library()[name]


def unpack(pickled: bytes, identity: str) -> Rule:
    """The rule: the one that is registered here if it is the same, else a new one.

    A new one is registered under its name, unless another has taken that.
    """
    registered = _rules._registry.get(identity.partition(" ")[0])
    if registered is not None and _identity(registered) == identity:
        return registered
    if identity not in _arrived:
        _arrived[identity] = rule = Rule(**cloudpickle.loads(pickled))
        _rules._registry.setdefault(rule.name, rule)
    return _arrived[identity]


def _library() -> dict[str, Rule]:
    from . import rules

    return rules.LIBRARY


def _functions(rule: Rule) -> list[Callable]:
    variants = rule.variants.values()
    of_elements = [f for v in variants for f in (v.update, v.terms, v.point) if f is not None]
    factors = [rule.sums.factors] if rule.sums is not None else []
    return [rule.coefficients, rule.check, *factors, *of_elements]


def _identity(rule: Rule) -> str:
    """Its name and all that decides what it computes."""
    flags = [sorted(flags) for flags in rule.variants]
    values: list[Any] = [dict(rule.defaults), rule.takes, dict(rule.carry), dict(rule.start), flags]
    values += [rule.own_step, rule.own_decay]
    if rule.sums is not None:
        values += [dict(rule.sums.kept), rule.sums.whole]
    return f"{rule.name} {values} {[code_hash(f) for f in _functions(rule)]}"


@contextmanager
def _by_value(*functions: Callable) -> Iterator[None]:
    """Let cloudpickle take along the code of these functions, whatever module they are in."""
    ours = __name__.partition(".")[0]
    modules: list[Any] = [
        sys.modules[name]
        for name in {function.__module__ for function in functions}
        if name in sys.modules and name.partition(".")[0] != ours
    ]
    mine = [m for m in modules if m.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in mine:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in mine:
            cloudpickle.unregister_pickle_by_value(module)
