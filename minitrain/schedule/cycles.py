"""Schedules whose rate rises and falls while the momentum may do the opposite."""

from typing import Any

import numpy as np

from .base import Schedule, check_number, register
from .curves import half_cosine, power
from .duration import Duration, Span, check_duration

_MODES = ("triangular", "triangular2", "exp_range")
_SHAPES = ("cosine", "linear")


@register(
    "one_cycle",
    "OneCycleLR(lr, n, pct_start) = one_cycle(peak=pct_start, momentum=(0.85, 0.95))",
)
class OneCycle(Schedule):
    """Rise from ``start`` to the full rate until ``peak``, then fall far below, to ``end``.

    three_phase: fall to ``start`` as fast as it rose, and only then to ``end``.
    ``momentum=(low, high)``: the momentum (or beta1) falls from high to low while the rate rises,
    and rises while it falls.  Smith & Topin (2018), 1708.07120.
    """

    peak: Duration = 0.3
    start: float = 1 / 25
    end: float = 1 / 25e4
    momentum: tuple[float, float] | None = None
    three_phase: bool = False
    shape: str = "cosine"

    def __post_init__(self) -> None:
        check_duration("peak", self.peak)
        check_number("start", self.start)
        check_number("end", self.end)
        object.__setattr__(self, "momentum", _check_momentum(self.momentum))
        if self.shape not in _SHAPES:
            raise ValueError(f"shape: {self.shape!r}; accepted: {', '.join(_SHAPES)}")

    @property
    def highest_momentum(self) -> float | None:
        return self.momentum[1] if self.momentum else None

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        levels = [self.start, 1.0, *([self.start] if self.three_phase else []), self.end]
        return self._through(levels, t, span)

    def _momentum(self, t: np.ndarray, span: Span) -> np.ndarray | None:
        if self.momentum is None:
            return None
        low, high = self.momentum
        return self._through([high, low, *([high] if self.three_phase else []), high], t, span)

    def _through(self, levels: list[float], t: np.ndarray, span: Span) -> np.ndarray:
        """From level to level; the steps at which they are reached are torch's."""
        first = span.length(self.peak) - 1.0
        knots = [0.0, first, *([2.0 * first] if self.three_phase else []), span.total - 1.0]
        value = np.full(len(t), levels[0])
        for i in range(len(levels) - 1):
            begin, end = knots[i], knots[i + 1]
            x = np.clip((t - begin) / (end - begin), 0.0, 1.0) if end > begin else np.ones(len(t))
            left = half_cosine(x) if self.shape == "cosine" else 1.0 - x
            phase = levels[i + 1] + (levels[i] - levels[i + 1]) * left
            value = np.where(t > begin, phase, value) if i else phase
        return value


@register(
    "cyclic",
    "CyclicLR(base_lr, lr, n) = cyclic(base_lr / lr, steps(n), momentum=(0.8, 0.9))",
)
class Cyclic(Schedule):
    """Rise from ``low`` to the full rate over ``up``, fall over ``down`` (None: as ``up``), again.

    mode: triangular; triangular2 halves each cycle's height; exp_range shrinks it by ``gamma`` per
    step.  ``momentum=(low, high)``: the momentum (or beta1) does the opposite.  Smith (2017),
    1506.01186.
    """

    low: float = 0.1
    up: Duration = 0.1
    down: Duration | None = None
    mode: str = "triangular"
    gamma: float = 1.0
    momentum: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_number("low", self.low)
        check_duration("up", self.up, least=True)
        if self.down is not None:
            check_duration("down", self.down)
        if self.mode not in _MODES:
            raise ValueError(f"mode: {self.mode!r}; accepted: {', '.join(_MODES)}")
        check_number("gamma", self.gamma, above=True)
        object.__setattr__(self, "momentum", _check_momentum(self.momentum))

    @property
    def highest_momentum(self) -> float | None:
        return self.momentum[1] if self.momentum else None

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        return self.low + (1.0 - self.low) * self._height(t, span)

    def _momentum(self, t: np.ndarray, span: Span) -> np.ndarray | None:
        if self.momentum is None:
            return None
        low, high = self.momentum
        return high - (high - low) * self._height(t, span)

    def _height(self, t: np.ndarray, span: Span) -> np.ndarray:
        """How far up, from 0 to 1."""
        up = span.length(self.up)
        down = up if self.down is None else span.length(self.down)
        cycle = np.floor(t / (up + down))
        within = t - cycle * (up + down)
        rises = within <= up
        height = np.where(rises, within / up, (up + down - within) / max(down, 1.0))
        if self.mode == "triangular2":
            height = height * power(0.5, cycle)
        if self.mode == "exp_range":
            height = height * power(self.gamma, t)
        return height


def _check_momentum(given: Any) -> tuple[float, float] | None:
    if given is None:
        return None
    try:
        low, high = (float(value) for value in given)
    except (TypeError, ValueError):
        low = high = np.nan
    if not 0 <= low <= high < 1:
        raise ValueError(
            f"momentum: {given!r}; accepted: a pair (low, high) of numbers from 0 to below 1"
        )
    return low, high
