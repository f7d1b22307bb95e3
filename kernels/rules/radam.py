import math

import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    correct_m = 1.0 / (1.0 - beta1**t)
    correct_v = 1.0 - beta2**t
    longest = 2.0 / (1.0 - beta2) - 1.0
    rho = longest - 2.0 * t * beta2**t / correct_v
    if rho > 5.0:
        r = (rho - 4.0) * (rho - 2.0) * longest
        r = math.sqrt(r / ((longest - 4.0) * (longest - 2.0) * rho))
        of_adam, of_momentum = r * math.sqrt(correct_v) * correct_m, 0.0
    else:
        of_adam, of_momentum = 0.0, correct_m
    return 1.0 - beta1, beta2, 1.0 - beta2, of_adam, of_momentum, eps


@rule(
    "radam",
    title="RAdam",
    lr=1e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    coefficients=coefficients,
    paper="Liu et al. (2020), On the variance of the adaptive learning rate, arXiv 1908.03265",
    family="Adam",
    elsewhere={"torch": "RAdam", "optax": "radam"},
    defaults_from="torch",
)
def radam(p, g, m, v, c):
    """Adam that waits with dividing until v has seen enough gradients, in place of a warmup.

    rho = rho_inf - 2 * t * beta2^t / (1 - beta2^t)          rho_inf = 2 / (1 - beta2) - 1
    m, v, m^, v^ as in Adam
    rho > 5:    p <- p - lr * r * m^ * sqrt(1 - beta2^t) / (sqrt(v) + eps)
    otherwise:  p <- p - lr * m^
    r = sqrt[(rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho)]

    With beta2 = 0.999 the first five steps are of the second kind, as large as lr * m^.

    Elsewhere: torch divides from rho > 5 on, as here, optax from 5 on, the paper from > 4; optax
    adds eps to the corrected root, torch and this to the uncorrected one.
    """
    fresh_m, beta2, fresh_v, of_adam, of_momentum, eps = c
    m = m + fresh_m * (g - m)
    v = beta2 * v + fresh_v * (g * g)
    return of_adam * m / (np.sqrt(v) + eps) + of_momentum * m, m, v
