"""Schedules that fall (or stay): in stages, geometrically, linearly, as a power."""

import numpy as np

from .base import Schedule, check_number, register
from .curves import power, powers_of, stages
from .duration import Duration, Span, check_duration


@register("constant", "without a scheduler")
class Constant(Schedule):
    """The optimizer's own rate throughout."""

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        return np.ones(len(t))

    def __repr__(self) -> str:
        return self.name  # it is a value, not a function of arguments


@register("step", "StepLR(step_size, gamma) = step(steps(step_size), gamma)")
class Step(Schedule):
    """Multiply the rate by ``factor`` after every ``every``."""

    every: Duration = 1 / 3
    factor: float = 0.1

    def __post_init__(self) -> None:
        check_duration("every", self.every, least=True)
        check_number("factor", self.factor)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        return stages(self.factor, np.floor(t / span.length(self.every)))


@register("multistep", "MultiStepLR(milestones, gamma) = multistep([steps(m), …], gamma)")
class MultiStep(Schedule):
    """Multiply the rate by ``factor`` at each of the times ``at``."""

    at: tuple[Duration, ...] = (0.5, 0.75)
    factor: float = 0.1

    def __post_init__(self) -> None:
        given = self.at if isinstance(self.at, (list, tuple)) else (self.at,)
        object.__setattr__(self, "at", tuple(check_duration("at", when) for when in given))
        check_number("factor", self.factor)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        times = np.sort([span.length(when) for when in self.at])
        return stages(self.factor, np.searchsorted(times, t, side="right").astype(float))


@register("exponential", "ExponentialLR(gamma) = exponential(gamma, steps(1))")
class Exponential(Schedule):
    """Fall geometrically: by ``factor`` over each ``every``, smoothly or in stages (staircase)."""

    factor: float = 0.01
    every: Duration = 1.0
    staircase: bool = False

    def __post_init__(self) -> None:
        check_number("factor", self.factor, above=True)
        check_duration("every", self.every, least=True)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        exponents = t / span.length(self.every)
        if self.staircase:
            return stages(self.factor, np.floor(exponents))
        return power(self.factor, exponents)


@register("linear", "LinearLR(start_factor, end_factor, n) = linear(start, end, steps(n))")
class Linear(Schedule):
    """Go from ``start`` to ``end`` in a straight line, over ``duration``; then stay."""

    start: float = 1.0
    end: float = 0.0
    duration: Duration = 1.0

    def __post_init__(self) -> None:
        check_number("start", self.start)
        check_number("end", self.end)
        check_duration("duration", self.duration)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        length = span.length(self.duration)
        x = np.minimum(t / length, 1.0) if length else np.ones(len(t))
        return self.start + (self.end - self.start) * x


@register("polynomial", "PolynomialLR(n, power) = polynomial(power, duration=steps(n))")
class Polynomial(Schedule):
    """Fall to ``end`` as a power of the time that is left of ``duration``; then stay."""

    power: float = 2.0
    end: float = 0.0
    duration: Duration = 1.0

    def __post_init__(self) -> None:
        check_number("power", self.power, above=True)
        check_number("end", self.end)
        check_duration("duration", self.duration)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        length = span.length(self.duration)
        left = np.maximum((length - t) / max(length, 1.0), 0.0)
        return self.end + (1.0 - self.end) * powers_of(left, self.power)
