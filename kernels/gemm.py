"""The matrix products of a dense layer, held in registers: y = f(x W + b), dx = (dy Wᵀ) · f', dW.

The whole idea.  A product of matrices is a sum of outer products: for each k, column k of x times
row k of W.  A *tile* of the result, 16 rows of one 16-lane vector, fits into half of the 32
registers, and stays there for all k:

    C = C + x[i : i + 16, k] ⊗ W[k, j : j + 16]

That is one load (the row of W) and 16 fused multiply-adds, each with one number of x, which the
instruction itself reads from memory and repeats in all lanes.  Nothing else is in the loop: no
store, no horizontal sum, no packing of x, whose rows and columns may lie at any stride.  So the
same loop does xᵀ dy: a transposed x only swaps its strides.  Only W must have its columns side by
side, so dy Wᵀ first transposes W (`pack`), which costs 1/(16 · rows of dy) as much as the product.

The tile begins as the bias and goes through the activation (or the gradient of one) before it is
stored once.  Rows that do not fill a tile are covered by one that overlaps the one before: it
computes the same numbers again.  Columns that do not fill a vector are masked.

Every number is the same chain of fma, k = 0, 1, 2, …, whatever the tile, the thread or the
processor, so results are the same bits everywhere.

Measured (Zen 4 core, float32, GFLOP/s; the roof, fma on registers alone, was 110):

    rows × columns × depth   16 × 16 tile   8 × 32    6 × 64    14 × 32   12 × 32
    32 × 64 × 64             105            102       93        78        spills
    64 × 128 × 64            103            98        98        88
    128 × 128 × 256          108            104       105       97
    16 × 16 × 16             87

On a processor with 16 registers (AVX2) the tile has 6 rows, of two registers each.
"""

from collections import namedtuple
from functools import cache

import llvmlite.binding
import numba
from numba import from_dtype, types

from . import activations as f
from ._jit import address_of, inline, jit
from .tile import (
    lanes,
    load,
    load_square,
    load_tile,
    plus_outer,
    splat,
    splat_tile,
    store,
    store_tile,
    transpose,
)

# Element (i, j) of a matrix is numbers[start + i · row + j · column]; of a matrix in panels (the
# right factor), numbers[start + i · row + (j // LANES) · column + j % LANES].
Matrix = namedtuple("Matrix", "numbers start row column")

# What happens to a tile before it is stored: ``code`` is that of an activation, the rest then says
# where pre-activations z go (the place of the result itself, unless they are needed later), or
# DERIVATIVE + the code: multiply by the derivative, computed from what is there (z for GELU and
# SiLU, else the activation's value).
Epilogue = namedtuple("Epilogue", "code numbers start row")
DERIVATIVE = 16


# Processors with 32 registers of 512 bits, by LLVM's names (for NUMBA_CPU_NAME).
_AVX512 = (
    "avx512",
    "znver4",
    "znver5",
    "icelake",
    "cascadelake",
    "sapphirerapids",
    "graniterapids",
)


def _wide():
    name = numba.config.CPU_NAME
    if name:
        return any(known in name for known in _AVX512)
    return llvmlite.binding.get_host_cpu_features().get("avx512f", False)


ROWS = 16 if _wide() else 6


def _tile(rows):
    @inline
    def tile(Y, X, W, b, Z, i, j, n, depth):
        """Rows i … i + rows of Y, n columns from j on; returns nothing, writes once."""
        if b.start < 0:
            C = splat_tile(rows, Y.numbers, 0.0)
        else:
            C = load_tile(rows, b.numbers, b.start + j, 0, n)

        x, w = X.start + i * X.row, W.start + j // lanes(Y.numbers) * W.column
        for k in range(depth):
            row = load(W.numbers, w + k * W.row, n)
            C = plus_outer(C, X.numbers, x + k * X.column, X.row, row)

        z, epilogue = Z.start + i * Z.row + j, Z.code
        if epilogue == f.RELU:
            C = f.relu_forward(C)
        elif epilogue == f.LEAKY_RELU:
            C = f.leaky_relu_forward(C)
        elif epilogue >= DERIVATIVE + f.RELU:
            a = load_tile(rows, Z.numbers, z, Z.row, n)
            if epilogue == DERIVATIVE + f.RELU:
                C = f.relu_backward(C, a)
            elif epilogue == DERIVATIVE + f.LEAKY_RELU:
                C = f.leaky_relu_backward(C, a)
            elif epilogue == DERIVATIVE + f.TANH:
                C = f.tanh_backward(C, a)
            elif epilogue == DERIVATIVE + f.SIGMOID:
                C = f.sigmoid_backward(C, a)
        y = Y.start + i * Y.row + j
        if f.TANH <= epilogue < DERIVATIVE:
            store_tile(Z.numbers, z, Z.row, C, n)
        else:
            store_tile(Y.numbers, y, Y.row, C, n)

    return tile


