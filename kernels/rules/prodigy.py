import math

import numpy as np

from ..rule import rule


def coefficients(t, lr, beta1, beta2, eps, d0, d_coef, use_bias_correction, safeguard_warmup):
    rate = lr
    if use_bias_correction:
        rate = lr * math.sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
    of_s = 1.0 if safeguard_warmup else rate
    return beta1, 1.0 - beta1, beta2, 1.0 - beta2, math.sqrt(beta2), eps, d0, d_coef, rate, of_s


def terms(p, g, m, v, s, x0, c):
    _, _, _, _, beta3, _, d0, _, _, of_s, d, _, _ = c
    return g * (x0 - p), np.abs(beta3 * s + d / d0 * (d * of_s) * g)


def factors(c, d, numerator, along, s_size):
    _, _, _, _, beta3, eps, d0, d_coef, rate, of_s = c
    numerator = beta3 * numerator + d / d0 * (d * rate) * along
    larger = max(d, d_coef * numerator / s_size) if s_size > 0.0 else d
    return (d, d * rate, d / d0 * (d * of_s), larger * eps), (larger, numerator)


@rule(
    "prodigy",
    title="Prodigy",
    lr=1.0,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    d0=1e-6,
    d_coef=1.0,
    use_bias_correction=False,
    safeguard_warmup=False,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    start={"x0": "p"},
    terms=terms,
    factors=factors,
    kept={"d": "d0", "numerator": 0.0},
    over="all",
    own_step=True,
    ranges={"d0": "(0, inf)"},
    own_decay=True,
    rates=(0.1, 10.0),
    paper="Mishchenko & Defazio (2024), Prodigy: an expeditiously adaptive parameter-free learner, "
    "arXiv 2306.06101",
    family="learning-rate-free",
    elsewhere={"optax": "contrib.prodigy"},
    defaults_from="the authors' code",
)
def prodigy(p, g, m, v, s, x0, c):
    """AdamW that estimates its own rate d from the distance to the start, faster than D-Adaptation.

    beta3 = sqrt(beta2),  e = d * lr
    r <- beta3 * r + d / d0 * e * sum(g * (p_0 - p))
    m <- beta1 * m + (1 - beta1) * d * g
    v <- beta2 * v + (1 - beta2) * (d * g)²
    s <- beta3 * s + d / d0 * e * g                     (safeguard_warmup: d * g in place of e * g)
    d' = max(d, d_coef * r / sum|s|)                    (from d0; lr stays 1)
    p <- p - e * (m / (sqrt(v) + d' * eps) + weight_decay * p)

    Elsewhere: as the authors' code; optax always corrects e for the zero start of m and v, which
    here is use_bias_correction=True.
    """
    beta1, fresh_m, beta2, fresh_v, beta3, _, _, _, _, _, d, rate, of_s, eps, decay = c
    m = beta1 * m + fresh_m * (d * g)
    v = beta2 * v + fresh_v * ((d * g) * (d * g))
    s = beta3 * s + of_s * g
    return rate * (m / (np.sqrt(v) + eps) + decay * p), m, v, s, x0
