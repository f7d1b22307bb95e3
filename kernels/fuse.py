"""Turn a rule into compiled kernels: one pass over the parameters, state and gradient.

A rule becomes two functions with the same types for every rule of a dtype, handed over by address
so that one compiled training loop serves all of them:

    advance(c, carry, hyper, t)                                   coefficients of step t, float64
    descend(theta, gradient, slots, block, scales, c, rate)       one fused pass over a block

The update of a rule is inlined into a loop that LLVM vectorises.  There is one template per
number of slots: a tuple of slots in the loop would cost 7 times as much.  Scalars are cast to the
arrays' dtype once, since one float64 makes the whole loop compute in float64.
"""

from collections import namedtuple
from collections.abc import Callable
from functools import cache

import numpy as np
from llvmlite import ir
from numba import float64, from_dtype, int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from ._jit import COMPILED, address_of, inline, jit
from .rule import Rule, Variant, code_hash
from .scalar import for_scalars

# What a step needs besides parameters and gradient: slots (S, stride >= P), carried scalars, the
# inputs of coefficients, room for their result, and for each block (start, stop) of the
# parameters its (scale of the learning rate, coupled decay, decoupled decay).
State = namedtuple("State", "slots carry hyper c blocks scales")

if COMPILED:

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

    def unpack(like, array, n):
        return tuple(array[:n].astype(like.dtype))

    def store(array, values):
        array[: len(values)] = values

    def call(function, arguments):
        with np.errstate(all="ignore"):  # compiled code does not warn; its twin must not either
            function(*arguments)


def _advance(coefficients, n_hyper, key):
    @jit(key=key, by_address=True)
    def advance(c, carry, hyper, t):
        store(c, coefficients(t, *unpack(hyper, hyper, n_hyper)))

    return advance


def _advance_carrying(coefficients, n_carry, n_hyper, key):
    @jit(key=key, by_address=True)
    def advance(c, carry, hyper, t):
        inputs = unpack(carry, carry, n_carry) + unpack(hyper, hyper, n_hyper)
        values, carried = coefficients(t, *inputs)
        store(c, values)
        store(carry, carried)

    return advance


# The five templates differ in the number of slots alone.  For every parameter: add the coupled
# decay to the gradient, let the rule say the direction u, and subtract the step and the decoupled
# decay in one rounded update, which keeps a decay that the factor 1 - lr * decay rounds away.


@inline
def scalars(theta, scales, rate):
    T = theta.dtype.type
    return T(rate * scales[0]), T(scales[1]), T(scales[2])


def _descend_0(update, n, key):
    @jit(key=key, by_address=True)
    def descend(theta, gradient, slots, block, scales, c, rate):
        p, g = theta[block[0] : block[1]], gradient[block[0] : block[1]]
        lr, coupled, decay = scalars(theta, scales, rate)
        cs = unpack(theta, c, n)
        for i in range(p.size):
            (u,) = update(p[i], g[i] + coupled * p[i], cs)
            p[i] = p[i] - lr * (u + decay * p[i])

    return descend


def _descend_1(update, n, key):
    @jit(key=key, by_address=True)
    def descend(theta, gradient, slots, block, scales, c, rate):
        p, g = theta[block[0] : block[1]], gradient[block[0] : block[1]]
        m = slots[0][block[0] : block[1]]
        lr, coupled, decay = scalars(theta, scales, rate)
        cs = unpack(theta, c, n)
        for i in range(p.size):
            u, m[i] = update(p[i], g[i] + coupled * p[i], m[i], cs)
            p[i] = p[i] - lr * (u + decay * p[i])

    return descend


def _descend_2(update, n, key):
    @jit(key=key, by_address=True)
    def descend(theta, gradient, slots, block, scales, c, rate):
        p, g = theta[block[0] : block[1]], gradient[block[0] : block[1]]
        m, v = slots[0][block[0] : block[1]], slots[1][block[0] : block[1]]
        lr, coupled, decay = scalars(theta, scales, rate)
        cs = unpack(theta, c, n)
        for i in range(p.size):
            u, m[i], v[i] = update(p[i], g[i] + coupled * p[i], m[i], v[i], cs)
            p[i] = p[i] - lr * (u + decay * p[i])

    return descend


