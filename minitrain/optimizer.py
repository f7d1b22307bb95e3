"""An optimizer: an update rule with its hyperparameters; its state is a value of its own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from .kernels import fuse, reference
from .kernels import rules as _rules  # noqa: F401 - registers the built-in ones
from .kernels.memory import aligned_zeros
from .kernels.rule import Rule
from .kernels.rule import get as get_rule
from .model import Block
from .sharing import step_shared, worth_sharing

_SMALL = 1e6  # bytes of parameters, up to which nobody asks whether to share a step
_LINE_NUMBERS = 16  # slots are padded to whole cache lines


@dataclass
class OptimizerState:
    """What an optimizer remembers between steps: ``t`` steps taken, and the kernels' arrays.

    ``slots[name]`` is (P,), in the layout of the parameters.
    """

    t: int
    arrays: fuse.State
    names: tuple[str, ...]
    size: int

    @property
    def slots(self) -> dict[str, np.ndarray]:
        return {n: self.arrays.slots[i][: self.size] for i, n in enumerate(self.names)}


class Optimizer:
    """A rule and its hyperparameters, e.g. ``mt.optimizers.Adam(lr=1e-3)``.

    Names and defaults are torch.optim's where it has the rule.  ``betas=(0.9, 0.999)`` may be given
    as ``beta1`` and ``beta2``, and so may ``etas``, ``nus`` and the like.  All optimizers take
    ``weight_decay``; ``decoupled_weight_decay`` says whether it acts on the parameters (AdamW) or
    is added to the gradient, and ``decay_biases=False`` leaves the biases out.

    Raises
    ------
    ValueError
        For an unknown hyperparameter or a value out of its range.
    """

    def __init__(self, rule: Rule | str, **given: Any) -> None:
        self.rule = get_rule(rule) if isinstance(rule, str) else rule
        self.hyperparameters = _complete(self.rule, given)
        complaint = self.rule.check(**self.hyperparameters)
        if complaint:
            raise ValueError(f"{self.rule.name}: {complaint}")
        self.variant = self.rule.choose(self.hyperparameters)
        inputs = self.rule.inputs(self.hyperparameters)
        carried = [float(v) for v in self.rule.carry.values()]
        self._n = len(self.rule.evaluate(1, carried, inputs)[0])
        self._kernels: dict[str, fuse.Fused] = {}  # by the dtype's letter

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def lr(self) -> float:
        return self.hyperparameters["lr"]

    def replace(self, **changes: Any) -> "Optimizer":
        """The same optimizer with other hyperparameters."""
        return Optimizer(self.rule, **{**self.hyperparameters, **changes})

    def init(self, params: np.ndarray, blocks: Sequence[Block] | None = None) -> OptimizerState:
        """Fresh state for flat parameters (P,) of float32 or float64.

        ``blocks`` say which of them are biases; without them everything counts as weights.
        """
        _check_flat("params", params)
        whole = [Block("parameters", 0, params.size, (params.size, 1))]
        ranges = _ranges(blocks or whole, self.hyperparameters)
        stride = -(-params.size // _LINE_NUMBERS) * _LINE_NUMBERS
        slots = aligned_zeros((len(self.variant.slots), stride), params.dtype)
        for slot, name in zip(slots, self.variant.slots, strict=True):
            if name in self.rule.start:
                slot[:] = self.hyperparameters[self.rule.start[name]]
        arrays = fuse.State(
            slots,
            np.array(list(self.rule.carry.values()), float),
            np.array(self.rule.inputs(self.hyperparameters), float),
            np.zeros(self._n),
            np.array([r[0] for r in ranges], np.int64),
            np.array([r[1] for r in ranges], float),
        )
        return OptimizerState(0, arrays, self.variant.slots, params.size)

    def kernels(self, dtype: np.dtype) -> fuse.Fused:
        """The compiled kernels for this dtype."""
        kernels = fuse.fused(self.rule, self.variant, self._n, np.dtype(dtype))
        self._kernels[np.dtype(dtype).char] = kernels
        return kernels

    def step(self, params: np.ndarray, gradient: np.ndarray, state: OptimizerState) -> None:
        """One fused step: update ``params`` (P,) and ``state`` in place from ``gradient`` (P,)."""
        _check_step(params, gradient, state)
        kernels = self._kernels.get(params.dtype.char) or self.kernels(params.dtype)
        lr = self.hyperparameters["lr"]
        state.t += 1
        if params.nbytes > _SMALL and worth_sharing(params.nbytes * (3 + 2 * len(state.names))):
            step_shared(params, gradient, state.arrays, lr, state.t, kernels)
            return
        advance, descend, _ = kernels
        fuse.step(params, gradient, *state.arrays, lr, state.t, advance, descend)

    def step_reference(
        self, params: np.ndarray, gradient: np.ndarray, state: OptimizerState
    ) -> None:
        """The same step with plain NumPy, an array operation at a time; the same bits."""
        _check_step(params, gradient, state)
        state.t += 1
        reference.step_reference(
            params, gradient, state.arrays, self.lr, state.t, self.rule, self.variant
        )

    def __reduce__(self) -> tuple:
        return _restore, (self.rule, self.hyperparameters)

    def __repr__(self) -> str:
        defaults = self.rule.defaults
        shown = {k: v for k, v in self.hyperparameters.items() if k == "lr" or v != defaults[k]}
        return f"{self.rule.title}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


def _restore(rule: Rule, hyperparameters: dict[str, Any]) -> Optimizer:
    return Optimizer(rule, **hyperparameters)


def _complete(rule: Rule, given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults overlaid with what was given, every value checked."""
    given = dict(given)
    for name in [name for name in given if name not in rule.defaults]:
        members = _members(rule, name)
        if members:
            given |= _unpack(rule.name, name, given.pop(name), members)
    for name in given:
        if name not in rule.defaults:
            near = get_close_matches(name, rule.defaults, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise ValueError(
                f"{rule.name}: unknown hyperparameter {name!r}{hint} "
                f"Accepted: {', '.join(rule.defaults)}"
            )
    return {
        name: _check_value(rule, name, given.get(name, default), default)
        for name, default in rule.defaults.items()
    }


def _members(rule: Rule, name: str) -> list[str]:
    """The hyperparameters that a plural stands for: betas for beta1 and beta2."""
    members = [n for n in rule.defaults if re.fullmatch(rf"{re.escape(name[:-1])}(\d|_[a-z]+)", n)]
    return members if name.endswith("s") and len(members) > 1 else []


def _unpack(rule: str, name: str, values: Any, members: list[str]) -> dict[str, Any]:
    if not isinstance(values, Sequence) or len(values) != len(members):
        kind = "a pair" if len(members) == 2 else f"{len(members)} numbers"
        raise ValueError(f"{rule}: {name}: {values!r}; accepted: {kind} ({', '.join(members)})")
    return dict(zip(members, values, strict=True))


def _check_value(rule: Rule, name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{rule.name}: {name}: {value!r}; accepted: True or False")
        return bool(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{rule.name}: {name}: {value!r} is not a number") from None
    accepted = rule.range_of(name)
    if number not in accepted:
        raise ValueError(f"{rule.name}: {name}: {value!r} is out of range; accepted: {accepted}")
    return number


def _ranges(
    blocks: Sequence[Block], hyper: Mapping[str, Any]
) -> list[tuple[tuple[int, int], tuple[float, float, float]]]:
    """((start, stop), (lr scale, coupled decay, decoupled decay)) of each block."""
    ranges = []
    for block in blocks:
        decay = hyper["weight_decay"]
        if block.is_bias and not hyper["decay_biases"]:
            decay = 0.0
        scales = (1.0, 0.0, decay) if hyper["decoupled_weight_decay"] else (1.0, decay, 0.0)
        ranges.append(((block.start, block.stop), scales))
    return ranges


def _check_flat(name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name}: {kind}; accepted: a NumPy array of float32 or float64")
    if array.ndim != 1 or not array.flags.c_contiguous:
        raise ValueError(
            f"{name}: shape {array.shape}"
            + ("" if array.flags.c_contiguous else ", not contiguous")
            + "; accepted: a flat, contiguous array (P,)"
        )


def _check_step(params: np.ndarray, gradient: np.ndarray, state: OptimizerState) -> None:
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
        _check_flat(name, array)
        if array.size != state.size:
            raise ValueError(f"{name}: {array.size} numbers; the state is for {state.size}")
    if not params.flags.writeable:
        raise ValueError("params: read-only; a step is made in place")
    if params.dtype != gradient.dtype or params.dtype != state.arrays.slots.dtype:
        raise TypeError(
            f"params, gradient and state: {params.dtype}, {gradient.dtype}, "
            f"{state.arrays.slots.dtype}; accepted: one dtype for all"
        )
