"""Some epochs of training at a time, by the compiled loop."""

import time
from collections.abc import Callable
from math import isfinite

import numpy as np

from .. import phases
from ..crew import Pace, choose_threads, together
from ..kernels import epoch, minibatch, ordering
from ..kernels._jit import COMPILED
from ..kernels.memory import aligned_zeros
from ..matrix_optimizer import MatrixOptimizer
from ..model import MLP
from ..optimizer import Optimizer
from ..optimizer_state import OptimizerState
from .objective import objective_of

# One compiled call lasts about this long, so that Ctrl-C is answered soon.
_SECONDS_PER_CALL = 0.05
# The first call, whose time is not known yet: its seconds, if the machine is a slow one.
_FIRST_CALL, _FLOPS, _STEP = 5e-3, 1e10, 1e-5


class NotFinite(ArithmeticError):
    """Loss or gradient stopped being finite; the network has its last good weights."""


class Engine:
    """The arrays of one fit.

    ``threads`` are what is wanted, None for as many as pay, but no more than ``most`` then.
    ``state`` may come from an earlier fit; ``seed`` is dropout's.
    """

    def __init__(
        self,
        mlp: MLP,
        data: minibatch.Data,
        optimizer: Optimizer,
        batch_size: int,
        alpha: float,
        threads: int | None,
        most: int | None = None,
        state: OptimizerState | None = None,
        seed: int = 0,
    ) -> None:
        if isinstance(optimizer, MatrixOptimizer):
            raise ValueError(
                f"solver: {optimizer!r} works on whole matrices; accepted: any other optimizer "
                "(mt.Trainer takes this one)"
            )
        self.mlp, self.data = mlp, data
        self.state = optimizer.init(mlp.parameters, mlp.blocks)
        if state is not None:
            _copy_state(self.state, state)
        # What the steps are made on; the network shows the weights that are to be evaluated.
        self._theta = mlp.parameters
        if optimizer.evaluates_elsewhere:
            before = mlp.parameters if state is None or state.point is None else state.point
            self._theta = self.state.point = before.copy()
        self._kernels = optimizer.kernels(mlp.dtype)
        self._batch_size = batch_size
        self.steps = -(-len(data.X) // batch_size)
        flops = 6 * mlp.n_parameters * batch_size
        crew = 1 if mlp.measures_batches else choose_threads(threads, flops)
        crew = min(crew, most or crew)
        self._pace = Pace(crew, fixed=threads is not None)
        decay = self.state.arrays.scales[::2, 1].copy()
        objective = objective_of(mlp, alpha, decay)
        self._work = mlp.training_workspace(batch_size, crew, objective, seed, self.state.t)
        self._nothing = minibatch.Data(*(array[:0] for array in data))
        self._order = np.empty(len(data.X), np.int64)
        self._gradient = aligned_zeros(mlp.n_parameters, mlp.dtype)
        self._good = mlp.parameters.copy()
        self._phased = phases.for_training(
            self.state.phased, self._theta, self._gradient, self._work, data, self.state.arrays,
            accumulates=False,
        )  # fmt: skip
        # Steps of the next call.
        self._most = max(1, int(_FIRST_CALL / (_STEP + flops / _FLOPS)))
        self._alone = minibatch.team()[0]
        self.record = np.empty((0, len(epoch.COLUMNS)))

    @property
    def epochs_at_once(self) -> int:
        """So many whole epochs fit into the next compiled call, at least one."""
        return max(1, self._most // self.steps)

    def run(
        self,
        epochs: int,
        orders: np.ndarray,
        rates: np.ndarray,
        moved: epoch.Moved,
        patience: epoch.Patience,
    ) -> np.ndarray:
        """Train for so many epochs, or until ``patience`` is over; return a row of
        ``epoch.COLUMNS`` for each.

        ``orders`` (epochs · n,) are the rows' orders, or empty: then that of the data.  ``rates``
        are the learning rates of the steps.  ``record`` has the rows of the finished epochs even
        if this is interrupted.

        Raises
        ------
        NotFinite
            If the loss, the gradient or a weight stops being finite.
        """
        self.record = np.empty((epochs, len(epoch.COLUMNS)))
        kind = ordering.GIVEN if orders.size else ordering.IN_ORDER
        sampling = ordering.Sampling(
            kind, 0, self._batch_size, self.steps, np.zeros(1, np.int64), orders, self.state.t
        )
        step, total = 0, epochs * self.steps
        done = 0
        try:
            while step < total:
                threads, count = self._pace.choose(min(self._most, total - step))
                part = slice(step, step + count)
                steps = epoch.Moved(moved.places, moved.values[part])
                before = time.perf_counter()
                reached = self._call(sampling, rates[part], steps, step, threads, patience)
                passed = time.perf_counter() - before
                self._pace.note(passed / count)
                fitting = int(_SECONDS_PER_CALL * count / max(passed, 1e-9))
                self._most = max(1, min(fitting, 16 * self._most))
                over = patience.seen.size > 0 and patience.seen[epoch.OVER] > 0.0
                if (reached < step + count and not over) or not self._is_finite():
                    self.mlp.parameters[:] = self._good
                    raise NotFinite
                step = reached
                done = step // self.steps
                if over:
                    break
        finally:
            self.state.t += step
            self.record = self.record[:done]
        return self.record

    def _is_finite(self) -> bool:
        theta = self._theta  # whose squares may overflow, which is looked into
        return isfinite(np.vdot(theta, theta)) or bool(np.isfinite(theta).all())

    def _call(
        self,
        sampling: ordering.Sampling,
        rates: np.ndarray,
        moved: epoch.Moved,
        first: int,
        threads: int,
        patience: epoch.Patience,
    ) -> int:
        def train(member: minibatch.Team) -> int:
            return epoch.train(
                self._theta, self.mlp.parameters, self._good, self._gradient, self._work,
                self.data, self._nothing, sampling, self._order, self.state.arrays,
                self._phased, self._kernels.advance, self._kernels.descend, rates, moved,
                first, first == 0, self.record, patience, member,
            )  # fmt: skip

        task = train if COMPILED else _silently(train)
        return task(self._alone) if threads == 1 else together(task, threads)


def _silently(train: Callable[[minibatch.Team], int]) -> Callable[[minibatch.Team], int]:
    """Compiled code does not warn, nor may its twin."""

    def task(member: minibatch.Team) -> int:
        with np.errstate(all="ignore"):
            return train(member)

    return task


def _copy_state(to: OptimizerState, source: OptimizerState) -> None:
    """Carry on with another fit's state; its hyperparameters may have changed since."""
    to.t = source.t
    to.arrays.slots[:] = source.arrays.slots
    to.arrays.carry[:] = source.arrays.carry
    to.phased.kept[:] = source.phased.kept
    to.phased.slow[:] = source.phased.slow


def same_shape(one: OptimizerState, optimizer: Optimizer, mlp: MLP) -> bool:
    """Whether ``one`` is a state that ``optimizer`` could carry on with."""
    return one.names == optimizer.variant.slots and one.size == mlp.n_parameters
