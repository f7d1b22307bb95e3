import numpy as np

from ..rule import rule


def coefficients(t, alpha, eps, momentum):
    return alpha, 1.0 - alpha, eps, momentum


@rule(
    "rmsprop",
    title="RMSprop",
    lr=1e-2,
    alpha=0.99,
    eps=1e-8,
    momentum=0.0,
    centered=False,
    coefficients=coefficients,
    paper="Tieleman & Hinton (2012), Coursera lecture 6.5; centered: Graves (2013), 1308.0850",
    family="adaptive rate",
    elsewhere={"torch": "RMSprop", "optax": "rmsprop", "Keras": "RMSprop"},
    defaults_from="torch",
)
def rmsprop(p, g, v, c):
    """Adagrad that forgets: a moving average of squared gradients replaces the sum.

    v <- alpha * v + (1 - alpha) * g²
    p <- p - lr * g / (sqrt(v) + eps)

    centered: sqrt(v - m²) with m the moving average of g.  momentum: b <- mu * b + g / (…) and
    p <- p - lr * b.

    Elsewhere: eps stands outside the root in torch and here, inside it in Keras and optax; there
    lr is inside b, too, which differs where the rate changes.
    """
    alpha, fresh, eps, _ = c
    v = alpha * v + fresh * (g * g)
    return g / (np.sqrt(v) + eps), v


@rmsprop.variant("momentum")
def with_momentum(p, g, v, b, c):
    alpha, fresh, eps, mu = c
    v = alpha * v + fresh * (g * g)
    b = mu * b + g / (np.sqrt(v) + eps)
    return b, v, b


@rmsprop.variant("centered")
def centered(p, g, v, m, c):
    alpha, fresh, eps, _ = c
    v = alpha * v + fresh * (g * g)
    m = m + fresh * (g - m)
    return g / (np.sqrt(v - m * m) + eps), v, m


@rmsprop.variant("centered", "momentum")
def centered_with_momentum(p, g, v, m, b, c):
    alpha, fresh, eps, mu = c
    v = alpha * v + fresh * (g * g)
    m = m + fresh * (g - m)
    b = mu * b + g / (np.sqrt(v - m * m) + eps)
    return b, v, m, b
