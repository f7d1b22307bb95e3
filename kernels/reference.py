"""The unfused twin of every optimizer: the rule's own update applied to whole NumPy arrays.

It is the readable definition, the oracle that the fused kernels must equal bit for bit, and the
"before" of every figure that compares fused with unfused.
"""

from collections.abc import Sequence

import numpy as np

from .fuse import State
from .modifiers import Modifiers, noise_of
from .rule import Rule, Variant
from .sums import PORTION

_LANES = 8  # float64 numbers of a vector


def step_reference(
    theta: np.ndarray,
    gradient: np.ndarray,
    state: State,
    rate: float,
    t: int,
    rule: Rule,
    variant: Variant,
    kept: np.ndarray | None = None,
) -> None:
    """Apply step ``t`` of a rule to all blocks of the flat parameters, in place.

    ``theta`` and ``gradient`` are (P,); ``state`` is what the fused kernel takes.  ``kept`` are the
    kept scalars of a rule with sums, a row per block, or one for all.
    """
    with np.errstate(all="ignore"):  # as in the compiled kernel, overflow shows in the result
        if rule.rate_at >= 0:
            state.hyper[rule.rate_at] = rate
        c, carried = rule.evaluate(t, list(state.carry), list(state.hyper))
        state.carry[:] = carried
        state.c[:] = c
        factors = _factors(theta, gradient, state, rate, rule, variant, c, kept)
        for k in range(len(state.blocks)):
            p, g, slots = _block(theta, gradient, state, variant, k)
            lr, coupled, decay, cs = _scalars(rule, theta, rate, state.scales[k], (*c, *factors[k]))
            u, *new = variant.update(p, g + coupled * p, *slots, cs)
            p[:] = p - lr * (u + decay * p)
            # A rule may hand on a slot as it is, to another one: read all before any is written.
            new = [v.copy() if any(v is slot for slot in slots) else v for v in new]
            for slot, values in zip(slots, new, strict=True):
                slot[:] = values


