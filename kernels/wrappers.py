"""Wrappers around any rule: a rule in, a rule out, compiled and referenced like any other.

A wrapper puts its own coefficients in front of the rule's, its slot behind the rule's slots.  The
new rules are not registered: an optimizer makes one when it is asked to.  What a wrapper's function
captures is compiled with it (scalar.py).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .rule import Rule, Sums, Variant


def averaged(
    rule: Rule, variant: Variant, weigh: Callable, names: tuple[str, ...]
) -> tuple[Rule, Variant]:
    """``rule``, with an average of its weights as the point of evaluation.

    ``weigh(t, *names)`` says what of the old average is kept and how much of the weights comes
    in: of those before step t, and of those after it.  The average lags a step behind the weights,
    which are known only after the framework has made the step; ``point`` makes good for it.
    """
    update = variant.update

    def with_average(p, g, *rest):
        a, c = rest[-2], rest[-1]
        values = update(p, g, *rest[:-2], c[4:])
        return values + (c[0] * a + c[1] * p,)  # noqa: RUF005 - no stars in compiled tuples

    def point(p, *rest):
        a, c = rest[-2], rest[-1]
        return c[2] * a + c[3] * p

    terms = _behind(variant.terms, 4) if variant.terms else None
    return (
        replace(rule, sums=_behind_sums(rule.sums, 4), **_in_front(rule, weigh, names)),
        Variant(with_average, (*variant.slots, "average"), terms, point),
    )


def exponential(t, ema):
    """Weights of an exponential moving average that starts as a copy, as torch's AveragedModel."""
    kept, new = ema, 1.0 - ema
    if t == 1.0:
        return 0.0, 0.0, 0.0, 1.0
    if t == 2.0:
        return 0.0, 1.0, kept, new
    return kept, new, kept, new


def equal(t, swa_start, swa_every):
    """Weights of an equal average (SWA: Izmailov et al. 2018, arXiv 1803.05407) over the steps
    swa_start, swa_start + swa_every, …; before the first of them the weights themselves."""
    before, after = (t - 1.0 - swa_start) / swa_every, (t - swa_start) / swa_every
    kept, new, kept_after, new_after = 0.0, 1.0, 0.0, 1.0
    if before >= 0.0:
        counted = before == np.floor(before)
        kept = before / (before + 1.0) if counted else 1.0
        new = 1.0 / (before + 1.0) if counted else 0.0
    if after >= 0.0:
        counted = after == np.floor(after)
        kept_after = after / (after + 1.0) if counted else 1.0
        new_after = 1.0 / (after + 1.0) if counted else 0.0
    return kept, new, kept_after, new_after


def cautious(rule: Rule, variant: Variant) -> tuple[Rule, Variant]:
    """``rule``, making no step where its direction u and the gradient disagree in sign.

    u <- u · m / max(mean(m), 1e-3) with m = 1 where u g > 0, else 0; the mean is over a weight
    matrix or bias vector.  Liang et al. (2024), Cautious optimizers, arXiv 2411.16085.
    """
    update, last = variant.update, -2 if rule.own_decay else -1

    def agreement(p, g, *rest):
        c = rest[-1]
        u = update(p, g, *rest[:-1], c[2:])[0]
        agrees = np.maximum(np.sign(u * g), c[0])
        return agrees, c[1] - agrees

    if rule.own_decay:

        def masked(p, g, *rest):
            c = rest[-1]
            values = update(p, g, *rest[:-1], c[2:last] + c[-1:])
            agrees = np.maximum(np.sign(values[0] * g), c[0])
            return (values[0] * agrees * c[last],) + values[1:]  # noqa: RUF005
    else:

        def masked(p, g, *rest):
            c = rest[-1]
            values = update(p, g, *rest[:-1], c[2:last])
            agrees = np.maximum(np.sign(values[0] * g), c[0])
            return (values[0] * agrees * c[last],) + values[1:]  # noqa: RUF005

    def factors(c, agreeing, others):
        total = agreeing + others
        return (1.0 / max(agreeing / total, 1e-3) if total > 0.0 else total,)

    return (
        replace(rule, sums=Sums(factors, {}, whole=False), **_in_front(rule, _zero_and_one, ())),
        Variant(masked, variant.slots, agreement),
    )


def _zero_and_one(t):
    return 0.0, 1.0


def _in_front(rule: Rule, extra: Callable, names: tuple[str, ...]) -> dict:
    """Coefficients that are those of ``extra(t, *names)`` and then the rule's own."""
    inner, outer = rule.coefficients, extra
    n = len(rule.carry) + len(rule.takes)

    if rule.carry:

        def coefficients(t, *inputs):
            values, carried = inner(t, *inputs[:n])
            return outer(t, *inputs[n:]) + values, carried
    else:

        def coefficients(t, *inputs):
            return outer(t, *inputs[n:]) + inner(t, *inputs[:n])

    return {"coefficients": coefficients, "takes": (*rule.takes, *names)}


def _behind(function: Callable, n: int) -> Callable:
    """An element function that skips the first n coefficients, and a slot."""

    def behind(p, g, *rest):
        return function(p, g, *rest[:-2], rest[-1][n:])

    return behind


def _behind_sums(sums: Sums | None, n: int) -> Sums | None:
    if sums is None:
        return None
    inner = sums.factors

    def factors(c, *rest):
        return inner(c[n:], *rest)

    return replace(sums, factors=factors)
