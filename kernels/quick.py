"""One optimizer step from Python, with little on the way in.

Numba takes about 0.1 µs per array that it is handed, and a step needs nine of them: more than the
whole step of a small network takes.  Here the state is a *plan*, one array of numbers that says
where the others stand; what does not fit the plan is refused, and the caller, who then has time,
finds out why.
"""

from threading import Lock
from typing import Any

import numpy as np
from llvmlite import ir
from numba import float64, from_dtype, int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import COMPILED, jit
from .borrow import borrowed
from .fuse import State, apply_step

# How many parameters, the bytes of one, bytes up to which a step is made here; and for each array
# of the state, in the order of State: address, rows (0 if it has one dimension), columns.
SIZE, ITEM, MOST, ARRAYS, _EACH = 0, 1, 2, 3, 3


def plan_of(arrays: State, size: int, most: float) -> np.ndarray:
    """The plan of a state for ``size`` parameters; it holds while the arrays are kept alive."""
    numbers = [size, arrays.slots.itemsize, int(most)]
    for array in arrays:
        rows = array.shape[0] if array.ndim == 2 else 0
        numbers += [array.ctypes.data, rows, array.shape[-1]]
    return np.array(numbers, np.int64)


if COMPILED:

    def _array_at(context, builder, kind, place):
        """The array that the three numbers at ``place`` speak of; nobody counts for it."""
        words = [builder.load(builder.gep(place, [cgutils.intp_t(k)])) for k in range(_EACH)]
        size = cgutils.intp_t(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        columns, rows = words[2], words[1] if kind.ndim == 2 else cgutils.intp_t(1)
        shape = [rows, columns][-kind.ndim :]
        strides = [builder.mul(columns, size), size][-kind.ndim :]
        array = context.make_array(kind)(context, builder)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        array.nitems, array.itemsize = builder.mul(rows, columns), size
        array.data = builder.inttoptr(words[0], array.data.type)
        array.shape = cgutils.pack_array(builder, shape, ty=ir.IntType(64))
        array.strides = cgutils.pack_array(builder, strides, ty=ir.IntType(64))
        return array._getvalue()

    @intrinsic
    def state_at(typingctx, like, plan):
        """The state that a plan is of; its slots are of the dtype of ``like``."""
        T, doubles = like.dtype, types.Array(float64, 1, "C")
        kinds = (
            types.Array(T, 2, "C"), doubles, doubles, doubles, types.Array(int64, 2, "C"),
            types.Array(float64, 2, "C"),
        )  # fmt: skip
        kind = types.NamedTuple(kinds, State)

        def codegen(context, builder, signature, arguments):
            data = context.make_array(plan)(context, builder, arguments[1]).data
            places = [
                builder.gep(data, [cgutils.intp_t(ARRAYS + _EACH * k)]) for k in range(len(kinds))
            ]
            arrays = [
                _array_at(context, builder, k, place)
                for k, place in zip(kinds, places, strict=True)
            ]
            return context.make_tuple(builder, kind, arrays)

        return kind(like, plan), codegen


@jit
def quick_step(theta, gradient, plan, rate, t, advance, descend):
    """``fuse.step`` for contiguous arrays; False, and nothing done, if they do not fit the plan."""
    if theta.size != plan[SIZE] or gradient.size != plan[SIZE]:
        return False
    if theta.itemsize != plan[ITEM] or theta.nbytes > plan[MOST]:
        return False
    p, g = borrowed((theta, gradient))
    apply_step(p, g, state_at(theta, plan), rate, t, advance, descend)
    return True


_one_at_a_time = Lock()


def prepare(dtype: Any) -> None:
    """Compile ``quick_step`` for this dtype; for anything else it raises TypeError."""
    T = from_dtype(np.dtype(dtype))
    with _one_at_a_time:
        quick_step.disable_compile(False)
        quick_step.compile((T[::1], T[::1], int64[::1], float64, int64, int64, int64))
        quick_step.disable_compile()