def _block(
    theta: np.ndarray, gradient: np.ndarray, state: State, variant: Variant, k: int
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    part = slice(*state.blocks[k])
    return theta[part], gradient[part], [s[part] for s in state.slots[: len(variant.slots)]]


def _scalars(rule: Rule, theta: np.ndarray, rate: float, scales: np.ndarray, c: tuple) -> tuple:
    """Rate, coupled decay, decay and c in the dtype of the parameters."""
    T = theta.dtype.type
    scale, coupled, decay = scales
    if rule.own_decay:
        c, decay = (*c, decay), 0.0
    elif rule.own_step:
        decay = rate * decay
    lr = T(scale if rule.own_step else rate * scale)
    return lr, T(coupled), T(decay), tuple(T(value) for value in c)


def _factors(
    theta: np.ndarray,
    gradient: np.ndarray,
    state: State,
    rate: float,
    rule: Rule,
    variant: Variant,
    c: tuple,
    kept: np.ndarray | None,
) -> Sequence[tuple]:
    """The factors of each block, which are () for most rules."""
    blocks = range(len(state.blocks))
    if rule.sums is None or variant.terms is None or kept is None:
        return [()] * len(blocks)
    found: list[tuple] = []
    for group in [blocks] if rule.sums.whole else [[k] for k in blocks]:
        row = kept[len(found)] if not rule.sums.whole else kept[0]
        partials = []
        for k in group:
            p, g, slots = _block(theta, gradient, state, variant, k)
            _, coupled, _, cs = _scalars(rule, theta, rate, state.scales[k], (*c, *row))
            terms = variant.terms(p, g + coupled * p, *slots, cs)
            partials += list(zip(*(portion_sums(term) for term in terms), strict=True))
        sums = [np.float64(in_order(values)) for values in zip(*partials, strict=True)]
        sums = sums or [np.float64(0.0)] * len(
            variant.terms(*_nothing(theta, rule, variant, c, row))
        )
        values, row[:] = rule.sums.evaluate(tuple(map(np.float64, c)), list(row), sums)
        found += [values] * len(group)
    if rule.more_sums is None or variant.more_terms is None:
        return found
    for k in blocks:  # the second round, block by block
        p, g, slots = _block(theta, gradient, state, variant, k)
        known = (*c, *found[k])
        _, coupled, _, cs = _scalars(rule, theta, rate, state.scales[k], known)
        terms = variant.more_terms(p, g + coupled * p, *slots, cs)
        sums = [np.float64(in_order(portion_sums(term))) for term in terms]
        found[k] += rule.more_sums.evaluate(tuple(map(np.float64, known)), [], sums)[0]
    return found


def _nothing(theta: np.ndarray, rule: Rule, variant: Variant, c: tuple, row: np.ndarray) -> tuple:
    """Arguments of ``terms`` for no parameters at all, to see how many terms there are."""
    cs = _scalars(rule, theta, 0.0, np.zeros(3), (*c, *row))[3]
    return (theta[:0],) * (2 + len(variant.slots)) + (cs,)


def portion_sums(term: np.ndarray) -> list[float]:
    """The sum of each portion: lane by lane, then the lanes by halves."""
    sums = []
    for start in range(0, len(term), PORTION):
        portion = np.zeros(-(-len(term[start : start + PORTION]) // _LANES) * _LANES)
        portion[: len(term[start : start + PORTION])] = term[start : start + PORTION]
        lanes = in_order(portion.reshape(-1, _LANES))
        while len(lanes) > 1:
            lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
        sums.append(lanes[0])
    return sums


def in_order(values: object) -> np.ndarray:
    """The sum over the first axis, from zero, one after the other."""
    values = np.asarray(values, float)
    return np.cumsum(np.concatenate((np.zeros((1, *values.shape[1:])), values)), axis=0)[-1]


def modified(
    theta: np.ndarray,
    gradient: np.ndarray,
    blocks: np.ndarray,
    columns: np.ndarray,
    modifiers: Modifiers,
    t: int,
) -> np.ndarray:
    """A copy of the gradient (P,) as modifiers.py changes it at step ``t`` (from 1)."""
    T = gradient.dtype.type
    gradient = gradient.copy()
    parts = [gradient[start:stop] for start, stop in blocks]
    if modifiers.noise > 0.0:
        number = 0
        scale = np.sqrt(modifiers.noise / (1.0 + (t - 1)) ** modifiers.noise_decay)
        for part in parts:
            for start in range(0, len(part), PORTION):
                g = part[start : start + PORTION]
                g += (scale * noise_of(modifiers.seed, t - 1, number)[: len(g)]).astype(T)
                number += 1
    if modifiers.centralize:
        for part, O in zip(parts, columns, strict=True):
            if O:
                g = part.reshape(-1, O)
                g -= (in_order(g) / len(g)).astype(T)
    if modifiers.clip_value < np.inf:
        most = T(modifiers.clip_value)
        gradient[:] = np.minimum(np.maximum(gradient, -most), most)
    whole = modifiers.clip_global_norm < np.inf
    if min(modifiers.clip_norm, modifiers.clip_global_norm) < np.inf:
        sums = [portion_sums(part.astype(float) ** 2) for part in parts]
        every = in_order([s for group in sums for s in group])
        for part, own in zip(parts, sums, strict=True):
            norm = np.sqrt(every if whole else in_order(own))
            factor = (modifiers.clip_global_norm if whole else modifiers.clip_norm) / (norm + 1e-6)
            if factor < 1.0:
                part *= T(factor)
    if modifiers.l1 > 0.0:
        for (start, stop), O in zip(blocks, columns, strict=True):
            if O:
                gradient[start:stop] += T(modifiers.l1) * np.sign(theta[start:stop])
    return gradient
