import math

import numpy as np

from .._jit import inline
from ..rule import rule


@inline
def half_life(beta):
    return math.log(0.5) / math.log(beta + 1e-8) - 1.0


def coefficients(t, beta1, beta2, beta3, eps, alpha, alpha_warmup, beta3_warmup):
    if t < alpha_warmup:
        alpha = alpha * (t / alpha_warmup)
    if t < beta3_warmup:  # the half-life grows by as much at each step, from beta1's to beta3's
        part = t / beta3_warmup
        life = (1.0 - part) * half_life(beta1) + part * half_life(beta3)
        beta3 = 0.5 ** (1.0 / (life + 1.0))
    correct_m = 1.0 / (1.0 - beta1**t)
    correct_v = 1.0 / math.sqrt(1.0 - beta2**t)
    return 1.0 - beta1, 1.0 - beta3, beta2, 1.0 - beta2, correct_m, alpha, correct_v, eps


@rule(
    "ademamix",
    title="AdEMAMix",
    lr=1e-3,
    beta1=0.9,
    beta2=0.999,
    beta3=0.9999,
    eps=1e-8,
    alpha=5.0,
    alpha_warmup=0.0,
    beta3_warmup=0.0,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    ranges={"alpha": "[0, inf)"},
    paper="Pagliardini et al. (2024), The AdEMAMix optimizer: better, faster, older, "
    "arXiv 2409.03137",
    family="Adam",
    elsewhere={"optax": "contrib.ademamix"},
    defaults_from="the paper; alpha: optax",
)
def ademamix(p, g, m, slow, v, c):
    """Adam with a second, very slow average of gradients beside the usual one.

    m <- beta1 * m + (1 - beta1) * g                        m^ = m / (1 - beta1^t)
    slow <- beta3 * slow + (1 - beta3) * g                  (not corrected)
    v <- beta2 * v + (1 - beta2) * g²                       v^ = v / (1 - beta2^t)
    p <- p - lr * (m^ + alpha * slow) / (sqrt(v^) + eps)

    alpha grows from 0 over alpha_warmup steps, the half-life of beta3 from beta1's over
    beta3_warmup; the paper warms up over the whole training.

    Elsewhere: alpha is 5 in optax and here, 2 in the paper's code, 5 to 10 in the paper.
    """
    fresh_m, fresh_slow, beta2, fresh_v, correct_m, alpha, correct_v, eps = c
    m = m + fresh_m * (g - m)
    slow = slow + fresh_slow * (g - slow)
    v = beta2 * v + fresh_v * (g * g)
    return (correct_m * m + alpha * slow) / (correct_v * np.sqrt(v) + eps), m, slow, v
