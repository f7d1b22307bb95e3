import math

import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    correct_m = 1.0 / (1.0 - beta1**t)
    correct_v = 1.0 / math.sqrt(1.0 - beta2**t)
    return 1.0 - beta1, 1.0 - beta2, correct_m, correct_v, eps


@rule(
    "yogi",
    title="Yogi",
    lr=1e-2,
    beta1=0.9,
    beta2=0.999,
    eps=1e-3,
    initial_accumulator_value=1e-6,
    coefficients=coefficients,
    start={"m": "initial_accumulator_value", "v": "initial_accumulator_value"},
    paper="Zaheer et al. (2018), Adaptive methods for nonconvex optimization",
    family="Adam",
    elsewhere={"optax": "yogi"},
    defaults_from="the paper; the accumulators' start: optax",
)
def yogi(p, g, m, v, c):
    """Adam whose v changes by a bounded amount, so that it forgets large gradients slowly.

    m <- beta1 * m + (1 - beta1) * g                        m^ = m / (1 - beta1^t)
    v <- v - (1 - beta2) * sign(v - g²) * g²                v^ = v / (1 - beta2^t)
    p <- p - lr * m^ / (sqrt(v^) + eps)

    m and v start at initial_accumulator_value, both, as in optax and TensorFlow Addons.

    Elsewhere: the paper's recurrence has no correction of m and v; optax, and this, have it.
    """
    fresh_m, fresh_v, correct_m, correct_v, eps = c
    m = m + fresh_m * (g - m)
    v = v - fresh_v * (np.sign(v - g * g) * (g * g))
    return correct_m * m / (correct_v * np.sqrt(v) + eps), m, v
