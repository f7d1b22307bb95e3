"""An update rule, written once: the ``@rule`` decorator and the registry.

A rule is two pure functions:

    coefficients(t, *hyperparameters)  ->  what a step needs, in float64, once per step
    update(p, g, *slots, c)            ->  (direction, *new slots), for one element

From them come the fused compiled kernel (``fuse``) and the unfused NumPy reference
(``reference``).  The framework subtracts ``lr * (direction + decay * p)``; learning rate, schedule
and weight decay are therefore no business of a rule, unless it says so: with ``own_step`` the
direction is the step, with ``own_decay`` the decay is an input of the rule.

A rule that needs sums over many elements has two more functions, a rule whose weights are not
evaluated where its gradients are taken has one:

    terms(p, g, *slots, c)             ->  numbers of one element, to be summed
    factors(c, *kept, *sums)           ->  what ``update`` gets besides, in float64
    point(p, *slots, c)                ->  the weight that is to be used, for one element
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from .functions import (
    BASE_RATE,
    RATE,
    Sums,
    Variant,
    code_hash,
    read_inputs,
    read_sums,
    read_variant,
)
from .interval import Interval, range_of

__all__ = ["Rule", "Sums", "Variant", "code_hash", "get", "names", "rule", "year_of"]

_OPTIONS = ("weight_decay", "decoupled_weight_decay", "decay_biases")


@dataclass(frozen=True, eq=False)
class Rule:
    """An update rule with its hyperparameters' defaults; made by :func:`rule`.

    ``defaults`` holds lr, the rule's own hyperparameters and the framework's weight decay;
    ``takes`` are the hyperparameters that ``coefficients`` takes, in its order.  ``carry`` are
    scalars that one step hands to the next (NAdam's product of momenta), as numbers or as names of
    hyperparameters, ``start`` names the hyperparameter from which a slot starts where that is not
    zero, or "p" for the parameters, ``rates`` is the range in which a search looks for lr.
    ``own_step``: the direction contains the rate; ``own_decay``: decoupled decay stands last in c
    and is for the rule to apply.  ``ranges`` is what a hyperparameter may be where that does not
    follow from its name.  For readers: ``family``, ``elsewhere`` (library: its name there) and
    ``defaults_from``.
    """

    name: str
    title: str
    defaults: Mapping[str, Any]
    coefficients: Callable
    takes: tuple[str, ...]
    carry: Mapping[str, float | str]
    start: Mapping[str, str]
    check: Callable[..., str | None]
    rates: tuple[float, float]
    paper: str
    doc: str
    ranges: Mapping[str, Interval]
    family: str
    elsewhere: Mapping[str, str]
    defaults_from: str
    own_step: bool = False
    own_decay: bool = False
    sums: Sums | None = None
    more_sums: Sums | None = None  # a wrapper's, over each block: of them nothing is kept
    variants: dict[frozenset, Variant] = field(default_factory=dict)

    def variant(
        self, *flags: str, terms: Callable | None = None, point: Callable | None = None
    ) -> Callable[[Callable], Callable]:
        """Register ``update`` for the case that exactly these flags are on."""

        def add(update: Callable) -> Callable:
            self.variants[frozenset(flags)] = read_variant(self.name, update, terms, point)
            return update

        return add

    def derive(
        self,
        name: str,
        *,
        title: str,
        paper: str,
        doc: str,
        elsewhere: Mapping[str, str] | None = None,
        defaults_from: str | None = None,
        **defaults: Any,
    ) -> "Rule":
        """The same rule under another name, with other defaults."""
        return _register(
            replace(
                self,
                name=name,
                title=title,
                paper=paper,
                doc=inspect.cleandoc(doc),
                elsewhere=dict(elsewhere or {}),
                defaults_from=defaults_from or self.defaults_from,
                defaults={**self.defaults, **defaults},
            )
        )

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """Names of the rule's own hyperparameters, without lr and weight decay."""
        return tuple(n for n in self.defaults if n != RATE and n not in _OPTIONS)

    @property
    def flags(self) -> frozenset:
        return frozenset().union(*self.variants)

    @property
    def year(self) -> int | None:
        """Year of the first publication that ``paper`` cites."""
        return year_of(self.paper)

    def range_of(self, name: str) -> Interval:
        """What the hyperparameter ``name`` may be."""
        return range_of(name, self.ranges)

    def choose(self, values: Mapping[str, Any]) -> Variant:
        """The variant for these hyperparameters.

        Raises ValueError if the flags that are on cannot be combined.
        """
        on = frozenset(flag for flag in self.flags if values[flag])
        if on not in self.variants:
            known = "; ".join(" + ".join(sorted(v)) or "none of them" for v in self.variants)
            raise ValueError(
                f"{self.name}: {' + '.join(sorted(on))} cannot be combined; accepted: {known}"
            )
        return self.variants[on]

    def inputs(self, values: Mapping[str, Any]) -> list[float]:
        """What ``coefficients`` takes of these hyperparameters, as floats."""
        return [float(values[RATE if name == BASE_RATE else name]) for name in self.takes]

    @property
    def is_built_in(self) -> bool:
        """Whether its update is in this library."""
        update = next(iter(self.variants.values())).update
        # A function of exec has no module.
        return str(update.__module__).startswith(f"{__package__}.rules.")

    @property
    def rate_at(self) -> int:
        """Where the inputs hold the rate of the step; -1 if they do not."""
        return self.takes.index(RATE) if RATE in self.takes else -1

    def starts(self, given: Mapping[str, float | str], values: Mapping[str, Any]) -> list[float]:
        """First values of carried or kept scalars."""
        return [float(values[v] if isinstance(v, str) else v) for v in given.values()]

    def evaluate(self, t: int, carried: list[float], inputs: list[float]) -> tuple[tuple, tuple]:
        """Coefficients and carried scalars of step ``t`` (counted from 1), in plain Python."""
        result = self.coefficients(float(t), *carried, *inputs)
        return result if self.carry else (result, ())

    def __reduce__(self) -> tuple:
        from .travel import pack  # which needs this module

        return pack(self)

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in self.defaults.items())
        return f"<rule {self.name}({shown})>"


