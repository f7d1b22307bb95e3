"""Put normalisation, dropout and smoothed labels into a workspace.

Whoever trains without them runs the same compiled code as if they did not exist: only these
workspaces have addresses of the kernels below, which are compiled when the first one is made.
"""

from functools import cache

import numpy as np
from numba import from_dtype, typeof, types

from . import activations as f
from . import between
from ._jit import COMPILED, address_of, jit
from .between import HAT, KIND, MASK, NONE, RUNNING, SPREAD, Between
from .dropout import SHARES, dropout_backward, dropout_forward
from .layers import B_, CODE, DB_, DB_STEP, I_, NB_, O_, STEP, W_, Y_, Z_, _row_step
from .memory import aligned_zeros
from .normalization import normalization_backward, normalization_forward
from .smoothing import SMOOTHED


@jit(by_address=True)
def after_product(theta, work, l, begin, end):
    """What follows y = x W + b, or its activation, in hidden layer ``l``."""
    if work.between.plan[l, KIND] != NONE:
        normalization_forward(theta, work, l, begin, end)
    if work.between.training and work.between.dropped:
        dropout_forward(work, l, begin, end)


@jit(by_address=True)
def after_gradient(theta, work, l, begin, end):
    """The same backwards, from dy (times f', where nothing is normalised) to dz."""
    if work.between.training and work.between.dropped:
        dropout_backward(work, l, begin, end)
    if work.between.plan[l, KIND] != NONE:
        normalization_backward(theta, work, l, begin, end)


def units_of(sizes):
    """How many hidden units there are: columns of ``running``."""
    return sum(sizes[1:-1])


def insert(
    work, loss, *, normalization=None, dropout=0.0, smoothing=0.0, running=None, seed=0, step=0,
    training=True,
):  # fmt: skip
    """The workspace ``work`` with these inserted; ``loss`` is the loss's name.

    ``running`` (2, :func:`units_of`) are kept means and variances, changed in training.  Batch
    normalisation needs all rows of a mini-batch at once: its workspace is for one thread.
    """
    plan, rows, dtype = work.plan.copy(), work.labels.size, work.numbers.dtype
    layers, line = len(plan) - 1, 64 // dtype.itemsize
    kind = between.NORMALIZATIONS.index(normalization)
    own = np.zeros((layers, 6), np.int64)
    numbers, kept = work.numbers.size, 0

    def reserve(count):
        nonlocal kept
        kept += -(-count // line) * line
        return kept - -(-count // line) * line

    parameters = units = 0
    drops = bool(dropout) and training
    for l in range(layers):
        p, q = plan[l], own[l]
        I, O, apart = p[I_], p[O_], p[STEP]
        hidden = l < layers - 1
        p[W_], p[B_] = parameters, parameters + I * O
        p[NB_] = 3 * O if kind and hidden else O  # b, gain, shift
        parameters += I * O + p[NB_]
        if not hidden:
            continue
        q[between.CODE] = p[CODE]
        if (kind or drops) and p[Z_] == p[Y_]:  # y will not be what the derivative is made of
            p[Z_], numbers = numbers, numbers + rows * apart
        if kind:
            q[KIND], p[CODE] = kind, f.IDENTITY
            p[DB_STEP] = _row_step(3 * O, line)
            p[DB_], numbers = numbers, numbers + rows * p[DB_STEP]
            q[HAT] = reserve(rows * apart)
            q[SPREAD] = reserve(max(rows, O))
            q[RUNNING], units = units, units + O
        if drops:
            q[MASK] = reserve(rows * apart)
    dropped = round(dropout * SHARES) if drops else 0
    found = Between(
        0, 0, 0, own, aligned_zeros(kept, dtype),
        np.zeros((2, units), dtype) if running is None else running,
        int(training), int(seed), np.full(1, step, np.int64), dropped, float(smoothing),
    )  # fmt: skip
    work = work._replace(plan=plan, numbers=aligned_zeros(numbers, dtype), between=found)
    kernels = {}
    if layers > 1 and (kind or dropped):
        kernels = {"forward": _where(after_product, work), "backward": _where(after_gradient, work)}
    if smoothing and training:
        kernels["loss"] = _where(SMOOTHED[loss], work)
    return work._replace(between=found._replace(**kernels))


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
