"""What is found out about a rule by asking its functions, before they are compiled."""

from typing import Any

import numpy as np

from .kernels.fuse import Counts
from .kernels.rule import Rule


def try_out(rule: Rule, variant: Any, inputs: list[float]) -> None:
    """A rule of one's own on arrays of two numbers, before a compiler complains in its words."""
    two, slots = np.ones(2), len(variant.slots)
    wanted = ", ".join(["direction", *variant.slots]) + ("" if slots else ",")
    numbers: list[float] = [np.float64(value) for value in inputs]
    with np.errstate(all="ignore"):
        c = rule.evaluate(1, [np.float64(1.0)] * len(rule.carry), numbers)[0]
        c += (np.float64(0.0),) if rule.own_decay else ()
        try:
            found = variant.update(two, two, *[two] * slots, c)
        except Exception as error:  # whatever a user's function may raise
            raise ValueError(
                f"{rule.name}: update cannot be computed: {error}; accepted: arithmetic of arrays "
                f"with np.where in place of if, and a c of {len(c)} numbers"
            ) from error
    if not isinstance(found, tuple) or len(found) != 1 + slots:
        given = f"{len(found)} values" if isinstance(found, tuple) else type(found).__name__
        raise ValueError(f"{rule.name}: update returns {given}; accepted: a tuple ({wanted})")


def count(
    rule: Rule, variant: Any, carried: list[float], inputs: list[float], kept: list[float]
) -> Counts:
    """How many coefficients, terms, kept scalars and factors there are: by asking for them."""
    with np.errstate(all="ignore"):
        # NumPy's numbers, since 1 / 0 raises in Python's.
        numbers: list[float] = [np.float64(value) for value in inputs]
        before: list[float] = [np.float64(value) for value in carried]
        c = rule.evaluate(1, before, numbers)[0]
        if rule.sums is None:
            return Counts(len(c), 0, 0, 0, 0, 0)
        one = np.ones(1)
        decay = (0.0,) if rule.own_decay else ()
        element = (one, one, *[one] * len(variant.slots))
        terms = variant.terms(*element, (*c, *kept, *decay))
        values, _ = rule.sums.evaluate(c, list(map(np.float64, kept)), [np.float64(1)] * len(terms))
        counts = Counts(len(c), len(terms), len(kept), len(values), 0, 0)
        if rule.more_sums is None:
            return counts
        more = variant.more_terms(*element, (*c, *values, *decay))
        added, _ = rule.more_sums.evaluate((*c, *values), [], [np.float64(1)] * len(more))
        return counts._replace(more_terms=len(more), more_factors=len(added))