def _descend_3(update, n, key):
    @jit(key=key, by_address=True)
    def descend(theta, gradient, slots, block, scales, c, rate):
        p, g = theta[block[0] : block[1]], gradient[block[0] : block[1]]
        m, v = slots[0][block[0] : block[1]], slots[1][block[0] : block[1]]
        w = slots[2][block[0] : block[1]]
        lr, coupled, decay = scalars(theta, scales, rate)
        cs = unpack(theta, c, n)
        for i in range(p.size):
            u, m[i], v[i], w[i] = update(p[i], g[i] + coupled * p[i], m[i], v[i], w[i], cs)
            p[i] = p[i] - lr * (u + decay * p[i])

    return descend


def _descend_4(update, n, key):
    @jit(key=key, by_address=True)
    def descend(theta, gradient, slots, block, scales, c, rate):
        p, g = theta[block[0] : block[1]], gradient[block[0] : block[1]]
        m, v = slots[0][block[0] : block[1]], slots[1][block[0] : block[1]]
        w, z = slots[2][block[0] : block[1]], slots[3][block[0] : block[1]]
        lr, coupled, decay = scalars(theta, scales, rate)
        cs = unpack(theta, c, n)
        for i in range(p.size):
            u, m[i], v[i], w[i], z[i] = update(
                p[i], g[i] + coupled * p[i], m[i], v[i], w[i], z[i], cs
            )
            p[i] = p[i] - lr * (u + decay * p[i])

    return descend


TEMPLATES = (_descend_0, _descend_1, _descend_2, _descend_3, _descend_4)


@inline
def apply_step(theta, gradient, state, rate, t, advance, descend):
    """One optimizer step on all blocks of the parameters, in place."""
    call(advance, (state.c, state.carry, state.hyper, np.float64(t)))
    for k in range(state.blocks.shape[0]):
        block, scales = state.blocks[k], state.scales[k]
        call(descend, (theta, gradient, state.slots, block, scales, state.c, rate))


@jit
def step(theta, gradient, slots, carry, hyper, c, blocks, scales, rate, t, advance, descend):
    """``apply_step`` for Python: a named tuple would cost 1 µs more to hand over than its parts."""
    state = State(slots, carry, hyper, c, blocks, scales)
    apply_step(theta, gradient, state, rate, t, advance, descend)


# What a kernel takes: addresses (the functions themselves when the JIT is off).  The dispatchers
# are kept only so that the code at these addresses stays alive.
Fused = namedtuple("Fused", "advance descend dispatchers")


def fused(rule: Rule, variant: Variant, n: int, dtype: np.dtype) -> Fused:
    """The compiled kernels of a rule with ``n`` coefficients for one dtype.

    Raises ValueError if the update has more slots than there are templates.
    """
    if len(variant.slots) >= len(TEMPLATES):
        raise ValueError(
            f"{rule.name}: {len(variant.slots)} slots; accepted: at most {len(TEMPLATES) - 1}"
        )
    # By what is compiled and not by name: Adam and AdamW share their code.
    return _compiled(rule.coefficients, len(rule.carry), len(rule.takes), variant, n, dtype)


@cache
def _compiled(
    coefficients: Callable, n_carry: int, n_hyper: int, variant: Variant, n: int, dtype: np.dtype
) -> Fused:
    key = f"{code_hash(coefficients)} {n_carry} {n_hyper}"
    if n_carry:
        advance = _advance_carrying(inline(for_scalars(coefficients)), n_carry, n_hyper, key)
    else:
        advance = _advance(inline(for_scalars(coefficients)), n_hyper, key)
    template = TEMPLATES[len(variant.slots)]
    update = inline(for_scalars(variant.update))
    descend = template(update, n, f"{code_hash(variant.update)} {n}")
    doubles, T = float64[::1], from_dtype(dtype)
    return Fused(
        address_of(advance, types.void(doubles, doubles, doubles, float64)),
        address_of(
            descend,
            types.void(T[::1], T[::1], T[:, ::1], int64[::1], doubles, doubles, float64),
        ),
        (advance, descend),
    )
