import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2):
    return 1.0 - beta1, 1.0 - beta2


@rule(
    "lion",
    title="Lion",
    lr=1e-4,
    beta1=0.9,
    beta2=0.99,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    rates=(1e-6, 0.1),
    paper="Chen et al. (2023), Symbolic discovery of optimization algorithms, arXiv 2302.06675",
    family="sign",
    elsewhere={"optax": "lion", "Keras": "Lion"},
    defaults_from="the paper's code",
)
def lion(p, g, m, c):
    """The sign of a momentum: every parameter moves by lr, found by a search over programs.

    u = sign(beta1 * m + (1 - beta1) * g)
    p <- p - lr * (u + weight_decay * p)
    m <- beta2 * m + (1 - beta2) * g

    It wants a 3 to 10 times smaller lr and as much more weight decay than AdamW.

    Elsewhere: optax decays by 1e-3 unless told otherwise; Keras starts at lr 1e-3.
    """
    fresh_u, fresh_m = c
    u = np.sign(m + fresh_u * (g - m))
    m = m + fresh_m * (g - m)
    return u, m
