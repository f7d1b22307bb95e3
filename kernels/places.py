"""Arrays and named tuples of *words*: int64 numbers that say where they stand.

Numba takes about 0.1 µs for each array that Python hands over, and several kernels want dozens of
them; and a thread that waits inside a kernel can be handed nothing else than numbers.  Whoever
writes the words keeps the arrays alive; nobody counts references to them here.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import COMPILED

EACH = 3  # words of an array: address, rows (0 if it has one dimension), columns


def words_of(value: Any) -> list[int]:
    """The words of an array, a number or a tuple of such."""
    if isinstance(value, np.ndarray):
        return [value.ctypes.data, value.shape[0] if value.ndim == 2 else 0, value.shape[-1]]
    if isinstance(value, tuple):
        return [word for part in value for word in words_of(part)]
    if isinstance(value, float):
        return [int(np.float64(value).view(np.int64))]
    return [int(value)]


if COMPILED:

    @cache
    def vector(number: Any) -> Callable:
        """A function for kernels: ``at(address, size)`` is the array that stands there."""
        kind = types.Array(number, 1, "C")

        @intrinsic
        def at(typingctx, address, size):
            def codegen(context, builder, signature, arguments):
                none = cgutils.intp_t(0)
                return _array(context, builder, kind, arguments[0], none, arguments[1])

            return kind(int64, int64), codegen

        return at

    @intrinsic
    def bits_of(typingctx, x):
        """The word of a float64."""

        def codegen(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], ir.IntType(64))

        return types.int64(types.float64), codegen

    @intrinsic
    def float_of(typingctx, word):
        """The float64 of a word."""

        def codegen(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], ir.DoubleType())

        return types.float64(types.int64), codegen

    @intrinsic
    def address_in(typingctx, array):
        """Where an array begins."""

        def codegen(context, builder, signature, arguments):
            data = context.make_array(array)(context, builder, arguments[0]).data
            return builder.ptrtoint(data, ir.IntType(64))

        return types.int64(array), codegen

    def value_at(kind: Any, like: Any, words: Any, start: Any) -> tuple[Any, Any]:
        """What an intrinsic (like, words, start) returns that makes a value of the Numba type
        ``kind`` of the words from ``start`` on; ``like`` is there for the intrinsic's own use."""

        def codegen(context, builder, signature, arguments):
            data = context.make_array(words)(context, builder, arguments[1]).data
            return _value(context, builder, kind, builder.gep(data, [arguments[2]]), 0)[0]

        return kind(like, words, int64), codegen

    def _value(context, builder, kind, words, at):
        """The value whose words begin at number ``at``, and where the next one's do."""

        def word(k):
            return builder.load(builder.gep(words, [cgutils.intp_t(at + k)]))

        if isinstance(kind, types.Array):
            address, rows, columns = (word(k) for k in range(EACH))
            return _array(context, builder, kind, address, rows, columns), at + EACH
        if isinstance(kind, types.BaseTuple):
            parts = []
            for part in kind:
                value, at = _value(context, builder, part, words, at)
                parts.append(value)
            return context.make_tuple(builder, kind, parts), at
        if kind == types.float64:
            return builder.bitcast(word(0), ir.DoubleType()), at + 1
        return word(0), at + 1

    def _array(context, builder, kind, address, rows, columns):
        size = cgutils.intp_t(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        shape = [rows, columns][-kind.ndim :]
        strides = [builder.mul(columns, size), size][-kind.ndim :]
        array = context.make_array(kind)(context, builder)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        array.nitems = builder.mul(rows, columns) if kind.ndim == 2 else columns
        array.itemsize = size
        array.data = builder.inttoptr(address, array.data.type)
        array.shape = cgutils.pack_array(builder, shape, ty=ir.IntType(64))
        array.strides = cgutils.pack_array(builder, strides, ty=ir.IntType(64))
        return array._getvalue()
