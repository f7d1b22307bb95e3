"""The square root of a vector, correctly rounded, while the unit that divides does something else.

A core takes 24 cycles for 8 roots of float64, 12 for 16 of float32, in the unit that Adam's
division waits for as well; its multipliers have little to do meanwhile.  From the first 14 bits of
1 / √x, which an instruction of AVX-512 looks up, they make g and h, nearly √x and 1 / (2 √x):

    d = x - g²,    √x = g + d h (1 + e)

where e is what d and h lack: |e| < DOUBT by far.  So √x is between g + d h (1 - DOUBT) and
g + d h (1 + DOUBT), and where these are rounded to the same number, so is √x, whatever has been
looked up.  Where they are not (one vector in 4 million; in 270 of float32), or where x is so small
that d has too few bits, or 0, infinite, negative or nan, the processor takes the root.  The bits
are IEEE's, as on all other processors.

On one core a step of Adam on 10 000 numbers of float64 takes 0.6 to 0.65 of the time (taskset -c 0
scripts/bench_kernels.py --rules adam --dtype float64).  In float32 Adagrad gains a tenth, Adam
little, and rules of more operations nothing: they keep to the divider (fuse.py).
"""

from llvmlite import ir
from numba.core import cgutils

from .llvm import intrinsic_call
from .processor import has_avx512

_SUFFIX = {"float": "ps", "double": "pd"}
_ROUNDS = {"float": 1, "double": 2}  # from 14 bits to 28, and to all
_DOUBT = {"float": 2.0**-12, "double": 2.0**-25}
_SMALLEST = {"float": 2.0**-70, "double": 2.0**-960}


def square_root(builder, x):
    """The root of each number of an LLVM vector."""
    size = 4 if x.type.element == ir.FloatType() else 8
    if x.type.count * size != 64 or not has_avx512():
        return intrinsic_call(builder, "sqrt", x)
    root, certain = _approximate(builder, x)
    before = builder.block
    with builder.if_then(builder.not_(certain), likely=False):
        other = intrinsic_call(builder, "sqrt", x)
        slow = builder.block
    result = builder.phi(x.type)
    result.add_incoming(root, before)
    result.add_incoming(other, slow)
    return result


def _approximate(builder, x):
    """(the root of each number, whether all of them are certain)."""
    kind, name = x.type, str(x.type.element)

    def constant(number):
        return ir.Constant(kind, [number] * kind.count)

    def fma(a, b, c):
        return intrinsic_call(builder, "fma", a, b, c)

    y = _looked_up(builder, x, _SUFFIX[name])
    half = constant(0.5)
    g, h = builder.fmul(x, y), builder.fmul(half, y)
    for round_ in range(_ROUNDS[name]):
        r = fma(builder.fneg(g), h, half)
        g = fma(g, r, g)
        if round_ + 1 < _ROUNDS[name]:
            h = fma(h, r, h)
    rest = builder.fmul(fma(builder.fneg(g), g, x), h)
    below = fma(rest, constant(1.0 - _DOUBT[name]), g)
    above = fma(rest, constant(1.0 + _DOUBT[name]), g)
    same = builder.fcmp_ordered("==", below, above)  # false if one is nan
    certain = builder.and_(same, builder.fcmp_ordered(">=", x, constant(_SMALLEST[name])))
    flags = builder.bitcast(certain, ir.IntType(kind.count))
    return below, builder.icmp_unsigned("==", flags, flags.type(-1))


def _looked_up(builder, x, suffix):
    """1 / √x of each number to 14 bits."""
    all_lanes = ir.IntType(x.type.count)
    signature = ir.FunctionType(x.type, [x.type, x.type, all_lanes])
    name = f"llvm.x86.avx512.rsqrt14.{suffix}.512"
    function = cgutils.get_or_insert_function(builder.module, signature, name)
    return builder.call(function, [x, ir.Constant(x.type, None), all_lanes(-1)])
