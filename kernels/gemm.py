"""The matrix products of a dense layer, held in registers: y = f(x W + b), dx = (dy Wᵀ) · f', dW.

The whole idea.  A product of matrices is a sum of outer products: for each k, column k of x times
row k of W.  A *tile* of the result, 8 rows of two 16-lane vectors, fits into half of the 32
registers, and stays there for all k:

    C = C + x[i : i + 8, k] ⊗ W[k, j : j + 32]

That is two loads (the row of W), 8 numbers of x, each repeated in all lanes by the instruction that
reads it, and 16 fused multiply-adds.  Nothing else is in the loop: no store, no horizontal sum and
no address that is not a constant away from the one before.  A core with two fma units and two loads
a cycle is busy with fma alone; of 16 × 1 registers, each fma would need a load of its own.

For that what belongs to a mini-batch is kept in *panels* of 32 columns: a panel's rows stand one
after the other.  So the 8 numbers of x are always 32 apart, or, since xᵀ dy reads the same panels
with rows and columns exchanged, side by side; all that a tile reads is in a few pages, in order.
Panels are padded to whole tiles, which needs no special case for the last rows of a mini-batch.

W is in memory as the user sees it, one row after the other.  A large one has rows that lie pages
apart: then a block of 128 × 32 is copied first (`pack`) to where it stays in the first cache while
all tiles of its columns are computed.  So is Wᵀ, transposed on the way.  A copy costs as much as
the products with 4 rows of x, 16 where it is transposed.

The tile begins as the bias and goes through the activation (or the gradient of one) before it is
stored.  If there are more than 128 terms in each sum, it is stored after 128, and loaded again.

Every number is the same chain of fma, k = 0, 1, 2, …, whatever the tile, the block, the thread or
the processor, so results are the same bits everywhere.  (An output layer of few outputs is another
story: narrow.py.)

Measured (scripts/bench_products.py; a core with two 512-bit fma units, float32, GFLOP/s):

    B, I, O             x W + b    dy Wᵀ    xᵀ dy    fma on registers alone
    32, 64, 64          149        112      164      184
    64, 128, 64         156        134      172      184
    128, 784, 256       150        148      168      196
    256, 1024, 1024     147        144      134      191

On a processor with 16 registers (AVX2) the tile has 4 rows, of two registers each.
"""

from functools import cache

from . import activations as f
from ._jit import address_of, inline, jit
from .panels import (
    DERIVATIVE,
    MOST_ROWS,
    PANEL,
    ROWS,
    WIDTH,
    Matrix,
    panel_width,
    place,
    product_type,
    weight_product_type,
)
from .tile import load_square, load_tile, plus_outer, splat_tile, store_tile, transpose
from .vector import lanes, load, store

DEPTH = 128  # terms of a sum that are added without a pause: a block of W takes 16 KiB
TOGETHER = 4  # panels whose columns are summed at a time
NEAR = 8192  # a W of so many numbers stays in the first cache as it is


