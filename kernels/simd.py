"""Vectors as values inside compiled kernels, with NumPy twins.

LLVM's vectoriser may or may not find the vectors in a loop; a matrix product at the machine's limit
needs them in known registers.  So here is a Numba type for them: a *vector* holds 16 numbers of
float32 or 8 of float64 (one AVX-512 register, two AVX ones); a *tile* (see tile.py) is a few rows
of that width.  In LLVM either is an array of vectors, and never touches memory unless told to.

What is done lane by lane is written once, as a Python function of `+ - * / < & …`, fma, where and
the like, and runs in two ways.  With the JIT off it gets NumPy arrays (LANES,) or (rows, LANES):
the twin.  When a kernel that uses it is compiled, it gets, row by row, `Lanes`, whose operators
emit LLVM's instructions.  So it must be straight-line mathematics: no loops over data, no branches
on it.  Numbers beside a vector are converted to its type and repeated.

    @elementwise
    def sigmoid(x):
        e = exp(-absolute(x))
        return where(x < 0.0, e, 1.0) / (e + 1.0)

(Letting Numba compile each such function, for each shape of tile, takes some 0.05 s apiece: 5.0 s
of processor time for `gemm.product` and the 40 functions in it, instead of 1.7 s.)

The results are the same bits on every x86 and in the twins: fma rounds once (a processor without
it calls libm's correctly rounded fma), division and square root are IEEE's, and nothing may be
reassociated or contracted: never use fastmath.
"""

import itertools
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import lower_builtin, models, register_model, type_callable

from .llvm import intrinsic_call, join, repeat, split
from .square_root import square_root

LANES = {np.float32: 16, np.float64: 8}

_INTEGER = {np.float32: np.int32, np.float64: np.int64}
_FLOAT = {integer: floating for floating, integer in _INTEGER.items()}
_LLVM = {
    np.float32: ir.FloatType(),
    np.float64: ir.DoubleType(),
    np.int32: ir.IntType(32),
    np.int64: ir.IntType(64),
    np.bool_: ir.IntType(1),
}
_NUMPY = {types.float32: np.float32, types.float64: np.float64, types.boolean: np.bool_}


class TileType(types.Type):
    """``rows`` LLVM vectors of ``lanes`` numbers; with one row it is what is called a vector."""

    def __init__(self, dtype, lanes, rows=1):
        self.dtype, self.lanes, self.rows = dtype, lanes, rows
        super().__init__(f"Tile({dtype}, {rows} x {lanes})")


@register_model(TileType)
class TileModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        vector = ir.VectorType(_LLVM[_NUMPY[fe_type.dtype]], fe_type.lanes)
        super().__init__(dmm, fe_type, ir.ArrayType(vector, fe_type.rows))


def _arithmetic(floating, integer):
    def operation(self, other):
        name = floating if self.is_float() else integer
        return self.emit(self.dtype, getattr(self.builder, name), other)

    return operation, lambda self, other: operation(self.beside(other), self)


def _comparison(sign):
    def operation(self, other):  # false beside nan
        b = self.builder
        compare = b.fcmp_ordered if self.is_float() else b.icmp_signed
        return Lanes(b, compare(sign, self.value, self.beside(other).value), np.bool_)

    return operation


class Lanes:
    """A vector while a kernel is being compiled: operators emit the instruction of their name."""

    def __init__(self, builder, value, dtype):
        self.builder, self.value, self.dtype = builder, value, dtype

    def emit(self, dtype, instruction, *others, **options):
        values = [self.beside(x).value for x in others]
        return Lanes(self.builder, instruction(self.value, *values, **options), dtype)

    def beside(self, x):
        """``x`` as Lanes: itself, or a number repeated."""
        if isinstance(x, Lanes):
            return x
        constant = ir.Constant(self.value.type, [self.dtype(x).item()] * self.value.type.count)
        return Lanes(self.builder, constant, self.dtype)

    def is_float(self):
        return self.dtype in _INTEGER

    __add__, __radd__ = _arithmetic("fadd", "add")
    __sub__, __rsub__ = _arithmetic("fsub", "sub")
    __mul__, __rmul__ = _arithmetic("fmul", "mul")
    __truediv__, __rtruediv__ = _arithmetic("fdiv", "sdiv")
    __and__, __rand__ = _arithmetic("and_", "and_")
    __or__, __ror__ = _arithmetic("or_", "or_")
    __lshift__, _ = _arithmetic("shl", "shl")
    __rshift__, _ = _arithmetic("ashr", "ashr")
    __lt__, __le__, __gt__, __ge__, __eq__ = map(_comparison, ("<", "<=", ">", ">=", "=="))
    __hash__ = None  # type: ignore[assignment]

    def __neg__(self):
        b = self.builder
        return self.emit(self.dtype, b.fneg if self.is_float() else b.neg)


