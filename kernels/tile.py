"""Tiles, a few rows of vectors: from and to memory, and what a matrix product does with them.

As in vector.py, memory is named by an array and an index, and each primitive is followed by what
compiled code gets instead.  ``rows`` and ``width`` are constants: so many rows of so many vectors.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import lower_builtin, type_callable

from .llvm import intrinsic_call, join, repeat, split
from .simd import TileType, fma
from .vector import (
    MEMORY,
    first_lanes,
    lanes,
    load,
    lower,
    pointer_to,
    read,
    scatter,
    store,
    total,
    vector_type,
    write,
)

_I32 = ir.IntType(32)


def _tile_of(array, rows, width):
    if isinstance(rows, types.IntegerLiteral) and isinstance(width, types.IntegerLiteral):
        return vector_type(array, rows.literal_value, width.literal_value)
    return None


def _active_inside(builder, r, n, rows, lanes):
    """The mask of the first n lanes in the rows below ``rows``, and of none in row r beyond."""
    inside = builder.icmp_signed(">", rows, rows.type(r))
    return first_lanes(builder, builder.select(inside, n, n.type(0)), lanes)


def splat_tile(rows, width, a, x):
    """A tile with all numbers x, in the dtype of array a."""
    return np.full((rows, width * lanes(a)), x, a.dtype)


@type_callable(splat_tile)
def _(context):
    return lambda rows, width, a, x: _tile_of(a, rows, width)


@lower(splat_tile, types.Integer, types.Integer, MEMORY, types.Number)
def _(context, builder, signature, arguments):
    tile = signature.return_type
    number = context.cast(builder, arguments[3], signature.args[3], tile.dtype)
    return join(builder, [repeat(builder, number, tile.lanes)] * tile.rows)


def load_tile(rows, width, a, i, step, n=None, m=None):
    """The rows a[i:], a[i + step:], …; or n lanes of the first m rows, the others 0 and not read.

    A step of 0 repeats one row.
    """
    L, m = lanes(a), rows if m is None else m
    tile = [
        load(a, i + r * step + v * L, (L if n is None else n - v * L) * (r < m))
        for r in range(rows)
        for v in range(width)
    ]
    return np.concatenate(tile).reshape(rows, width * L)


@type_callable(load_tile)
def _(context):
    return lambda rows, width, a, i, step, n=None, m=None: _tile_of(a, rows, width)


def _rows(builder, pointer, step, rows):
    for r in range(rows):
        yield pointer
        if r < rows - 1:
            pointer = builder.gep(pointer, [step])


def _load_tile(context, builder, signature, arguments):
    tile = signature.return_type
    vector = context.get_value_type(tile).element
    _, _, a, i, step, *limits = arguments
    mask = first_lanes(builder, limits[0], tile.lanes) if limits else None
    pointer = pointer_to(context, builder, signature.args[2], a, i)
    vectors = []
    for r, row in enumerate(_rows(builder, pointer, step, tile.rows)):
        if len(limits) > 1:
            mask = _active_inside(builder, r, *limits, tile.lanes)
        vectors.append(read(builder, row, vector, mask))
    return join(builder, vectors)


for _limits in range(3):
    _some = [types.Integer] * (2 + _limits)
    lower(load_tile, types.Integer, types.Integer, MEMORY, *_some)(_load_tile)


def load_square(a, i, step, rows, n):
    """A tile of LANES rows: n lanes of the first ``rows`` rows a[i:], a[i + step:], …, else 0."""
    return np.stack(
        [load(a, i + r * step if r < rows else i, n * (r < rows)) for r in range(lanes(a))]
    )


@type_callable(load_square)
def _(context):
    return lambda a, i, step, rows, n: vector_type(a, vector_type(a).lanes)


@lower(load_square, MEMORY, *[types.Integer] * 4)
def _(context, builder, signature, arguments):
    tile = signature.return_type
    vector = context.get_value_type(tile).element
    a, i, step, rows, n = arguments
    pointer = pointer_to(context, builder, signature.args[0], a, i)
    vectors = []
    for r, row in enumerate(_rows(builder, pointer, step, tile.rows)):
        mask = _active_inside(builder, r, n, rows, tile.lanes)
        vectors.append(read(builder, row, vector, mask))
    return join(builder, vectors)


def store_tile(a, i, step, x, n=None, m=None):
    """Write the rows of a tile to a[i:], a[i + step:], …; or n lanes of the first m rows alone."""
    L = lanes(a)
    for r, row in enumerate(x[:m]):
        for v in range(0, len(row), L):
            store(a, i + r * step + v, row[v : v + L], None if n is None else n - v)


@type_callable(store_tile)
def _(context):
    return lambda a, i, step, x, n=None, m=None: types.none


def _store_tile(context, builder, signature, arguments):
    tile = signature.args[3]
    a, i, step, x, *limits = arguments
    pointer = pointer_to(context, builder, signature.args[0], a, i)
    mask = first_lanes(builder, limits[0], tile.lanes) if limits else None
    rows = _rows(builder, pointer, step, tile.rows)
    for r, (row, vector) in enumerate(zip(rows, split(builder, x), strict=True)):
        if limits:
            with builder.if_then(builder.icmp_signed(">", limits[1], limits[1].type(r))):
                write(builder, vector, row, mask)
        else:
            write(builder, vector, row)
    return context.get_dummy_value()


lower(store_tile, MEMORY, *[types.Integer] * 2, TileType)(_store_tile)
lower(store_tile, MEMORY, *[types.Integer] * 2, TileType, *[types.Integer] * 2)(_store_tile)


def plus_outer(C, a, i, step, b):
    """C + a ⊗ b: the column of numbers a[i], a[i + step], … times a row, an fma a row of C."""
    column = a.reshape(-1)[i + step * np.arange(len(C))]
    return fma(column[:, None], b, C)


@type_callable(plus_outer)
def _(context):
    return lambda C, a, i, step, b: C


@lower(plus_outer, TileType, MEMORY, *[types.Integer] * 2, TileType)
def _(context, builder, signature, arguments):
    tile = signature.args[0]
    C, a, i, step, b = arguments
    (b,) = split(builder, b)
    pointer = pointer_to(context, builder, signature.args[1], a, i)
    column = _rows(builder, pointer, step, tile.rows)
    results = []
    for number, c in zip(column, split(builder, C), strict=True):
        x = repeat(builder, builder.load(number), tile.lanes)
        results.append(intrinsic_call(builder, "fma", x, b, c))
    return join(builder, results)


def transpose(x):
    """The transpose of a tile of LANES rows."""
    return x.T.copy()


@type_callable(transpose)
def _(context):
    return lambda x: x if x.rows == x.lanes else None


@lower_builtin(transpose, TileType)
def _(context, builder, signature, arguments):
    # Swap the off-diagonal halves of every 2 × 2 arrangement of blocks, from large blocks to
    # small ones: log2(LANES) rounds of one shuffle a row.
    rows, lanes = split(builder, arguments[0]), signature.args[0].lanes
    half = lanes // 2
    while half:
        upper = [lanes + c - half if c & half else c for c in range(lanes)]
        lower = [lanes + c if c & half else c + half for c in range(lanes)]
        masks = [ir.Constant(ir.VectorType(_I32, lanes), m) for m in (upper, lower)]
        for r in range(lanes):
            if not r & half:
                pair = rows[r], rows[r + half]
                rows[r] = builder.shuffle_vector(*pair, masks[0])
                rows[r + half] = builder.shuffle_vector(*pair, masks[1])
        half //= 2
    return join(builder, rows)


def row_totals(x):
    """The sum of each row's lanes, in the order of `vector.total`, as a vector of so many lanes."""
    return np.array([total(row) for row in x])


