import numpy as np

from ..matrix import matrix_rule


def scaled(p, g, V, t, h):
    """The step for a second moment V, relative to the rate."""
    T = g.dtype.type
    eps1 = h.eps1 or np.finfo(T).eps
    rho = min(h.rate, 1.0 / np.sqrt(t))
    alpha = max(h.eps2, np.linalg.norm(p) / np.sqrt(p.size)) * rho
    u = g / np.sqrt(np.maximum(V, T(eps1 * eps1)))
    size = max(1.0, np.linalg.norm(u) / np.sqrt(u.size) / h.d)
    return T(alpha / size / h.rate if h.rate > 0 else 0.0) * u


def of_vector(p, g, state, t, h):
    w = g.dtype.type(t**h.beta2_decay)
    state["v"] = state.get("v", 0 * g)
    state["v"] = state["v"] + w * (g * g - state["v"])
    return scaled(p, g, state["v"], t, h)


@matrix_rule(
    "adafactor",
    title="Adafactor",
    lr=1e-2,
    beta2_decay=-0.8,
    eps1=0.0,
    eps2=1e-3,
    d=1.0,
    of_vector=of_vector,
    state={"r": "(inputs,)", "c": "(outputs,)"},
    ranges={"beta2_decay": "(-inf, 0]", "d": "[1, inf)"},
    paper="Shazeer & Stern (2018), Adafactor: adaptive learning rates with sublinear memory cost, "
    "arXiv 1804.04235",
    elsewhere={"torch": "Adafactor", "optax": "adafactor", "Keras": "Adafactor"},
    defaults_from="torch",
)
def adafactor(W, g, state, t, h):
    """Adam's second moment from the means of its rows and columns, steps as long as the weights.

    w = t^beta2_decay                       rho = min(lr, 1 / sqrt(t))
    r <- r + w * (row means of g² - r)      c <- c + w * (column means of g² - c)
    V = r c' / max(mean(r), eps1)           (a bias vector: V <- V + w * (g² - V))
    u = g / sqrt(max(V, eps1²))             a = max(eps2, RMS(W)) * rho
    W <- W - lr * weight_decay * W - a / max(1, RMS(u) / d) * u

    eps1 = 0 stands for the float's resolution (np.finfo.eps).

    Elsewhere: as in torch and Keras; optax factors no matrix with a side below 128 and bounds the
    rate by no rho.
    """
    T = g.dtype.type
    w = T(t**h.beta2_decay)
    rows, columns = (g * g).mean(axis=1), (g * g).mean(axis=0)
    r, c = state.get("r", 0 * rows), state.get("c", 0 * columns)
    r = state["r"] = r + w * (rows - r)
    c = state["c"] = c + w * (columns - c)
    # torch divides by the mean over what its rows are, our columns: the two means are equal.
    V = np.outer(r, c) / max(c.mean(), T(h.eps1 or np.finfo(T).eps))
    return scaled(W, g, V, t, h)
