import math

import numpy as np

from ..rule import rule


def coefficients(t, base_lr, beta1, beta2, eps, final_lr, gamma):
    step = math.sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
    final = final_lr / base_lr if base_lr > 0.0 else 0.0
    low, high = final * (1.0 - 1.0 / (gamma * t + 1.0)), final * (1.0 + 1.0 / (gamma * t))
    return 1.0 - beta1, beta2, 1.0 - beta2, step, eps, low, high


@rule(
    "adabound",
    title="AdaBound",
    lr=1e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    final_lr=0.1,
    gamma=1e-3,
    amsbound=False,
    coefficients=coefficients,
    ranges={"gamma": "(0, inf)"},
    paper="Luo et al. (2019), Adaptive gradient methods with dynamic bound of learning rate, "
    "arXiv 1902.09843",
    family="Adam",
    elsewhere={},
    defaults_from="the authors' code",
)
def adabound(p, g, m, v, c):
    """Adam whose rate per parameter is bounded ever more closely, so that it ends as SGD.

    m <- beta1 * m + (1 - beta1) * g
    v <- beta2 * v + (1 - beta2) * g²
    a = sqrt(1 - beta2^t) / (1 - beta1^t) / (sqrt(v) + eps)
    p <- p - lr * clip(a, r * (1 - 1 / (gamma * t + 1)), r * (1 + 1 / (gamma * t))) * m

    r is final_lr / lr, so that the bounds close on final_lr; a schedule scales it as well.
    amsbound: the largest v so far takes the place of v.

    Elsewhere: as the authors' code, not as the paper: eps is added to the uncorrected v, the rate
    that is bounded holds the correction of m, and it is not divided by sqrt(t).
    """
    fresh_m, beta2, fresh_v, step, eps, low, high = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    return np.minimum(np.maximum(step / (np.sqrt(v) + eps), low), high) * m, m, v


@adabound.variant("amsbound")
def amsbound(p, g, m, v, v_max, c):
    fresh_m, beta2, fresh_v, step, eps, low, high = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    v_max = np.maximum(v_max, v)
    return np.minimum(np.maximum(step / (np.sqrt(v_max) + eps), low), high) * m, m, v, v_max
