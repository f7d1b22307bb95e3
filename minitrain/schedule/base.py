"""What all schedules share: how they are asked, registered, printed, multiplied and sequenced."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, TypeVar, dataclass_transform

import numpy as np

from .duration import Duration, Span, check_duration

_registry: dict[str, type["Schedule"]] = {}
_S = TypeVar("_S", bound="Schedule")


class Schedule:
    """Factors of the learning rate, one per step; :func:`names` lists the kinds.

    Attributes
    ----------
    name
        Of the kind, as on the command line; "" for combinations.
    torch
        What is the same in torch.optim.lr_scheduler (or where else the formula is from).
    """

    name: ClassVar[str] = ""
    torch: ClassVar[str] = ""
    __array_ufunc__ = None  # np.float64(0.5) * schedule is a schedule, not an array

    def __call__(
        self,
        steps: Any,
        total: int,
        steps_per_epoch: int | None = None,
        feedback: Any = None,
    ) -> np.ndarray:
        """Factors (n,) for the ``steps`` (n,) of a training that has ``total`` of them.

        Steps count from 0 over all epochs.  ``steps_per_epoch`` is needed by what is given in
        epochs, ``feedback`` by what depends on the epochs before.
        """
        t, span = _asked(steps, total, steps_per_epoch, feedback)
        return self._factor(t, span)

    def momenta(
        self, steps: Any, total: int, steps_per_epoch: int | None = None
    ) -> np.ndarray | None:
        """Momentum (n,) at these steps, nan for "the optimizer's own"; None: always its own."""
        t, span = _asked(steps, total, steps_per_epoch, None)
        return self._momentum(t, span)

    @property
    def highest_momentum(self) -> float | None:
        """The largest momentum that the schedule sets; None if it leaves the momentum alone."""
        return max(
            (h for p in self._parts() if (h := p.highest_momentum) is not None), default=None
        )

    @property
    def watches(self) -> frozenset[str | None]:
        """Columns of the history that the factors depend on (None: the validation loss, where
        there is one, else the loss); mostly empty."""
        return frozenset().union(*(part.watches for part in self._parts()))

    def then(self, following: "Schedule", after: Duration | None = None) -> "Schedule":
        """This schedule for the duration ``after``, then ``following``, which starts at its step 0.

        Both see their own part of the training as the whole of it; without ``after`` this one sees
        all of the training, and ends after its own duration.
        """
        return Then(self, following, after)

    def __mul__(self, other: Any) -> "Schedule":
        if isinstance(other, (Schedule, float)) or type(other) is int:
            return Product(self, other)
        return NotImplemented

    def __rmul__(self, other: Any) -> "Schedule":
        return self.__mul__(other)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        """Factors at the steps ``t`` (n,) of float64, counted from the start of the span."""
        raise NotImplementedError

    def _momentum(self, t: np.ndarray, span: Span) -> np.ndarray | None:
        return None

    def _parts(self) -> tuple["Schedule", ...]:
        return ()

    def __repr__(self) -> str:
        given = [
            f"{f.name}={value!r}"
            for f in fields(self)  # type: ignore[arg-type] # every kind is a dataclass
            if f.default is MISSING or (value := getattr(self, f.name)) != f.default
        ]
        return f"{self.name}({', '.join(given)})"


@dataclass_transform(frozen_default=True)
def register(name: str, torch: str = "") -> Callable[[type[_S]], type[_S]]:
    """Make a class a frozen dataclass and known as the schedule ``name``."""

    def enter(made: type[_S]) -> type[_S]:
        made = dataclass(frozen=True, repr=False)(made)
        made.name, made.torch = name, torch
        _registry[name] = made
        return made

    return enter


def names() -> list[str]:
    """Names of all schedules."""
    return sorted(_registry)


def kind(name: str) -> type[Schedule]:
    """The class registered under a name; KeyError if there is none."""
    return _registry[name]


@dataclass(frozen=True, repr=False)
class Product(Schedule):
    """Two schedules at once, or one times a number: the factors are multiplied."""

    first: Schedule
    second: Schedule | float

    def __post_init__(self) -> None:
        if not isinstance(self.second, Schedule):
            object.__setattr__(self, "second", check_number("factor", self.second))
        if sum(part.highest_momentum is not None for part in self._parts()) > 1:
            raise ValueError(f"{self!r}: both move the momentum; accepted: one that does")

    def _parts(self) -> tuple[Schedule, ...]:
        return tuple(p for p in (self.first, self.second) if isinstance(p, Schedule))

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        second = self.second
        factor = second._factor(t, span) if isinstance(second, Schedule) else second
        return self.first._factor(t, span) * factor

    def _momentum(self, t: np.ndarray, span: Span) -> np.ndarray | None:
        found = [part._momentum(t, span) for part in self._parts()]
        return next((momentum for momentum in found if momentum is not None), None)

    def __repr__(self) -> str:
        return f"{self.first!r} * {self.second!r}"


@dataclass(frozen=True, repr=False)
class Then(Schedule):
    """One schedule, and after a while another."""

    first: Schedule
    second: Schedule
    after: Duration | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.second, Schedule):
            raise TypeError(f"then: {self.second!r}; accepted: a schedule")
        if self.after is not None:
            check_duration("after", self.after)
        elif not hasattr(self.first, "duration"):
            raise ValueError(f"after: needed, since {self.first!r} has no duration of its own")

    def _parts(self) -> tuple[Schedule, ...]:
        return self.first, self.second

    def _spans(self, span: Span) -> tuple[float, Span, Span]:
        if self.after is None:
            start = span.length(self.first.duration)  # type: ignore[attr-defined]
            return start, span, span.rest(start)
        start = span.length(self.after)
        before = Span(start, span.steps_per_epoch, span.begin, span.feedback)
        return start, before, span.rest(start)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        start, before, rest = self._spans(span)
        first = self.first._factor(np.minimum(t, start), before)
        return np.where(t < start, first, self.second._factor(np.maximum(t - start, 0.0), rest))

    def _momentum(self, t: np.ndarray, span: Span) -> np.ndarray | None:
        start, before, rest = self._spans(span)
        first = self.first._momentum(np.minimum(t, start), before)
        second = self.second._momentum(np.maximum(t - start, 0.0), rest)
        if first is None and second is None:
            return None
        own = np.full(len(t), np.nan)
        return np.where(
            t < start, own if first is None else first, own if second is None else second
        )

    def __repr__(self) -> str:
        first = f"({self.first!r})" if isinstance(self.first, Product) else repr(self.first)
        after = "" if self.after is None else f", after={self.after!r}"
        return f"{first}.then({self.second!r}{after})"


@dataclass(frozen=True, repr=False)
class Function(Schedule):
    """Your own: ``function(steps, total)`` returns one factor per step."""

    function: Callable[[np.ndarray, int], Any]

    def __call__(
        self, steps: Any, total: int, steps_per_epoch: int | None = None, feedback: Any = None
    ) -> np.ndarray:
        return np.asarray(self.function(steps, total), float)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        return np.asarray(self.function(t, int(span.total)), float)

    def __repr__(self) -> str:
        return f"Function({getattr(self.function, '__name__', self.function)!s})"


def check_number(
    name: str, value: Any, least: float = 0.0, most: float = np.inf, above: bool = False
) -> float:
    """``value`` as a float from ``least`` (or ``above`` it) to ``most``."""
    try:
        number = float(value) if not isinstance(value, (bool, str)) else np.nan
    except (TypeError, ValueError):
        number = np.nan
    if not (least <= number <= most and number < np.inf) or (above and number == least):
        accepted = f"{'above' if above else 'from'} {least:g}"
        accepted += f" to {most:g}" if most < np.inf else ""
        raise ValueError(f"{name}: {value!r}; accepted: numbers {accepted}")
    return number


def _asked(
    steps: Any, total: int, steps_per_epoch: int | None, feedback: Any
) -> tuple[np.ndarray, Span]:
    t = np.asarray(steps, float)
    if t.ndim != 1 or (t < 0).any():
        raise ValueError(f"steps: {steps!r}; accepted: an array (n,) of steps from 0")
    if not total >= 1:
        raise ValueError(f"total: {total!r}; accepted: a whole number from 1")
    if steps_per_epoch is not None and not steps_per_epoch >= 1:
        raise ValueError(f"steps_per_epoch: {steps_per_epoch!r}; accepted: a whole number from 1")
    return t, Span(float(total), steps_per_epoch, 0.0, feedback)
