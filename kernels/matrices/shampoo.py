import numpy as np

from ..matrix import inverse_root, matrix_rule


def of_vector(p, g, state, t, h):
    """One factor instead of two, with the root of order 2."""
    state["L"] = state.get("L", h.eps * np.eye(g.size)) + np.outer(g, g).astype(float)
    if (t - 1) % h.update_every == 0:
        state["PL"] = inverse_root(state["L"], 2.0)
    return with_momentum((state["PL"] @ g).astype(g.dtype), state, h)


def with_momentum(u, state, h):
    if h.momentum == 0.0:
        return u
    state["b"] = u.dtype.type(h.momentum) * state.get("b", 0 * u) + u
    return state["b"]


@matrix_rule(
    "shampoo",
    title="Shampoo",
    lr=1e-1,
    momentum=0.0,
    eps=1e-4,
    update_every=1,
    of_vector=of_vector,
    state={"L, PL": "(inputs, inputs)", "R, PR": "(outputs, outputs)"},
    ranges={"eps": "(0, inf)", "update_every": "whole [1, inf)", "momentum": "[0, 1)"},
    rates=(1e-3, 10.0),
    paper="Gupta, Koren & Singer (2018), Shampoo: preconditioned stochastic tensor optimization, "
    "arXiv 1802.09568",
    defaults_from="the paper's form; eps from pytorch-optimizer",
)
def shampoo(W, g, state, t, h):
    """Adagrad for matrices: gradients are whitened by their rows' and by their columns' products.

    L <- L + g g'                           R <- R + g' g           (from eps * I)
    W <- W - lr * L^(-1/4) g R^(-1/4)       (a bias vector: L^(-1/2) g)

    The roots, in float64, are taken anew every update_every steps.  momentum: v <- mu * v + the
    whitened gradient, which is the step.

    Elsewhere: the paper's Algorithm 1; Distributed Shampoo averages L and R and grafts the size of
    another optimizer's step onto this direction.
    """
    G, (I, O) = g.astype(float), g.shape
    state["L"] = state.get("L", h.eps * np.eye(I)) + G @ G.T
    state["R"] = state.get("R", h.eps * np.eye(O)) + G.T @ G
    if (t - 1) % h.update_every == 0:
        state["PL"], state["PR"] = inverse_root(state["L"], 4.0), inverse_root(state["R"], 4.0)
    return with_momentum((state["PL"] @ G @ state["PR"]).astype(g.dtype), state, h)
