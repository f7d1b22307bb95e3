"""The network of dense layers: forward and backward, written by hand, side by side.

Shape letters: B rows of a mini-batch, I inputs and O outputs of a layer, P parameters of all.

A layer's part of a pass is one product, and any block of it, ``begin … end`` of the rows and
``left … right`` of the columns, is computed on its own; so is the gradient of a range of a layer's
inputs, ``first … last``.  That is how threads share the work: every number is computed by one
thread, in one order, for any number of them.
"""

from collections import namedtuple
from functools import lru_cache
from itertools import pairwise

import numpy as np

from . import activations as f
from ._jit import inline
from .between import COLUMNS
from .between import LOSS as AFTER_LOSS
from .fuse import NOTHING, call
from .gemm import DEPTH, column_sums, product_address, weight_product_address
from .losses import loss_address
from .memory import LINE, aligned_zeros
from .narrow import FEW, narrow_product_address, narrow_weight_product_address, sums_in_lanes
from .panels import DERIVATIVE, MOST_ROWS, PANEL, Epilogue, Matrix, Panels, place
from .subnormal import flush_address
from .vector import address, lanes

# Everything that one mini-batch needs.  numbers: the layers' values, where `plan` says; labels (B,)
# or targets, panels of B rows; loss and right (B,): of each row; scratch: of each thread.  running:
# see between.py.  paid and objective: see objective.py.  Between them: where the large kernels are,
# and those that not every training needs; called there, they are compiled once and not into each
# caller, or not at all.
Workspace = namedtuple(
    "Workspace",
    "numbers labels targets loss right scratch plan product weight_product narrow_product "
    "narrow_weight_product row_losses flush pass_batch weigh penalize running objective paid",
)

# What the products ask of a workspace: to hand over all of it takes as long as a small product.
Passage = namedtuple(
    "Passage",
    "numbers scratch plan product weight_product narrow_product narrow_weight_product",
)

# Columns of the plan (L + 1, COLUMNS), a row per layer.  In the flat parameters: where W (I, O) and
# b (O,) start.  In the numbers: where the panels of y (B, O), z (B, O) and dz (B, O) start, one
# SIZE after the other.  The activation's code.  z is y unless the activation's derivative is
# computed from z.  The last row is the input: its y is x (B, I).  b is the first of NB numbers
# (normalisation has 3 O of them, see insertion.py), whose derivatives by row are in O columns of
# panels each, from DB on: dz itself for b alone.  The weights of HEIGHT inputs are updated at a
# time, in PARTS parts.  NARROW: whether y is from narrow.py.  More columns: between.py.
W_, B_, I_, O_, Y_, Z_, DZ_, SIZE, CODE, NB_, DB_, HEIGHT, PARTS, NARROW = range(14)

_HOT = 8192  # numbers of W whose gradient is still in the first cache when the optimizer runs


