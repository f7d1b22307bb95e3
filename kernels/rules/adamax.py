import numpy as np

from ..rule import rule


def coefficients(t, beta1, beta2, eps):
    return 1.0 - beta1, beta2, 1.0 / (1.0 - beta1**t), eps


@rule(
    "adamax",
    title="Adamax",
    lr=2e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    coefficients=coefficients,
    paper="Kingma & Ba (2015), Adam, section 7.1, arXiv 1412.6980",
    family="Adam",
    elsewhere={"torch": "Adamax", "optax": "adamax", "Keras": "Adamax"},
    defaults_from="torch",
)
def adamax(p, g, m, u, c):
    """Adam that divides by the largest recent gradient instead of a root mean square.

    m <- beta1 * m + (1 - beta1) * g            m^ = m / (1 - beta1^t)
    u <- max(beta2 * u, |g| + eps)
    p <- p - lr * m^ / u

    Elsewhere: Keras adds eps to u where it divides; torch and optax, as here, to |g|.
    """
    fresh_m, beta2, correct_m, eps = c
    m = m + fresh_m * (g - m)
    u = np.maximum(beta2 * u, np.abs(g) + eps)
    return correct_m * m / u, m, u
