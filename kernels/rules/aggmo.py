from ..rule import rule


def coefficients(t, beta1, beta2, beta3):
    return beta1, beta2, beta3, 1.0 / 3.0


@rule(
    "aggmo",
    title="AggMo",
    lr=1e-3,
    beta1=0.0,
    beta2=0.9,
    beta3=0.99,
    coefficients=coefficients,
    rates=(1e-5, 10.0),
    paper="Lucas et al. (2019), Aggregated momentum: stability through passive damping, "
    "arXiv 1804.00325",
    family="momentum",
    defaults_from="betas: the paper; lr: torch's SGD",
)
def aggmo(p, g, v2, v3, c):
    """Three momenta at once, the slow one for distance and the quick ones against oscillation.

    v_i <- beta_i * v_i + g             i = 1, 2, 3
    p <- p - lr * (v_1 + v_2 + v_3) / 3

    With beta1 = 0, the default, v_1 is the gradient and needs no memory.
    """
    _, beta2, beta3, third = c
    v2 = beta2 * v2 + g
    v3 = beta3 * v3 + g
    return third * (g + v2 + v3), v2, v3


@aggmo.variant("beta1")
def three_buffers(p, g, v1, v2, v3, c):
    beta1, beta2, beta3, third = c
    v1 = beta1 * v1 + g
    v2 = beta2 * v2 + g
    v3 = beta3 * v3 + g
    return third * (v1 + v2 + v3), v1, v2, v3