@type_callable(row_totals)
def _(context):
    return lambda x: TileType(x.dtype, x.rows)


@lower_builtin(row_totals, TileType)
def _(context, builder, signature, arguments):
    # Upper halves are added to lower ones, of two vectors at a time while there are two: then a
    # vector has the halves of two rows, the quarters of four, …
    vectors, parts = split(builder, arguments[0]), 1
    while vectors[0].type.count > len(vectors) * parts or len(vectors) > 1:
        size = vectors[0].type.count // parts
        several = len(vectors) > 1
        lower, upper = (
            [
                part * size + half * size // 2 + k
                for part in range(2 * parts if several else parts)
                for k in range(size // 2)
            ]
            for half in range(2)
        )
        masks = [ir.Constant(ir.VectorType(_I32, len(m)), m) for m in (lower, upper)]
        pairs = zip(vectors[::2], vectors[1::2], strict=True) if several else [vectors * 2]
        vectors = [builder.fadd(*(builder.shuffle_vector(*p, m) for m in masks)) for p in pairs]
        parts = 2 * parts if several else parts
    return join(builder, vectors)


def store_column(a, i, step, x):
    """Write the lanes of a vector to a[i], a[i + step], …"""
    a.reshape(-1)[i + step * np.arange(len(x))] = x


@type_callable(store_column)
def _(context):
    return lambda a, i, step, x: types.none


@lower(store_column, MEMORY, *[types.Integer] * 2, TileType)
def _(context, builder, signature, arguments):
    a, i, step, x = arguments
    (vector,) = split(builder, x)
    pointer = pointer_to(context, builder, signature.args[0], a, i)
    for r, row in enumerate(_rows(builder, pointer, step, vector.type.count)):
        builder.store(builder.extract_element(vector, _I32(r)), row)
    return context.get_dummy_value()


def store_transposed(a, i, step, x, n, m):
    """Write the first n lanes of the first m rows r of a tile to a[i + r], a[i + step + r], …"""
    for r, row in enumerate(x[:m]):
        a.reshape(-1)[i + r + step * np.arange(len(row[:n]))] = row[:n]


@type_callable(store_transposed)
def _(context):
    return lambda a, i, step, x, n, m: types.none


@lower(store_transposed, MEMORY, *[types.Integer] * 2, TileType, *[types.Integer] * 2)
def _(context, builder, signature, arguments):
    tile = signature.args[3]
    a, i, step, x, n, m = arguments
    pointer = pointer_to(context, builder, signature.args[0], a, i)
    mask = first_lanes(builder, n, tile.lanes)
    for r, row in enumerate(split(builder, x)):
        with builder.if_then(builder.icmp_signed(">", m, m.type(r))):
            scatter(builder, row, builder.gep(pointer, [m.type(r)]), step, mask)
    return context.get_dummy_value()
