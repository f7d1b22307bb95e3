"""The mathematics of the schedules, with the same bits on every processor.

NumPy's +, −, ×, ÷ and square root round once, as IEEE 754 wants.  Its cos and power do not: their
last bit depends on the processor's vector units.  So the cosine is a polynomial here, and powers
are ``math.pow``, number by number: libm's, as in the optimizers (docs/exactness.md).
"""

import math

import numpy as np

# Taylor's series of sin(z) / z in z²; beyond z^20 / 21! nothing is left of it up to z = pi / 2.
_SINE = [(-1) ** k / math.factorial(2 * k + 1) for k in range(11)]


def half_cosine(x: np.ndarray) -> np.ndarray:
    """(1 + cos(pi x)) / 2 from 1 at x = 0 to 0 at x = 1; constant before and after.

    As sin(pi (1 - x) / 2)², which keeps its relative precision where it gets small.
    """
    z = (0.5 * math.pi) * (1.0 - np.clip(x, 0.0, 1.0))
    square = z * z
    series = np.full_like(z, _SINE[-1])
    for coefficient in _SINE[-2::-1]:
        series = series * square + coefficient
    sine = z * series
    return np.minimum(sine * sine, 1.0)


def power(base: float, exponents: np.ndarray) -> np.ndarray:
    """base ** exponents."""
    return np.array([math.pow(base, e) for e in exponents.tolist()])


def powers_of(values: np.ndarray, exponent: float) -> np.ndarray:
    """values ** exponent."""
    if exponent == 1.0:
        return values
    return np.array([math.pow(v, exponent) for v in values.tolist()])


def stages(base: float, numbers: np.ndarray) -> np.ndarray:
    """base ** numbers for whole numbers that repeat: each power is taken once."""
    if not numbers.size:
        return np.ones(0)
    first = int(numbers.min())
    table = power(base, np.arange(first, int(numbers.max()) + 1.0))
    return table[numbers.astype(np.int64) - first]


def rise(t: np.ndarray, steps: float) -> np.ndarray:
    """1 / steps, 2 / steps, … 1: no step is wasted on a rate of 0."""
    return np.minimum((t + 1.0) / max(steps, 1.0), 1.0)
