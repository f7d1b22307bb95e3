import numpy as np

from ..matrix import adam_direction, matrix_rule


def refreshed(Q, S, sort):
    """One step of the power iteration for the eigenvectors Q of S, sorted by their eigenvalues."""
    order = np.argsort(-np.sum(Q * (S @ Q), axis=0), kind="stable")
    sort.append(order)
    return np.linalg.qr(S @ Q[:, order])[0]


def of_vector(p, g, state, t, h):
    return adam_direction(p, g, state, t, h)


@matrix_rule(
    "soap",
    title="SOAP",
    lr=3e-3,
    beta1=0.95,
    beta2=0.95,
    eps=1e-8,
    weight_decay=0.01,
    precondition_frequency=10,
    of_vector=of_vector,
    state={"m, v": "(inputs, outputs)", "L, P": "(inputs, inputs)", "R, Q": "(outputs, outputs)"},
    ranges={"precondition_frequency": "whole [1, inf)"},
    paper="Vyas et al. (2024), SOAP: improving and stabilizing Shampoo using Adam, "
    "arXiv 2409.11321",
    defaults_from="the authors' code",
)
def soap(W, g, state, t, h):
    """Adam in the slowly turning eigenbasis of Shampoo's matrices.

    L <- b L + (1 - b) g g'                 R <- b R + (1 - b) g' g         b = beta2
    P, Q: eigenvectors of L and R, refreshed every precondition_frequency steps by one power
    iteration and a QR decomposition
    m, v: Adam's averages of P' g Q         k = sqrt(1 - beta2^(t-1)) / (1 - beta1^(t-1))
    u = k P (m / (sqrt(v) + eps)) Q'
    W <- W - lr * (u + weight_decay * W)    (the first gradient only starts L and R: no step)

    Biases take AdamW's step.

    Elsewhere: as the authors' code, where a vector's first gradient makes no step either.
    """
    G, b = g.astype(float), h.beta2
    if t == 1:
        state["L"], state["R"] = (1 - b) * G @ G.T, (1 - b) * G.T @ G
        state["P"] = np.linalg.eigh(state["L"])[1][:, ::-1]
        state["Q"] = np.linalg.eigh(state["R"])[1][:, ::-1]
        state["m"], state["v"] = np.zeros_like(G), np.zeros_like(G)
        return 0 * g - g.dtype.type(h.decay) * W
    P, Q = state["P"], state["Q"]
    turned = P.T @ G @ Q
    state["m"] = h.beta1 * state["m"] + (1 - h.beta1) * turned
    state["v"] = h.beta2 * state["v"] + (1 - h.beta2) * turned**2
    corrected = np.sqrt(1 - h.beta2 ** (t - 1)) / (1 - h.beta1 ** (t - 1))
    u = corrected * (P @ (state["m"] / (np.sqrt(state["v"]) + h.eps)) @ Q.T)
    state["L"], state["R"] = b * state["L"] + (1 - b) * G @ G.T, b * state["R"] + (1 - b) * G.T @ G
    if (t - 1) % h.precondition_frequency == 0:
        home, orders = P @ state["m"] @ Q.T, []
        state["P"], state["Q"] = refreshed(P, state["L"], orders), refreshed(Q, state["R"], orders)
        state["v"] = state["v"][np.ix_(*orders)]
        state["m"] = state["P"].T @ home @ state["Q"]
    return u.astype(g.dtype)
