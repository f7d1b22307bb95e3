import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, nu1, nu2, eps):
    of_m, of_v = nu1 / (1.0 - beta1**t), nu2 / (1.0 - beta2**t)
    return 1.0 - beta1, beta2, 1.0 - beta2, 1.0 - nu1, of_m, 1.0 - nu2, of_v, eps


@rule(
    "qhadam",
    title="QHAdam",
    lr=1e-3,
    beta1=0.995,
    beta2=0.999,
    nu1=0.7,
    nu2=1.0,
    eps=1e-8,
    coefficients=coefficients,
    ranges={"nu1": "[0, 1]", "nu2": "[0, 1]"},
    paper="Ma & Yarats (2019), Quasi-hyperbolic momentum and Adam, arXiv 1810.06801",
    family="Adam",
    defaults_from="the paper's rule of thumb",
)
def qhadam(p, g, m, v, c):
    """Adam whose averages are mixed with the gradient of the step itself.

    m, v, m^, v^ as in Adam
    p <- p - lr * [(1 - nu1) * g + nu1 * m^] / (sqrt[(1 - nu2) * g² + nu2 * v^] + eps)

    nu1 = nu2 = 1 is Adam.

    Elsewhere: the paper's code has Adam's betas and nu1 = nu2 = 1 as defaults; pytorch_optimizer
    3.9 adds 1 - beta2 * g² to v, in which it differs from the paper, 4.1 no longer.
    """
    fresh_m, beta2, fresh_v, of_g, of_m, of_g2, of_v, eps = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    return (of_g * g + of_m * m) / (np.sqrt(of_g2 * g * g + of_v * v) + eps), m, v
