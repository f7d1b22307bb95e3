import math

import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, beta3, eps):
    known = 0.0 if t == 1.0 else 1.0  # is there a gradient before this one?
    correct_m = 1.0 / (1.0 - beta1**t)
    ahead = beta2 / (1.0 - beta2**t)
    correct_n = 1.0 / math.sqrt(1.0 - beta3**t)
    fresh = 1.0 - beta1, 1.0 - beta2, 1.0 - beta3
    return (*fresh, beta2, beta3, known, correct_m, ahead, correct_n, eps)


@rule(
    "adan",
    title="Adan",
    lr=1e-3,
    beta1=0.98,
    beta2=0.92,
    beta3=0.99,
    eps=1e-8,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    paper="Xie et al. (2022), Adan: adaptive Nesterov momentum algorithm, arXiv 2208.06677",
    family="Adam",
    elsewhere={"optax": "adan"},
    defaults_from="the paper's code",
)
def adan(p, g, m, v, n, before, c):
    """Adam with a momentum of the gradient's change, which looks ahead as Nesterov's does.

    d = g - g_before  (0 at the first step)
    m <- beta1 * m + (1 - beta1) * g                        m^ = m / (1 - beta1^t)
    v <- beta2 * v + (1 - beta2) * d                        v^ = v / (1 - beta2^t)
    n <- beta3 * n + (1 - beta3) * (g + beta2 * d)²         n^ = n / (1 - beta3^t)
    p <- p - lr * (m^ + beta2 * v^) / (sqrt(n^) + eps)

    The paper's betas are one minus these.

    Elsewhere: optax weighs d and v^ with 1 - beta2 where the paper and its code have beta2, a
    twelfth at the default, and adds 1e-8 inside the root too.  The paper's code decays by
    p / (1 + lr * weight_decay) after the step.
    """
    fresh_m, fresh_v, fresh_n, beta2, beta3, known, correct_m, ahead, correct_n, eps = c
    d = known * (g - before)
    m = m + fresh_m * (g - m)
    v = v + fresh_v * (d - v)
    n = beta3 * n + fresh_n * ((g + beta2 * d) * (g + beta2 * d))
    return (correct_m * m + ahead * v) / (correct_n * np.sqrt(n) + eps), m, v, n, g
