"""Turn a rule into compiled kernels: one pass over the parameters, state and gradient.

A rule becomes functions with the same types for every rule of a dtype, handed over by address so
that one compiled training loop serves all of them:

    advance(c, carry, hyper, t, rate)                             coefficients of step t, float64
    descend(theta, gradient, slots, block, scales, c, rate)       one fused pass over a block
    tally(theta, gradient, slots, block, scales, c, rate, out)    sums over a portion of a block
    settle(c, kept, sums)                                         what the sums are for, float64
    look(out, theta, slots, block, c)                             the weights to evaluate

The update of a rule is inlined into a loop that LLVM vectorises.  Slots are read and written by
address: a tuple of arrays in the loop would cost 7 times as much.  Scalars are cast to the arrays'
dtype once, since one float64 makes the whole loop compute in float64.
"""

from collections import namedtuple
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import float64, from_dtype, int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import COMPILED, address_of, inline, jit
from .rule import Rule, Sums, Variant, code_hash
from .scalar import for_scalars
from .simd import LANES
from .tile import lanes, load, load_double, splat, store as store_vector, total

# What a step needs besides parameters and gradient: slots (S, stride >= P), carried scalars, the
# inputs of coefficients, room for their result, and for each block (start, stop) of the
# parameters its (scale of the learning rate, coupled decay, decoupled decay).
State = namedtuple("State", "slots carry hyper c blocks scales")

# Sums are made in portions of so many elements, each portion by itself: whoever makes it, and
# whoever makes the next one, the result is the same.
PORTION = 2048
WAITING, DOUBLES = 256, LANES[np.float64]  # of a portion's numbers at a time

if COMPILED:

    def _columns(context, builder, kind, array, i):
        """Where slots[k, i] is, as a function of k."""
        array = context.make_array(kind)(context, builder, array)
        size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
        row = builder.sdiv(cgutils.unpack_tuple(builder, array.strides)[0], cgutils.intp_t(size))

        def column(k):
            start = builder.gep(array.data, [builder.mul(row, cgutils.intp_t(k))])
            return builder.gep(start, [i])

        return column

    @intrinsic
    def read_slots(typingctx, slots, i, n):
        """slots[:n, i] as a tuple; ``n`` is a literal."""
        if not isinstance(n, types.IntegerLiteral):
            return None
        tuple_type = types.UniTuple(slots.dtype, n.literal_value)

        def codegen(context, builder, signature, arguments):
            column = _columns(context, builder, slots, *arguments[:2])
            values = [builder.load(column(k)) for k in range(n.literal_value)]
            return context.make_tuple(builder, tuple_type, values)

        return tuple_type(slots, types.intp, n), codegen

    @intrinsic
    def write_slots(typingctx, slots, i, values, skip):
        """slots[:, i] = values[skip:]; ``skip`` is a literal."""
        if not isinstance(skip, types.IntegerLiteral):
            return None
        first = skip.literal_value

        def codegen(context, builder, signature, arguments):
            column = _columns(context, builder, slots, *arguments[:2])
            for k, kind in enumerate(list(values)[first:]):
                value = builder.extract_value(arguments[2], first + k)
                builder.store(context.cast(builder, value, kind, slots.dtype), column(k))
            return context.get_dummy_value()

        return types.void(slots, types.intp, values, skip), codegen

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
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # llvmlite has a list of names
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

    def write_slots(slots, i, values, skip):
        for k, value in enumerate(values[skip:]):
            slots[k, i] = value

    def unpack(like, array, n):
        return tuple(array[:n].astype(like.dtype))

    def store(array, values):
        array[: len(values)] = values

    def call(function, arguments):
        with np.errstate(all="ignore"):  # compiled code does not warn; its twin must not either
            function(*arguments)


def _advance(coefficients, n_carry, n_hyper, rate_at, key):
    if n_carry:

        @jit(key=key, by_address=True)
        def advance(c, carry, hyper, t, rate):
            if rate_at >= 0:
                hyper[rate_at] = rate
            inputs = unpack(carry, carry, n_carry) + unpack(hyper, hyper, n_hyper)
            values, carried = coefficients(t, *inputs)
            store(c, values)
            store(carry, carried)
    else:

        @jit(key=key, by_address=True)
        def advance(c, carry, hyper, t, rate):
            if rate_at >= 0:
                hyper[rate_at] = rate
            store(c, coefficients(t, *unpack(hyper, hyper, n_hyper)))

    return advance


