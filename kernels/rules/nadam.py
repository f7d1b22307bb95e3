import math

import numpy as np

from ..rule import rule


def coefficients(t, mu_product, beta1, beta2, eps, momentum_decay):
    mu = beta1 * (1.0 - 0.5 * 0.96 ** (t * momentum_decay))
    mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1.0) * momentum_decay))
    mu_product = mu_product * mu
    of_g = (1.0 - mu) / (1.0 - mu_product)
    of_m = mu_next / (1.0 - mu_product * mu_next)
    correct_v = 1.0 / math.sqrt(1.0 - beta2**t)
    return (1.0 - beta1, beta2, 1.0 - beta2, of_g, of_m, correct_v, eps), (mu_product,)


@rule(
    "nadam",
    title="NAdam",
    lr=2e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    momentum_decay=4e-3,
    coefficients=coefficients,
    carry={"mu_product": 1.0},
    paper="Dozat (2016), Incorporating Nesterov momentum into Adam",
    family="Adam",
    elsewhere={"torch": "NAdam", "optax": "nadam", "Keras": "Nadam"},
    defaults_from="torch",
)
def nadam(p, g, m, v, c):
    """Adam with Nesterov's look-ahead and a momentum that warms up.

    mu_t = beta1 * (1 - 0.96^(t * momentum_decay) / 2)          M_t = mu_1 * … * mu_t
    m <- beta1 * m + (1 - beta1) * g
    v <- beta2 * v + (1 - beta2) * g²                           v^ = v / (1 - beta2^t)
    p <- p - lr * [(1 - mu_t) / (1 - M_t) * g + mu_(t+1) / (1 - M_(t+1)) * m] / (sqrt(v^) + eps)

    Elsewhere: as in torch; optax has no schedule of the momentum, Keras that of momentum_decay = 1.
    """
    fresh_m, beta2, fresh_v, of_g, of_m, correct_v, eps = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    return (of_g * g + of_m * m) / (correct_v * np.sqrt(v) + eps), m, v
