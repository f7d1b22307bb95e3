import numpy as np

from ..rule import rule


def coefficients(t, rho, eps):
    return rho, 1.0 - rho, eps


@rule(
    "adadelta",
    title="Adadelta",
    lr=1.0,
    rho=0.9,
    eps=1e-6,
    coefficients=coefficients,
    rates=(1e-3, 100.0),
    paper="Zeiler (2012), ADADELTA: an adaptive learning rate method, arXiv 1212.5701",
    family="adaptive rate",
    elsewhere={"torch": "Adadelta", "optax": "adadelta", "Keras": "Adadelta"},
    defaults_from="torch",
)
def adadelta(p, g, v, a, c):
    """Steps as long as the recent ones were, so that even their unit is that of the parameter.

    v <- rho * v + (1 - rho) * g²
    d = sqrt(a + eps) / sqrt(v + eps) * g
    a <- rho * a + (1 - rho) * d²
    p <- p - lr * d

    Elsewhere: the paper has no lr, which is lr = 1; Keras starts at lr 1e-3 with rho 0.95 and
    eps 1e-7, so that its default steps are some two thousand times shorter.
    """
    rho, fresh, eps = c
    v = rho * v + fresh * (g * g)
    d = np.sqrt((a + eps) / (v + eps)) * g
    a = rho * a + fresh * (d * d)
    return d, v, a
