"""Fitting by mini-batches: epochs in chunks between which Python has nothing to decide.

scikit-learn decides after every epoch.  Coming back to Python after every epoch of a tiny network
would cost more than the epoch, so the compiled loop counts those without improvement, and comes
back when they are too many, or after 50 ms.
"""

import time
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.exceptions import ConvergenceWarning

from ..course import Course
from ..kernels.epoch import GRADIENT_NORM, LOSS, Moved
from ..kernels.minibatch import Data
from ..schedule import get as get_schedule
from .callbacks import Hooks
from .engine import Engine, NotFinite, same_shape
from .network import Network
from .objective import Whole
from .randomness import Orders
from .solvers import LearningRate, make_optimizer
from .stopping import Patience, as_callbacks
from .targets import take
from .validation import make_scorer, split
from .warning import warn

_IN_ORDER = np.empty(0, np.int64)
_NOTHING_MOVED = Moved(np.empty(0, np.int64), np.empty((0, 0)))
_ORDERS = 1 << 17  # numbers of rows' orders that are drawn ahead: 1 MB


class Fit:
    """One call of ``fit`` or ``partial_fit`` with mini-batches."""

    def __init__(
        self,
        estimator: Any,
        network: Network,
        data: Data,
        y: Any,
        validation: tuple[Data, Any, Any] | None,
        random: np.random.RandomState,
        incremental: bool,
        hooks: Hooks,
    ) -> None:
        e = self._estimator = estimator
        self._began = time.perf_counter()
        self._network, self._hooks = network, hooks
        if e.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        if e.early_stopping and validation is None:
            data, validation = self._hold_out(data, y, random)
        self._score = make_scorer(e, network, *validation) if validation else None
        self.validation_rows = validation[0].X if validation else None
        self._held_out = Whole(network.mlp, validation[0], shown=True) if validation else None
        self._incremental = incremental
        self._orders = Orders(len(data.X), random) if e.shuffle else None

        batch_size = self._batch_size(len(data.X))
        steps = -(-len(data.X) // batch_size)
        optimizer = make_optimizer(e)
        self._course = None
        if e.schedule is not None:
            measured = ["loss", "gradient_norm"] + ["validation_loss"] * (validation is not None)
            schedule = get_schedule(e.schedule)
            self._course = Course(schedule, optimizer, e.max_iter * steps, steps, measured)
            optimizer = self._course.optimizer
        kept: Any = getattr(e, "_optimizer_state", None)
        keeps = (incremental or e.keep_optimizer) and kept and kept[0] == optimizer.name
        state = kept[1] if keeps and same_shape(kept[1], optimizer, network.mlp) else None
        self._rate = LearningRate(e, optimizer)
        self._same_rates = np.empty(0)
        if state is not None and e.learning_rate != "constant" and e.solver == "sgd":
            self._rate.value = kept[2]
        # Drawn only where it is needed, so that it disturbs no other numbers.
        seed = random.randint(1 << 31) if e.dropout else 0
        most = None if e.n_jobs is None else effective_n_jobs(e.n_jobs)
        self._engine = Engine(
            network.mlp, data, optimizer, batch_size, e.alpha, e.threads, most, state, seed
        )
        e._optimizer_state = (optimizer.name, self._engine.state, self._rate.value)
        self._optimizer = optimizer
        self._patience = Patience(e, network.mlp, bool(e.early_stopping))
        self._callbacks = as_callbacks(e.callbacks)
        self._every_epoch = bool(
            incremental
            or self._score
            or self._callbacks
            or hooks.active
            or e.verbose
            or e.max_time is not None
            or self._rate.changes_every_epoch
            or self._course is not None
        )

    def _hold_out(
        self, data: Data, y: Any, random: np.random.RandomState
    ) -> tuple[Data, tuple[Data, Any, Any]]:
        e = self._estimator
        encoded = data.labels if len(data.labels) else data.targets
        train, held_out = split(e, encoded, e.n_outputs_, random)
        weights = data.weights[held_out] if len(data.weights) else None
        wanted = y[held_out]
        return take(data, train), (take(data, held_out), wanted, weights)

    def _batch_size(self, n: int) -> int:
        given = self._estimator.batch_size
        if isinstance(given, str):
            return min(200, n)
        if given > n:
            warn(
                "Got `batch_size` less than 1 or larger than "
                "sample size. It is going to be clipped",
            )
        return int(np.clip(given, 1, n))

    def run(self) -> str:
        """Train, and return why it ended."""
        e = self._estimator
        e.n_iter_ = 0
        limit = 1 if self._incremental else e.max_iter
        reason = None
        try:
            while reason is None:
                reason = self._chunk(limit)
        except NotFinite:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may"
                " contain large values and need to be preprocessed."
            ) from None
        except KeyboardInterrupt:
            self._absorb()
            warn("Training interrupted by user.")
            reason = "interrupted"
        finally:
            # One that is the user's own; that of a seed ends with this fit.
            if self._orders and type(e.random_state) is not int:
                self._orders.take_back()
        self._patience.restore()
        e._optimizer_state = (self._optimizer.name, self._engine.state, self._rate.value)
        return reason

    def _chunk(self, limit: int) -> str | None:
        e, engine = self._estimator, self._engine
        n = len(engine.data.X)
        epochs = 1 if self._every_epoch else engine.epochs_at_once
        epochs = min(epochs, limit - e.n_iter_, max(1, _ORDERS // n))
        self._hooks.begin_epoch()
        # In the attribute before it runs, so that what is done is not lost to Ctrl-C.
        engine.record = engine.record[:0]
        rates, moved = self._rates(epochs)
        self._last_rates = rates[engine.steps - 1 :: engine.steps]
        orders = self._orders.draw(epochs) if self._orders else _IN_ORDER
        engine.run(epochs, orders, rates, moved, self._patience.limits)
        self._absorb()
        return self._decide(limit)

    def _rates(self, epochs: int) -> tuple[np.ndarray, Moved]:
        """Learning rates of the next steps, and what else the schedule moves."""
        count = epochs * self._engine.steps
        if self._course is None:
            if self._same_rates.shape != (count,) or self._same_rates[0] != self._rate.value:
                self._same_rates = np.full(count, self._rate.value)
            return self._same_rates, _NOTHING_MOVED
        steps = np.arange(count) + self._estimator.n_iter_ * self._engine.steps
        factor = self._rate.value / self._optimizer.lr
        return self._course.rates(steps) * factor, self._course.moved(steps)

    def _absorb(self) -> None:
        """Take over what the finished epochs of the last chunk measured."""
        e, record = self._estimator, self._engine.record
        count, history = len(record), e.history_
        if not count:  # interrupted before its first epoch was over
            return
        if self._orders:
            self._orders.use(count)
        began = history["seconds"][-1] if e.n_iter_ else 0.0
        e.n_iter_ += count
        e.t_ += count * len(self._engine.data.X)
        e.loss_curve_ += list(record[:, LOSS])  # NumPy's numbers, as scikit-learn's
        e.loss_ = e.loss_curve_[-1]
        history["loss"] += record[:, LOSS].tolist()
        history["learning_rate"] += self._last_rates[:count].tolist()
        history["gradient_norm"] += record[:, GRADIENT_NORM].tolist()
        # What is to be said or measured after each epoch comes in chunks of one.
        if e.verbose:
            print(f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")
        if self._score is not None:
            self._note_score(history)
        self._patience.note()
        if self._course is not None:
            self._course.note({name: values[-1] for name, values in history.items() if values})
        now = time.perf_counter() - self._began
        history["seconds"] += [began + (k + 1) / count * (now - began) for k in range(count)]
        self._engine.record = record[:0]

    def _note_score(self, history: dict[str, list]) -> None:
        e = self._estimator
        assert self._score is not None
        assert self._held_out is not None
        score = self._score()
        if e.validation_scores_ is None:
            e.validation_scores_ = []
        e.validation_scores_.append(score)
        history.setdefault("validation_score", []).append(score)
        history.setdefault("validation_loss", []).append(self._held_out.loss())
        if e.verbose:
            print(f"Validation score: {score:f}")

    def _decide(self, limit: int) -> str | None:
        e = self._estimator
        before = self._rate.value
        self._rate.after_epoch(e.t_)
        reason = None
        if self._patience.is_over:
            stops, what = self._rate.give_up()
            if e.verbose:
                print(self._patience.message + what)
            if stops:
                reason = "converged: " + self._patience.message
            else:
                self._patience.begin_anew()
        if self._rate.value != before:
            # scikit-learn's velocity has the rate in it, ours has not.
            slots = self._engine.state.arrays.slots
            slots *= before / self._rate.value
        asked = [bool(callback(e)) for callback in self._callbacks]  # all are called
        asked.append(self._hooks.end_epoch())
        if reason:
            return reason
        if any(asked):
            return "stopped by a callback"
        if self._incremental:
            return "one epoch of partial_fit"
        if e.max_time is not None and time.perf_counter() - self._began >= e.max_time:
            return f"max_time={e.max_time:g} seconds are over"
        if e.n_iter_ == limit:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({limit}) "
                "reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
            )
            return f"max_iter={limit} epochs are over"
        return None
