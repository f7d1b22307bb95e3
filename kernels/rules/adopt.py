import math

import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    first = t == 1.0  # it only fills v, because its limit is 0
    limit = math.sqrt(math.sqrt(t - 1.0))
    return 1.0 - beta1, 0.0 if first else beta2, 1.0 if first else 1.0 - beta2, eps, limit


@rule(
    "adopt",
    title="ADOPT",
    lr=1e-3,
    beta1=0.9,
    beta2=0.9999,
    eps=1e-6,
    coefficients=coefficients,
    paper="Taniguchi et al. (2024), ADOPT: modified Adam can converge with any beta2, "
    "arXiv 2411.02853",
    family="Adam",
    elsewhere={"optax": "contrib.adopt"},
    defaults_from="the paper",
)
def adopt(p, g, m, v, c):
    """Adam that divides a gradient by the v of the steps before it, then averages: any beta2 works.

    t = 1:  v <- g²
    then:   u = clip(g / max(sqrt(v), eps), -(t - 1)^(1/4), (t - 1)^(1/4))
            m <- beta1 * m + (1 - beta1) * u
            p <- p - lr * m
            v <- beta2 * v + (1 - beta2) * g²

    Elsewhere: pytorch_optimizer's limit is t^(1/4), a step ahead; the first code of the authors
    had no limit.  Decoupled weight decay acts at the first step too, where their present code has
    none.
    """
    fresh_m, beta2, fresh_v, eps, limit = c
    u = g / np.maximum(np.sqrt(v), eps)
    m = m + fresh_m * (np.minimum(np.maximum(u, -limit), limit) - m)
    v = beta2 * v + fresh_v * (g * g)
    return m, m, v
