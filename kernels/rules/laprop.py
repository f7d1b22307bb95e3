import math

import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    correct_m = 1.0 / (1.0 - beta1**t)
    correct_v = 1.0 / math.sqrt(1.0 - beta2**t)
    return 1.0 - beta1, beta2, 1.0 - beta2, correct_m, correct_v, eps


@rule(
    "laprop",
    title="LaProp",
    lr=4e-4,
    beta1=0.9,
    beta2=0.999,
    eps=1e-15,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    paper="Ziyin, Wang & Ueda (2020), LaProp: separating momentum and adaptivity in Adam, "
    "arXiv 2002.04839",
    family="Adam",
    defaults_from="the paper's code",
)
def laprop(p, g, m, v, c):
    """Adam the other way round: first the gradient is divided by its size, then averaged.

    v <- beta2 * v + (1 - beta2) * g²                       v^ = v / (1 - beta2^t)
    m <- beta1 * m + (1 - beta1) * g / (sqrt(v^) + eps)     m^ = m / (1 - beta1^t)
    p <- p - lr * m^

    Elsewhere: the paper's code keeps lr inside m, which differs where the rate changes, and decays
    by weight_decay * p without lr.
    """
    fresh_m, beta2, fresh_v, correct_m, correct_v, eps = c
    v = beta2 * v + fresh_v * (g * g)
    m = m + fresh_m * (g / (correct_v * np.sqrt(v) + eps) - m)
    return correct_m * m, m, v
