"""What an optimizer remembers between steps, and whether arrays and a state fit together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .kernels import fuse
from .kernels.phases import Phased
from .model import Block


@dataclass
class OptimizerState:
    """What an optimizer remembers between steps: ``t`` steps taken, and the kernels' arrays.

    ``slots[name]`` is (P,), in the layout of the parameters.  ``point`` (P,) is where gradients are
    taken, kept by who trains on, if the model has other weights to show.
    """

    t: int
    arrays: fuse.State
    names: tuple[str, ...]
    size: int
    phased: Phased
    matrices: Sequence[tuple[tuple[int, ...], dict[str, Any]]] = ()  # of a matrix rule
    point: np.ndarray | None = None
    maker: Any = field(default=None, repr=False, compare=False)  # the optimizer that it is for
    # For quick steps: the plan, where it stands, the kernel that is handed it, and the optimizer
    # and the arrays that this is true of.
    _plan: Any = field(default=None, init=False, repr=False, compare=False)
    _place: int = field(default=0, init=False, repr=False, compare=False)
    _quick: Any = field(default=None, init=False, repr=False, compare=False)
    _planner: Any = field(default=None, init=False, repr=False, compare=False)
    _planned: Any = field(default=None, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:  # a copy's arrays stand elsewhere
        fresh = {"_plan": None, "_place": 0, "_quick": None, "_planner": None, "_planned": None}
        return {**vars(self), **fresh}

    @property
    def slots(self) -> dict[str, np.ndarray]:
        return {n: self.arrays.slots[i][: self.size] for i, n in enumerate(self.names)}


def look_ahead(params: np.ndarray, state: OptimizerState) -> None:
    """What Lookahead does after a step: every so often the weights go back a part of the way."""
    phased = state.phased
    if not phased.lookahead or state.t % phased.lookahead:
        return
    followed = [(params, phased.slow)]
    if phased.follows >= 0:
        followed.append((state.arrays.slots[phased.follows][: state.size], phased.slow_slot))
    for fast, slow in followed:
        slow += params.dtype.type(phased.lookahead_alpha) * (fast - slow)
        fast[:] = slow


def ranges_of(
    blocks: Sequence[Block], hyper: Mapping[str, Any], layer_lr: tuple[float, ...] | None
) -> list[tuple[tuple[int, int], tuple[float, float, float]]]:
    """((start, stop), (lr scale, coupled decay, decoupled decay)) of each block."""
    if layer_lr is not None and 2 * len(layer_lr) != len(blocks):
        raise ValueError(f"layer_lr: {len(layer_lr)} factors for {len(blocks) // 2} layers")
    ranges = []
    for number, block in enumerate(blocks):
        decay = hyper["weight_decay"]
        if block.is_bias and not hyper["decay_biases"]:
            decay = 0.0
        scale = 1.0 if layer_lr is None else layer_lr[number // 2]
        scales = (scale, 0.0, decay) if hyper["decoupled_weight_decay"] else (scale, decay, 0.0)
        ranges.append(((block.start, block.stop), scales))
    return ranges


def check_flat(name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name}: {kind}; accepted: a NumPy array of float32 or float64")
    if array.ndim != 1 or not array.flags.c_contiguous:
        raise ValueError(
            f"{name}: shape {array.shape}"
            + ("" if array.flags.c_contiguous else ", not contiguous")
            + "; accepted: a flat, contiguous array (P,)"
        )


def check_step(params: np.ndarray, gradient: np.ndarray, state: OptimizerState) -> None:
    # Nearly always all is well; to find out what is not takes longer than a small step.
    if type(params) is np.ndarray is type(gradient):
        dtype, size = state.arrays.slots.dtype, state.size
        if (
            params.dtype is dtype is gradient.dtype
            and params.shape == (size,) == gradient.shape
            and params.flags.carray  # contiguous, aligned, writeable
            and gradient.flags.c_contiguous
        ):
            return
    for name, array in (("params", params), ("gradient", gradient)):
        check_flat(name, array)
        if array.size != state.size:
            raise ValueError(f"{name}: {array.size} numbers; the state is for {state.size}")
    if not params.flags.writeable:
        raise ValueError("params: read-only; a step is made in place")
    if params.dtype != gradient.dtype or params.dtype != state.arrays.slots.dtype:
        raise TypeError(
            f"params, gradient and state: {params.dtype}, {gradient.dtype}, "
            f"{state.arrays.slots.dtype}; accepted: one dtype for all"
        )
