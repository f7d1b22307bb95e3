"""The network of dense layers: forward and backward, written by hand, side by side.

Shape letters: B rows of a mini-batch, I inputs and O outputs of a layer, P parameters of all.

Rows of a mini-batch do not need each other until the gradients of the weights, so a range of rows
``begin … end`` goes from the gathered inputs to dz of the first layer on its own; a range of a
layer's inputs ``first … last`` then gets its part of dW on its own.  That is how threads share the
work: every number is computed by one thread, in one order, for any number of them.
"""

from collections import namedtuple
from itertools import pairwise

import numpy as np

from . import activations as f
from ._jit import inline
from .between import BACKWARD, COLUMNS, FORWARD
from .between import LOSS as AFTER_LOSS
from .fuse import call
from .gemm import DERIVATIVE, Epilogue, Matrix, column_sums, pack_address, product_address
from .losses import loss_address
from .memory import aligned_zeros
from .simd import fma
from .tile import address, lanes, load, splat, total

# Everything that one mini-batch needs.  numbers: the layers' values, where `plan` says; labels (B,)
# or targets (B · step,); loss and right (B,): of each row; scratch: of each thread; running: see
# between.py.  The four before it
# say where the large kernels are: called there, they are compiled once and not into each caller.
Workspace = namedtuple(
    "Workspace",
    "numbers labels targets loss right scratch plan objective product pack row_losses pass_rows "
    "running",
)

# What is minimised: ``scale`` times the (weighted) mean of the rows' losses, plus l2 / 2 times the
# squares of all weights (no biases) over the weight of the mini-batch, as in scikit-learn.
# ``decay`` (L,) is the optimizer's own coupled decay of each layer's weights, to which l2 adds.
# The loss that is reported has the factor ``shown`` in place of ``scale``, and no row's is above
# ``cap``: scikit-learn's takes no probability for smaller than the unit roundoff.
Objective = namedtuple("Objective", "scale shown cap l2 decay")
PLAIN = Objective(1.0, 1.0, np.inf, 0.0, np.empty(0))

# Columns of the plan (L + 1, COLUMNS), a row per layer.  In the flat parameters: where W (I, O) and
# b (O,) start.  In the numbers: where y (B, O), z (B, O) and dz (B, O) start, their rows STEP
# apart, and the transpose of W in panels, PANEL apart.  The activation's code.  z is y unless the
# activation's derivative is computed from z.  The last row is the input: its y is x (B, I).  b is
# the first of NB numbers (normalisation has more of them, see insertion.py), whose derivatives by
# row start at DB, DB_STEP apart: dz itself for b alone.  More columns: between.py.
W_, B_, I_, O_, Y_, Z_, DZ_, STEP, PACKED, PANEL, CODE, NB_, DB_, DB_STEP = range(14)


