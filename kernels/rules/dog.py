import math

from ..rule import rule


def coefficients(t, reps_rel, eps):
    return reps_rel if t == 1.0 else 0.0, eps


def terms(p, g, x0, c):
    return (p - x0) * (p - x0), g * g, p * p


def factors(c, distance, squares, moved, g_square, p_square):
    start, eps = c
    distance = max(distance, start * (1.0 + math.sqrt(p_square)), math.sqrt(moved))
    squares = squares + g_square
    return (distance / math.sqrt(squares + eps),), (distance, squares)


@rule(
    "dog",
    title="DoG",
    lr=1.0,
    reps_rel=1e-6,
    eps=1e-8,
    coefficients=coefficients,
    start={"x0": "p"},
    terms=terms,
    factors=factors,
    kept={"distance": 0.0, "squares": 0.0},
    over="all",
    rates=(0.1, 10.0),
    paper="Ivgi, Hinder & Carmon (2023), DoG is SGD's best friend, arXiv 2302.12022",
    family="learning-rate-free",
    elsewhere={"optax": "contrib.dog"},
    defaults_from="optax",
)
def dog(p, g, x0, c):
    """SGD without a rate to tune: the distance from the start over the size of all gradients.

    r = max(reps_rel * (1 + ||p_0||), max over k <= t of ||p_k - p_0||)
    G <- G + ||g||²
    p <- p - lr * r / sqrt(G + eps) * g         (norms over all parameters; lr stays 1)

    The authors recommend to evaluate an average of the weights, here ema=0.999.

    Elsewhere: as in optax.
    """
    _, _, rate = c
    return rate * g, x0
