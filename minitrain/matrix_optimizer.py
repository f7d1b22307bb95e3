"""Optimizers of whole matrices (Muon, Shampoo, …): the same interface as Optimizer's, in NumPy."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import modifiers, phases
from .hyperparameters import complete
from .kernels import matrices as _matrices  # noqa: F401 - registers the built-in ones
from .kernels import reference, wrappers
from .kernels.fuse import NONE, Counts, Fused, State
from .kernels.matrix import MatrixRule
from .kernels.matrix import get as get_rule
from .model import Block
from .optimizer import Optimizer
from .optimizer_state import OptimizerState, check_flat, check_step, look_ahead, ranges_of

_POSSIBLE = {"l1", "noise", "noise_decay", "noise_seed", "centralize", "clip_value", "clip_norm",
             "clip_global_norm", "layer_lr"}  # fmt: skip


class MatrixOptimizer(Optimizer):
    """A matrix rule and its hyperparameters, e.g. ``mt.optimizers.Muon(lr=0.02)``.

    It takes the modifiers of every optimizer.

    Raises
    ------
    ValueError
        For an unknown hyperparameter or a value out of its range.
    """

    def __init__(self, rule: MatrixRule | str, **given: Any) -> None:
        self.rule: Any = get_rule(rule) if isinstance(rule, str) else rule
        own, self.modifiers = modifiers.split(given)
        self.hyperparameters = complete(self.rule, own)

    def replace(self, **changes: Any) -> "MatrixOptimizer":
        return MatrixOptimizer(
            self.rule, **{**self.hyperparameters, **self.modifiers.given(), **changes}
        )

    def init(self, params: np.ndarray, blocks: Sequence[Block] | None = None) -> OptimizerState:
        """Fresh state for flat parameters (P,); ``blocks`` say what the matrices are.

        Raises ValueError without blocks: these optimizers need the shapes.
        """
        check_flat("params", params)
        if blocks is None:
            raise ValueError(f"{self.rule.name}: needs blocks=… to know the matrices")
        ranges = ranges_of(blocks, self.hyperparameters, self.modifiers.layer_lr)
        # The one slot is the average of the weights, whose coefficients are those of wrappers.py.
        names = ("average",) if self.modifiers.averages else ()
        arrays = State(
            np.zeros((len(names), params.size), params.dtype),
            np.empty(0), np.empty(0), np.zeros(4),
            np.array([r[0] for r in ranges], np.int64), np.array([r[1] for r in ranges], float),
        )  # fmt: skip
        counts = Counts(0, 0, 0, 0, 0, 0)
        phased = phases.prepare(params, blocks, None, counts, [], self.modifiers, NONE)
        return OptimizerState(
            0, arrays, names, params.size, phased, [(block.shape, {}) for block in blocks],
            maker=self,
        )  # fmt: skip

    def kernels(self, dtype: Any) -> Fused:
        return NONE

    @property
    def evaluates_elsewhere(self) -> bool:
        return self.modifiers.averages or bool(self.modifiers.lookahead)

    def evaluated(self, params: np.ndarray, state: OptimizerState) -> np.ndarray:
        if not state.t or not self.evaluates_elsewhere:
            return params.copy()
        if not self.modifiers.averages:
            return state.phased.slow.copy()
        kept, new = state.arrays.c[2:].astype(params.dtype)
        return kept * state.slots["average"] + new * params

    def step(self, params: np.ndarray, gradient: np.ndarray, state: OptimizerState) -> None:
        """One step: update ``params`` (P,) and ``state`` in place from ``gradient`` (P,)."""
        self.step_at(self.lr, params, gradient, state)

    step_reference = step

    def step_at(
        self, rate: float, params: np.ndarray, gradient: np.ndarray, state: OptimizerState
    ) -> None:
        """A step with the rate that a schedule asks for."""
        check_step(params, gradient, state)
        self._refuse_sam()
        self._check_maker(state)
        state.t += 1
        if self.modifiers.averages:
            self._average(params, state)
        T, phased, arrays = params.dtype.type, state.phased, state.arrays
        if phased.modifies:
            gradient = reference.modified(
                params, gradient, arrays.blocks, phased.columns, phased.modifiers, state.t
            )
        with np.errstate(all="ignore"):
            for (start, stop), (scale, coupled, decay), (shape, memory) in zip(
                arrays.blocks, arrays.scales, state.matrices, strict=True
            ):
                W = params[start:stop].reshape(shape)
                g = gradient[start:stop].reshape(shape) + T(coupled) * W
                h = SimpleNamespace(**self.hyperparameters, rate=rate * scale, decay=decay)
                rule = self.rule.of_matrix if len(shape) == 2 else self.rule.of_vector
                if g.size and np.isfinite(g).all():
                    u = rule(W, g, memory, state.t, h)
                else:  # LAPACK raises; the training loop reports what is not finite
                    u = np.full_like(g, np.nan)
                if self.modifiers.cautious:
                    agrees = u * g > 0
                    u = u * agrees * T(1.0 / max(agrees.mean(), 1e-3) if g.size else 0.0)
                W -= T(rate * scale) * (u + T(decay) * W)

        look_ahead(params, state)

    def _average(self, params: np.ndarray, state: OptimizerState) -> None:
        """The weights of before this step go into the average, as in wrappers.averaged."""
        m, T = self.modifiers, params.dtype.type
        if m.ema is not None:
            state.arrays.c[:] = wrappers.exponential(state.t, m.ema)
        else:
            state.arrays.c[:] = wrappers.equal(state.t, m.swa_start, m.swa_every)
        kept, new = state.arrays.c[:2]
        average = state.slots["average"]
        average[:] = T(kept) * average + T(new) * params

    def __reduce__(self) -> tuple:
        return _restore, (self.rule, {**self.hyperparameters, **self.modifiers.given()})


def _restore(rule: MatrixRule, given: dict[str, Any]) -> MatrixOptimizer:
    return MatrixOptimizer(rule, **given)
