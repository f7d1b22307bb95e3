"""LLVM's vectors while a kernel is being compiled: what all that emits them needs."""

from llvmlite import ir
from numba.core import cgutils


def split(builder, tile):
    """The LLVM vectors of a tile's rows."""
    return [builder.extract_value(tile, i) for i in range(tile.type.count)]


def join(builder, vectors):
    tile = ir.Constant(ir.ArrayType(vectors[0].type, len(vectors)), ir.Undefined)
    for i, vector in enumerate(vectors):
        tile = builder.insert_value(tile, vector, i)
    return tile


def repeat(builder, number, lanes):
    """A vector with an LLVM number in all lanes."""
    undefined = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    one = builder.insert_element(undefined, number, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(one, undefined, zeros)


def intrinsic_call(builder, name, *arguments):
    """Call an LLVM intrinsic whose result has the type of its (first) vector arguments."""
    kind = arguments[0].type
    name = f"llvm.{name}.v{kind.count}{kind.element.intrinsic_name}"
    signature = ir.FunctionType(kind, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    return builder.call(function, arguments)


def column_of(context, builder, kind, array, i):
    """Where array[k, i] of two dimensions is, as a function of k."""
    array = context.make_array(kind)(context, builder, array)
    size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    row = builder.sdiv(cgutils.unpack_tuple(builder, array.strides)[0], cgutils.intp_t(size))

    def column(k):
        start = builder.gep(array.data, [builder.mul(row, cgutils.intp_t(k))])
        return builder.gep(start, [i])

    return column