def workspace(sizes, codes, loss, rows, dtype, threads=1):
    """Room for mini-batches of at most ``rows`` rows through layers of these sizes.

    ``codes`` are the activations of the layers, ``loss`` is a loss's name.  What
    minibatch.workspace fills in is missing.
    """
    lanes = LINE // np.dtype(dtype).itemsize
    width = PANEL * lanes
    plan, numbers = _layout(tuple(sizes), tuple(codes), rows, width)
    size = _up(rows, MOST_ROWS) * width
    return Workspace(
        aligned_zeros(numbers, dtype),
        np.zeros(rows, np.int64),
        aligned_zeros(_up(sizes[-1], width) // width * size, dtype),
        aligned_zeros(rows, dtype),
        aligned_zeros(rows, dtype),
        aligned_zeros((threads, max(_up(sizes[-1], lanes) * lanes, DEPTH * width)), dtype),
        plan.copy(),
        product_address(np.dtype(dtype)),
        weight_product_address(np.dtype(dtype)),
        *_narrow_addresses(sizes, np.dtype(dtype)),
        loss_address(loss, np.dtype(dtype)),
        flush_address(np.dtype(dtype)),
        *(NOTHING, NOTHING, NOTHING),  # minibatch.workspace says where
        np.empty(0, dtype),
        None,
        np.zeros(2),
    )


def _narrow_addresses(sizes, dtype):
    """Of `narrow_product` and `narrow_weight_product`, if a layer has so few outputs."""
    if min(sizes[1:]) > FEW:
        return NOTHING, NOTHING
    return narrow_product_address(dtype), narrow_weight_product_address(dtype)


@lru_cache(maxsize=100)
def _layout(sizes, codes, rows, width):
    """The plan of such layers and how many numbers it places; a study asks a thousand times."""
    layers = len(sizes) - 1
    plan = np.zeros((layers + 1, COLUMNS), np.int64)
    plan[:, SIZE] = size = _up(rows, MOST_ROWS) * width
    parameters = numbers = 0

    def reserve(columns):
        nonlocal numbers
        start, numbers = numbers, numbers + _up(columns, width) // width * size
        return start

    plan[layers, [Y_, Z_]] = reserve(sizes[0])
    for l, (I, O) in enumerate(pairwise(sizes)):
        plan[l, [W_, B_, I_, O_]] = parameters, parameters + I * O, I, O
        parameters += I * O + O
        plan[l, CODE] = codes[l]
        plan[l, [Y_, Z_]] = reserve(O)
        if codes[l] in (f.GELU, f.SILU):
            plan[l, Z_] = reserve(O)
        plan[l, DZ_] = reserve(O)
        plan[l, [NB_, DB_]] = O, plan[l, DZ_]
        height = max(1, _HOT // O // width) * width  # some panels of x
        plan[l, [HEIGHT, PARTS]] = height, -(-I // height)
        plan[l, NARROW] = codes[l] == f.IDENTITY and sums_in_lanes(I, O, width // PANEL)
    return plan, numbers


def _up(n, unit):
    return -(-n // unit) * unit


@inline
def at(work, p, start, r, j):
    """Where row r, column j is of what starts at ``start`` in panels of a layer of the plan p."""
    return place(Panels(work.numbers, start, p[SIZE]), r, j)


@inline
def length_of(p, columns, lanes):
    """How many numbers so many columns of panels take."""
    return (columns + PANEL * lanes - 1) // (PANEL * lanes) * p[SIZE]


@inline
def layer_product(theta, work, l, backward, begin, end, left, right, thread):
    """y = f(x W + b) of a layer, or ``backward`` dz of the layer before from that of layer ``l``,
    (dz Wᵀ) · f'(z), in a block of it."""
    numbers, theta = address(work.numbers), address(theta)
    p, q = work.plan[l], work.plan[l - 1]  # plan[-1] is the input
    if backward:
        y, x, b, depth = q[DZ_], p[DZ_], -1, p[O_]
        epilogue = Epilogue(DERIVATIVE + q[CODE], q[Z_])
    else:
        y, x, b, depth = p[Y_], q[Y_], p[B_], p[I_]
        epilogue = Epilogue(p[CODE], p[Z_])
    call(
        work.narrow_product if p[NARROW] and not backward else work.product,
        (
            Panels(numbers, y, p[SIZE]),
            Panels(numbers, x, p[SIZE]),
            Matrix(theta, p[W_], p[O_]),
            Matrix(theta, b, 0),
            epilogue,
            address(work.scratch[thread]),
            backward,
            begin,
            end,
            left,
            right,
            depth,
        ),
    )


@inline
def output_loss(work, begin, end, B, thread):
    """Loss of each of the rows, and dz of the last layer; B is how many the mean is over."""
    numbers = address(work.numbers)
    p = work.plan[work.plan.shape[0] - 2]
    z = Panels(numbers, p[Y_], p[SIZE])
    dz = Panels(numbers, p[DZ_], p[SIZE])
    targets = Panels(address(work.targets), 0, p[SIZE])
    scratch = work.scratch[thread]
    call(
        work.row_losses,
        (dz, work.loss, work.right, z, work.labels, targets, scratch, begin, end, p[O_], B),
    )
    after = work.plan[work.plan.shape[0] - 1, AFTER_LOSS]
    if after:
        call(after, (work, begin, end, B))


@inline
def weight_gradient(gradient, work, l, first, last, B):
    """dW = xᵀ dz of layer ``l``, for its inputs ``first … last``."""
    numbers = address(work.numbers)
    p, x = work.plan[l], work.plan[l - 1]
    call(
        work.narrow_weight_product if p[O_] <= FEW else work.weight_product,
        (
            Matrix(address(gradient), p[W_], p[O_]),
            Panels(numbers, x[Y_], x[SIZE]),
            Panels(numbers, p[DZ_], p[SIZE]),
            first,
            last,
            p[O_],
            B,
        ),
    )


@inline
def bias_gradient(gradient, work, l, B, thread):
    """db = the sum of the rows of dz."""
    p = work.plan[l]
    length = length_of(p, p[O_], lanes(gradient))
    for q in range(p[NB_] // p[O_]):
        db = Panels(address(work.numbers), p[DB_] + q * length, p[SIZE])
        P = address(work.scratch[thread])
        column_sums(address(gradient), p[B_] + q * p[O_], db, P, B, p[O_])
