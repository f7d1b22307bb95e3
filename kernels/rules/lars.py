import math

from ..rule import rule


def coefficients(t, lr, momentum, trust_coefficient, eps):
    return momentum, lr, trust_coefficient, eps


def terms(p, g, v, c):
    return p * p, g * g


def factors(c, p_square, g_square):
    _, lr, trust_coefficient, eps = c
    p_norm, g_norm = math.sqrt(p_square), math.sqrt(g_square)
    known = p_norm > 0.0 and g_norm > 0.0
    return (lr * trust_coefficient * p_norm / (g_norm + eps) if known else lr,)


@rule(
    "lars",
    title="LARS",
    lr=1.0,
    momentum=0.9,
    trust_coefficient=1e-3,
    eps=0.0,
    nesterov=False,
    coefficients=coefficients,
    terms=terms,
    factors=factors,
    own_step=True,
    rates=(1e-3, 100.0),
    paper="You, Gitman & Ginsburg (2017), Large batch training of convolutional networks, "
    "arXiv 1708.03888",
    family="layer-wise",
    elsewhere={"optax": "lars"},
    defaults_from="optax",
)
def lars(p, g, v, c):
    """Momentum whose rate in each layer is in proportion to ||weights|| / ||gradient||.

    g <- g + weight_decay * p
    v <- mu * v + lr * eta * ||p|| / ||g|| * g          (norms of a weight matrix or bias vector)
    p <- p - v

    The ratio is 1 where a norm is 0.

    Elsewhere: as in the paper and optax the rate is inside the velocity.  The paper's authors leave
    biases out of the scaling, optax and this do not.
    """
    mu, _, _, _, rate = c
    v = mu * v + rate * g
    return v, v


@lars.variant("nesterov", terms=terms)
def nesterov(p, g, v, c):
    mu, _, _, _, rate = c
    v = mu * v + rate * g
    return rate * g + mu * v, v
