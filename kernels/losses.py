"""Losses and their gradients with respect to the network's raw output z, in one pass each.

Each returns (sum of the losses of the rows, rows that are predicted right) and writes into dz the
gradient of the *mean* over the B rows.  Shapes: z, dz, targets (B, O); labels (B,).
The means are torch's: cross_entropy over rows, binary_cross_entropy_with_logits and mse_loss over
all elements.
"""

import numpy as np

from ._jit import jit

NAMES = ("softmax_cross_entropy", "binary_cross_entropy", "squared_error")
SOFTMAX_CROSS_ENTROPY, BINARY_CROSS_ENTROPY, SQUARED_ERROR = range(len(NAMES))


@jit
def softmax_cross_entropy(dz, z, labels):
    """-log softmax(z)[label]; the gradient is softmax(z) - onehot(label)."""
    T = z.dtype.type
    B, O = z.shape
    mean = T(1) / T(B)
    loss, right = 0.0, 0
    for i in range(B):
        row, out = z[i], dz[i]
        best = 0
        for o in range(1, O):
            if row[o] > row[best]:
                best = o
        total = T(0)
        for o in range(O):
            out[o] = np.exp(row[o] - row[best])
            total += out[o]
        label = labels[i]
        loss += np.float64(np.log(total) - (row[label] - row[best]))
        right += best == label
        scale = mean / total
        for o in range(O):
            out[o] *= scale
        out[label] -= mean
    return loss, right


@jit
def binary_cross_entropy(dz, z, targets):
    """max(z, 0) - z t + log(1 + e^-|z|) per output; the gradient is sigmoid(z) - t."""
    T = z.dtype.type
    B, O = z.shape
    mean = T(1) / T(B * O)
    loss, right = 0.0, 0
    for i in range(B):
        all_right = True
        for o in range(O):
            x, t = z[i, o], targets[i, o]
            e = np.exp(-abs(x))
            loss += np.float64((x if x > T(0) else T(0)) - x * t + np.log1p(e)) / O
            dz[i, o] = ((T(1) if x >= T(0) else e) / (T(1) + e) - t) * mean
            all_right &= (x > T(0)) == (t > T(0.5))
        right += all_right
    return loss, right


@jit
def squared_error(dz, z, targets):
    """(z - t)² per output; the gradient is 2 (z - t).  No row counts as right or wrong."""
    T = z.dtype.type
    B, O = z.shape
    scale = T(2) / T(B * O)
    loss = 0.0
    for i in range(B):
        for o in range(O):
            error = z[i, o] - targets[i, o]
            loss += np.float64(error * error) / O
            dz[i, o] = scale * error
    return loss, 0


@jit
def loss_and_gradient(dz, z, labels, targets, kind):
    """The loss named by ``kind``; ``labels`` serve softmax, ``targets`` the other two."""
    if kind == SOFTMAX_CROSS_ENTROPY:
        return softmax_cross_entropy(dz, z, labels)
    if kind == BINARY_CROSS_ENTROPY:
        return binary_cross_entropy(dz, z, targets)
    return squared_error(dz, z, targets)
