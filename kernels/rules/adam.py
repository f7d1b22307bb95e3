import math

import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    correct_m = 1.0 / (1.0 - beta1**t)
    correct_v = 1.0 / math.sqrt(1.0 - beta2**t)
    return 1.0 - beta1, beta2, 1.0 - beta2, correct_m, correct_v, eps


@rule(
    "adam",
    title="Adam",
    lr=1e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    amsgrad=False,
    coefficients=coefficients,
    paper="Kingma & Ba (2015), Adam, arXiv 1412.6980; amsgrad: Reddi et al. (2018)",
    family="Adam",
    elsewhere={
        "torch": "Adam",
        "optax": "adam",
        "Keras": "Adam",
        "scikit-learn": "solver='adam'",
    },
    defaults_from="torch",
)
def adam(p, g, m, v, c):
    """Momentum and RMSprop in one, with both averages corrected for starting at zero.

    m <- beta1 * m + (1 - beta1) * g            m^ = m / (1 - beta1^t)
    v <- beta2 * v + (1 - beta2) * g²           v^ = v / (1 - beta2^t)
    p <- p - lr * m^ / (sqrt(v^) + eps)

    amsgrad: the largest v so far takes the place of v.

    Elsewhere: eps is added after the correction in the paper's Algorithm 1, torch, optax and here;
    scikit-learn and Keras add it before ("epsilon hat"), where it weighs 32 times as much at the
    first step.  amsgrad takes the largest uncorrected v in torch, Keras and here, the largest
    corrected one in optax.
    """
    fresh_m, beta2, fresh_v, correct_m, correct_v, eps = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    return correct_m * m / (correct_v * np.sqrt(v) + eps), m, v


@adam.variant("amsgrad")
def amsgrad(p, g, m, v, v_max, c):
    fresh_m, beta2, fresh_v, correct_m, correct_v, eps = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    v_max = np.maximum(v_max, v)
    return correct_m * m / (correct_v * np.sqrt(v_max) + eps), m, v, v_max