tall_tile, low_tile, row_tile = _tile(ROWS), _tile(4), _tile(1)


@inline
def activate(Y, Z, rows, j, n):
    """Y = f(Z) for the dear activations; the numbers are still in the first cache."""
    for r in range(rows):
        z = load(Z.numbers, Z.start + r * Z.row + j, n)
        if Z.code == f.TANH:
            y = f.tanh_forward(z)
        elif Z.code == f.SIGMOID:
            y = f.sigmoid_forward(z)
        elif Z.code == f.GELU:
            y = f.gelu_forward(z)
        else:
            y = f.silu_forward(z)
        store(Y.numbers, Y.start + r * Y.row + j, y, n)


@inline
def chain(Y, Z, rows, j, n):
    """Y = Y · f'(Z) for the two activations whose derivative needs exp."""
    for r in range(rows):
        z = load(Z.numbers, Z.start + r * Z.row + j, n)
        y = load(Y.numbers, Y.start + r * Y.row + j, n)
        y = f.gelu_backward(y, z) if Z.code == DERIVATIVE + f.GELU else f.silu_backward(y, z)
        store(Y.numbers, Y.start + r * Y.row + j, y, n)


@jit(by_address=True)
def product(Y, X, W, b, Z, rows, columns, depth):
    """Y = Z(X W + b), with X (rows, depth), W (depth, columns) in panels and Z an Epilogue.

    A negative b.start stands for b = 0.  Y must not overlap X or W.
    """
    L = lanes(Y.numbers)
    for j in range(0, columns, L):
        n = min(L, columns - j)
        i = 0
        while i < rows:
            left = rows - i
            if left > 4 and rows >= ROWS:
                i = min(i, rows - ROWS)
                tall_tile(Y, X, W, b, Z, i, j, n, depth)
                i += ROWS
            elif left > 1 and rows >= 4:
                i = min(i, rows - 4)
                low_tile(Y, X, W, b, Z, i, j, n, depth)
                i += 4
            else:
                row_tile(Y, X, W, b, Z, i, j, n, depth)
                i += 1
        if f.TANH <= Z.code < DERIVATIVE:
            activate(Y, Z, rows, j, n)
        elif Z.code >= DERIVATIVE + f.GELU:
            chain(Y, Z, rows, j, n)


@inline
def column_sums(y, start, X, rows, columns):
    """y[start + j] = X[0, j] + X[1, j] + …: the gradient of a bias."""
    L = lanes(y)
    for j in range(0, columns, L):
        n = min(L, columns - j)
        s = splat(y, 0.0)
        for i in range(rows):
            s = s + load(X.numbers, X.start + i * X.row + j, n)
        store(y, start + j, s, n)


@jit(by_address=True)
def pack_transposed(P, W, first, last, rows, columns):
    """Panels of the transpose: P[k, i] = W[i, k] for first ≤ i < last and all k < columns.

    ``first`` is a multiple of LANES, and ``last`` too unless it is ``rows``.  A panel has room for
    the number of columns rounded up to a multiple of LANES.
    """
    L = lanes(P.numbers)
    for i in range(first, last, L):
        for k in range(0, columns, L):
            w, p = W.start + i * W.row + k, P.start + i // L * P.column + k * P.row
            x = load_square(W.numbers, w, W.row, rows - i, columns - k)
            store_tile(P.numbers, p, P.row, transpose(x), L)


def matrix_type(dtype):
    """The Numba type of a Matrix of this dtype."""
    return types.NamedTuple((types.CPointer(from_dtype(dtype)), *[types.int64] * 3), Matrix)


@cache
def product_address(dtype):
    """Where `product` is compiled, to be called by `fuse.call`: so it is compiled once a dtype, and
    not into each kernel that uses it.  With the JIT off, the function itself."""
    matrix, pointer = matrix_type(dtype), types.CPointer(from_dtype(dtype))
    epilogue = types.NamedTuple((types.int64, pointer, types.int64, types.int64), Epilogue)
    return address_of(product, types.void(*[matrix] * 4, epilogue, *[types.int64] * 3))


@cache
def pack_address(dtype):
    """Where `pack_transposed` is compiled."""
    return address_of(pack_transposed, types.void(*[matrix_type(dtype)] * 2, *[types.int64] * 4))