def _scalars(n, own_step, own_decay):
    """What a step needs beside its arrays, in their dtype: rate, coupled decay, decay, c."""

    @inline
    def plain(theta, scales, c, rate):
        T = theta.dtype.type
        return T(rate * scales[0]), T(scales[1]), T(scales[2]), unpack(theta, c, n)

    @inline
    def step(theta, scales, c, rate):  # the direction contains the rate, the decay does not
        T = theta.dtype.type
        return T(scales[0]), T(scales[1]), T(rate * scales[2]), unpack(theta, c, n)

    @inline
    def decay(theta, scales, c, rate):
        T = theta.dtype.type
        cs = unpack(theta, c, n) + (T(scales[2]),)  # noqa: RUF005 - no stars in compiled tuples
        return T(rate * scales[0]), T(scales[1]), T(0), cs

    @inline
    def both(theta, scales, c, rate):
        T = theta.dtype.type
        cs = unpack(theta, c, n) + (T(scales[2]),)  # noqa: RUF005
        return T(scales[0]), T(scales[1]), T(0), cs

    return ((plain, decay), (step, both))[own_step][own_decay]


def _descend(update, n_slots, scalars, key):
    """For every parameter: add the coupled decay to the gradient, let the rule say the direction u,
    and subtract the step and the decoupled decay in one rounded update, which keeps a decay that
    the factor 1 - lr * decay rounds away."""

    @jit(key=key, by_address=True)
    def descend(theta, gradient, slots, block, scales, c, rate):
        widest_vectors()
        p, g = theta[block[0] : block[1]], gradient[block[0] : block[1]]
        s = slots[:, block[0] : block[1]]
        lr, coupled, decay, cs = scalars(theta, scales, c, rate)
        for i in range(p.size):
            x = p[i]
            values = update(x, g[i] + coupled * x, *read_slots(s, i, n_slots), cs)
            write_slots(s, i, values, 1)
            p[i] = x - lr * (values[0] + decay * x)

    return descend


