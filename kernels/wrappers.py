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
    which are known only after the framework has made the step; ``point`` makes good for it.  Where
    the rule has a point of its own, that is what is averaged.
    """
    update, seen, end = variant.update, variant.point, 4 + _n_coefficients(rule)

    if seen is None:

        def with_average(p, g, *rest):
            a, c = rest[-2], rest[-1]
            values = update(p, g, *rest[:-2], c[4:])
            return values + (c[0] * a + c[1] * p,)  # noqa: RUF005 - no stars in compiled tuples

        def point(p, *rest):
            a, c = rest[-2], rest[-1]
            return c[2] * a + c[3] * p
    else:

        def with_average(p, g, *rest):
            a, c = rest[-2], rest[-1]
            values = update(p, g, *rest[:-2], c[4:])
            return values + (c[0] * a + c[1] * seen(p, *rest[:-2], c[4:end]),)  # noqa: RUF005

        def point(p, *rest):
            a, c = rest[-2], rest[-1]
            return c[2] * a + c[3] * seen(p, *rest[:-2], c[4:end])

    return (
        replace(
            rule,
            sums=_behind_sums(rule.sums, 4),
            more_sums=_behind_sums(rule.more_sums, 4),
            **_in_front(rule, weigh, names),
        ),
        Variant(
            with_average,
            (*variant.slots, "average"),
            _behind(variant.terms, 4),
            point,
            _behind(variant.more_terms, 4),
        ),
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

    in_front, mean = _in_front(rule, _zero_and_one, ()), Sums(factors, {}, whole=False)
    point = _shifted_point(variant.point)
    if rule.sums is None:
        return (
            replace(rule, sums=mean, **in_front),
            Variant(masked, variant.slots, agreement, point),
        )
    # The direction is known when the rule's own sums are: the mean is a second round.
    return (
        replace(rule, sums=_behind_sums(rule.sums, 2), more_sums=mean, **in_front),
        Variant(masked, variant.slots, _shifted_terms(variant.terms), point, agreement),
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


def _n_coefficients(rule: Rule) -> int:
    """How many coefficients the rule has, by asking for them."""
    values = {**rule.defaults, **dict.fromkeys(set(rule.takes) - set(rule.defaults), 1.0)}
    with np.errstate(all="ignore"):
        numbers: list[float] = [np.float64(value) for value in rule.inputs(values)]
        carried: list[float] = [np.float64(v) for v in rule.starts(rule.carry, values)]
        return len(rule.evaluate(1, carried, numbers)[0])


def _shifted_terms(terms: Callable | None) -> Callable:
    """Terms that skip the two coefficients which :func:`cautious` puts in front."""
    assert terms is not None
    inner = terms

    def shifted(p, g, *rest):
        return inner(p, g, *rest[:-1], rest[-1][2:])

    return shifted


def _shifted_point(point: Callable | None) -> Callable | None:
    """The same of a point."""
    if point is None:
        return None
    inner = point

    def shifted(p, *rest):
        return inner(p, *rest[:-1], rest[-1][2:])

    return shifted


def _behind(function: Callable | None, n: int) -> Callable | None:
    """An element function that skips the first n coefficients, and a slot."""
    if function is None:
        return None
    inner = function

    def behind(p, g, *rest):
        return inner(p, g, *rest[:-2], rest[-1][n:])

    return behind


def _behind_sums(sums: Sums | None, n: int) -> Sums | None:
    if sums is None:
        return None
    inner = sums.factors

    def factors(c, *rest):
        return inner(c[n:], *rest)

    return replace(sums, factors=factors)
