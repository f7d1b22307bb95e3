"""The cube root, for rules: the same bits in NumPy and in a kernel, and vectors there.

np.cbrt is a call of libm for every number in a kernel, and rounds otherwise there.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numba.np.numpy_support import as_dtype

from ._jit import COMPILED

_BITS = {np.float32: np.int32, np.float64: np.int64}
# A float's bits, taken as an integer, grow with its logarithm: a third of them, from this number,
# are the bits of about x^(-1/3), 3.5 % off at most.  A refinement leaves h⁴/7 of h = 1 - x y³.
_MAGIC = {
    np.float32: 4 / 3 * (127 - 0.049625) * 2.0**23,
    np.float64: 4 / 3 * (1023 - 0.049625) * 2.0**52,
}
_REFINEMENTS = {np.float32: 1, np.float64: 2}
# Below the first number a float has too few bits for that: there x·s³ takes its place.
_SMALL = {np.float32: (2.0**-100, 2.0**-16), np.float64: (2.0**-1000, 2.0**-32)}


@np.errstate(all="ignore")  # of numbers that are not selected
def cube_root(x):
    """x^(1/3) of numbers x >= 0, an array or one, within 1 ulp; nan of others.

    From x^(-1/3), by an iteration without divisions: h = 1 - x y³; y <- y (1 + h/3 + 2h²/9 +
    14h³/81); and a step of Newton's.
    """
    T = x.dtype.type
    smallest, unit = map(T, _SMALL[T])
    small = x < smallest
    v = x + T(0)  # which is never -0
    v = np.where(small, v * (T(1) / (unit * unit * unit)), v)
    y = (T(_MAGIC[T]) - v.view(_BITS[T]).astype(T) * T(1 / 3)).astype(_BITS[T]).view(T)
    for _ in range(_REFINEMENTS[T]):
        h = T(1) - (v * y) * (y * y)
        y = y + (y * h) * (T(1 / 3) + h * (T(2 / 9) + h * T(14 / 81)))
    root = v * (y * y)
    root = root + (v - root * (root * root)) * (y * y * T(1 / 3))
    root = np.where(small, root * unit, root)
    root = np.where(x < np.inf, root, x)
    return np.where(x < 0, T(np.nan), root)[()]


if COMPILED:

    @intrinsic
    def _bits(typingctx, x):
        kind = types.int32 if x == types.float32 else types.int64

        def codegen(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], ir.IntType(kind.bitwidth))

        return kind(x), codegen

    @intrinsic
    def _float(typingctx, i):
        kind = types.float32 if i == types.int32 else types.float64

        def codegen(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(kind))

        return kind(i), codegen

    @overload(cube_root)
    def _cube_root(x):
        T = as_dtype(x).type
        smallest, unit = map(T, _SMALL[T])
        up, magic = T(1) / (unit * unit * unit), T(_MAGIC[T])
        integer, refinements = _BITS[T], _REFINEMENTS[T]
        a, b, c = T(1 / 3), T(2 / 9), T(14 / 81)
        zero, one, inf, nan = T(0), T(1), T(np.inf), T(np.nan)

        def cube_root(x):
            small = x < smallest
            v = x + zero  # which is never -0
            v = v * up if small else v
            y = _float(integer(magic - T(_bits(v)) * a))
            h = one - (v * y) * (y * y)
            y = y + (y * h) * (a + h * (b + h * c))
            if refinements == 2:
                h = one - (v * y) * (y * y)
                y = y + (y * h) * (a + h * (b + h * c))
            root = v * (y * y)
            root = root + (v - root * (root * root)) * (y * y * a)
            root = root * unit if small else root
            root = root if x < inf else x
            return nan if x < zero else root

        return cube_root
