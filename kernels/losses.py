"""Losses and their gradients with respect to the network's raw output z, in one pass each.

Every row of a mini-batch stands for itself: loss[i] becomes the loss of row i, right[i] is 1 where
it is predicted right, else 0, and row i of DZ the gradient of the *mean* over all B rows.  The
means are torch's: cross_entropy over rows, the others over all elements.  DZ, Z and targets
(B, O) are Panels; DZ may be Z.
"""

from functools import cache

import numpy as np
from numba import from_dtype, types

from ._jit import address_of, inline, jit
from .elementary import exp, log, log1p, sigmoid
from .panels import panel_width, panels_type, place
from .simd import absolute, elementwise, fma, maximum, pick, where
from .tile import load_square, store_tile, transpose
from .vector import lanes, load, splat, store, total

_TAIL = (2.0**-100, 2.0**-1000)


@elementwise
def without_tail(dz):
    """Zero in place of a derivative far below what any other adds up to.

    Of a row that is well separated it is e^-z: products of it would soon be subnormal, and slow
    (see subnormal.py).
    """
    return where(absolute(dz) < pick(dz, _TAIL), 0.0, dz)


@jit(by_address=True)
def softmax_cross_entropy(DZ, loss, right, Z, labels, targets, scratch, begin, end, O, B):
    """loss = log Σ exp(z - z_label); the gradient is softmax(z) - onehot(label).

    For the rows begin … end of a mini-batch of B.  16 rows at a time are transposed into
    ``scratch`` (O rounded up to LANES, times LANES), so that each lane is a row and nothing goes
    across lanes: the sum over classes is taken in their order.
    """
    L, step = lanes(loss), panel_width(loss)
    for i in range(begin, end, L):
        rows = min(L, end - i)
        for c in range(0, O, L):
            x = load_square(Z.numbers, place(Z, i, c), step, rows, O - c)
            store_tile(scratch, c * L, L, transpose(x))

        top, best = load(scratch, 0), splat(loss, 0)
        for c in range(1, O):
            x = load(scratch, c * L)
            best = where(x > top, c, best)
            top = maximum(x, top)
        for r in range(rows):
            label = labels[i + r]
            loss[i + r] = scratch[label * L + r]
            right[i + r] = label
        z_label = load(loss, i, rows)
        store(right, i, where(best == load(right, i, rows), splat(loss, 1), 0.0), rows)

        s = splat(loss, 0)
        for c in range(O):
            e = exp(load(scratch, c * L) - top)
            store(scratch, c * L, e)
            s = s + e
        store(loss, i, log(s) - (z_label - top), rows)

        mean = 1.0 / splat(loss, B)
        scale = mean / s
        for c in range(O):
            store(scratch, c * L, without_tail(load(scratch, c * L) * scale))
        for r in range(rows):
            scratch[labels[i + r] * L + r] -= loss.dtype.type(1) / loss.dtype.type(B)
        for c in range(0, O, L):
            x = transpose(load_square(scratch, c * L, L, L, L))
            store_tile(DZ.numbers, place(DZ, i, c), step, x, O - c, rows)


@inline
def of_logits(x, wanted):
    """(losses, what is predicted minus what is wanted, derivatives) of binary outputs."""
    y = where(wanted > 0.5, -x, x)
    losses = maximum(0.0, y) + log1p(exp(-absolute(y)))
    return losses, where(x > 0.0, 1.0 - wanted, -wanted), without_tail(sigmoid(x) - wanted)


