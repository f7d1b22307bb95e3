"""Train a model: epochs, validation, history, early stopping, Ctrl-C and divergence."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import phases, steps
from .course import Course
from .crew import Pace, choose_threads, together
from .history import History
from .inputs import check_choice, check_count, check_seed, no_data
from .kernels import epoch
from .kernels.losses import REGRESSION
from .kernels.memory import aligned_zeros
from .lbfgs import LBFGS
from .loader import MiniBatchLoader
from .matrix_optimizer import MatrixOptimizer
from .model import MLP
from .optimizer import Optimizer
from .schedule import Schedule, constant
from .schedule import get as get_schedule

# One compiled call lasts about this long: short enough for Ctrl-C and a progress bar, long enough
# for the way in and out (about 20 µs) not to count.
_SECONDS_PER_CALL = 0.05
# The first call, whose time is not known yet: its seconds, if the machine is a slow one.
_FIRST_CALL, _FLOPS, _STEP = 5e-3, 1e10, 1e-5

# Seconds of a step, and of its share of a validation, in the newest training of each kind: the next
# one of that kind is compiled, and needs no careful first call.  Of 20 short epochs those two calls
# were 2 %.
_paces: dict[tuple, float] = {}

Callback = Callable[[History], Any]


class DivergenceError(ArithmeticError):
    """The loss or the gradient stopped being finite.

    The model has the parameters from the start of epoch ``epoch`` (counted from 1), the last good
    ones; ``step`` is the step of the training (from 1) that failed, ``history`` the epochs before.
    An epoch that cannot begin because its first loss is not finite is a failure of the last step
    before it.
    """

    def __init__(self, optimizer: Optimizer, number: int, step: int, history: History) -> None:
        super().__init__(
            f"training diverged: loss or gradient is not finite in epoch {number}, step {step}, "
            f"with {optimizer!r}; the model keeps its weights from the start of that epoch. "
            "Try a smaller lr; mt.find_learning_rate suggests one"
        )
        self.optimizer, self.epoch, self.step, self.history = optimizer, number, step, history

    def __reduce__(self) -> tuple:
        return DivergenceError, (self.optimizer, self.epoch, self.step, self.history)


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when ``monitor`` has not improved by ``min_delta`` for ``patience`` epochs.

    The weights of the best epoch are restored.  ``monitor`` is validation_loss (less is better)
    or validation_accuracy (more is).
    """

    patience: int = 10
    min_delta: float = 0.0
    monitor: str = "validation_loss"

    def __post_init__(self) -> None:
        check_count("patience", self.patience)
        check_choice("monitor", self.monitor, ("validation_loss", "validation_accuracy"))
        if not 0 <= self.min_delta < np.inf:
            raise ValueError(f"min_delta: {self.min_delta}; accepted: finite, at least 0")


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
        self._run: _Run | None = None

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
            self.optimizer.replace(lr=rate, sam=None).step(theta, gradient, state)
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
            return self._fit_full_batch(train, check_count("epochs", epochs), validation, stopping)
        self._run = run = _Run(self, train, check_count("epochs", epochs), validation)
        best = _Best(stopping, self.model.parameters) if stopping else None
        per_epoch = best is not None or bool(self.callbacks) or bool(self.schedule.watches)
        stop_reason = "all epochs done"
        try:
            while not run.done:
                run.advance(per_epoch)
                if run.failed_at is not None:
                    self.model.parameters[:] = run.good
                    raise DivergenceError(
                        self.optimizer, run.epoch + 1, run.failed_at + 1, run.history()
                    )
                if not per_epoch or not run.at_epoch_end:
                    continue
                history = run.history()
                exhausted = best and best.exhausted(history, self.model.parameters)
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
            self.model.parameters[:] = best.parameters
            history.best_epoch = best.epoch
        return history

    def _fit_full_batch(
        self, train: Any, epochs: int, validation: Any, stopping: EarlyStopping | None
    ) -> History:
        """Of an optimizer that needs all rows for each of its iterations, which count as epochs."""
        model, optimizer = self.model, self.optimizer
        assert isinstance(optimizer, LBFGS)
        data = model.as_data(train)
        held_out = None if validation is None else model.as_data(validation)
        work, alone = model.workspace(min(len(data.X), 256)), epoch.team()[0]
        best = _Best(stopping, model.parameters) if stopping else None
        columns: dict[str, list[float]] = {
            name: [] for name in (*epoch.COLUMNS, "learning_rate", "seconds")
        }
        nan = float("nan")
        optimizer.compile(model, train)
        epoch.evaluate(model.parameters, work, data if held_out is None else held_out, alone)
        started, reason = time.perf_counter(), ""

        def history() -> History:
            arrays: dict[str, Any] = {name: np.array(found) for name, found in columns.items()}
            return History(**arrays, steps_per_epoch=1)

        def seen(loss: float, gradient: np.ndarray) -> bool:
            nonlocal reason
            if not np.isfinite(loss):
                raise DivergenceError(optimizer, len(columns["loss"]) + 1, 1, history())
            measured = epoch.evaluate(model.parameters, work, data, alone)
            unseen = (nan, nan)
            if held_out is not None:
                unseen = epoch.evaluate(model.parameters, work, held_out, alone)
            right, right_unseen = measured[1], unseen[1]
            if model.loss == "squared_error":
                right = right_unseen = nan
            row = (loss, right, np.linalg.norm(gradient), unseen[0], right_unseen)
            for name, value in zip(epoch.COLUMNS, row, strict=True):
                columns[name].append(float(value))
            columns["learning_rate"].append(optimizer.lr)
            columns["seconds"].append(time.perf_counter() - started)
            so_far = history()
            exhausted = best and best.exhausted(so_far, model.parameters)
            answers = [callback(so_far) for callback in self.callbacks]
            if best and exhausted:
                reason = f"no better {best.monitor} for {best.patience} epochs"
            elif any(answers):
                reason = "stopped by a callback"
            return bool(reason)

        try:
            with steps.one_thread():
                ended = optimizer.minimize(model, train, epochs, seen)
        except KeyboardInterrupt:
            ended = "interrupted"
        finished = history()
        finished.stop_reason = reason or ended
        if best and best.epoch is not None:
            model.parameters[:] = best.parameters
            finished.best_epoch = best.epoch
        return finished

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


