"""Vectors from and to memory, and what goes across their lanes; see simd.py.

Memory is named by an array (C-contiguous, of any shape) and the flat index of an element.  There is
no bounds check: ``n`` tells how many lanes are inside the array, and the others are neither read
nor written.  Each primitive is a Python function, its NumPy twin, followed by what compiled code
gets instead.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable

from .llvm import join, repeat, split
from .simd import LANES, TileType

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)

# --- memory -----------------------------------------------------------------------------------


def vector_type(array, rows=1, width=1):
    lanes = {types.float32: 16, types.float64: 8}.get(getattr(array, "dtype", None))
    return lanes and TileType(array.dtype, width * lanes, rows)


def _masked(builder, name, result, arguments, vector):
    name = f"llvm.masked.{name}.v{vector.count}{vector.element.intrinsic_name}.p0"
    signature = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def address(a):
    """Where an array's elements are: all that the functions below need of it, and what kernels
    hand to each other (an array is seven words).  The array itself must outlive it."""
    return a.reshape(-1)


@type_callable(address)
def _(context):
    return lambda a: types.CPointer(a.dtype)


@lower_builtin(address, types.Array)
def _(context, builder, signature, arguments):
    return context.make_array(signature.args[0])(context, builder, arguments[0]).data


def pointer_to(context, builder, kind, memory, index):
    if isinstance(kind, types.Array):
        memory = context.make_array(kind)(context, builder, memory).data
    return builder.gep(memory, [index])


def lower(function, *kinds):
    """lower_builtin for memory named by an array or by its address."""

    def register(implementation):
        for memory in (types.Array, types.CPointer):
            some = [memory if k is MEMORY else k for k in kinds]
            lower_builtin(function, *some)(implementation)
        return implementation

    return register


MEMORY = object()


def first_lanes(builder, n, lanes):
    """The mask of the first n lanes."""
    n = repeat(builder, builder.trunc(n, _I32) if n.type.width > 32 else n, lanes)
    return builder.icmp_signed("<", ir.Constant(ir.VectorType(_I32, lanes), list(range(lanes))), n)


def read(builder, pointer, vector, mask=None, fill=None):
    pointer = builder.bitcast(pointer, vector.as_pointer())
    size = 4 if vector.element == ir.FloatType() else 8
    if mask is None:
        return builder.load(pointer, align=size)
    others = ir.Constant(vector, None) if fill is None else fill
    return _masked(builder, "load", vector, [pointer, _I32(size), mask, others], vector)


def write(builder, value, pointer, mask=None):
    pointer = builder.bitcast(pointer, value.type.as_pointer())
    size = 4 if value.type.element == ir.FloatType() else 8
    if mask is None:
        builder.store(value, pointer, align=size)
    else:
        arguments = [value, pointer, _I32(size), mask]
        _masked(builder, "store", ir.VoidType(), arguments, value.type)


def scatter(builder, value, pointer, step, mask):
    """Write the lanes of the mask, so many numbers apart."""
    count, size = value.type.count, 4 if value.type.element == ir.FloatType() else 8
    apart = ir.Constant(ir.VectorType(_I64, count), [size * lane for lane in range(count)])
    apart = builder.mul(repeat(builder, step, count), apart)
    start = repeat(builder, builder.ptrtoint(pointer, _I64), count)
    places = builder.inttoptr(builder.add(start, apart), ir.VectorType(pointer.type, count))
    name = f"llvm.masked.scatter.v{count}{value.type.element.intrinsic_name}.v{count}p0"
    arguments = [value, places, _I32(size), mask]
    signature = ir.FunctionType(ir.VoidType(), [a.type for a in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def load(a, i, n=None, fill=0):
    """The vector at a[i:]; the lanes from n on are not read but ``fill``."""
    lanes = LANES[a.dtype.type]
    n = lanes if n is None else min(max(n, 0), lanes)
    x = np.full(lanes, fill, a.dtype)
    x[:n] = a.reshape(-1)[i : i + n]
    return x


@type_callable(load)
def _(context):
    return lambda a, i, n=None, fill=0: vector_type(a)


def _load(context, builder, signature, arguments):
    vector = context.get_value_type(signature.return_type).element
    mask = first_lanes(builder, arguments[2], vector.count) if len(arguments) > 2 else None
    fill = None
    if len(arguments) > 3:
        dtype = signature.return_type.dtype
        fill = context.cast(builder, arguments[3], signature.args[3], dtype)
        fill = repeat(builder, fill, vector.count)
    pointer = pointer_to(context, builder, signature.args[0], arguments[0], arguments[1])
    return join(builder, [read(builder, pointer, vector, mask, fill)])


lower(load, MEMORY, types.Integer)(_load)
lower(load, MEMORY, types.Integer, types.Integer)(_load)
lower(load, MEMORY, types.Integer, types.Integer, types.Number)(_load)


def load_double(a, i):
    """The 8 numbers at a[i:] as a vector of float64, whatever the dtype of a."""
    return a.reshape(-1)[i : i + LANES[np.float64]].astype(np.float64)


@type_callable(load_double)
def _(context):
    return lambda a, i: vector_type(a) and TileType(types.float64, LANES[np.float64])


@lower(load_double, MEMORY, types.Integer)
def _(context, builder, signature, arguments):
    vector = context.get_value_type(signature.return_type).element
    pointer = pointer_to(context, builder, signature.args[0], *arguments)
    if signature.args[0].dtype == types.float64:
        return join(builder, [read(builder, pointer, vector)])
    few = read(builder, pointer, ir.VectorType(ir.FloatType(), vector.count))
    return join(builder, [builder.fpext(few, vector)])


def store(a, i, x, n=None):
    """Write a vector to a[i:], but only the first n lanes of it."""
    lanes = LANES[a.dtype.type]
    n = lanes if n is None else min(max(n, 0), lanes)
    a.reshape(-1)[i : i + n] = x[:n]


@type_callable(store)
def _(context):
    return lambda a, i, x, n=None: types.none


def _store(context, builder, signature, arguments):
    (value,) = split(builder, arguments[2])
    mask = first_lanes(builder, arguments[3], value.type.count) if len(arguments) > 3 else None
    pointer = pointer_to(context, builder, signature.args[0], arguments[0], arguments[1])
    write(builder, value, pointer, mask)
    return context.get_dummy_value()


lower(store, MEMORY, types.Integer, TileType)(_store)
lower(store, MEMORY, types.Integer, TileType, types.Integer)(_store)


def splat(a, x):
    """A vector of the dtype of array a, all lanes x."""
    return np.full(LANES[a.dtype.type], x, a.dtype)


@type_callable(splat)
def _(context):
    return lambda a, x: vector_type(a)


@lower(splat, MEMORY, types.Number)
def _(context, builder, signature, arguments):
    tile = signature.return_type
    number = context.cast(builder, arguments[1], signature.args[1], tile.dtype)
    return join(builder, [repeat(builder, number, tile.lanes)])


def prefetch(a, i):
    """Ask for the cache line of a[i], which will be read soon."""


@type_callable(prefetch)
def _(context):
    return lambda a, i: types.none


@lower(prefetch, MEMORY, types.Integer)
def _(context, builder, signature, arguments):
    fetch(builder, pointer_to(context, builder, signature.args[0], *arguments))
    return context.get_dummy_value()


def fetch(builder, pointer):
    """Ask for a cache line: to read, into the second cache, data."""
    pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    kinds = [pointer.type, _I32, _I32, _I32]
    signature = ir.FunctionType(ir.VoidType(), kinds)
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    builder.call(function, [pointer, _I32(0), _I32(2), _I32(1)])


def lanes(a):
    """How many numbers of the dtype of array a a vector holds."""
    return LANES[a.dtype.type]


@type_callable(lanes)
def _(context):
    return lambda a: vector_type(a) and types.intp


@lower(lanes, MEMORY)
def _(context, builder, signature, arguments):
    return _I64(vector_type(signature.args[0]).lanes)


# --- across the lanes -------------------------------------------------------------------------


def _across(function, emit, dtype=None):
    @type_callable(function)
    def _(context):
        return lambda x: dtype or x.dtype

    @lower_builtin(function, TileType)
    def _(context, builder, signature, arguments):
        (vector,) = split(builder, arguments[0])
        return emit(builder, vector)


def halving(operation):
    """((x0 o x8) o (x4 o x12)) o ...: the upper half onto the lower one until one is left."""

    def emit(builder, x):
        while x.type.count > 1:
            half = x.type.count // 2
            lower = ir.Constant(ir.VectorType(_I32, half), list(range(half)))
            upper = ir.Constant(ir.VectorType(_I32, half), list(range(half, 2 * half)))
            x = operation(
                builder, builder.shuffle_vector(x, x, lower), builder.shuffle_vector(x, x, upper)
            )
        return builder.extract_element(x, _I32(0))

    return emit


def _halve(operation, x):
    while x.size > 1:
        x = operation(x[: x.size // 2], x[x.size // 2 :])
    return x[0]


def total(x):
    """The sum of a vector's lanes, adding the upper half to the lower one until one is left."""
    return _halve(np.add, x)


def highest(x):
    """The largest lane; nan only if the first is nan (compare with <, not with maxima)."""
    return _halve(lambda a, b: np.where(b > a, b, a), x)


_across(total, halving(lambda b, x, y: b.fadd(x, y)))
_across(highest, halving(lambda b, x, y: b.select(b.fcmp_ordered(">", y, x), y, x)))


def first(mask):
    """The first lane where a comparison holds; LANES if none."""
    return int(np.argmax(mask)) if mask.any() else mask.size


def _first(builder, mask):
    lanes = mask.type.count
    flags = builder.zext(builder.bitcast(mask, ir.IntType(lanes)), _I64)
    return builder.cttz(builder.or_(flags, _I64(1 << lanes)), _I1(1))


_across(first, _first, types.int64)