_registry: dict[str, Rule] = {}


def rule(
    name: str,
    *,
    lr: float,
    title: str | None = None,
    coefficients: Callable | None = None,
    carry: Mapping[str, float | str] | None = None,
    start: Mapping[str, str] | None = None,
    check: Callable[..., str | None] = lambda **_: None,
    rates: tuple[float, float] = (1e-5, 1.0),
    ranges: Mapping[str, str] | None = None,
    paper: str = "",
    own_step: bool = False,
    own_decay: bool = False,
    terms: Callable | None = None,
    factors: Callable | None = None,
    kept: Mapping[str, float | str] | None = None,
    over: str = "block",
    point: Callable | None = None,
    family: str = "",
    elsewhere: Mapping[str, str] | None = None,
    defaults_from: str = "",
    weight_decay: float = 0.0,
    decoupled_weight_decay: bool = False,
    **hyperparameters: float | bool,
) -> Callable[[Callable], Rule]:
    """Register an update rule under ``name``; the decorated function is its element update.

    ``update(p, g, *slots, c)`` returns ``(direction, *new slots)``.  The names between ``g`` and
    ``c`` are the slots: state of one number per parameter that starts at zero.  ``c`` is what
    ``coefficients(t, *carried, *hyperparameters)`` returned for step ``t`` (1, 2, …, a float),
    chosen by name; without ``coefficients`` it holds the hyperparameters in the order given.
    ``coefficients`` may also name ``lr``, the rate of this step, and ``base_lr``, the optimizer's
    own, which no schedule has changed.

    ``terms(p, g, *slots, c)`` returns numbers that are summed in float64, in an order that does
    not depend on threads, ``over`` each "block" (a weight matrix or a bias vector) or "all"
    parameters; ``factors(c, *kept, *sums)`` makes of them what stands behind the coefficients in
    the c of ``update`` (see :class:`Sums`).  ``point(p, *slots, c)`` is the weight that is to be
    evaluated, where that is not p.

    ``ranges`` says what hyperparameters may be, e.g. ``{"nu": "[0, 1]"}``; without it, what is
    named beta, alpha or rho is in [0, 1) and everything else at least 0.

    Raises
    ------
    ValueError
        If a range is of a hyperparameter that there is not.
        If the update holds a number: ``0.5 * g`` would be computed in float64 inside a float32
        kernel and in float32 by the reference.  Numbers belong into ``coefficients``.
    """
    defaults = {
        "lr": lr,
        **hyperparameters,
        "weight_decay": weight_decay,
        "decoupled_weight_decay": decoupled_weight_decay,
        "decay_biases": True,
    }
    for unknown in set(ranges or ()) - {"lr", *hyperparameters}:
        raise ValueError(f"{name}: ranges: no hyperparameter {unknown!r}")

    def register(update: Callable) -> Rule:
        carried = tuple(carry or ())
        made = Rule(
            name=name,
            title=title or name,
            defaults=defaults,
            coefficients=coefficients or _pass_on,
            takes=read_inputs(name, coefficients, carried, tuple(hyperparameters)),
            carry=dict(carry or {}),
            start=dict(start or {}),
            check=check,
            rates=rates,
            paper=paper,
            doc=inspect.getdoc(update) or "",
            own_step=own_step,
            own_decay=own_decay,
            sums=read_sums(name, terms, factors, kept, over),
            ranges={n: Interval(text) for n, text in (ranges or {}).items()},
            family=family,
            elsewhere=dict(elsewhere or {}),
            defaults_from=defaults_from,
            variants={frozenset(): read_variant(name, update, terms, point)},
        )
        return _register(made)

    return register


def year_of(paper: str) -> int | None:
    """Year of the first publication that is cited: the first number in brackets."""
    found = re.search(r"\((\d{4})\)", paper)
    return int(found[1]) if found else None


def get(name: str) -> Rule:
    """The rule registered under ``name``; a ValueError names the nearest one otherwise."""
    key = str(name).lower()
    if key not in _registry:
        near = get_close_matches(key, _registry, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"optimizer: unknown {name!r}{hint} Accepted: {', '.join(names())}")
    return _registry[key]


def names() -> list[str]:
    """Names of all registered rules, in the order of their registration."""
    return list(_registry)


def _register(made: Rule) -> Rule:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", made.name):
        raise ValueError(f"name: {made.name!r} is not of the form lower_case_with_digits")
    known = _registry.get(made.name)
    if known is not None and known.is_built_in and not made.is_built_in:
        raise ValueError(f"name: {made.name!r} is an optimizer of minitrain's; choose another one")
    _registry[made.name] = made  # a notebook cell that runs again replaces its rule
    return made


def _pass_on(t, *values):
    """Coefficients of a rule that needs none of its own: the hyperparameters as they are."""
    return values