class _Run:
    """The arrays of one training and how far it has come."""

    def __init__(self, trainer: Trainer, train: Any, epochs: int, validation: Any) -> None:
        model = trainer.model
        self._model = model
        self._data = model.as_data(train)
        self._validation = no_data(self._data) if validation is None else model.as_data(validation)
        loader = (
            train
            if isinstance(train, MiniBatchLoader)
            else MiniBatchLoader(
                self._data.X, _targets(self._data), trainer.batch_size, seed=trainer.seed
            )
        )
        self._sampling = _accumulating(loader, trainer.accumulate)
        self._steps = self._sampling.steps
        self._total = epochs * self._steps
        self._has_validation = validation is not None
        self._course = Course(
            trainer.schedule, trainer.optimizer, self._total, self._steps, self._measured()
        )
        optimizer = self._course.optimizer
        self._order = np.empty(len(self._data.X), np.int64)
        self._gradient = aligned_zeros(model.n_parameters, model.dtype)
        # What the steps are made on; the model shows the weights that are to be evaluated.
        self._theta = model.parameters
        if optimizer.evaluates_elsewhere:
            self._theta = aligned_zeros(model.n_parameters, model.dtype)
            self._theta[:] = model.parameters
        self._optimizer = optimizer
        self._state = optimizer.init(model.parameters, model.blocks)
        self._kernels = optimizer.kernels(model.dtype)
        flops = 6 * model.n_parameters * loader.batch_size
        threads = choose_threads(trainer.threads, flops)
        self._pace = Pace(threads, fixed=trainer.threads is not None)
        in_python = isinstance(optimizer, MatrixOptimizer)  # which takes all rows of a step at once
        rows = self._sampling.batch_size if in_python else loader.batch_size
        self._work = model.workspace(rows, threads)
        self._phased = phases.for_training(
            self._state.phased, self._theta, self._gradient, self._work, self._data,
            self._state.arrays, trainer.accumulate > 1,
        )  # fmt: skip
        self._record = np.full((epochs, len(epoch.COLUMNS)), np.nan)
        self._seconds = np.full(epochs, np.nan)
        self._nothing = np.full(epochs, np.nan)
        self._last_rates = np.full(epochs, np.nan)
        self.good = model.parameters.copy()
        self.failed_at: int | None = None
        self.step = 0
        self._fresh = True  # the kernels have not seen these parameters
        # Steps of the next call.
        self._alike = self._kind(rows, threads)
        if self._alike in _paces:
            self._most = max(1, int(_SECONDS_PER_CALL / _paces[self._alike]))
        else:
            self._call(0, 1)  # compiles, so that the clock sees training alone
            # As many as any machine makes in a few milliseconds, but no more than one validation.
            seconds = _STEP + flops / _FLOPS
            fitting = int(min(_FIRST_CALL, _SECONDS_PER_CALL) / seconds)
            self._most = max(1, min(fitting, self._steps))
        self._started = time.perf_counter()

    def _kind(self, rows: int, threads: int) -> tuple:
        """Equal for trainings whose steps run the same code and take about as long."""
        model, phased = self._model, self._phased
        return (
            model.sizes, model.activation, model.loss, model.dtype.char, rows, threads,
            self._sampling.batch_size, self._steps, len(self._validation.X), self._kernels,
            type(self._optimizer), phased.finish, phased.collect, phased.look, phased.sam > 0,
        )  # fmt: skip

    @property
    def done(self) -> bool:
        return self.step >= self._total

    @property
    def epoch(self) -> int:
        return self.step // self._steps

    @property
    def at_epoch_end(self) -> bool:
        return self.step % self._steps == 0

    def advance(self, per_epoch: bool) -> None:
        """Make as many steps as fit into one call; not past the end of an epoch if asked."""
        left = self._steps - self.step % self._steps if per_epoch else self._total - self.step
        threads, count = self._pace.choose(min(self._most, left))
        before = time.perf_counter()
        reached = self._call(count, threads)
        after = time.perf_counter()
        self._pace.note((after - before) / count)
        # No more than doubled if the call saw no end of an epoch: it knows nothing of how long a
        # validation takes, and the next call must not make a hundred of them.
        fitting = int(_SECONDS_PER_CALL * count / max(after - before, 1e-9))
        knows = (self.step + count) // self._steps > self.step // self._steps
        self._most = max(1, min(fitting, (32 if knows else 2) * self._most))
        if knows:
            if len(_paces) > 1000:
                _paces.clear()
            _paces[self._alike] = max(after - before, 1e-9) / count
        # What the last step did shows in the loss of the next one, if there is one.  The sum of
        # the parameters is finite if all are, and needs no array of their size.
        with np.errstate(all="ignore"):
            harmed = count == left and not np.isfinite(self._theta.sum(dtype=float))
        if reached < self.step + count or harmed:
            self.failed_at = min(reached, self.step + count - 1)
        begun = self.step
        self.step = reached if self.failed_at is None else self.failed_at
        # When the epochs ended that this call finished, as if all steps took equally long.
        finished = range(begun // self._steps, self.epoch)
        if finished:
            numbers = slice(finished.start, finished.stop)
            ends = (np.arange(finished.start, finished.stop) + 1) * self._steps
            shares = (ends - begun) / count
            self._seconds[numbers] = before + shares * (after - before) - self._started
            if self._course.listens:
                for number in finished:
                    self._course.note(dict(zip(epoch.COLUMNS, self._record[number], strict=True)))
            self._last_rates[numbers] = self._course.rates(ends - 1)

    def look_again(self) -> None:
        """To be called when others may have changed the parameters."""
        self._fresh = True

    def _call(self, count: int, threads: int) -> int:
        ahead = np.arange(self.step, self.step + count)
        rates, moved = self._course.rates(ahead), self._course.moved(ahead)
        if isinstance(self._optimizer, MatrixOptimizer):
            with steps.one_thread():
                return steps.train(
                    self._theta, self._model.parameters, self.good, self._gradient, self._work,
                    self._data, self._validation, self._sampling, self._order, self._optimizer,
                    self._state, rates, self.step, self._record,
                )  # fmt: skip

        self._state.t = self.step + count

        def train(member: epoch.Team) -> int:
            # Compiled code does not warn; without the JIT it must not either.
            with np.errstate(all="ignore"):
                return epoch.train(
                    self._theta, self._model.parameters, self.good, self._gradient, self._work,
                    self._data, self._validation, self._sampling, self._order,
                    self._state.arrays, self._phased, self._kernels.advance,
                    self._kernels.descend, rates, moved, self.step, self._fresh, self._record,
                    member,
                )  # fmt: skip

        reached = together(train, threads)
        self._fresh = count == 0
        return reached

    def place(self) -> tuple[np.ndarray, np.ndarray, Any]:
        """Copies of the parameters and of the optimizer's state, and the newest gradient."""
        state = copy.deepcopy(self._state)
        state.t = self.step
        return self._theta.copy(), self._gradient, state

    def _measured(self) -> list[str]:
        """The columns of the record that will hold numbers."""
        return [
            name
            for name in epoch.COLUMNS
            if (self._has_validation or not name.startswith("validation"))
            and not (self._model.loss in REGRESSION and name.endswith("accuracy"))
        ]

    def show(self) -> None:
        """Give the model the weights to be evaluated, in the middle of an epoch."""
        self._model.parameters[:] = self._optimizer.evaluated(self._theta, self._state)

    def history(self) -> History:
        """What the finished epochs measured, without a copy: callbacks get it every epoch."""
        n = self.epoch
        columns: dict[str, Any] = {
            name: self._record[:n, i] for i, name in enumerate(epoch.COLUMNS)
        }
        for name in columns.keys() - set(self._measured()):
            columns[name] = self._nothing[:n]
        return History(
            **columns,
            learning_rate=self._last_rates[:n],
            seconds=self._seconds[:n],
            steps_per_epoch=self._steps,
        )


class _Best:
    """The best epoch so far, and its weights."""

    def __init__(self, stopping: EarlyStopping, parameters: np.ndarray) -> None:
        self.monitor, self.patience = stopping.monitor, stopping.patience
        self._min_delta = stopping.min_delta
        self._sign = 1.0 if stopping.monitor == "validation_loss" else -1.0
        self._value = np.inf
        self.epoch: int | None = None
        self.parameters = parameters.copy()

    def exhausted(self, history: History, parameters: np.ndarray) -> bool:
        """Note the newest epoch; True if the last ``patience`` ones brought nothing better."""
        value = self._sign * getattr(history, self.monitor)[-1]
        if value < self._value - self._min_delta or self.epoch is None:
            self._value = np.inf if np.isnan(value) else value
            self.epoch = len(history)
            self.parameters[:] = parameters
        return len(history) - self.epoch >= self.patience


def _accumulating(loader: MiniBatchLoader, count: int) -> epoch.Sampling:
    """The loader's mini-batches, ``count`` of them to a step."""
    if count == 1:
        return loader.sampling  # as it is: the range test's epochs are shorter than its rows
    rows = min(loader.batch_size * count, len(loader.X))
    steps = len(loader.X) // rows if loader.drop_last else -(-len(loader.X) // rows)
    return loader.sampling._replace(batch_size=rows, steps=steps)


def _targets(data: epoch.Data) -> np.ndarray:
    return data.labels if len(data.labels) else data.targets
