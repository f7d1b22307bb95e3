"""Several sums at once, in float64: each a vector whose lanes are added up at the end.

As in vector.py, a primitive is a Python function, its NumPy twin, followed by what compiled code
gets instead.  The sums are a tile with a row for each; what is added are vectors of float32 or
float64, one for each sum.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import lower_builtin, type_callable

from .llvm import join, split
from .simd import LANES, TileType
from .vector import first_lanes, halving, total

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def zero_sums(count):
    """Room for so many (a literal) sums: for each a vector of zeros of float64."""
    return np.zeros((count, LANES[np.float64]))


@type_callable(zero_sums)
def _(context):
    def kind(count):
        if isinstance(count, types.IntegerLiteral):
            return TileType(types.float64, LANES[np.float64], count.literal_value)
        return None

    return kind


@lower_builtin(zero_sums, types.Integer)
def _(context, builder, signature, arguments):
    return ir.Constant(context.get_value_type(signature.return_type), None)


def add_each(sums, vectors, n=None):
    """Each sum with the first n numbers of its vector, those of float32 in two halves."""
    sums, width = sums.copy(), LANES[np.float64]
    for row, x in zip(sums, vectors, strict=True):
        x = np.where(np.arange(x.size) < (x.size if n is None else n), x, x.dtype.type(0))
        for i in range(0, x.size, width):
            row += x[i : i + width]
    return sums


@type_callable(add_each)
def _(context):
    def kind(sums, vectors, n=None):
        vectors = vectors if isinstance(vectors, types.BaseTuple) else ()
        fit = all(isinstance(x, TileType) and x.rows == 1 for x in vectors)
        return sums if fit and len(vectors) == sums.rows else None

    return kind


def _add_each(context, builder, signature, arguments):
    rows = split(builder, arguments[0])
    for k, row in enumerate(rows):
        (x,) = split(builder, builder.extract_value(arguments[1], k))
        if len(arguments) > 2:
            inside = first_lanes(builder, arguments[2], x.type.count)
            x = builder.select(inside, x, ir.Constant(x.type, None))
        width = row.type.count
        for first in range(0, x.type.count, width):
            half = list(range(first, first + width))
            half = ir.Constant(ir.VectorType(_I32, width), half)
            part = builder.shuffle_vector(x, x, half)
            row = builder.fadd(row, part if x.type == row.type else builder.fpext(part, row.type))
        rows[k] = row
    return join(builder, rows)


lower_builtin(add_each, TileType, types.BaseTuple)(_add_each)
lower_builtin(add_each, TileType, types.BaseTuple, types.Integer)(_add_each)


def totals(out, sums):
    """Each sum's lanes added up, into ``out``."""
    out[: len(sums)] = [total(row) for row in sums]


@type_callable(totals)
def _(context):
    return lambda out, sums: types.none


@lower_builtin(totals, types.Array, TileType)
def _(context, builder, signature, arguments):
    data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
    add = halving(lambda b, x, y: b.fadd(x, y))
    for k, row in enumerate(split(builder, arguments[1])):
        builder.store(add(builder, row), builder.gep(data, [_I64(k)]))
    return context.get_dummy_value()
