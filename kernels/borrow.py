"""Arrays without reference counting, for kernels whose caller holds the arrays anyway.

Numba counts a reference for every view of an array and every array taken from a tuple, with an
atomic instruction each way: 5 % of the time of a small network's mini-batch (4-16-3, batch 16, on
a Zen 4).  A borrowed array has no owner to count for; neither have its views.
"""

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import COMPILED

if COMPILED:

    @intrinsic
    def borrowed(typingctx, value):
        """The same array, or (named) tuple of arrays and numbers, with nobody to count for.

        Only for arguments of a kernel: what it allocates itself would be freed too early.
        """

        def codegen(context, builder, signature, arguments):
            return _without_owner(context, builder, value, arguments[0])

        return value(value), codegen

    def _without_owner(context, builder, kind, value):
        if isinstance(kind, types.Array):
            array = context.make_array(kind)(context, builder, value)
            array.meminfo = cgutils.get_null_value(array.meminfo.type)
            array.parent = cgutils.get_null_value(array.parent.type)
            return array._getvalue()
        if isinstance(kind, types.BaseTuple):
            for i, part in enumerate(kind):
                part = _without_owner(context, builder, part, builder.extract_value(value, i))
                value = builder.insert_value(value, part, i)
        return value

else:

    def borrowed(value):
        return value
