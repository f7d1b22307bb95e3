import math

import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    correct_m = 1.0 / (1.0 - beta1**t)
    correct_s = 1.0 / math.sqrt(1.0 - beta2**t)
    return 1.0 - beta1, beta2, 1.0 - beta2, correct_m, correct_s, eps


@rule(
    "adabelief",
    title="AdaBelief",
    lr=1e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-16,
    coefficients=coefficients,
    paper="Zhuang et al. (2020), AdaBelief optimizer, arXiv 2010.07468",
    family="Adam",
    elsewhere={"optax": "adabelief"},
    defaults_from="the paper's code",
)
def adabelief(p, g, m, s, c):
    """Adam that divides by how far gradients are from their average: long steps where it holds.

    m <- beta1 * m + (1 - beta1) * g                        m^ = m / (1 - beta1^t)
    s <- beta2 * s + (1 - beta2) * (g - m)² + eps           s^ = s / (1 - beta2^t)
    p <- p - lr * m^ / (sqrt(s^) + eps)

    eps is added in both places, and in s it stays from step to step, as in the paper's code.

    Elsewhere: optax has the first as eps_root, with the same default.
    """
    fresh_m, beta2, fresh_s, correct_m, correct_s, eps = c
    m = m + fresh_m * (g - m)
    s = beta2 * s + fresh_s * ((g - m) * (g - m)) + eps
    return correct_m * m / (correct_s * np.sqrt(s) + eps), m, s
