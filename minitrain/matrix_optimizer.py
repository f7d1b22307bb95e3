"""Optimizers of whole matrices (Muon, Shampoo, …): the same interface as Optimizer's, in NumPy."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import modifiers, phases
from .hyperparameters import complete
from .kernels import matrices as _matrices  # noqa: F401 - registers the built-in ones
from .kernels import reference
from .kernels.fuse import NONE, Counts, Fused, State
from .kernels.matrix import MatrixRule
from .kernels.matrix import get as get_rule
from .model import Block
from .optimizer import Optimizer, OptimizerState, check_flat, check_step, ranges_of

_POSSIBLE = {"l1", "noise", "noise_decay", "noise_seed", "centralize", "clip_value", "clip_norm",
             "clip_global_norm", "layer_lr"}  # fmt: skip


class MatrixOptimizer(Optimizer):
    """A matrix rule and its hyperparameters, e.g. ``mt.optimizers.Muon(lr=0.02)``.

    The gradient may be clipped, centralised and made noisy as with any optimizer; what wraps a rule
    (lookahead, sam, averages, cautious) is not for these.

    Raises
    ------
    ValueError
        For an unknown hyperparameter or a value out of its range.
    """

    def __init__(self, rule: MatrixRule | str, **given: Any) -> None:
        self.rule: Any = get_rule(rule) if isinstance(rule, str) else rule
        own, self.modifiers = modifiers.split(given)
        impossible = set(self.modifiers.given()) - _POSSIBLE
        if impossible:
            raise ValueError(
                f"{self.rule.name}: not with {', '.join(sorted(impossible))}; accepted: "
                f"{', '.join(sorted(_POSSIBLE))}"
            )
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
        arrays = State(
            np.empty((0, params.size), params.dtype), np.empty(0), np.empty(0), np.empty(0),
            np.array([r[0] for r in ranges], np.int64), np.array([r[1] for r in ranges], float),
        )  # fmt: skip
        counts = Counts(0, 0, 0, 0)
        phased = phases.prepare(params, blocks, None, counts, [], self.modifiers, NONE)
        return OptimizerState(
            0, arrays, (), params.size, phased, [(block.shape, {}) for block in blocks]
        )

    def kernels(self, dtype: Any) -> Fused:
        return NONE

    @property
    def evaluates_elsewhere(self) -> bool:
        return False

    def evaluated(self, params: np.ndarray, state: OptimizerState) -> np.ndarray:
        return params.copy()

    def step(self, params: np.ndarray, gradient: np.ndarray, state: OptimizerState) -> None:
        """One step: update ``params`` (P,) and ``state`` in place from ``gradient`` (P,)."""
        self.step_at(self.lr, params, gradient, state)

    step_reference = step

    def step_at(
        self, rate: float, params: np.ndarray, gradient: np.ndarray, state: OptimizerState
    ) -> None:
        """A step with the rate that a schedule asks for."""
        check_step(params, gradient, state)
        state.t += 1
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
                W -= T(rate * scale) * (u + T(decay) * W)

    def __reduce__(self) -> tuple:
        return _restore, (self.rule, {**self.hyperparameters, **self.modifiers.given()})


def _restore(rule: MatrixRule, given: dict[str, Any]) -> MatrixOptimizer:
    return MatrixOptimizer(rule, **given)