def _forward_tiles(width):
    @inline
    def tiles(Y, X, W, b, Z, begin, end, j, n, first, last, ends):
        """Adds the terms first … last to the rows begin … end of Y, n columns from j on."""
        numbers, step = Y.numbers, panel_width(Y.numbers)
        for i in range(begin, end, ROWS):
            y = place(Y, i, j)
            if first > 0:
                C = load_tile(ROWS, width, numbers, y, step)
            elif b.start < 0:
                C = splat_tile(ROWS, width, numbers, 0.0)
            else:
                C = load_tile(ROWS, width, b.numbers, b.start + j, 0, n)

            w = W.start
            for p in range(first, last, step):
                x, depth = place(X, i, p), min(step, last - p)
                for k in range(x, x + depth // 2 * 2, 2):
                    C = plus_outer(C, X.numbers, k, step, load_tile(1, width, W.numbers, w, 0))
                    w += W.row
                    C = plus_outer(C, X.numbers, k + 1, step, load_tile(1, width, W.numbers, w, 0))
                    w += W.row
                if depth % 2:
                    k = x + depth - 1
                    C = plus_outer(C, X.numbers, k, step, load_tile(1, width, W.numbers, w, 0))

            if not ends:
                store_tile(numbers, y, step, C)
                continue
            code, z = Z.code, Z.start + (y - Y.start)
            if code == f.RELU:
                C = f.relu_forward(C)
            elif code == f.LEAKY_RELU:
                C = f.leaky_relu_forward(C)
            elif code >= DERIVATIVE + f.RELU:
                a = load_tile(ROWS, width, numbers, z, step)
                if code == DERIVATIVE + f.RELU:
                    C = f.relu_backward(C, a)
                elif code == DERIVATIVE + f.LEAKY_RELU:
                    C = f.leaky_relu_backward(C, a)
                elif code == DERIVATIVE + f.TANH:
                    C = f.tanh_backward(C, a)
                elif code == DERIVATIVE + f.SIGMOID:
                    C = f.sigmoid_backward(C, a)
            store_tile(numbers, z if f.TANH <= code < DERIVATIVE else y, step, C)

    return tiles


@inline
def activate(Y, Z, begin, end, j, width):
    """Y = f(Z) for the dear activations; the numbers are still in the first cache."""
    for i in range(begin, end):
        y = place(Y, i, j)
        for v in range(0, width, lanes(Y.numbers)):
            x = load(Y.numbers, Z.start + (y - Y.start) + v)
            if Z.code == f.TANH:
                x = f.tanh_forward(x)
            elif Z.code == f.SIGMOID:
                x = f.sigmoid_forward(x)
            elif Z.code == f.GELU:
                x = f.gelu_forward(x)
            else:
                x = f.silu_forward(x)
            store(Y.numbers, y + v, x)


@inline
def chain(Y, Z, begin, end, j, width):
    """Y = Y · f'(Z) for the two activations whose derivative needs exp."""
    for i in range(begin, end):
        y = place(Y, i, j)
        for v in range(0, width, lanes(Y.numbers)):
            z, x = load(Y.numbers, Z.start + (y - Y.start) + v), load(Y.numbers, y + v)
            if Z.code == DERIVATIVE + f.GELU:
                x = f.gelu_backward(x, z)
            else:
                x = f.silu_backward(x, z)
            store(Y.numbers, y + v, x)


@inline
def pack(P, W, k, j, depth, n):
    """P = the block of W from (k, j) on: ``depth`` rows of n numbers, a panel's width apart."""
    for i in range(depth):
        row = load_tile(1, PANEL, W.numbers, W.start + (k + i) * W.row + j, 0, n)
        store_tile(P, i * panel_width(P), 0, row)


@inline
def pack_transposed(P, W, k, j, depth, n):
    """P = the block of Wᵀ from (k, j) on: P[i, c] = W[j + c, k + i]."""
    L = lanes(P)
    for c in range(0, min(n, panel_width(P)), L):
        for i in range(0, depth, L):
            w = W.start + (j + c) * W.row + k + i
            x = load_square(W.numbers, w, W.row, n - c, depth - i)
            store_tile(P, i * panel_width(P) + c, panel_width(P), transpose(x))


wide_tiles, narrow_tiles = _forward_tiles(WIDTH), _forward_tiles(1)


@jit(by_address=True)
def product(Y, X, W, b, Z, P, transposed, begin, end, left, right, depth):
    """Y = Z(X W + b), or X Wᵀ, in the rows begin … end and the columns left … right.

    Y and X are Panels, with X (·, depth); W, with all its columns up to ``right``, and b are Matrix
    and Z an Epilogue.  A negative b.start stands for b = 0.  ``begin`` is a multiple of MOST_ROWS
    and ``left`` of a panel's width.  Beyond ``end`` and ``right`` what pads the panels is written
    too.  ``P`` is room for a block: DEPTH rows of a panel's width.
    """
    L, across = lanes(Y.numbers), panel_width(Y.numbers)
    across_rows = transposed and W.row > 1  # of one column the transpose is as it stands
    near = not across_rows and (depth * right <= NEAR or end - begin <= MOST_ROWS)
    for first in range(0, max(depth, 1), DEPTH):
        last = min(first + DEPTH, depth)
        ends = last == depth
        for j in range(left, right, across):
            n = right - j
            if near and n >= across:
                block = Matrix(W.numbers, W.start + first * W.row + j, W.row)
            else:
                block = Matrix(P, 0, across)
                if across_rows:
                    pack_transposed(P, W, first, j, last - first, n)
                else:
                    pack(P, W, first, j, last - first, n)
            for v in range(0, min(n, across), WIDTH * L):
                part = Matrix(block.numbers, block.start + v, block.row)
                if n - v > L and WIDTH > 1:
                    wide_tiles(Y, X, part, b, Z, begin, end, j + v, n - v, first, last, ends)
                else:
                    narrow_tiles(Y, X, part, b, Z, begin, end, j + v, n - v, first, last, ends)
            if ends:
                if f.TANH <= Z.code < DERIVATIVE:
                    activate(Y, Z, begin, end, j, min(n, across))
                elif Z.code >= DERIVATIVE + f.GELU:
                    chain(Y, Z, begin, end, j, min(n, across))


def _weight_tiles(width):
    @inline
    def tiles(G, X, D, begin, end, j, n, first, last):
        """Adds the terms first … last to the rows begin … end of G, n columns from j on."""
        step = panel_width(X.numbers)
        d = place(D, first, j)
        for i in range(begin, end, ROWS):
            m, g = end - i, G.start + i * G.row + j
            if first == 0:
                C = splat_tile(ROWS, width, X.numbers, 0.0)
            else:
                C = load_tile(ROWS, width, G.numbers, g, G.row, n, m)
            x = place(X, first, i)
            for k in range(0, (last - first) // 2 * 2 * step, 2 * step):
                C = plus_outer(C, X.numbers, x + k, 1, load_tile(1, width, D.numbers, d + k, 0))
                C = plus_outer(
                    C, X.numbers, x + k + step, 1, load_tile(1, width, D.numbers, d + k + step, 0)
                )
            if (last - first) % 2:
                k = (last - first - 1) * step
                C = plus_outer(C, X.numbers, x + k, 1, load_tile(1, width, D.numbers, d + k, 0))
            store_tile(G.numbers, g, G.row, C, n, m)

    return tiles


wide_weights, narrow_weights = _weight_tiles(WIDTH), _weight_tiles(1)


@jit(by_address=True)
def weight_product(G, X, D, begin, end, columns, depth):
    """G = Xᵀ D, the rows begin … end of it, which are columns of X.

    X and D are Panels of ``depth`` rows, G (·, columns) is a Matrix; ``begin`` is a multiple of a
    panel's width.  Nothing beside G is written.
    """
    L = lanes(X.numbers)
    for first in range(0, max(depth, 1), DEPTH):
        last = min(first + DEPTH, depth)
        for j in range(0, columns, WIDTH * L):
            if columns - j > L and WIDTH > 1:
                wide_weights(G, X, D, begin, end, j, columns - j, first, last)
            else:
                narrow_weights(G, X, D, begin, end, j, columns - j, first, last)


@inline
def column_sums(y, start, X, P, rows, columns):
    """y[start + j] = X[0, j] + X[1, j] + …: the gradient of a bias.

    Some panels side by side, since a sum alone would wait for itself at each addition; ``P`` is
    room for their sums.
    """
    across = panel_width(X.numbers)
    for j in range(0, columns, TOGETHER * across):
        n, x = min(columns - j, TOGETHER * across), place(X, 0, j)
        panels = (n + across - 1) // across
        s = splat_tile(TOGETHER, PANEL, P, 0.0)
        for _ in range(rows):
            s = s + load_tile(TOGETHER, PANEL, X.numbers, x, X.panel, across, panels)
            x += across
        store_tile(P, 0, across, s)
        for k in range(0, n, lanes(y)):
            store(y, start + j + k, load(P, k), n - k)


@cache
def product_address(dtype):
    """Where `product` is compiled, to be called by `fuse.call`: so it is compiled once a dtype, and
    not into each kernel that uses it.  With the JIT off, the function itself."""
    return address_of(product, product_type(dtype))


@cache
def weight_product_address(dtype):
    """Where `weight_product` is compiled."""
    return address_of(weight_product, weight_product_type(dtype))