def _lanes_among(*arguments):
    return next((x for x in arguments if isinstance(x, Lanes)), None)


def elementwise(function: Callable) -> Callable:
    """Let kernels apply a function of arrays, written as described above, to vectors and tiles."""
    _compile_lane_by_lane(function, function.__code__.co_argcount)
    return function


def _compile_lane_by_lane(function, arity, mask=False, of_numbers=True):
    def kind(*arguments: Any) -> Any:
        tiles = [a for a in arguments if _is_tile(a)]
        shapes = {(t.lanes, t.rows) for t in arguments if isinstance(t, TileType)}
        if not all(isinstance(a, TileType | types.Number | types.Boolean) for a in arguments):
            return None
        if tiles and len(shapes) == 1:
            t = tiles[0]
            return TileType(types.boolean, t.lanes, t.rows) if mask else t
        floats = [a for a in arguments if isinstance(a, types.Float)]
        if floats and not shapes and of_numbers:
            return max(floats, key=lambda t: t.bitwidth)
        return None

    # Numba reads the typer's parameters, hence one function for each number of them.
    typer = (lambda a: kind(a), lambda a, b: kind(a, b), lambda a, b, c: kind(a, b, c))[arity - 1]
    type_callable(function)(lambda context: typer)

    def lower(context, builder, signature, arguments):
        result = signature.return_type
        tile = next(filter(_is_tile, signature.args), None) or TileType(result, 1)
        columns = []
        for t, value in zip(signature.args, arguments, strict=True):
            if isinstance(t, TileType):
                vectors, kind = split(builder, value), t.dtype
            else:
                kind = t if t == types.boolean else tile.dtype
                number = context.cast(builder, value, t, kind)
                vectors = [repeat(builder, number, tile.lanes)] * tile.rows
            columns.append([Lanes(builder, v, _NUMPY[kind]) for v in vectors])
        rows = [function(*row).value for row in zip(*columns, strict=True)]
        if isinstance(result, TileType):
            return join(builder, rows)
        return builder.extract_element(rows[0], ir.IntType(32)(0))

    for kinds in itertools.product((TileType, types.Number, types.Boolean), repeat=arity):
        if TileType in kinds or of_numbers:
            lower_builtin(function, *kinds)(lower)


def _is_tile(kind):
    return isinstance(kind, TileType) and kind.dtype != types.boolean


for _operator in (operator.add, operator.sub, operator.mul, operator.truediv):
    _compile_lane_by_lane(_operator, 2, of_numbers=False)
for _operator in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq):
    _compile_lane_by_lane(_operator, 2, mask=True, of_numbers=False)
_compile_lane_by_lane(operator.neg, 1, of_numbers=False)


@elementwise
def fma(a, b, c):
    """a · b + c, rounded once."""
    if x := _lanes_among(a, b, c):
        values = [x.beside(y).value for y in (a, b, c)]
        return Lanes(x.builder, intrinsic_call(x.builder, "fma", *values), x.dtype)
    T = _type_of(a, b, c)
    a, b, c = np.broadcast_arrays(T(a), T(b), T(c))
    return _fma32(a, b, c) if T is np.float32 else _fma64(a, b, c)


