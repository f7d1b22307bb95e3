from ..rule import rule


def coefficients(t, momentum, dampening):
    first = t == 1.0  # dampening starts with the second step
    return momentum, 1.0 if first else 1.0 - dampening


def check(momentum, dampening, nesterov, **_):
    if nesterov and (not momentum or dampening):
        return "nesterov=True needs momentum > 0 and dampening = 0"


@rule(
    "sgd",
    title="SGD",
    lr=1e-3,
    momentum=0.0,
    dampening=0.0,
    nesterov=False,
    coefficients=coefficients,
    check=check,
    rates=(1e-5, 10.0),
    paper="Robbins & Monro (1951), A stochastic approximation method",
    family="momentum",
    elsewhere={
        "torch": "SGD",
        "optax": "sgd",
        "Keras": "SGD",
        "scikit-learn": "solver='sgd', momentum=0",
    },
    defaults_from="torch",
)
def sgd(p, g, c):
    """Stochastic gradient descent: a step against the gradient of a mini-batch.

    p <- p - lr * g

    With momentum (Polyak 1964) or nesterov see the rules of those names.
    """
    return (g,)


@sgd.variant("momentum")
def momentum(p, g, v, c):
    mu, undamped = c
    v = mu * v + undamped * g
    return v, v


@sgd.variant("momentum", "nesterov")
def nesterov(p, g, v, c):
    mu, undamped = c
    v = mu * v + undamped * g
    return g + mu * v, v
