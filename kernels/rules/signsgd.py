import numpy as np

from ..rule import rule


@rule(
    "signsgd",
    title="SignSGD",
    lr=1e-3,
    rates=(1e-6, 0.1),
    paper="Bernstein et al. (2018), signSGD: compressed optimisation, arXiv 1802.04434",
    family="sign",
    elsewhere={"optax": "sign_sgd"},
    defaults_from="our choice: every parameter moves by lr, as in Adam's first step",
)
def signsgd(p, g, c):
    """The sign of the gradient and nothing else: every parameter moves by lr.

    p <- p - lr * sign(g)          sign(0) = 0

    An infinite gradient has a sign and goes unnoticed; nan does not.
    """
    return (np.sign(g),)
