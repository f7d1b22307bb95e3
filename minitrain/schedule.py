"""Learning-rate schedules: pure functions of the step, as factors of the optimizer's rate.

A schedule takes an array of steps (0, 1, … total - 1) and the total, and returns one factor per
step.  Without state there is nothing to save, and any step can be asked for at any time.
"""

import math
from collections.abc import Callable

import numpy as np

Schedule = Callable[[np.ndarray, int], np.ndarray]


def constant(step: np.ndarray, total: int) -> np.ndarray:
    """The optimizer's own rate throughout."""
    return np.ones(len(step))


def cosine(warmup: float = 0.0) -> Schedule:
    """Rise linearly over the fraction ``warmup`` of the training, then fall as a half cosine."""
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup: {warmup}; accepted: a fraction from 0 up to, not including, 1")

    def factor(step: np.ndarray, total: int) -> np.ndarray:
        rise = warmup * total
        # math.cos and not np.cos, whose last bit depends on the processor's vector units.
        angles = np.pi * (step - rise) / (total - rise)
        fall = 0.5 * (1.0 + np.array([math.cos(angle) for angle in angles]))
        return np.where(step < rise, np.minimum((step + 1.0) / max(rise, 1.0), 1.0), fall)

    return factor
