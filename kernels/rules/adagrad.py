import numpy as np

from ..rule import rule


def coefficients(t, lr_decay, eps):
    return 1.0 / (1.0 + (t - 1.0) * lr_decay), eps


@rule(
    "adagrad",
    title="Adagrad",
    lr=1e-2,
    lr_decay=0.0,
    initial_accumulator_value=0.0,
    eps=1e-10,
    coefficients=coefficients,
    start={"h": "initial_accumulator_value"},
    paper="Duchi, Hazan & Singer (2011), Adaptive subgradient methods",
    family="adaptive rate",
    elsewhere={"torch": "Adagrad", "optax": "adagrad", "Keras": "Adagrad"},
    defaults_from="torch",
)
def adagrad(p, g, h, c):
    """A learning rate per parameter that shrinks where gradients were large.

    h <- h + g²
    p <- p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(h) + eps)

    h only grows, so learning finally stops.

    Elsewhere: Keras and optax start h at 0.1 and add eps inside the root; torch, and this, start
    at 0 and add it outside.
    """
    annealed, eps = c
    h = h + g * g
    return annealed * g / (np.sqrt(h) + eps), h
