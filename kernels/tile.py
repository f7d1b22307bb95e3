"""Vectors and tiles from and to memory, and what goes across their lanes; see simd.py.

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

from .simd import LANES, TileType, fma, intrinsic_call, join, repeat, split

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)

# --- memory -----------------------------------------------------------------------------------


def _vector_of(array, rows=1, width=1):
    lanes = {types.float32: 16, types.float64: 8}.get(getattr(array, "dtype", None))
    return lanes and TileType(array.dtype, width * lanes, rows)


def _tile_of(array, rows, width):
    if isinstance(rows, types.IntegerLiteral) and isinstance(width, types.IntegerLiteral):
        return _vector_of(array, rows.literal_value, width.literal_value)
    return None


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


def _address(context, builder, kind, memory, index):
    if isinstance(kind, types.Array):
        memory = context.make_array(kind)(context, builder, memory).data
    return builder.gep(memory, [index])


def _lower(function, *kinds):
    """lower_builtin for memory named by an array or by its address."""

    def register(implementation):
        for memory in (types.Array, types.CPointer):
            some = [memory if k is _MEMORY else k for k in kinds]
            lower_builtin(function, *some)(implementation)
        return implementation

    return register


_MEMORY = object()


def _active(builder, n, lanes):
    """The mask of the first n lanes."""
    n = repeat(builder, builder.trunc(n, _I32) if n.type.width > 32 else n, lanes)
    return builder.icmp_signed("<", ir.Constant(ir.VectorType(_I32, lanes), list(range(lanes))), n)


def _active_inside(builder, r, n, rows, lanes):
    """The mask of the first n lanes in the rows below ``rows``, and of none in row r beyond."""
    inside = builder.icmp_signed(">", rows, rows.type(r))
    return _active(builder, builder.select(inside, n, n.type(0)), lanes)


def _read(builder, pointer, vector, mask=None, fill=None):
    pointer = builder.bitcast(pointer, vector.as_pointer())
    size = 4 if vector.element == ir.FloatType() else 8
    if mask is None:
        return builder.load(pointer, align=size)
    others = ir.Constant(vector, None) if fill is None else fill
    return _masked(builder, "load", vector, [pointer, _I32(size), mask, others], vector)


def _write(builder, value, pointer, mask=None):
    pointer = builder.bitcast(pointer, value.type.as_pointer())
    size = 4 if value.type.element == ir.FloatType() else 8
    if mask is None:
        builder.store(value, pointer, align=size)
    else:
        arguments = [value, pointer, _I32(size), mask]
        _masked(builder, "store", ir.VoidType(), arguments, value.type)


def load(a, i, n=None, fill=0):
    """The vector at a[i:]; the lanes from n on are not read but ``fill``."""
    lanes = LANES[a.dtype.type]
    n = lanes if n is None else min(max(n, 0), lanes)
    x = np.full(lanes, fill, a.dtype)
    x[:n] = a.reshape(-1)[i : i + n]
    return x


@type_callable(load)
def _(context):
    return lambda a, i, n=None, fill=0: _vector_of(a)


def _load(context, builder, signature, arguments):
    vector = context.get_value_type(signature.return_type).element
    mask = _active(builder, arguments[2], vector.count) if len(arguments) > 2 else None
    fill = None
    if len(arguments) > 3:
        dtype = signature.return_type.dtype
        fill = context.cast(builder, arguments[3], signature.args[3], dtype)
        fill = repeat(builder, fill, vector.count)
    pointer = _address(context, builder, signature.args[0], arguments[0], arguments[1])
    return join(builder, [_read(builder, pointer, vector, mask, fill)])


_lower(load, _MEMORY, types.Integer)(_load)
_lower(load, _MEMORY, types.Integer, types.Integer)(_load)
_lower(load, _MEMORY, types.Integer, types.Integer, types.Number)(_load)


def load_double(a, i):
    """The 8 numbers at a[i:] as a vector of float64, whatever the dtype of a."""
    return a.reshape(-1)[i : i + LANES[np.float64]].astype(np.float64)


@type_callable(load_double)
def _(context):
    return lambda a, i: _vector_of(a) and TileType(types.float64, LANES[np.float64])


@_lower(load_double, _MEMORY, types.Integer)
def _(context, builder, signature, arguments):
    vector = context.get_value_type(signature.return_type).element
    pointer = _address(context, builder, signature.args[0], *arguments)
    if signature.args[0].dtype == types.float64:
        return join(builder, [_read(builder, pointer, vector)])
    few = _read(builder, pointer, ir.VectorType(ir.FloatType(), vector.count))
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
    mask = _active(builder, arguments[3], value.type.count) if len(arguments) > 3 else None
    pointer = _address(context, builder, signature.args[0], arguments[0], arguments[1])
    _write(builder, value, pointer, mask)
    return context.get_dummy_value()


_lower(store, _MEMORY, types.Integer, TileType)(_store)
_lower(store, _MEMORY, types.Integer, TileType, types.Integer)(_store)


def splat(a, x):
    """A vector of the dtype of array a, all lanes x."""
    return np.full(LANES[a.dtype.type], x, a.dtype)


@type_callable(splat)
def _(context):
    return lambda a, x: _vector_of(a)


@_lower(splat, _MEMORY, types.Number)
def _(context, builder, signature, arguments):
    tile = signature.return_type
    number = context.cast(builder, arguments[1], signature.args[1], tile.dtype)
    return join(builder, [repeat(builder, number, tile.lanes)])


def prefetch(a, i):
    """Ask for the cache line of a[i], which will be read soon."""


@type_callable(prefetch)
def _(context):
    return lambda a, i: types.none


@_lower(prefetch, _MEMORY, types.Integer)
def _(context, builder, signature, arguments):
    pointer = _address(context, builder, signature.args[0], *arguments)
    pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    kinds = [pointer.type, _I32, _I32, _I32]
    signature = ir.FunctionType(ir.VoidType(), kinds)
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    builder.call(function, [pointer, _I32(0), _I32(2), _I32(1)])  # to read, into L2, data
    return context.get_dummy_value()


# --- across the lanes -------------------------------------------------------------------------


def _across(function, emit, dtype=None):
    @type_callable(function)
    def _(context):
        return lambda x: dtype or x.dtype

    @lower_builtin(function, TileType)
    def _(context, builder, signature, arguments):
        (vector,) = split(builder, arguments[0])
        return emit(builder, vector)


def _halving(operation):
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


_across(total, _halving(lambda b, x, y: b.fadd(x, y)))
_across(highest, _halving(lambda b, x, y: b.select(b.fcmp_ordered(">", y, x), y, x)))


def first(mask):
    """The first lane where a comparison holds; LANES if none."""
    return int(np.argmax(mask)) if mask.any() else mask.size


def _first(builder, mask):
    lanes = mask.type.count
    flags = builder.zext(builder.bitcast(mask, ir.IntType(lanes)), _I64)
    return builder.cttz(builder.or_(flags, _I64(1 << lanes)), _I1(1))


_across(first, _first, types.int64)


# --- tiles ------------------------------------------------------------------------------------
# ``rows`` and ``width`` are constants: so many rows of so many vectors.


def splat_tile(rows, width, a, x):
    """A tile with all numbers x, in the dtype of array a."""
    return np.full((rows, width * lanes(a)), x, a.dtype)


@type_callable(splat_tile)
def _(context):
    return lambda rows, width, a, x: _tile_of(a, rows, width)


@_lower(splat_tile, types.Integer, types.Integer, _MEMORY, types.Number)
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
    mask = _active(builder, limits[0], tile.lanes) if limits else None
    pointer = _address(context, builder, signature.args[2], a, i)
    vectors = []
    for r, row in enumerate(_rows(builder, pointer, step, tile.rows)):
        if len(limits) > 1:
            mask = _active_inside(builder, r, *limits, tile.lanes)
        vectors.append(_read(builder, row, vector, mask))
    return join(builder, vectors)


for _limits in range(3):
    _some = [types.Integer] * (2 + _limits)
    _lower(load_tile, types.Integer, types.Integer, _MEMORY, *_some)(_load_tile)


def load_square(a, i, step, rows, n):
    """A tile of LANES rows: n lanes of the first ``rows`` rows a[i:], a[i + step:], …, else 0."""
    return np.stack(
        [load(a, i + r * step if r < rows else i, n * (r < rows)) for r in range(lanes(a))]
    )


@type_callable(load_square)
def _(context):
    return lambda a, i, step, rows, n: _vector_of(a, _vector_of(a).lanes)


@_lower(load_square, _MEMORY, *[types.Integer] * 4)
def _(context, builder, signature, arguments):
    tile = signature.return_type
    vector = context.get_value_type(tile).element
    a, i, step, rows, n = arguments
    pointer = _address(context, builder, signature.args[0], a, i)
    vectors = []
    for r, row in enumerate(_rows(builder, pointer, step, tile.rows)):
        mask = _active_inside(builder, r, n, rows, tile.lanes)
        vectors.append(_read(builder, row, vector, mask))
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
    pointer = _address(context, builder, signature.args[0], a, i)
    mask = _active(builder, limits[0], tile.lanes) if limits else None
    rows = _rows(builder, pointer, step, tile.rows)
    for r, (row, vector) in enumerate(zip(rows, split(builder, x), strict=True)):
        if limits:
            with builder.if_then(builder.icmp_signed(">", limits[1], limits[1].type(r))):
                _write(builder, vector, row, mask)
        else:
            _write(builder, vector, row)
    return context.get_dummy_value()


_lower(store_tile, _MEMORY, *[types.Integer] * 2, TileType)(_store_tile)
_lower(store_tile, _MEMORY, *[types.Integer] * 2, TileType, *[types.Integer] * 2)(_store_tile)


def plus_outer(C, a, i, step, b):
    """C + a ⊗ b: the column of numbers a[i], a[i + step], … times a row, an fma a row of C."""
    column = a.reshape(-1)[i + step * np.arange(len(C))]
    return fma(column[:, None], b, C)


@type_callable(plus_outer)
def _(context):
    return lambda C, a, i, step, b: C


@_lower(plus_outer, TileType, _MEMORY, *[types.Integer] * 2, TileType)
def _(context, builder, signature, arguments):
    tile = signature.args[0]
    C, a, i, step, b = arguments
    (b,) = split(builder, b)
    pointer = _address(context, builder, signature.args[1], a, i)
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


def lanes(a):
    """How many numbers of the dtype of array a a vector holds."""
    return LANES[a.dtype.type]


@type_callable(lanes)
def _(context):
    return lambda a: _vector_of(a) and types.intp


@_lower(lanes, _MEMORY)
def _(context, builder, signature, arguments):
    return _I64(_vector_of(signature.args[0]).lanes)
