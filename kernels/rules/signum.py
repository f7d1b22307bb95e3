import numpy as np

from ..rule import rule


def coefficients(t, beta):
    return (1.0 - beta,)


@rule(
    "signum",
    title="Signum",
    lr=1e-3,
    beta=0.9,
    coefficients=coefficients,
    rates=(1e-6, 0.1),
    paper="Bernstein et al. (2018), signSGD: compressed optimisation, arXiv 1802.04434",
    family="sign",
    elsewhere={"optax": "signum"},
    defaults_from="beta: the paper; lr: our choice, as in SignSGD",
)
def signum(p, g, m, c):
    """SignSGD with momentum: the sign of an average of gradients.

    m <- beta * m + (1 - beta) * g
    p <- p - lr * sign(m)
    """
    (fresh,) = c
    m = m + fresh * (g - m)
    return np.sign(m), m
