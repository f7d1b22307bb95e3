"""Looking into a trained network: what its hidden units do on given rows."""

from typing import Any

import numpy as np

from ..model import MLP

_SATURATED = 0.99  # of tanh and sigmoid: their gradient is below 2 % of its largest there


def pre_activations(model: MLP, X: Any) -> list[np.ndarray]:
    """z (n, units) of each hidden layer, before its activation.

    By networks that end at that layer, and so by the same kernels.
    """
    if model.normalization:
        raise ValueError(f"model: {model!r}; accepted: one without normalization")
    found = []
    for depth in range(1, len(model.sizes) - 1):
        part = MLP(model.sizes[: depth + 1], list(model.activation[: depth - 1]),
                   loss="squared_error", dtype=model.dtype)  # fmt: skip
        part.parameters[:] = model.parameters[: part.n_parameters]
        found.append(part.decision_function(X))
    return found


def idle_units(model: MLP, X: Any) -> list[np.ndarray]:
    """For each hidden layer, which units (units,) pass no gradient on any of these rows.

    relu: z ≤ 0 on all of them (dead); tanh and sigmoid: within 1 % of their limits (saturated).
    Other activations always pass some.
    """
    found: list[np.ndarray] = []
    for name, z in zip(model.activation, pre_activations(model, X), strict=True):
        if name == "relu":
            idle: np.ndarray = np.all(z <= 0, axis=0)
        elif name == "tanh":
            idle = np.all(np.abs(np.tanh(z)) > _SATURATED, axis=0)
        elif name == "sigmoid":
            idle = np.all(np.abs(np.tanh(z / 2)) > _SATURATED, axis=0)
        else:
            idle = np.zeros(z.shape[1], bool)
        found.append(idle)
    return found
