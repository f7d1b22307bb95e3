import math

from ..roots import cube_root
from ..rule import rule


def coefficients(t, lr, momentum, eps):
    weight = (lr + eps) * math.sqrt(t) if lr > 0.0 else 0.0
    return weight, 1.0 - momentum, eps


@rule(
    "madgrad",
    title="MADGRAD",
    lr=1e-2,
    momentum=0.9,
    eps=1e-6,
    coefficients=coefficients,
    start={"x0": "p"},
    own_step=True,
    ranges={"eps": "(0, inf)"},
    paper="Defazio & Jelassi (2021), Adaptivity without compromise: a momentumized, adaptive, dual "
    "averaged gradient method for stochastic optimization, arXiv 2101.11075",
    family="adaptive rate",
    elsewhere={"optax": "contrib.madgrad"},
    defaults_from="the authors' code",
)
def madgrad(p, g, s, v, x0, c):
    """Dual averaging: each step starts from the first weights, with the sum of all gradients.

    w = lr * sqrt(t)
    s <- s + w * g
    v <- v + w * g²
    z = p_0 - s / (cbrt(v) + eps)
    p <- momentum * p + (1 - momentum) * z

    As in the authors' code, eps is added to lr as well.

    Elsewhere: optax takes the square root of t in float32, 1e-8 off.
    """
    weight, fresh, eps = c
    s = s + weight * g
    v = v + weight * (g * g)
    return fresh * (p - (x0 - s / (cube_root(v) + eps))), s, v, x0
