"""The network once more, in float64 NumPy and from the textbook: what the kernels are held to."""

import numpy as np
import pytest
from scipy.special import erf, expit, log_softmax, logsumexp, softmax, xlogy

SLOPE = 0.01  # of leaky_relu

# name: (f(z), df/dz(z))
ACTIVATIONS = {
    "identity": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, SLOPE * z), lambda z: np.where(z > 0, 1, SLOPE)),
    "tanh": (np.tanh, lambda z: np.cosh(np.clip(z, -300, 300)) ** -2),
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),
    "gelu": (
        lambda z: z * 0.5 * (1 + erf(z / np.sqrt(2))),
        lambda z: 0.5 * (1 + erf(z / np.sqrt(2))) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
    ),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
}


def softmax_cross_entropy(z, y):
    onehot = np.eye(z.shape[1])[y]
    return -(onehot * log_softmax(z, axis=1)).sum(1), softmax(z, axis=1) - onehot


def binary_cross_entropy(z, y):
    t = y.reshape(z.shape)
    return (logsumexp([0 * z, z], axis=0) - t * z).mean(1), (expit(z) - t) / z.shape[1]


def squared_error(z, y):
    t = y.reshape(z.shape)
    return ((z - t) ** 2).mean(1), 2 * (z - t) / z.shape[1]


def poisson(z, y):
    t, mean = y.reshape(z.shape), np.exp(z)
    return (xlogy(t, t / mean) - t + mean).mean(1), (mean - t) / z.shape[1]


# name: (loss per row, its gradient with respect to z)
LOSSES = {
    f.__name__: f for f in (softmax_cross_entropy, binary_cross_entropy, squared_error, poisson)
}


class NumpyNetwork:
    """What an MLP computes, from its sizes and names alone; shares no code with it."""

    def __init__(self, sizes, activation, loss):
        self.sizes, self.loss = sizes, LOSSES[loss]
        names = [activation] * (len(sizes) - 2) if isinstance(activation, str) else activation
        self.functions = [ACTIVATIONS[name] for name in [*names, "identity"]]

    @classmethod
    def like(cls, model):
        return cls(model.sizes, model.activation, model.loss)

    def layers(self, flat):
        """(W, b) of each layer, cut from flat parameters."""
        at, found = 0, []
        for I, O in zip(self.sizes, self.sizes[1:], strict=False):
            W = flat[at : at + I * O].reshape(I, O)
            found.append((W, flat[at + I * O : at + I * O + O]))
            at += I * O + O
        return found

    def forward(self, flat, X):
        """Pre-activations and outputs of each layer."""
        zs, outputs = [], [X]
        for (W, b), (f, _) in zip(self.layers(flat), self.functions, strict=True):
            zs.append(outputs[-1] @ W + b)
            outputs.append(f(zs[-1]))
        return zs, outputs

    def loss_and_gradient(self, flat, X, y):
        flat, X = np.asarray(flat, float), np.asarray(X, float)
        zs, outputs = self.forward(flat, X)
        losses, dz = self.loss(zs[-1], np.asarray(y))
        dz = dz / len(X)
        parts = []
        for layer in reversed(range(len(zs))):
            parts += [dz.sum(0), (outputs[layer].T @ dz).ravel()]
            if layer:
                W, _ = self.layers(flat)[layer]
                dz = (dz @ W.T) * self.functions[layer - 1][1](zs[layer - 1])
        return losses.mean(), np.concatenate(parts[::-1])

    def kink_distance(self, flat, X):
        """How far the nearest hidden pre-activation is from 0, where relu has no derivative."""
        zs, _ = self.forward(flat, X)
        return min((np.abs(z).min() for z in zs[:-1]), default=np.inf)


def make_targets(random, loss, rows, outputs):
    if loss == "softmax_cross_entropy":
        return random.randint(0, outputs, rows)
    if loss == "binary_cross_entropy":
        return random.randint(0, 2, (rows, outputs))
    if loss == "poisson":
        return random.poisson(1.5, (rows, outputs))
    return random.standard_normal((rows, outputs))


@pytest.fixture(scope="session")
def numpy_network():
    return NumpyNetwork


@pytest.fixture(scope="session")
def targets():
    """targets(random, loss, rows, outputs): random y of the kind that this loss takes."""
    return make_targets


@pytest.fixture(scope="session")
def activation_functions():
    return ACTIVATIONS