@jit(by_address=True)
def binary_cross_entropy(DZ, loss, right, Z, labels, targets, scratch, begin, end, O, B):
    """Mean over outputs of log(1 + e^y), y = z where the target is 0 and -z where it is 1.

    The gradient is sigmoid(z) - target.  A row is right if all of its outputs are.
    """
    L = lanes(loss)
    T = loss.dtype.type
    mean = T(1) / T(B * O)
    if O == 1:  # two classes, mostly: then each lane is a row, as else it is an output
        for i in range(begin, end, L):
            rows = min(L, end - i)
            for r in range(rows):
                loss[i + r] = Z.numbers[place(Z, i + r, 0)]
                right[i + r] = targets.numbers[place(targets, i + r, 0)]
            of_row, difference, dz = of_logits(load(loss, i, rows), load(right, i, rows))
            store(loss, i, dz * mean, rows)
            for r in range(rows):
                DZ.numbers[place(DZ, i + r, 0)] = loss[i + r]
            store(loss, i, of_row, rows)
            store(right, i, where(difference == 0.0, splat(loss, 1), 0.0), rows)
        return
    for i in range(begin, end):
        s, wrong = splat(loss, 0), splat(loss, 0)
        for j in range(0, O, L):
            n, z, dz, t = O - j, place(Z, i, j), place(DZ, i, j), place(targets, i, j)
            x = load(Z.numbers, z, n, -np.inf)  # a lane beyond O adds log(1 + 0), and is right
            of_output, difference, gradient = of_logits(x, load(targets.numbers, t, n))
            s = s + of_output
            wrong = fma(difference, difference, wrong)
            store(DZ.numbers, dz, gradient * mean, n)
        loss[i] = total(s) / T(O)
        right[i] = total(wrong) == T(0)


@jit(by_address=True)
def squared_error(DZ, loss, right, Z, labels, targets, scratch, begin, end, O, B):
    """Mean over outputs of (z - target)²; the gradient is 2 (z - target).  No row is "right"."""
    L = lanes(loss)
    T = loss.dtype.type
    scale = T(2) / T(B * O)
    for i in range(begin, end):
        s = splat(loss, 0)
        for j in range(0, O, L):
            n, z, dz, t = O - j, place(Z, i, j), place(DZ, i, j), place(targets, i, j)
            error = load(Z.numbers, z, n) - load(targets.numbers, t, n)
            s = fma(error, error, s)
            store(DZ.numbers, dz, error * scale, n)
        loss[i] = total(s) / T(O)
        right[i] = T(0)


@jit(by_address=True)
def poisson(DZ, loss, right, Z, labels, targets, scratch, begin, end, O, B):
    """Mean over outputs of half the deviance, e^z - t + t (log t - z) for a mean e^z and a count t.

    The gradient is e^z - t.  torch's poisson_nll_loss leaves out t log t - t, which does not depend
    on z; with it a perfect fit has the loss 0, as in scikit-learn.  No row is "right".
    """
    L = lanes(loss)
    T = loss.dtype.type
    mean = T(1) / T(B * O)
    for i in range(begin, end):
        s = splat(loss, 0)
        for j in range(0, O, L):
            n, z, dz, t = O - j, place(Z, i, j), place(DZ, i, j), place(targets, i, j)
            x = load(Z.numbers, z, n, -np.inf)  # a lane beyond O adds exp(-inf) - 0
            wanted = load(targets.numbers, t, n)
            difference = exp(x) - wanted
            s = s + (difference + where(wanted > 0.0, wanted * (log(wanted) - x), 0.0))
            store(DZ.numbers, dz, difference * mean, n)
        loss[i] = total(s) / T(O)
        right[i] = T(0)


LOSSES = {
    f.__name__: f for f in (softmax_cross_entropy, binary_cross_entropy, squared_error, poisson)
}
NAMES = tuple(LOSSES)
REGRESSION = ("squared_error", "poisson")  # of numbers: no row is right or wrong


@cache
def loss_address(name, dtype):
    """Where the compiled loss of this name and dtype is: the others need not be compiled."""
    T = from_dtype(dtype)
    panels, numbers = panels_type(dtype), T[::1]
    labels = types.int64[::1]
    arguments = (panels, numbers, numbers, panels, labels, panels, numbers, *[types.int64] * 4)
    return address_of(LOSSES[name], types.void(*arguments))
