"""Turn a rule into compiled kernels: one pass over the parameters, state and gradient.

A rule becomes functions with the same types for every rule of a dtype, handed over by address so
that one compiled training loop serves all of them:

    advance(c, carry, hyper, t, rate)                             coefficients of step t, float64
    descend(theta, gradient, slots, block, scales, c, rate)       one fused pass over a block
    tally(theta, gradient, slots, block, scales, c, rate, out)    sums over a portion of a block
    settle(c, kept, sums)                                         what the sums are for, float64
    look(out, theta, slots, block, c)                             the weights to evaluate

The functions of a rule are inlined into a loop over vectors, or over numbers, of which LLVM makes
vectors.  Scalars are cast to the arrays' dtype once, since one float64 makes the whole loop compute
in float64.
"""

from collections import namedtuple
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numba import float64, from_dtype, int64, types

from ._jit import address_of, inline, jit
from .access import call, read_slots, store, unpack
from .descent import descend_of, descend_of_numbers
from .rule import Rule, Sums, Variant, code_hash
from .scalar import for_scalars, for_vectors, has_vectors, operations
from .sums import settle_of, tally_of, tally_of_numbers

# A float32 update of more operations (Adam has 12) keeps the multipliers busy: then roots come from
# the unit that divides.
LIGHT = 12

# What a step needs besides parameters and gradient: slots (S, stride >= P), carried scalars, the
# inputs of coefficients, room for their result, and for each block (start, stop) of the
# parameters its (scale of the learning rate, coupled decay, decoupled decay).
State = namedtuple("State", "slots carry hyper c blocks scales")


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

    def compiled(
        template: Callable, what: Callable, *constants: Any, takes: tuple, seen: Any = for_scalars
    ) -> Any:
        named = [c for c in constants if not callable(c)]
        key = f"{code_hash(what)} {shape} {counts} {n_slots} {named}"
        kernel = template(inline(seen(what)), *constants, key)
        address = address_of(kernel, types.void(*takes))
        dispatchers.append(kernel)
        return address

    def summed(terms: Callable, count: int, known: int) -> Any:
        constants = n_slots, count, _scalars(known, own_step, own_decay)
        takes = (*arrays, doubles)
        if has_vectors(terms):
            return compiled(tally_of, terms, *constants, takes=takes, seen=for_vectors)
        return compiled(tally_of_numbers, terms, *constants, takes=takes)

    n_known = n + counts.factors
    scalars = _scalars(n_known + counts.more_factors, own_step, own_decay)
    arrays = (numbers, numbers, slots, block, doubles, doubles, float64)
    tally = settle = tally_more = settle_more = look = NOTHING
    advance = compiled(
        _advance, coefficients, n_carry, n_hyper, rate_at,
        takes=(doubles, doubles, doubles, float64, float64),
    )  # fmt: skip
    constants = n_slots, scalars
    if has_vectors(variant.update):
        busy = dtype == np.float32 and operations(variant.update) > LIGHT
        vectors = partial(for_vectors, by_divider=busy)
        descend = compiled(descend_of, variant.update, *constants, takes=arrays, seen=vectors)
    else:
        descend = compiled(descend_of_numbers, variant.update, *constants, takes=arrays)
    if sums is not None and variant.terms is not None:
        tally = summed(variant.terms, counts.terms, n + counts.kept)
        settle = compiled(
            settle_of, sums.factors, n, counts.kept, counts.terms, takes=(doubles, doubles, doubles)
        )
    if more is not None and variant.more_terms is not None:
        tally_more = summed(variant.more_terms, counts.more_terms, n_known)
        settle_more = compiled(
            settle_of, more.factors, n_known, 0, counts.more_terms,
            takes=(doubles, doubles, doubles),
        )  # fmt: skip
    if variant.point is not None:
        look = compiled(
            _look, variant.point, n_slots, n, takes=(numbers, numbers, slots, block, doubles)
        )
    return Fused(advance, descend, tally, settle, tally_more, settle_more, look, tuple(dispatchers))
