import math

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    first = t == 1.0
    return beta1, 0.0 if first else beta2, 1.0 if first else 1.0 - beta2, eps


def terms(p, g, m, c):
    return (g * g,)


def factors(c, v, g_square):
    _, beta2, fresh, eps = c
    v = beta2 * v + fresh * g_square
    return (1.0 / (math.sqrt(v) + eps),), (v,)


@rule(
    "novograd",
    title="NovoGrad",
    lr=1e-2,
    beta1=0.9,
    beta2=0.25,
    eps=1e-6,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    terms=terms,
    factors=factors,
    kept={"v": 0.0},
    own_decay=True,
    paper="Ginsburg et al. (2019), Stochastic gradient methods with layer-wise adaptive moments, "
    "arXiv 1905.11286",
    family="layer-wise",
    elsewhere={"optax": "novograd"},
    defaults_from="optax; lr from the paper",
)
def novograd(p, g, m, c):
    """Adam with a single second moment per layer: that of the norm of its gradient.

    v <- beta2 * v + (1 - beta2) * ||g||²       (the first step: v <- ||g||²)
    m <- beta1 * m + g / (sqrt(v) + eps) + weight_decay * p
    p <- p - lr * m

    v is one number for each weight matrix and each bias vector.  The decay is part of the momentum;
    it counts as decoupled because v does not see it.

    Elsewhere: as in optax, which has no lr of its own.
    """
    beta1, _, _, _, scale, decay = c
    m = beta1 * m + (scale * g + decay * p)
    return m, m
