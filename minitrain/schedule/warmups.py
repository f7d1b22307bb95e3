"""Schedules that begin with a rise: warm-up alone, inverse square root, warm-up-stable-decay."""

import numpy as np

from .base import Schedule, check_number, register
from .curves import half_cosine, rise
from .duration import Duration, Span, check_duration

_SHAPES = ("linear", "cosine", "sqrt")


@register("warmup", "LinearLR(1 / n, 1, n - 1) = warmup(steps(n))")
class Warmup(Schedule):
    """Rise linearly to the full rate over ``duration``, then stay there."""

    duration: Duration = 0.1

    def __post_init__(self) -> None:
        check_duration("duration", self.duration)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        return rise(t, span.length(self.duration))


@register("inverse_sqrt", "Vaswani et al. (2017), Attention is all you need, 1706.03762, (3)")
class InverseSqrt(Schedule):
    """Rise linearly over ``warmup`` steps to the full rate, then fall as sqrt(warmup / step)."""

    warmup: Duration = 0.1

    def __post_init__(self) -> None:
        check_duration("warmup", self.warmup)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        peak = max(span.length(self.warmup), 1.0)
        return np.minimum((t + 1.0) / peak, np.sqrt(peak / (t + 1.0)))


@register("warmup_stable_decay", "Hu et al. (2024), MiniCPM, 2404.06395; Hägele et al., 2405.18392")
class WarmupStableDecay(Schedule):
    """Rise over ``warmup``, keep the full rate, and fall to ``end`` over the last ``decay``.

    shape of the fall: linear, cosine, or sqrt (1 - sqrt(x): steep at first).
    """

    warmup: Duration = 0.1
    decay: Duration = 0.2
    end: float = 0.0
    shape: str = "linear"

    def __post_init__(self) -> None:
        check_duration("warmup", self.warmup)
        check_duration("decay", self.decay)
        check_number("end", self.end)
        if self.shape not in _SHAPES:
            raise ValueError(f"shape: {self.shape!r}; accepted: {', '.join(_SHAPES)}")

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        falls = span.length(self.decay)
        x = np.clip((t - (span.total - falls)) / max(falls, 1.0), 0.0, 1.0)
        if self.shape == "cosine":
            left = half_cosine(x)
        else:
            left = 1.0 - (np.sqrt(x) if self.shape == "sqrt" else x)
        return rise(t, span.length(self.warmup)) * (self.end + (1.0 - self.end) * left)
