"""Products of a layer with few outputs: a number, or some classes.

A tile of gemm.py is a vector of outputs wide: of one output, 7 or 15 of its lanes would be idle.
So here a vector is of inputs:

    y = x W     Wᵀ is copied, then a row of x times a column of W is a sum in each lane, which are
                added at the end; ROWS rows of x at a time
    dW = xᵀ dy  is computed transposed: FEW outputs by a panel's width of inputs at a time, each
                a chain of fma over the rows as in gemm.py

Only a network that has such a layer compiles these kernels.
"""

from functools import cache

from ._jit import address_of, inline, jit
from .panels import PANEL, ROWS, panel_width, place, product_type, weight_product_type
from .simd import fma
from .tile import (
    load_tile,
    plus_outer,
    row_totals,
    splat_tile,
    store_column,
    store_tile,
    store_transposed,
)
from .vector import lanes, load, store

FEW = 4  # outputs
LONGEST = 64  # vectors of inputs: Wᵀ of FEW outputs then fits into the room for a block


def sums_in_lanes(inputs, outputs, lanes):
    """Whether y = x W of a layer without an activation is computed here."""
    return outputs <= FEW and inputs <= LONGEST * lanes


@inline
def transpose_narrow(P, length, W, rows, columns):
    """P[j, k] = W[k, j], where the rows of P, ``length`` apart, end in zeros."""
    L = lanes(P)
    for j in range(columns):
        if W.row == 1:
            for k in range(0, length, L):
                store(P, k, load(W.numbers, W.start + k, rows - k))
        else:
            for k in range(rows):
                P[j * length + k] = W.numbers[W.start + k * W.row + j]
            for k in range(rows, length):
                P[j * length + k] = 0.0


@jit(by_address=True)
def narrow_product(Y, X, W, b, Z, P, transposed, begin, end, left, columns, depth):
    """Y = X W + b in the rows begin … end; takes what `product` takes, for all columns."""
    L, across = lanes(Y.numbers), panel_width(X.numbers)
    length = (depth + L - 1) // L * L
    transpose_narrow(P, length, W, depth, columns)
    whole = depth // L * L
    for i in range(begin, end, ROWS):
        for j in range(columns):
            C = splat_tile(ROWS, 1, Y.numbers, 0.0)
            w = j * length
            for p in range(0, whole, L):
                x = load_tile(ROWS, 1, X.numbers, place(X, i, p), across)
                C = fma(x, load_tile(ROWS, 1, P, w + p, 0), C)
            if whole < depth:
                x = load_tile(ROWS, 1, X.numbers, place(X, i, whole), across, depth - whole)
                C = fma(x, load_tile(ROWS, 1, P, w + whole, 0), C)
            y = row_totals(C) + b.numbers[b.start + j]
            store_column(Y.numbers, place(Y, i, j), across, y)


@jit(by_address=True)
def narrow_weight_product(G, X, D, begin, end, columns, depth):
    """G = Xᵀ D, the rows begin … end of it."""
    across = panel_width(X.numbers)
    for i in range(begin, end, across):
        n, g = end - i, G.start + i * G.row
        C = splat_tile(FEW, PANEL, X.numbers, 0.0)
        x, d = place(X, 0, i), place(D, 0, 0)
        for _ in range(depth):
            C = plus_outer(C, D.numbers, d, 1, load_tile(1, PANEL, X.numbers, x, 0))
            x += across
            d += across
        if G.row == 1:
            store_tile(G.numbers, g, 0, C, n, columns)
        else:
            store_transposed(G.numbers, g, G.row, C, n, columns)


@cache
def narrow_product_address(dtype):
    """Where `narrow_product` is compiled."""
    return address_of(narrow_product, product_type(dtype))


@cache
def narrow_weight_product_address(dtype):
    """Where `narrow_weight_product` is compiled."""
    return address_of(narrow_weight_product, weight_product_type(dtype))