def workspace(sizes, codes, loss, rows, dtype, threads=1, objective=PLAIN):
    """Room for mini-batches of at most ``rows`` rows through layers of these sizes.

    ``codes`` are the activations of the layers, ``loss`` is a loss's name.
    """
    layers, line = len(sizes) - 1, 64 // np.dtype(dtype).itemsize
    plan = np.zeros((layers + 1, COLUMNS), np.int64)
    parameters = numbers = 0

    def reserve(count):
        nonlocal numbers
        numbers += count
        return numbers - count

    plan[layers, STEP] = _row_step(sizes[0], line)
    plan[layers, [Y_, Z_]] = reserve(rows * plan[layers, STEP])
    for l, (I, O) in enumerate(pairwise(sizes)):
        step = _row_step(O, line)
        plan[l, [W_, B_, I_, O_]] = parameters, parameters + I * O, I, O
        parameters += I * O + O
        plan[l, [STEP, CODE]] = step, codes[l]
        plan[l, [Y_, Z_]] = reserve(rows * step)
        if codes[l] in (f.GELU, f.SILU):
            plan[l, Z_] = reserve(rows * step)
        plan[l, DZ_] = reserve(rows * step)
        plan[l, [NB_, DB_, DB_STEP]] = O, plan[l, DZ_], step
        if l > 0:
            plan[l, PANEL] = _up(O, line) * line
            plan[l, PACKED] = reserve(_up(I, line) // line * plan[l, PANEL])
    return Workspace(
        aligned_zeros(numbers, dtype),
        np.zeros(rows, np.int64),
        aligned_zeros(rows * plan[layers - 1, STEP], dtype),
        aligned_zeros(rows, dtype),
        aligned_zeros(rows, dtype),
        aligned_zeros((threads, _up(sizes[-1], line) * line), dtype),
        plan,
        objective,
        product_address(np.dtype(dtype)),
        pack_address(np.dtype(dtype)),
        loss_address(loss, np.dtype(dtype)),
        0,  # epoch.workspace says where
        np.empty(0, dtype),
    )


def _up(n, unit):
    return -(-n // unit) * unit


def _row_step(n, line):
    """Numbers from row to row: whole cache lines, but no multiple of 1 KiB (they share a set)."""
    step = max(_up(n, line), line)
    return step + line if step % (16 * line) == 0 else step


@inline
def forward(theta, work, begin, end):
    """y = f(x W + b) through all layers, for rows ``begin … end``."""
    numbers, theta = address(work.numbers), address(theta)
    layers = work.plan.shape[0] - 1
    x = work.plan[layers]
    for l in range(layers):
        p = work.plan[l]
        call(
            work.product,
            (
                Matrix(numbers, p[Y_] + begin * p[STEP], p[STEP], 1),
                Matrix(numbers, x[Y_] + begin * x[STEP], x[STEP], 1),
                Matrix(theta, p[W_], p[O_], lanes(theta)),
                Matrix(theta, p[B_], 0, 1),
                Epilogue(p[CODE], numbers, p[Z_] + begin * p[STEP], p[STEP]),
                end - begin,
                p[O_],
                p[I_],
            ),
        )
        if work.plan[layers, FORWARD] and l < layers - 1:
            call(work.plan[layers, FORWARD], (theta, work, l, begin, end))
        x = p


@inline
def output_loss(work, begin, end, B, thread):
    """Loss of each of the rows, and dz of the last layer; B is how many the mean is over."""
    numbers = address(work.numbers)
    p = work.plan[work.plan.shape[0] - 2]
    z = Matrix(numbers, p[Y_], p[STEP], 1)
    dz = Matrix(numbers, p[DZ_], p[STEP], 1)
    targets = Matrix(address(work.targets), 0, p[STEP], 1)
    scratch = work.scratch[thread]
    call(
        work.row_losses,
        (dz, work.loss, work.right, z, work.labels, targets, scratch, begin, end, p[O_], B),
    )
    after = work.plan[work.plan.shape[0] - 1, AFTER_LOSS]
    if after:
        call(after, (work, begin, end, B))


@inline
def weigh_rows(work, begin, end, weights, rows, shown, scale):
    """Multiply each row's loss by ``shown`` and its dz by ``scale``, and both by its weight."""
    numbers, T, cap = work.numbers, work.numbers.dtype.type, work.objective.cap
    p = work.plan[work.plan.shape[0] - 2]
    for r in range(begin, end):
        weight = np.float64(weights[rows[r]]) if weights.size else 1.0
        if work.loss[r] > cap:
            work.loss[r] = T(cap)
        work.loss[r] *= T(shown * weight)
        w = T(scale * weight)
        if w != T(1):
            for k in range(p[O_]):
                numbers[p[DZ_] + r * p[STEP] + k] *= w


@inline
def squares(theta, work):
    """The sum of the squares of all weights, without the biases."""
    all_layers = np.float64(0.0)
    L = lanes(theta)
    for l in range(work.plan.shape[0] - 1):
        p = work.plan[l]
        n = p[I_] * p[O_]
        a = b = c = d = splat(theta, 0)  # four sums, since one would wait for itself
        for k in range(0, n, 4 * L):
            w, x = load(theta, p[W_] + k, n - k), load(theta, p[W_] + k + L, n - k - L)
            y = load(theta, p[W_] + k + 2 * L, n - k - 2 * L)
            z = load(theta, p[W_] + k + 3 * L, n - k - 3 * L)
            a, b, c, d = fma(w, w, a), fma(x, x, b), fma(y, y, c), fma(z, z, d)
        all_layers += np.float64(total((a + b) + (c + d)))
    return all_layers


@inline
def backward(theta, work, begin, end):
    """dz of each layer from that of the next: (dz Wᵀ) · f'(z), for rows ``begin … end``."""
    numbers, theta = address(work.numbers), address(theta)
    for l in range(work.plan.shape[0] - 2, 0, -1):
        p, q = work.plan[l], work.plan[l - 1]
        call(
            work.product,
            (
                Matrix(numbers, q[DZ_] + begin * q[STEP], q[STEP], 1),
                Matrix(numbers, p[DZ_] + begin * p[STEP], p[STEP], 1),
                Matrix(numbers, p[PACKED], lanes(theta), p[PANEL]),
                Matrix(theta, -1, 0, 1),
                Epilogue(DERIVATIVE + q[CODE], numbers, q[Z_] + begin * q[STEP], q[STEP]),
                end - begin,
                q[O_],
                p[O_],
            ),
        )
        after = work.plan[work.plan.shape[0] - 1, BACKWARD]
        if after:
            call(after, (theta, work, l - 1, begin, end))


@inline
def weight_gradient(gradient, work, l, first, last, B):
    """dW = xᵀ dz of layer ``l``, for its inputs ``first … last``."""
    numbers, gradient = address(work.numbers), address(gradient)
    p, x = work.plan[l], work.plan[l - 1]  # plan[-1] is the input
    call(
        work.product,
        (
            Matrix(gradient, p[W_] + first * p[O_], p[O_], 1),
            Matrix(numbers, x[Y_] + first, 1, x[STEP]),
            Matrix(numbers, p[DZ_], p[STEP], lanes(gradient)),
            Matrix(gradient, -1, 0, 1),
            Epilogue(f.IDENTITY, gradient, 0, 0),
            last - first,
            p[O_],
            B,
        ),
    )


@inline
def bias_gradient(gradient, work, l, B):
    """db = the sum of the rows of dz."""
    p = work.plan[l]
    db = Matrix(address(work.numbers), p[DB_], p[DB_STEP], 1)
    column_sums(address(gradient), p[B_], db, B, p[NB_])


@inline
def transpose_weights(theta, work, l, first, last):
    """Copy what the backward pass reads: the transpose of W, for inputs ``first … last``."""
    p = work.plan[l]
    if l > 0:
        packed = Matrix(address(work.numbers), p[PACKED], lanes(theta), p[PANEL])
        W = Matrix(address(theta), p[W_], p[O_], 1)
        call(work.pack, (packed, W, first, last, p[I_], p[O_]))
