"""The slots of parameters as vectors: several rows of one array, at the same place in each."""

import numpy as np
from numba import types
from numba.extending import lower_builtin, type_callable

from .llvm import column_of, join, repeat, split
from .simd import TileType
from .vector import first_lanes, lanes, load, read, store, vector_type, write


def load_slots(a, i, count, n=None):
    """The vectors at a[k, i:] of the first ``count`` (a literal) rows k of a, which need not be
    contiguous, as a tuple."""
    return tuple(load(a[k], i, n) for k in range(count))


@type_callable(load_slots)
def _(context):
    def kind(a, i, count, n=None):
        if isinstance(count, types.IntegerLiteral) and vector_type(a):
            return types.UniTuple(vector_type(a), count.literal_value)
        return None

    return kind


def _load_slots(context, builder, signature, arguments):
    kind = signature.args[0]
    tile = vector_type(kind)
    vector = context.get_value_type(tile).element
    mask = first_lanes(builder, arguments[3], vector.count) if len(arguments) > 3 else None
    column = column_of(context, builder, kind, *arguments[:2])
    found = []
    for k in range(signature.return_type.count):
        found.append(join(builder, [read(builder, column(k), vector, mask)]))
    return context.make_tuple(builder, signature.return_type, found)


for _more in range(2):
    _integers = [types.Integer] * (2 + _more)
    lower_builtin(load_slots, types.Array, *_integers)(_load_slots)


def store_slots(a, i, values, skip, left, n=None):
    """Write values[skip:] to a[0, i:], a[1, i:], …, without those whose bit in ``left`` is set;
    ``skip`` and ``left`` are literals."""
    for k, x in enumerate(values[skip:]):
        if not left >> k & 1:
            store(a[k], i, np.broadcast_to(x, lanes(a)), n)


@type_callable(store_slots)
def _(context):
    def kind(a, i, values, skip, left, n=None):
        literal = isinstance(skip, types.IntegerLiteral) and isinstance(left, types.IntegerLiteral)
        fit = isinstance(values, types.BaseTuple) and all(
            isinstance(x, TileType | types.Number) for x in values
        )
        return types.none if literal and fit else None

    return kind


def _store_slots(context, builder, signature, arguments):
    kind, tile = signature.args[0], vector_type(signature.args[0])
    skip, left = (argument.literal_value for argument in signature.args[3:5])
    mask = first_lanes(builder, arguments[5], tile.lanes) if len(arguments) > 5 else None
    column = column_of(context, builder, kind, *arguments[:2])
    for k, found in enumerate(list(signature.args[2])[skip:]):
        if left >> k & 1:
            continue
        value = builder.extract_value(arguments[2], skip + k)
        if isinstance(found, TileType):
            (value,) = split(builder, value)
        else:
            value = repeat(builder, context.cast(builder, value, found, tile.dtype), tile.lanes)
        write(builder, value, column(k), mask)
    return context.get_dummy_value()


for _more in range(2):
    _integers = [types.Integer] * (2 + _more)
    lower_builtin(store_slots, types.Array, types.Integer, types.BaseTuple, *_integers)(
        _store_slots
    )
