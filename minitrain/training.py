"""One training by mini-batches: its arrays, how far it has come, and its compiled calls."""

import copy
import time
from typing import Any

import numpy as np

from . import phases, steps
from .course import Course
from .crew import Pace, choose_threads, together
from .history import History
from .inputs import no_data
from .kernels import epoch, evaluation, minibatch, ordering
from .kernels.losses import REGRESSION
from .kernels.memory import aligned_zeros
from .loader import MiniBatchLoader
from .matrix_optimizer import MatrixOptimizer
from .model import MLP
from .optimizer import Optimizer
from .schedule import Schedule

# One compiled call lasts about this long: short enough for Ctrl-C and a progress bar, long enough
# for the way in and out (about 20 µs) not to count.
_SECONDS_PER_CALL = 0.05
# The first call, whose time is not known yet: its seconds, if the machine is a slow one.
_FIRST_CALL, _FLOPS, _STEP = 5e-3, 1e10, 1e-5

# Seconds of a step, and of its share of a validation, in the newest training of each kind: the next
# one of that kind is compiled, and needs no careful first call.  Of 20 short epochs those two calls
# were 2 %.
_paces: dict[tuple, float] = {}


class Training:
    """The arrays of one training and how far it has come."""

    def __init__(
        self,
        model: MLP,
        optimizer: Optimizer,
        schedule: Schedule,
        train: Any,
        validation: Any,
        epochs: int,
        *,
        batch_size: int,
        seed: int,
        threads: int | None,
        accumulate: int,
    ) -> None:
        self._model = model
        self._data = model.as_data(train)
        self._validation = no_data(self._data) if validation is None else model.as_data(validation)
        # Training sees another network, or other labels, than validation: that has to be done
        # between the compiled calls, with a workspace of its own.
        self._apart = None
        if len(self._validation.X) and model.trains_another_network:
            rows = min(len(self._validation.X), 256)
            self._apart = model.workspace(rows), self._validation
            self._validation = no_data(self._data)
        self.looks_after_each_epoch = self._apart is not None or model.measures_batches
        loader = (
            train
            if isinstance(train, MiniBatchLoader)
            else MiniBatchLoader(self._data.X, _targets(self._data), batch_size, seed=seed)
        )
        self._sampling = _accumulating(loader, accumulate)
        self._steps = self._sampling.steps
        self._total = epochs * self._steps
        # The columns of the record that will hold numbers.
        self._measured = [
            name
            for name in epoch.COLUMNS
            if (validation is not None or not name.startswith("validation"))
            and not (model.loss in REGRESSION and name.endswith("accuracy"))
        ]
        self._course = Course(schedule, optimizer, self._total, self._steps, self._measured)
        optimizer = self._course.optimizer
        if model.measures_batches and optimizer.evaluates_elsewhere:
            # What was measured of batches would belong to other weights than those averaged.
            raise ValueError(
                f"optimizer: {optimizer!r} averages weights; accepted with normalization='batch': "
                "one that does not"
            )
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
        crew = 1 if model.measures_batches else choose_threads(threads, flops)
        self._pace = Pace(crew, fixed=threads is not None)
        in_python = isinstance(optimizer, MatrixOptimizer)  # which takes all rows of a step at once
        rows = self._sampling.batch_size if in_python else loader.batch_size
        self._work = model.training_workspace(rows, crew, seed=seed)
        self._phased = phases.for_training(
            self._state.phased, self._theta, self._gradient, self._work, self._data,
            self._state.arrays, accumulate > 1,
        )  # fmt: skip
        self._record = np.full((epochs, len(epoch.COLUMNS)), np.nan)
        self._seconds = np.full(epochs, np.nan)
        self._nothing = np.full(epochs, np.nan)
        self._last_rates = np.full(epochs, np.nan)
        self.good, self.good_running = model.parameters.copy(), model.running.copy()
        self.failed_at: int | None = None
        self.step = 0
        self._fresh = True  # the kernels have not seen these parameters
        # Steps of the next call.
        self._alike = self._kind(rows, crew)
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
            model.normalization, model.dropout > 0, model.label_smoothing > 0,
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
        if self.looks_after_each_epoch and self.at_epoch_end and self.failed_at is None:
            self._look()
        # When the epochs ended that this call finished, as if all steps took equally long.
        finished = range(begun // self._steps, self.epoch)
        if finished:
            numbers = slice(finished.start, finished.stop)
            ends = self._steps * np.arange(finished.start + 1, finished.stop + 1)
            each = (after - before) / count
            self._seconds[numbers] = (ends - begun) * each + (before - self._started)
            if self._course.listens:
                for number in finished:
                    self._course.note(dict(zip(epoch.COLUMNS, self._record[number], strict=True)))
            self._last_rates[numbers] = self._course.rates(ends - 1)

    def _look(self) -> None:
        """What the kernel does not do after an epoch: keep the good statistics, and validate."""
        self.good_running[:] = self._model.running
        if self._apart is not None:
            work, data = self._apart
            places = [epoch.VALIDATION_LOSS, epoch.VALIDATION_ACCURACY]
            with np.errstate(all="ignore"):
                found = evaluation.evaluate(self._model.parameters, work, data, minibatch.team()[0])
            self._record[self.epoch - 1, places] = found

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

        def train(member: minibatch.Team) -> int:
            # Compiled code does not warn; without the JIT it must not either.
            with np.errstate(all="ignore"):
                return epoch.train(
                    self._theta, self._model.parameters, self.good, self._gradient, self._work,
                    self._data, self._validation, self._sampling, self._order,
                    self._state.arrays, self._phased, self._kernels.advance,
                    self._kernels.descend, rates, moved, self.step, self._fresh, self._record,
                    epoch.ENDLESS, member,
                )  # fmt: skip

        reached = together(train, threads)
        self._fresh = count == 0
        return reached

    def place(self) -> tuple[np.ndarray, np.ndarray, Any]:
        """Copies of the parameters and of the optimizer's state, and the newest gradient."""
        state = copy.deepcopy(self._state)
        state.t = self.step
        return self._theta.copy(), self._gradient, state

    def show(self) -> None:
        """Give the model the weights to be evaluated, in the middle of an epoch."""
        self._model.parameters[:] = self._optimizer.evaluated(self._theta, self._state)

    def history(self) -> History:
        """What the finished epochs measured, without a copy: callbacks get it every epoch."""
        n = self.epoch
        columns: dict[str, Any] = {
            name: self._record[:n, i] if name in self._measured else self._nothing[:n]
            for i, name in enumerate(epoch.COLUMNS)
        }
        return History(
            **columns,
            learning_rate=self._last_rates[:n],
            seconds=self._seconds[:n],
            steps_per_epoch=self._steps,
        )


def _accumulating(loader: MiniBatchLoader, count: int) -> ordering.Sampling:
    """The loader's mini-batches, ``count`` of them to a step."""
    if count == 1:
        return loader.sampling  # as it is: the range test's epochs are shorter than its rows
    rows = min(loader.batch_size * count, len(loader.X))
    steps = len(loader.X) // rows if loader.drop_last else -(-len(loader.X) // rows)
    return loader.sampling._replace(batch_size=rows, steps=steps)


def _targets(data: minibatch.Data) -> np.ndarray:
    return data.labels if len(data.labels) else data.targets
