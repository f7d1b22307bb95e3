"""An optimizer: an update rule with its hyperparameters; its state is a value of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import modifiers, phases, sharing
from .hyperparameters import complete
from .inquiry import count, try_out
from .kernels import epoch, fuse, quick, reference
from .kernels import rules as _rules  # noqa: F401 - registers the built-in ones
from .kernels._jit import COMPILED
from .kernels.memory import aligned_zeros
from .kernels.plan import UNSHARED, plan_of
from .kernels.quick import ASLEEP, REFUSED
from .kernels.rule import Rule
from .kernels.rule import get as get_rule
from .kernels.sharing import descend_taker
from .model import Block
from .optimizer_state import OptimizerState, check_flat, check_step, look_ahead, ranges_of

_LINE_NUMBERS = 16  # slots are padded to whole cache lines


class Optimizer:
    """A rule and its hyperparameters, e.g. ``mt.optimizers.Adam(lr=1e-3)``.

    Names and defaults are torch.optim's where it has the rule.  ``betas=(0.9, 0.999)`` may be given
    as ``beta1`` and ``beta2``, and so may ``etas``, ``nus`` and the like.  All optimizers take
    ``weight_decay``; ``decoupled_weight_decay`` says whether it acts on the parameters (AdamW) or
    is added to the gradient, and ``decay_biases=False`` leaves the biases out.  Clipping, averages
    of the weights, Lookahead and other :class:`Modifiers` are options of all optimizers too.

    Raises
    ------
    ValueError
        For an unknown hyperparameter or a value out of its range.
    """

    def __init__(self, rule: Rule | str, **given: Any) -> None:
        self.rule = get_rule(rule) if isinstance(rule, str) else rule
        own, self.modifiers = modifiers.split(given)
        self.hyperparameters = complete(self.rule, own)
        complaint = self.rule.check(**self.hyperparameters)
        if complaint:
            raise ValueError(f"{self.rule.name}: {complaint}")
        # The rule that is compiled: with the wrappers around it that modifiers ask for.
        variant = self.rule.choose(self.hyperparameters)
        self._rule, self.variant = self.modifiers.wrap(self.rule, variant)
        values = {**self.hyperparameters, **vars(self.modifiers)}
        self._inputs = self._rule.inputs(values)
        self._carried = self._rule.starts(self._rule.carry, values)
        self._kept = self._rule.starts(self._rule.sums.kept, values) if self._rule.sums else []
        self._lr = self.hyperparameters["lr"]
        # A step is one pass, without phases.
        self._plain = self._rule.sums is None and not (
            self.modifiers.changes_gradient or self.modifiers.lookahead or self.modifiers.sam
        )
        if not self.rule.is_built_in and self.rule.sums is None:
            try_out(self.rule, variant, self.rule.inputs(values))
        self._counts = count(self._rule, self.variant, self._carried, self._inputs, self._kept)

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def lr(self) -> float:
        return self.hyperparameters["lr"]

    def replace(self, **changes: Any) -> "Optimizer":
        """The same optimizer with other hyperparameters."""
        return Optimizer(self.rule, **{**self.hyperparameters, **self.modifiers.given(), **changes})

    def init(self, params: np.ndarray, blocks: Sequence[Block] | None = None) -> OptimizerState:
        """Fresh state for flat parameters (P,) of float32 or float64.

        ``blocks`` say which of them are biases; without them everything counts as weights.
        """
        check_flat("params", params)
        blocks = blocks or [Block("parameters", 0, params.size, (params.size, 1))]
        ranges = ranges_of(blocks, self.hyperparameters, self.modifiers.layer_lr)
        stride = -(-params.size // _LINE_NUMBERS) * _LINE_NUMBERS
        slots = aligned_zeros((len(self.variant.slots), stride), params.dtype)
        for slot, name in zip(slots, self.variant.slots, strict=True):
            start = self.rule.start.get(name)
            if start is not None:
                first = params if start == "p" else self.hyperparameters[start]
                slot[: params.size] = first
        arrays = fuse.State(
            slots,
            np.array(self._carried, float),
            np.array(self._inputs, float),
            np.zeros(self._counts.c),
            np.array([r[0] for r in ranges], np.int64),
            np.array([r[1] for r in ranges], float),
        )
        phased = phases.prepare(
            params, blocks, self._rule.sums, self._counts, self._kept, self.modifiers,
            self.kernels(params.dtype) if self._rule.sums or self.variant.point else fuse.NONE,
            self._follows,
        )  # fmt: skip
        return OptimizerState(0, arrays, self.variant.slots, params.size, phased, maker=self)

    def kernels(self, dtype: np.dtype) -> fuse.Fused:
        """The compiled kernels for this dtype."""
        return fuse.fused(self._rule, self.variant, self._counts, np.dtype(dtype))

    @property
    def _follows(self) -> int:
        """The slot that holds weights besides the parameters, as z of Schedule-Free; -1 if none."""
        if self.rule.choose(self.hyperparameters).point is None:
            return -1
        weights = (i for i, s in enumerate(self.variant.slots) if self.rule.start.get(s) == "p")
        return next(weights, -1)

    @property
    def evaluates_elsewhere(self) -> bool:
        """Whether the weights to use are not those that the steps are made on."""
        return self.variant.point is not None or bool(self.modifiers.lookahead)

    def evaluated(self, params: np.ndarray, state: OptimizerState) -> np.ndarray:
        """A new array (P,) of the weights to use: ``params``, or the average of an optimizer that
        evaluates one."""
        seen = params.copy()
        if self.evaluates_elsewhere and state.t:
            epoch.bring_up_to_date(seen, params, state.arrays, state.phased)
        return seen

    def step(self, params: np.ndarray, gradient: np.ndarray, state: OptimizerState) -> None:
        """One fused step: update ``params`` (P,) and ``state`` in place from ``gradient`` (P,)."""
        if state._planner is self and state._planned is state.arrays:
            t = state.t + 1
            try:
                done = state._quick(params, gradient, state._place, t)
            except TypeError:
                done = REFUSED  # not the arrays that it is made for
            if done < REFUSED:
                state.t = t
                if done:
                    sharing.helpers().missed(params.nbytes * (3 + 2 * len(state.names)))
                return
            if done == ASLEEP:
                if not sharing.helpers().wake():
                    self._plan(params, state, shares=False)
                self.step(params, gradient, state)
                return
        check_step(params, gradient, state)
        self._refuse_sam()
        if COMPILED:
            self._step_compiled(params, gradient, state)
        else:
            self._check_maker(state)
            state.t += 1
            kernels = self.kernels(params.dtype)
            if self._plain:
                fuse.step(params, gradient, *state.arrays, self._lr, state.t, *kernels[:2])
            else:
                phased = state.phased
                phases.step(params, gradient, state.arrays, phased, self._lr, state.t, kernels)

    def _step_compiled(
        self, params: np.ndarray, gradient: np.ndarray, state: OptimizerState
    ) -> None:
        """A quick step once there is a plan, and arrays that are as it wants them."""
        if state._planner is not self or state._planned is not state.arrays:
            self._plan(params, state)
            self.step(params, gradient, state)
            return
        # Arrays that do not begin where a number of theirs may, or that are read-only or foreign.
        copies = [np.array(array, params.dtype) for array in (params, gradient)]
        self.step(*copies, state)
        params[:] = copies[0]

    def _plan(self, params: np.ndarray, state: OptimizerState, shares: bool = True) -> None:
        """Let the next steps be quick ones."""
        self._check_maker(state)
        kernels = self.kernels(params.dtype)
        rest: list[Any] = []
        if self._plain:
            state._quick, taker = quick.quick_step, descend_taker
        else:
            state._quick, taker, *rest = phases.quick_way(params, state.arrays, state.phased)
        moved = params.nbytes * (3 + 2 * len(state.names))
        shares &= not state.phased.modifies  # which has more phases than those that are shared
        shared = sharing.shared(moved, lambda: taker(params.dtype)) if shares else UNSHARED
        quick.prepare(state._quick, params.dtype)
        state._plan = plan_of(state.arrays, state.size, self._lr, kernels, shared, *rest)
        state._place = state._plan.ctypes.data
        state._planner, state._planned = self, state.arrays

    def step_reference(
        self, params: np.ndarray, gradient: np.ndarray, state: OptimizerState
    ) -> None:
        """The same step with plain NumPy, an array operation at a time; the same bits."""
        check_step(params, gradient, state)
        self._refuse_sam()
        self._check_maker(state)
        phased = state.phased
        state.t += 1
        if phased.modifies:
            gradient = reference.modified(
                params, gradient, state.arrays.blocks, phased.columns, phased.modifiers, state.t
            )
        reference.step_reference(
            params, gradient, state.arrays, self.lr, state.t, self._rule, self.variant, phased.kept
        )
        look_ahead(params, state)

    def _refuse_sam(self) -> None:
        if self.modifiers.sam is not None:
            raise ValueError("sam: needs a second gradient for each step; use a Trainer")

    def _check_maker(self, state: OptimizerState) -> None:
        """A state has the slots and the hyperparameters of the optimizer that made it."""
        maker = state.maker
        if maker is None or maker is self:
            return
        # A trainer takes SAM's second gradients itself.
        found, ours = (
            (o.rule, {**o.hyperparameters, "lr": None, **vars(o.modifiers), "sam": None})
            for o in (maker, self)
        )
        if found[0] is not ours[0] or found[1] != ours[1]:
            raise ValueError(
                f"state: made by {maker!r}.init; accepted: that of {self!r}, or of one that "
                "differs in lr alone"
            )

    def __reduce__(self) -> tuple:
        return _restore, (self.rule, {**self.hyperparameters, **self.modifiers.given()})

    def __repr__(self) -> str:
        defaults = self.rule.defaults
        shown = {k: v for k, v in self.hyperparameters.items() if k == "lr" or v != defaults[k]}
        shown |= self.modifiers.given()
        return f"{self.rule.title}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


def _restore(rule: Rule, hyperparameters: dict[str, Any]) -> Optimizer:
    return Optimizer(rule, **hyperparameters)
