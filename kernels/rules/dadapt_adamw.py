import math

import numpy as np

from ..rule import rule


def coefficients(t, lr, beta1, beta2, eps):
    rate = lr * math.sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
    beta3 = math.sqrt(beta2)
    return beta1, 1.0 - beta1, beta2, 1.0 - beta2, beta3, 1.0 - beta3, eps, rate


def terms(p, g, m, v, s, c):
    _, _, _, _, beta3, fresh_s, eps, rate, d, _, _ = c
    along = g * s / (np.sqrt(v) + eps)
    return along, np.abs(beta3 * s + fresh_s * (d * rate) * g)


def factors(c, d, numerator, along, s_size):
    _, _, _, _, beta3, fresh_s, _, rate = c
    numerator = beta3 * numerator + fresh_s * d * rate * along
    larger = numerator / (fresh_s * s_size) if s_size > 0.0 else d
    return (d * rate,), (max(d, larger), numerator)


@rule(
    "dadapt_adamw",
    title="DAdaptAdamW",
    lr=1.0,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    d0=1e-6,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    terms=terms,
    factors=factors,
    kept={"d": "d0", "numerator": 0.0},
    over="all",
    own_step=True,
    ranges={"d0": "(0, inf)"},
    own_decay=True,
    rates=(0.1, 10.0),
    paper="Defazio & Mishchenko (2023), Learning-rate-free learning by D-Adaptation, "
    "arXiv 2301.07733",
    family="learning-rate-free",
    elsewhere={"optax": "contrib.dadapt_adamw"},
    defaults_from="optax",
)
def dadapt_adamw(p, g, m, v, s, c):
    """AdamW that estimates its own rate from how gradients and steps so far go together.

    e = d * lr * sqrt(1 - beta2^t) / (1 - beta1^t)      beta3 = sqrt(beta2)
    r <- beta3 * r + (1 - beta3) * e * sum(g * s / (sqrt(v) + eps))
    m <- beta1 * m + (1 - beta1) * e * g
    v <- beta2 * v + (1 - beta2) * g²
    s <- beta3 * s + (1 - beta3) * e * g
    p <- p - m / (sqrt(v) + eps) - e * weight_decay * p
    d <- max(d, r / ((1 - beta3) * sum|s|))             (from d0; lr stays 1)

    Elsewhere: as in optax, the variant with inner products, and as the authors' DAdaptAdam with
    use_bias_correction=True; their default does not correct e for the zero start of m and v.
    """
    beta1, fresh_m, beta2, fresh_v, beta3, fresh_s, eps, _, rate, decay = c
    m = beta1 * m + fresh_m * rate * g
    v = beta2 * v + fresh_v * (g * g)
    s = beta3 * s + fresh_s * rate * g
    return m / (np.sqrt(v) + eps) + rate * decay * p, m, v, s
