import math

import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    correct_m = 1.0 / (1.0 - beta1**t)
    correct_v = 1.0 / math.sqrt(1.0 - beta2**t)
    return 1.0 - beta1, beta2, 1.0 - beta2, correct_m, correct_v, eps


def terms(p, g, m, v, c):
    fresh_m, beta2, fresh_v, correct_m, correct_v, eps, decay = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    u = correct_m * m / (correct_v * np.sqrt(v) + eps) + decay * p
    return p * p, u * u


def factors(c, p_square, u_square):
    known = p_square > 0.0 and u_square > 0.0
    return (math.sqrt(p_square / u_square) if known else 1.0,)


@rule(
    "lamb",
    title="LAMB",
    lr=1e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-6,
    weight_decay=0.0,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    terms=terms,
    factors=factors,
    own_decay=True,
    paper="You et al. (2020), Large batch optimization for deep learning, arXiv 1904.00962",
    family="layer-wise",
    elsewhere={"optax": "lamb", "Keras": "Lamb"},
    defaults_from="optax",
)
def lamb(p, g, m, v, c):
    """Adam whose step in each layer is as long, in proportion, as the layer's weights.

    m <- beta1 * m + (1 - beta1) * g            m^ = m / (1 - beta1^t)
    v <- beta2 * v + (1 - beta2) * g²           v^ = v / (1 - beta2^t)
    u = m^ / (sqrt(v^) + eps) + weight_decay * p
    p <- p - lr * ||p|| / ||u|| * u             (norms of a weight matrix or bias vector)

    The ratio is 1 where a norm is 0.

    Elsewhere: as in optax the ratio is not bounded; the paper bounds ||p||, and some
    implementations leave out the correction of m and v.
    """
    fresh_m, beta2, fresh_v, correct_m, correct_v, eps, ratio, decay = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    u = correct_m * m / (correct_v * np.sqrt(v) + eps) + decay * p
    return ratio * u, m, v