def _tally(terms, n_slots, n_terms, scalars, key):
    """Sums of the terms over at most PORTION elements: lane by lane, then across the lanes.

    What is summed stays in the first cache, since only a few numbers of each term wait at a time.
    """

    @jit(key=key, by_address=True)
    def tally(theta, gradient, slots, block, scales, c, rate, out):
        widest_vectors()
        _, coupled, _, cs = scalars(theta, scales, c, rate)
        found = np.empty((n_terms, WAITING), theta.dtype)
        added = np.zeros((n_terms, DOUBLES))
        for first in range(block[0], block[1], WAITING):
            last = min(first + WAITING, block[1])
            p, g, s = theta[first:last], gradient[first:last], slots[:, first:last]
            for i in range(p.size):
                values = terms(p[i], g[i] + coupled * p[i], *read_slots(s, i, n_slots), cs)
                write_slots(found, i, values, 0)
            for k in range(n_terms):
                numbers, lane = found[k], load(added[k], 0)
                for i in range(p.size, -(-p.size // DOUBLES) * DOUBLES):
                    numbers[i] = 0
                for i in range(0, p.size, DOUBLES):
                    lane = lane + load_double(numbers, i)
                store_vector(added[k], 0, lane)
        for k in range(n_terms):
            out[k] = total(load(added[k], 0))

    return tally


@inline
def sum_of(numbers, n):
    """The sum of the first n numbers: each lane of a vector in order, then the lanes by halves."""
    added = splat(numbers, 0.0)
    for i in range(0, n, lanes(numbers)):
        added = added + load(numbers, i, n - i)
    return total(added)


def _settle(factors, n, n_kept, n_terms, key):
    if n_kept:

        @jit(key=key, by_address=True)
        def settle(c, kept, sums):
            inputs = unpack(kept, kept, n_kept) + unpack(sums, sums, n_terms)
            values, carried = factors(unpack(c, c, n), *inputs)
            store(c[n:], values)
            store(kept, carried)
    else:

        @jit(key=key, by_address=True)
        def settle(c, kept, sums):
            store(c[n:], factors(unpack(c, c, n), *unpack(sums, sums, n_terms)))

    return settle


def _look(point, n_slots, n, key):
    @jit(key=key, by_address=True)
    def look(out, theta, slots, block, c):
        p, seen = theta[block[0] : block[1]], out[block[0] : block[1]]
        s = slots[:, block[0] : block[1]]
        cs = unpack(theta, c, n)
        for i in range(p.size):
            seen[i] = point(p[i], *read_slots(s, i, n_slots), cs)

    return look


@inline
def apply_step(theta, gradient, state, rate, t, advance, descend):
    """One optimizer step on all blocks of the parameters, in place."""
    call(advance, (state.c, state.carry, state.hyper, np.float64(t), rate))
    for k in range(state.blocks.shape[0]):
        block, scales = state.blocks[k], state.scales[k]
        call(descend, (theta, gradient, state.slots, block, scales, state.c, rate))


@jit
def step(theta, gradient, slots, carry, hyper, c, blocks, scales, rate, t, advance, descend):
    """``apply_step`` for Python: a named tuple would cost 1 µs more to hand over than its parts."""
    state = State(slots, carry, hyper, c, blocks, scales)
    apply_step(theta, gradient, state, rate, t, advance, descend)


# What a kernel takes: addresses (the functions themselves when the JIT is off); NOTHING for what a
# rule does not have.  The dispatchers are kept so that the code at these addresses stays alive.
Fused = namedtuple("Fused", "advance descend tally settle tally_more settle_more look dispatchers")
NOTHING = 0
NONE = Fused(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, ())

# How many of each: coefficients, terms to sum, kept scalars, factors; and of a second round.
Counts = namedtuple("Counts", "c terms kept factors more_terms more_factors")


def fused(rule: Rule, variant: Variant, counts: Counts, dtype: np.dtype) -> Fused:
    """The compiled kernels of a rule for one dtype."""
    # By what is compiled and not by name: Adam and AdamW share their code.
    shape = (len(rule.carry), len(rule.takes), rule.rate_at, rule.own_step, rule.own_decay)
    return _compiled(rule.coefficients, variant, rule.sums, rule.more_sums, counts, shape, dtype)


@cache
def _compiled(
    coefficients: Callable,
    variant: Variant,
    sums: Sums | None,
    more: Sums | None,
    counts: Counts,
    shape: tuple[int, int, int, bool, bool],
    dtype: np.dtype,
) -> Fused:
    n_carry, n_hyper, rate_at, own_step, own_decay = shape
    n, n_slots, T = counts.c, len(variant.slots), from_dtype(dtype)
    doubles, numbers, slots, block = float64[::1], T[::1], T[:, ::1], int64[::1]
    dispatchers = []

    def compiled(template: Callable, what: Callable, *constants: Any, takes: tuple) -> Any:
        named = [c for c in constants if not callable(c)]
        key = f"{code_hash(what)} {shape} {counts} {n_slots} {named}"
        kernel = template(inline(for_scalars(what)), *constants, key)
        dispatchers.append(kernel)
        return address_of(kernel, types.void(*takes))

    n_known = n + counts.factors
    scalars = _scalars(n_known + counts.more_factors, own_step, own_decay)
    arrays = (numbers, numbers, slots, block, doubles, doubles, float64)
    tally = settle = tally_more = settle_more = look = NOTHING
    advance = compiled(
        _advance, coefficients, n_carry, n_hyper, rate_at,
        takes=(doubles, doubles, doubles, float64, float64),
    )  # fmt: skip
    descend = compiled(_descend, variant.update, n_slots, scalars, takes=arrays)
    if sums is not None and variant.terms is not None:
        before = _scalars(n + counts.kept, own_step, own_decay)
        tally = compiled(
            _tally, variant.terms, n_slots, counts.terms, before, takes=(*arrays, doubles)
        )
        settle = compiled(
            _settle, sums.factors, n, counts.kept, counts.terms, takes=(doubles, doubles, doubles)
        )
    if more is not None and variant.more_terms is not None:
        known = _scalars(n_known, own_step, own_decay)
        tally_more = compiled(
            _tally, variant.more_terms, n_slots, counts.more_terms, known, takes=(*arrays, doubles)
        )
        settle_more = compiled(
            _settle, more.factors, n_known, 0, counts.more_terms, takes=(doubles, doubles, doubles)
        )
    if variant.point is not None:
        look = compiled(
            _look, variant.point, n_slots, n, takes=(numbers, numbers, slots, block, doubles)
        )
    return Fused(advance, descend, tally, settle, tally_more, settle_more, look, tuple(dispatchers))
