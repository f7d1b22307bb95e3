"""The dense layer and the network made of it: forward and backward, by hand, side by side.

Shape letters: B rows of a mini-batch, I inputs and O outputs of a layer, P parameters of all.
Parameters are one flat array: W (I, O) and then b (O,) of each layer.
"""

from collections import namedtuple

from . import activations, gemm
from ._jit import jit

# layout (L, 5): start of W, start of b, I and O of each layer, and the units of all layers before;
# activation (L,): its code; loss: its code.
Network = namedtuple("Network", "layout activation loss")

# Room for one mini-batch: x (B, I₀) and targets of the gathered rows, then for all layers one
# after the other z, a and dz as flat arrays of B · (O₁ + … + O_L) numbers.
Workspace = namedtuple("Workspace", "x labels targets z a dz")


@jit
def dense_forward(z, a, x, W, b, activation):
    """z = x W + b;  a = f(z)."""
    gemm.forward_product(z, x, W)
    for i in range(z.shape[0]):
        row = z[i]
        for o in range(b.size):
            row[o] += b[o]
    activations.forward(a.reshape(-1), z.reshape(-1), activation)


@jit
def dense_backward(dW, db, dz, x):
    """dW = xᵀ dz;  db = sum of the rows of dz."""
    gemm.weight_product(dW, x, dz)
    for o in range(db.size):
        db[o] = 0
    for i in range(dz.shape[0]):
        row = dz[i]
        for o in range(db.size):
            db[o] += row[o]


@jit
def input_backward(dz_before, dz, W, z, a, activation):
    """Gradient with respect to the pre-activation of the layer before: (dz Wᵀ) · f'(z)."""
    gemm.input_product(dz_before, dz, W)
    activations.backward(dz_before.reshape(-1), z.reshape(-1), a.reshape(-1), activation)


@jit
def parameters_of(flat, network, layer):
    """Views W (I, O) and b (O,) of a flat array of parameters or gradients."""
    W, b, I, O, _ = network.layout[layer]
    return flat[W : W + I * O].reshape((I, O)), flat[b : b + O]


@jit
def units_of(flat, network, layer, B):
    """View (B, O) of a layer's part in a flat workspace array."""
    _, _, _, O, before = network.layout[layer]
    start = B * before
    return flat[start : start + B * O].reshape((B, O))


@jit
def network_forward(theta, network, work, B):
    """Output z (B, O) of the last layer for the first ``B`` rows of ``work.x``."""
    x = work.x[:B]
    for layer in range(network.layout.shape[0]):
        W, b = parameters_of(theta, network, layer)
        z, a = units_of(work.z, network, layer, B), units_of(work.a, network, layer, B)
        dense_forward(z, a, x, W, b, network.activation[layer])
        x = a
    return x


@jit
def network_backward(gradient, theta, network, work, B):
    """Fill the flat gradient; the last layer's dz must be in the workspace."""
    for layer in range(network.layout.shape[0] - 1, -1, -1):
        dW, db = parameters_of(gradient, network, layer)
        dz = units_of(work.dz, network, layer, B)
        if layer == 0:
            dense_backward(dW, db, dz, work.x[:B])
            return
        before = layer - 1
        z, a = units_of(work.z, network, before, B), units_of(work.a, network, before, B)
        dense_backward(dW, db, dz, a)
        W, _ = parameters_of(theta, network, layer)
        dz_before = units_of(work.dz, network, before, B)
        input_backward(dz_before, dz, W, z, a, network.activation[before])
