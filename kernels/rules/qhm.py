from ..rule import rule


def coefficients(t, momentum, nu):
    return 1.0 - momentum, nu


@rule(
    "qhm",
    title="QHM",
    lr=1.0,
    momentum=0.999,
    nu=0.7,
    coefficients=coefficients,
    rates=(1e-3, 100.0),
    ranges={"momentum": "[0, 1)", "nu": "[0, 1]"},
    paper="Ma & Yarats (2019), Quasi-hyperbolic momentum and Adam, arXiv 1810.06801",
    family="momentum",
    defaults_from="the paper's rule of thumb",
)
def qhm(p, g, m, c):
    """A step between SGD's and momentum's: part of it is the gradient, part its average.

    m <- momentum * m + (1 - momentum) * g
    p <- p - lr * [(1 - nu) * g + nu * m]

    nu = 0 is SGD; nu = 1 is momentum with lr / (1 - momentum); nu = momentum is Nesterov's.
    """
    fresh, nu = c
    m = m + fresh * (g - m)
    return g + nu * (m - g), m
