"""Train a model: epochs, validation, history, early stopping, Ctrl-C and divergence."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .full_batch import fit_full_batch
from .history import History
from .inputs import check_count, check_seed
from .kernels.losses import REGRESSION
from .lbfgs import LBFGS
from .model import MLP
from .optimizer import Optimizer
from .schedule import Schedule, constant
from .schedule import get as get_schedule
from .stopping import Best, DivergenceError, EarlyStopping
from .training import Training

Callback = Callable[[History], Any]

__all__ = ["DivergenceError", "EarlyStopping", "Trainer"]


class Trainer:
    """Train ``model`` with ``optimizer`` on mini-batches.

    Parameters
    ----------
    model, optimizer
        The model is trained in place; the optimizer is only read.
    batch_size, seed
        Of the mini-batches, where :meth:`fit` is not given a loader.
    schedule
        Learning rate over time, as a factor of the optimizer's: one of :mod:`minitrain.schedule`,
        its text ("cosine(warmup=0.1)"), or a function of (steps, total).
    callbacks
        Called with the history after every epoch; a true return value ends the training.
    threads
        How many share the work of a step; None: as many as pay.  The result is the same.
    accumulate
        Mini-batches whose gradients make one step: their mean over all rows.  Rates, schedules
        and the history count such steps.
    """

    def __init__(
        self,
        model: MLP,
        optimizer: Optimizer,
        batch_size: int = 32,
        seed: int = 0,
        schedule: Schedule | str | Callable = constant,
        callbacks: Sequence[Callback] = (),
        threads: int | None = None,
        accumulate: int = 1,
    ) -> None:
        if not isinstance(model, MLP):
            raise TypeError(f"model: {type(model).__name__}; accepted: an MLP")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"optimizer: {optimizer!r}; accepted: an Optimizer such as mt.optimizers.Adam()"
            )
        self.model, self.optimizer, self.schedule = model, optimizer, get_schedule(schedule)
        self.batch_size, self.seed = check_count("batch_size", batch_size), check_seed(seed)
        self.callbacks = tuple(callbacks)
        self.threads = threads
        self.accumulate = check_count("accumulate", accumulate)
        self._run: Training | None = None

    def update_ratio(self) -> float:
        """‖step‖ / ‖weights‖ for the step that the newest gradient would make; nan before any.

        About 1e-3 is usual.  Callbacks may ask for it; it takes as long as a step of the optimizer.
        """
        run = self._run
        if run is None or not run.step:
            return float("nan")
        theta, gradient, state = run.place()
        before, rates = theta.astype(float), run.history().learning_rate
        rate = float(rates[-1]) if len(rates) else self.optimizer.lr
        with np.errstate(all="ignore"):  # about to diverge; the training itself will say so
            # SAM's gradient is the one at the place it looked at: what is left is a plain step.
            # And the state's own optimizer may have a momentum that the schedule asked for.
            state.maker.replace(lr=rate, sam=None).step(theta, gradient, state)
            return float(np.linalg.norm(theta - before) / np.linalg.norm(before))

    def fit(
        self,
        train: Any,
        epochs: int = 20,
        validation: Any = None,
        early_stopping: EarlyStopping | int | None = None,
    ) -> History:
        """Train for ``epochs`` epochs and return the history.

        ``train`` and ``validation`` are a Dataset or an (X, y) pair, ``train`` may be a loader.
        ``early_stopping`` may be given as its patience alone.

        Ctrl-C ends the training, keeps what was learned and says so in ``stop_reason``.

        Raises
        ------
        DivergenceError
            If the loss stops being finite; the model then has its last good weights.
        ValueError, TypeError
            If data and network do not fit together.
        """
        stopping = (
            EarlyStopping(early_stopping)
            if isinstance(early_stopping, (int, np.integer))
            else early_stopping
        )
        if stopping is not None:
            self._check_stopping(stopping, validation)
        if isinstance(self.optimizer, LBFGS):
            if self.schedule != constant:
                raise ValueError(
                    f"schedule: {self.schedule!r}; accepted with lbfgs: constant, since a line "
                    "search finds the length of each step"
                )
            return fit_full_batch(
                self.model, self.optimizer, train, validation, check_count("epochs", epochs),
                stopping, self.callbacks,
            )  # fmt: skip
        self._run = run = Training(
            self.model, self.optimizer, self.schedule, train, validation,
            check_count("epochs", epochs), batch_size=self.batch_size, seed=self.seed,
            threads=self.threads, accumulate=self.accumulate,
        )  # fmt: skip
        best = Best(stopping, self.model) if stopping else None
        per_epoch = best is not None or bool(self.callbacks) or bool(self.schedule.watches)
        per_epoch |= run.looks_after_each_epoch
        stop_reason = "all epochs done"
        try:
            while not run.done:
                run.advance(per_epoch)
                if run.failed_at is not None:
                    self.model.parameters[:], self.model.running[:] = run.good, run.good_running
                    raise DivergenceError(
                        self.optimizer, run.epoch + 1, run.failed_at + 1, run.history()
                    )
                if not per_epoch or not run.at_epoch_end:
                    continue
                history = run.history()
                exhausted = best and best.exhausted(history)
                answers = [callback(history) for callback in self.callbacks]  # all are called
                run.look_again()
                if best and exhausted:
                    stop_reason = f"no better {best.monitor} for {best.patience} epochs"
                    break
                if any(answers):
                    stop_reason = "stopped by a callback"
                    break
        except KeyboardInterrupt:
            stop_reason = "interrupted"
            run.show()
        history = run.history()
        history.stop_reason = stop_reason
        if best and best.epoch is not None:
            best.restore()
            history.best_epoch = best.epoch
        return history

    def _check_stopping(self, stopping: Any, validation: Any) -> None:
        if not isinstance(stopping, EarlyStopping):
            raise TypeError(
                f"early_stopping: {stopping!r}; accepted: an EarlyStopping or its patience"
            )
        if validation is None:
            raise ValueError("early_stopping: needs validation=… to see when to stop")
        if stopping.monitor == "validation_accuracy" and self.model.loss in REGRESSION:
            raise ValueError(
                f"monitor: {self.model.loss} has no validation_accuracy; accepted: validation_loss"
            )
