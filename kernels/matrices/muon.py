import math

import numpy as np

from ..matrix import adam_direction, matrix_rule

A, B, C = 3.4445, -4.7750, 2.0315  # of the quintic iteration


def orthogonalized(u, steps):
    """Nearly the closest matrix whose singular values are 1, by Newton–Schulz iterations."""
    X = u if u.shape[0] <= u.shape[1] else u.T
    X = X / max(np.linalg.norm(X), 1e-7)
    for _ in range(steps):
        S = X @ X.T
        X = A * X + (B * S + C * (S @ S)) @ X
    return X if u.shape[0] <= u.shape[1] else X.T


def of_vector(p, g, state, t, h):
    return h.bias_lr / h.lr * adam_direction(p, g, state, t, h)


@matrix_rule(
    "muon",
    title="Muon",
    lr=1e-3,
    weight_decay=0.1,
    momentum=0.95,
    nesterov=True,
    ns_steps=5,
    match_rms_adamw=False,
    bias_lr=1e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    of_vector=of_vector,
    state={"m": "(inputs, outputs)"},
    ranges={"momentum": "[0, 1)", "ns_steps": "whole [1, 100]", "lr": "(0, inf)"},
    paper="Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks",
    elsewhere={"torch": "Muon", "optax": "contrib.muon", "Keras": "Muon"},
    defaults_from="torch",
)
def muon(W, g, state, t, h):
    """Momentum whose step is made orthogonal: it moves all directions of a layer equally far.

    m <- mu * m + (1 - mu) * g              u = (1 - mu) * g + mu * m  (nesterov), or m
    X = u / ||u||;  ns_steps times: X <- a X + (b X X' + c (X X')²) X
    W <- W - lr * weight_decay * W - lr * sqrt(max(1, outputs / inputs)) * X
    match_rms_adamw: 0.2 * sqrt(max(inputs, outputs)) in place of the root

    Biases take AdamW's step with bias_lr, which a schedule scales as it does lr.

    Elsewhere: as in torch, but X in the network's float and not in bfloat16; Keras scales as
    match_rms_adamw does; optax corrects momentum and gradient for the zero start.
    """
    T = g.dtype.type
    m = state["m"] = T(h.momentum) * state.get("m", 0 * g) + T(1 - h.momentum) * g
    X = orthogonalized(g + T(h.momentum) * (m - g) if h.nesterov else m, int(h.ns_steps))
    I, O = W.shape
    root = 0.2 * math.sqrt(max(I, O)) if h.match_rms_adamw else math.sqrt(max(1.0, O / I))
    return T(root) * X
