"""Put normalisation, dropout and smoothed labels into a workspace.

Whoever trains without them runs the same compiled code as if they did not exist: only these
workspaces have addresses of the kernels below, which are compiled when the first one is made.
"""

from functools import cache

import numpy as np
from numba import from_dtype, typeof, types

from . import activations as f
from ._jit import COMPILED, address_of, jit
from .between import (
    BACKWARD,
    CLOCK,
    DROPPED,
    FIRST,
    FOLLOWING,
    FORWARD,
    HAT,
    KIND,
    LOSS,
    MASK,
    NONE,
    NORMALIZATIONS,
    RUNNING,
    SEED,
    SMOOTHING,
    SPREAD,
    TRAINING,
    UNITS,
)
from .dropout import SHARES, dropout_backward, dropout_forward
from .layers import B_, CODE, DB_, I_, NB_, O_, W_, Y_, Z_, length_of
from .memory import LINE, aligned_zeros
from .normalization import normalization_backward, normalization_forward
from .smoothing import SMOOTHED


@jit(by_address=True)
def after_product(theta, work, l, begin, end):
    """What follows y = x W + b, or its activation, in hidden layer ``l``."""
    if work.plan[l, KIND] != NONE:
        normalization_forward(theta, work, l, begin, end)
    if work.plan[work.plan.shape[0] - 1, DROPPED]:
        dropout_forward(work, l, begin, end)


@jit(by_address=True)
def after_gradient(theta, work, l, begin, end):
    """The same backwards, from dy (times f', where nothing is normalised) to dz."""
    if work.plan[work.plan.shape[0] - 1, DROPPED]:
        dropout_backward(work, l, begin, end)
    if work.plan[l, KIND] != NONE:
        normalization_backward(theta, work, l, begin, end)


def running_of(sizes, dtype, smoothing=0.0):
    """A workspace's ``running``, as it is at the start: see between.py."""
    units = sum(sizes[1:-1])
    running = np.zeros(FIRST + 2 * units, dtype)
    running[SMOOTHING], running[FIRST + units :] = smoothing, 1.0
    return running


def insert(work, loss, running, *, normalization=None, dropout=0.0, seed=0, step=0, training=True):
    """The workspace ``work`` with these inserted; ``loss`` is the loss's name.

    ``running`` is changed in training; it says how much labels are smoothed.  Batch normalisation
    needs all rows of a mini-batch at once: its workspace is for one thread.
    """
    # With the JIT off, what is called stands there itself.
    plan = work.plan.astype(np.int64 if COMPILED else object)
    rows, dtype, numbers = work.labels.size, work.numbers.dtype, work.numbers.size
    layers, lanes = len(plan) - 1, LINE // work.numbers.dtype.itemsize
    kind = NORMALIZATIONS.index(normalization)
    parameters = units = 0
    drops = bool(dropout) and training

    def reserve(count):
        nonlocal numbers
        numbers += count
        return numbers - count

    for l in range(layers):
        p = plan[l]
        I, O = p[I_], p[O_]
        length = length_of(p, O, lanes)
        hidden = l < layers - 1
        p[W_], p[B_] = parameters, parameters + I * O
        p[NB_] = 3 * O if kind and hidden else O  # b, gain, shift
        parameters += I * O + p[NB_]
        if not hidden:
            continue
        if (kind or drops) and p[Z_] == p[Y_]:  # y will not be what the derivative is made of
            p[Z_] = reserve(length)
        if kind:
            p[KIND], p[FOLLOWING], p[CODE] = kind, p[CODE], f.IDENTITY
            p[DB_], p[HAT] = reserve(3 * length), reserve(length)
            p[SPREAD] = reserve(-(-max(rows, O) // lanes) * lanes)
            p[RUNNING] = FIRST + units
        if drops:
            p[MASK] = reserve(length)
        units += O
    dropped = round(dropout * SHARES) if drops else 0
    plan[layers, [TRAINING, SEED, CLOCK, DROPPED, UNITS]] = training, seed, step, dropped, units
    work = work._replace(plan=plan, numbers=aligned_zeros(numbers, dtype), running=running)
    if layers > 1 and (kind or dropped):
        plan[layers, FORWARD] = _where(after_product, work)
        plan[layers, BACKWARD] = _where(after_gradient, work)
    if training and running[SMOOTHING]:
        plan[layers, LOSS] = _where(SMOOTHED[loss], work)
    return work


def _where(kernel, work):
    return _address(kernel, work.numbers.dtype, typeof(work)) if COMPILED else kernel


@cache
def _address(kernel, dtype, workspace_type):
    integers = [types.int64] * 3
    if kernel in SMOOTHED.values():
        return address_of(kernel, types.void(workspace_type, *integers))
    return address_of(
        kernel, types.void(types.CPointer(from_dtype(dtype)), workspace_type, *integers)
    )
