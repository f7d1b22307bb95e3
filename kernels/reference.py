"""The unfused twin of every optimizer: the rule's own update applied to whole NumPy arrays.

It is the readable definition, the oracle that the fused kernels must equal bit for bit, and the
"before" of every figure that compares fused with unfused.
"""

import numpy as np

from .fuse import State
from .rule import Rule, Variant


def step_reference(
    theta: np.ndarray,
    gradient: np.ndarray,
    state: State,
    rate: float,
    t: int,
    rule: Rule,
    variant: Variant,
) -> None:
    """Apply step ``t`` of a rule to all blocks of the flat parameters, in place.

    ``theta`` and ``gradient`` are (P,); ``state`` is what the fused kernel takes.
    """
    T = theta.dtype.type
    values, carried = rule.evaluate(t, list(state.carry), list(state.hyper))
    state.carry[:] = carried
    c = tuple(T(value) for value in values)
    for (start, stop), (scale, coupled, decay) in zip(state.blocks, state.scales, strict=True):
        p, g = theta[start:stop], gradient[start:stop]
        slots = [slot[start:stop] for slot in state.slots[: len(variant.slots)]]
        with np.errstate(all="ignore"):  # as in the compiled kernel, overflow shows in the result
            u, *new = variant.update(p, g + T(coupled) * p, *slots, c)
            p[:] = p - T(rate * scale) * (u + T(decay) * p)
        for slot, values in zip(slots, new, strict=True):
            slot[:] = values