def _fma32(a, b, c):
    # The product is exact in float64; the sum is rounded to odd there, so that rounding it again,
    # to float32, gives what one rounding gives (Boldo & Melquiond 2008).
    with np.errstate(all="ignore"):
        p, c = a.astype(np.float64) * b, c.astype(np.float64)
        s = p + c
        t = s - p
        error = (p - (s - t)) + (c - t)
        even = (s.view(np.int64) & 1) == 0
        odd = np.nextafter(s, np.where(error > 0, np.inf, -np.inf))
        return np.where((error != 0) & even & np.isfinite(s), odd, s).astype(np.float32)


def _fma64_scalar(a, b, c):
    if math.isfinite(a) and math.isfinite(b) and math.isfinite(c):
        exact = Fraction(a) * Fraction(b) + Fraction(c)
        if exact:
            try:
                return float(exact)
            except OverflowError:
                return math.inf if exact > 0 else -math.inf
    return a * b + c


def _fma64(a, b, c):
    one = getattr(math, "fma", _fma64_scalar)
    values = zip(a.ravel().tolist(), b.ravel().tolist(), c.ravel().tolist(), strict=True)
    return np.array([one(*v) for v in values]).reshape(a.shape)


def _type_of(*arguments):
    """That of the arrays among the arguments of a twin; of numbers alone, theirs."""
    kinds = [x.dtype for x in arguments if isinstance(x, np.ndarray)]
    return (kinds[0] if kinds else np.result_type(*arguments)).type


@elementwise
def where(condition, a, b):
    """a where the condition holds, else b."""
    if isinstance(condition, Lanes):
        x = _lanes_among(a, b)
        value = x.builder.select(condition.value, x.beside(a).value, x.beside(b).value)
        return Lanes(x.builder, value, x.dtype)
    T = _type_of(a, b)
    return np.where(condition, T(a), T(b))[()]


@elementwise
def maximum(a, b):
    """The larger; b if either is nan (as MAXPS): write maximum(0, x) to keep the nan of x."""
    return where(_lane(a, b) > b, a, b)


@elementwise
def minimum(a, b):
    """The smaller; b if either is nan."""
    return where(_lane(a, b) < b, a, b)


def _lane(a, b):
    return b.beside(a) if isinstance(b, Lanes) else a


@elementwise
def absolute(x):
    if isinstance(x, Lanes):
        return x.emit(x.dtype, lambda v: intrinsic_call(x.builder, "fabs", v))
    return np.abs(x)


@elementwise
def sqrt(x):
    if isinstance(x, Lanes):
        return x.emit(x.dtype, lambda v: square_root(x.builder, v))
    return np.sqrt(x)


@elementwise
def divider_sqrt(x):
    """The same, by the unit that divides, for kernels whose multipliers have enough to do."""
    if isinstance(x, Lanes):
        return x.emit(x.dtype, lambda v: intrinsic_call(x.builder, "sqrt", v))
    return np.sqrt(x)


@elementwise
def copysign(x, y):
    """|x| with the sign of y."""
    if isinstance(x, Lanes):
        return x.emit(x.dtype, lambda v, w: intrinsic_call(x.builder, "copysign", v, w), y)
    return np.copysign(x, y)


# What follows is for functions that are applied lane by lane, not for kernels.


def bits(x):
    """The bits of floats, as integers of their width."""
    return _as(x, "bitcast", _INTEGER, lambda a, T: a.view(T))


def floats(x):
    """The floats with these bits."""
    return _as(x, "bitcast", _FLOAT, lambda a, T: a.view(T))


def real(x):
    """Integers to floats of their width."""
    return _as(x, "sitofp", _FLOAT, lambda a, T: a.astype(T))


def _as(x, instruction, types_of, twin):
    if not isinstance(x, Lanes):
        return twin(x, types_of[x.dtype.type])
    T = types_of[x.dtype]
    kind = ir.VectorType(_LLVM[T], x.value.type.count)
    return Lanes(x.builder, getattr(x.builder, instruction)(x.value, kind), T)


def pick(x, pair):
    """The first of a pair of constants beside float32, the second beside float64."""
    return pair[0 if x.dtype == np.float32 else 1]


def polynomial(x, coefficients):
    """Σ coefficients[i] · x^i by Horner's rule, an fma a degree."""
    y = coefficients[-1]
    for c in coefficients[-2::-1]:
        y = fma(x, y, c)
    return y
