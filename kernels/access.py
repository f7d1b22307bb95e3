"""How kernels get at slots and coefficients, and call each other: by address.

Slots are read and written by address, since a tuple of arrays in the loop over the parameters would
cost 7 times as much.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import COMPILED
from .llvm import column_of
from .vector import fetch

if COMPILED:

    @intrinsic
    def read_slots(typingctx, slots, i, n):
        """slots[:n, i] as a tuple; ``n`` is a literal."""
        if not isinstance(n, types.IntegerLiteral):
            return None
        tuple_type = types.UniTuple(slots.dtype, n.literal_value)

        def codegen(context, builder, signature, arguments):
            column = column_of(context, builder, slots, *arguments[:2])
            values = [builder.load(column(k)) for k in range(n.literal_value)]
            return context.make_tuple(builder, tuple_type, values)

        return tuple_type(slots, types.intp, n), codegen

    @intrinsic
    def write_slots(typingctx, slots, i, values, skip, left):
        """slots[:, i] = values[skip:], without those k whose bit in ``left`` is set, which stay;
        ``skip`` and ``left`` are literals."""
        if not isinstance(skip, types.IntegerLiteral) or not isinstance(left, types.IntegerLiteral):
            return None
        first = skip.literal_value

        def codegen(context, builder, signature, arguments):
            column = column_of(context, builder, slots, *arguments[:2])
            for k, kind in enumerate(list(values)[first:]):
                if left.literal_value >> k & 1:
                    continue
                value = builder.extract_value(arguments[2], first + k)
                builder.store(context.cast(builder, value, kind, slots.dtype), column(k))
            return context.get_dummy_value()

        return types.void(slots, types.intp, values, skip, left), codegen

    @intrinsic
    def prefetch_slots(typingctx, slots, i, which):
        """Ask for slots[k, i] of each k whose bit in ``which``, a literal, is set."""
        if not isinstance(which, types.IntegerLiteral):
            return None

        def codegen(context, builder, signature, arguments):
            column = column_of(context, builder, slots, *arguments[:2])
            for k in range(which.literal_value.bit_length()):
                if which.literal_value >> k & 1:
                    fetch(builder, column(k))
            return context.get_dummy_value()

        return types.void(slots, types.intp, which), codegen

    @intrinsic
    def unpack(typingctx, like, array, n):
        """The first ``n`` (a literal) elements of ``array`` as a tuple in the dtype of ``like``."""
        if not isinstance(n, types.IntegerLiteral):
            return None
        tuple_type = types.UniTuple(like.dtype, n.literal_value)

        def codegen(context, builder, signature, arguments):
            data = context.make_array(array)(context, builder, arguments[1]).data
            values = []
            for i in range(n.literal_value):
                value = builder.load(builder.gep(data, [cgutils.intp_t(i)]))
                values.append(context.cast(builder, value, array.dtype, like.dtype))
            return context.make_tuple(builder, tuple_type, values)

        return tuple_type(like, array, n), codegen

    @intrinsic
    def store(typingctx, array, values):
        """Write a tuple of numbers, of whatever types, into the first elements of ``array``."""

        def codegen(context, builder, signature, arguments):
            data = context.make_array(array)(context, builder, arguments[0]).data
            for i, kind in enumerate(values):
                value = builder.extract_value(arguments[1], i)
                value = context.cast(builder, value, kind, array.dtype)
                builder.store(value, builder.gep(data, [cgutils.intp_t(i)]))
            return context.get_dummy_value()

        return types.void(array, values), codegen

    @intrinsic
    def widest_vectors(typingctx):
        """Let LLVM vectorise the loops of this kernel with the widest registers that there are.

        For processors with AVX-512 it takes half of them, since early ones slowed down; what only
        moves numbers has more of them under way at a time.
        """

        def codegen(context, builder, signature, arguments):
            # llvmlite's own ``add`` knows the names of some attributes, and not of this one.
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
            return context.get_dummy_value()

        return types.void(), codegen

    @intrinsic
    def call(typingctx, address, arguments):
        """Call the kernel without a result that stands at ``address`` with a tuple of arguments.

        Numba's own first-class functions do the same, but handing one to a kernel costs 10 µs
        (it asks Python for the address each time); an integer costs nothing.
        """

        def codegen(context, builder, signature, values):
            kinds = [context.get_data_type(kind) for kind in arguments]
            pointer = ir.FunctionType(ir.VoidType(), kinds).as_pointer()
            function = builder.inttoptr(values[0], pointer)
            builder.call(function, cgutils.unpack_tuple(builder, values[1]))
            return context.get_dummy_value()

        return types.void(address, arguments), codegen

else:

    def widest_vectors():
        pass

    def read_slots(slots, i, n):
        return tuple(slots[:n, i])

    def prefetch_slots(slots, i, which):
        pass

    def write_slots(slots, i, values, skip, left):
        for k, value in enumerate(values[skip:]):
            slots[k, i] = value

    def unpack(like, array, n):
        return tuple(array[:n].astype(like.dtype))

    def store(array, values):
        array[: len(values)] = values

    def call(function, arguments):
        with np.errstate(all="ignore"):  # compiled code does not warn; its twin must not either
            function(*arguments)
