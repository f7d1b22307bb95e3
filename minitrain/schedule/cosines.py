"""Half a cosine from the full rate to the last, once or with warm restarts."""

import numpy as np

from .base import Schedule, check_number, register
from .curves import half_cosine, rise
from .duration import Duration, Span, check_duration


@register("cosine", "CosineAnnealingLR(n, eta_min) = cosine(end=eta_min / lr)")
class Cosine(Schedule):
    """Rise linearly over ``warmup``, then fall to ``end`` as half a cosine.

    ``duration`` counts from the start; afterwards the rate stays (torch's rises again).
    """

    warmup: Duration = 0.0
    end: float = 0.0
    duration: Duration = 1.0

    def __post_init__(self) -> None:
        check_duration("warmup", self.warmup, most=False)
        check_number("end", self.end)
        check_duration("duration", self.duration)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        risen = span.length(self.warmup)
        falls = max(span.length(self.duration) - risen, 1.0)
        fall = self.end + (1.0 - self.end) * half_cosine((t - risen) / falls)
        return np.where(t < risen, rise(t, risen), fall)


@register(
    "cosine_restarts",
    "CosineAnnealingWarmRestarts(T_0, T_mult, eta_min) = "
    "cosine_restarts(steps(T_0), T_mult, eta_min / lr)",
)
class CosineRestarts(Schedule):
    """Fall to ``end`` as half a cosine over ``period``, jump back, and again.

    Each period is ``growth`` times as long as the one before; by default three of them, 1, 2 and
    4 sevenths of the training, end with it.  SGDR: Loshchilov & Hutter (2017), 1608.03983.
    """

    period: Duration = 1 / 7
    growth: float = 2.0
    end: float = 0.0

    def __post_init__(self) -> None:
        check_duration("period", self.period, least=True)
        check_number("growth", self.growth, 1.0)
        check_number("end", self.end)

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        # A sum of periods and no logarithm, which would miss a restart by its rounding.
        length = span.length(self.period)
        if self.growth == 1.0:
            x = t / length - np.floor(t / length)
        else:
            starts, lengths = [0.0], [length]
            last = t.max(initial=0.0)
            while starts[-1] + lengths[-1] <= last:
                starts.append(starts[-1] + lengths[-1])
                lengths.append(lengths[-1] * self.growth)
            number = np.searchsorted(starts, t, side="right") - 1
            x = (t - np.take(starts, number)) / np.take(lengths, number)
        return self.end + (1.0 - self.end) * half_cosine(x)
