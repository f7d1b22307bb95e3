"""The compiled training loop: gather a mini-batch, forward, backward, optimizer step, next.

One call runs any number of steps, across as many epochs as they take, without Python and without
the GIL.  The order of the rows is a pure function of (seed, epoch), so a training may be cut into
calls anywhere and gives the same bits.
"""

from collections import namedtuple

import numpy as np

from . import losses
from ._jit import inline, jit
from .fuse import apply_step
from .layers import network_backward, network_forward, units_of
from .random import shuffle, words

# X (n, I); labels (n,) for softmax, targets (n, O) for the other losses; what a loss does not use
# has no rows.
Data = namedtuple("Data", "X labels targets")

# How an epoch is put together.  kind: IN_ORDER, SHUFFLED or BALANCED; for BALANCED, the rows of
# class k are members[starts[k] : starts[k + 1]].
Sampling = namedtuple("Sampling", "kind seed batch_size steps starts members")
IN_ORDER, SHUFFLED, BALANCED = range(3)

# One row per epoch.
LOSS, ACCURACY, GRADIENT_NORM, VALIDATION_LOSS, VALIDATION_ACCURACY = range(5)
COLUMNS = ("loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy")

_ORDER, _FILL = 1, 2  # purposes of random words, so that no two draws share them


@jit
def fill_order(order, sampling, epoch):
    """The rows of an epoch, in their order.

    BALANCED takes equally many rows of each class (up to one), each class's rows shuffled and,
    where they do not suffice, taken again from the start; then everything is shuffled.
    """
    n = order.size
    drawn = np.empty(n, np.uint64)
    if sampling.kind == BALANCED:
        K = sampling.starts.size - 1
        at = 0
        for k in range(K):
            rows = sampling.members[sampling.starts[k] : sampling.starts[k + 1]].copy()
            words(drawn[: rows.size], sampling.seed, epoch, _FILL + k)
            shuffle(rows, drawn[: rows.size])
            # The classes that get one row more change from epoch to epoch.
            share = n // K + ((k + epoch) % K < n % K)
            for j in range(share):
                order[at] = rows[j % rows.size]
                at += 1
    else:
        for i in range(n):
            order[i] = i
    if sampling.kind != IN_ORDER:
        words(drawn, sampling.seed, epoch, _ORDER)
        shuffle(order, drawn)


@inline
def copy(out, values):
    """out[:] = values for flat arrays; Numba's own takes 2 s to compile (its error messages)."""
    for i in range(out.size):
        out[i] = values[i]


@jit
def gather(work, data, order):
    """Copy the rows named by ``order`` into the workspace."""
    for i in range(order.size):
        copy(work.x[i], data.X[order[i]])
        if data.labels.size:
            work.labels[i] = data.labels[order[i]]
        else:
            copy(work.targets[i], data.targets[order[i]])


@jit
def batch_loss(theta, network, work, B):
    """(summed loss, right rows) of the gathered rows; leaves the gradient of the output in dz."""
    z = network_forward(theta, network, work, B)
    dz = units_of(work.dz, network, network.layout.shape[0] - 1, B)
    return losses.loss_and_gradient(dz, z, work.labels[:B], work.targets[:B], network.loss)


@inline
def norm(gradient):
    total = 0.0
    for i in range(gradient.size):
        total += np.float64(gradient[i]) * np.float64(gradient[i])
    return np.sqrt(total)


@jit
def evaluate(theta, network, work, data):
    """(mean loss, share of right rows) over a whole data set, a workspace at a time."""
    n, most = data.X.shape[0], work.x.shape[0]
    loss, right = 0.0, 0
    for start in range(0, n, most):
        rows = np.arange(start, min(start + most, n))
        gather(work, data, rows)
        part_loss, part_right = batch_loss(theta, network, work, rows.size)
        loss += part_loss
        right += part_right
    return loss / n, right / n


@jit
def loss_gradient(gradient, theta, network, work, data, order):
    """Mean loss of the rows in ``order``; its gradient goes into the flat ``gradient``."""
    gather(work, data, order)
    loss, _ = batch_loss(theta, network, work, order.size)
    network_backward(gradient, theta, network, work, order.size)
    return loss / order.size


@jit
def predict(out, theta, network, work, X):
    """Raw outputs z (n, O) of the network for the rows of ``X``."""
    n, most = X.shape[0], work.x.shape[0]
    for start in range(0, n, most):
        B = min(most, n - start)
        for i in range(B):
            copy(work.x[i], X[start + i])
        z = network_forward(theta, network, work, B)
        for i in range(B):
            copy(out[start + i], z[i])


@jit
def train(
    theta, good, gradient, network, work, data, validation, sampling, order,
    state, advance, descend, rates, first, record,
):  # fmt: skip
    """Run steps ``first``, ``first + 1``, … with the learning rates ``rates``; return the next one.

    Steps count from 0 over all epochs.  ``record`` (epochs, 5) gets a row per finished epoch;
    ``validation`` may have no rows.  If a loss or a gradient is not finite, the step where it
    appeared is returned without having been taken, and ``good`` holds the parameters as they
    were at the start of that epoch.  If it is an epoch's first loss, the step before is returned:
    that one did the harm, and ``good`` are only parameters with a finite loss.
    """
    for s in range(rates.size):
        step = first + s
        epoch, batch = step // sampling.steps, step % sampling.steps
        row = record[epoch]
        if batch == 0:
            fill_order(order, sampling, epoch)
            for column in range(row.size):
                row[column] = 0.0
        elif s == 0:
            fill_order(order, sampling, epoch)
        start = batch * sampling.batch_size
        rows = order[start : min(start + sampling.batch_size, order.size)]

        gather(work, data, rows)
        loss, right = batch_loss(theta, network, work, rows.size)
        if not np.isfinite(loss):
            return step - 1 if batch == 0 and step > 0 else step
        if batch == 0:
            copy(good, theta)
        network_backward(gradient, theta, network, work, rows.size)
        row[LOSS] += loss
        row[ACCURACY] += right
        if batch == sampling.steps - 1:
            row[GRADIENT_NORM] = norm(gradient)
            if not np.isfinite(row[GRADIENT_NORM]):
                return step
        apply_step(theta, gradient, state, rates[s], step + 1, advance, descend)

        if batch == sampling.steps - 1:
            seen = min(order.size, sampling.steps * sampling.batch_size)
            row[LOSS] /= seen
            row[ACCURACY] /= seen
            if validation.X.shape[0]:
                loss, right = evaluate(theta, network, work, validation)
                row[VALIDATION_LOSS], row[VALIDATION_ACCURACY] = loss, right
    return first + rates.size
