"""One training of a study, with little around the compiled calls that could be shared.

What all trainings on a data set with one seed have in common (split, initial weights, order) is
made once; a network belongs to a thread.  A tuning run has no way to the test part, because what
it is given does not hold it.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from .. import datasets as _datasets
from ..kernels import evaluation, minibatch
from ..kernels.between import CLOCK
from ..kernels.layers import Workspace
from ..kernels.minibatch import Data
from ..kernels.objective import PLAIN, Objective
from ..loader import MiniBatchLoader
from ..model import MLP
from ..trainer import DivergenceError, Trainer
from .plan import Budget, Task, gradients_per_step
from .records import CURVES, Run

_LONG = 0.2  # seconds from which a training is asked whether to stop
_STEP_OVERHEAD, _FLOPS = 2e-6, 5e10  # for estimates of cost alone
_KEPT_BYTES = 256e6  # of prepared data
_ROWS = 256  # that pass through a network at a time, as in ``MLP.evaluate``: it decides the bits
_SCORES = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")


@dataclass(frozen=True)
class Source:
    """Where a worker gets a data set from: by its name if it is a registered one, else as it is.

    What is registered is not sent but made by the worker, and must have the same checksum.  What is
    not may have been sent before (``received``).
    """

    name: str
    checksum: str
    data: Any
    is_registered: bool = False

    @classmethod
    def of(cls, data: Any) -> "Source":
        registered = data.name in _datasets.names()
        same = registered and _checksum(data.name) == data.checksum
        return cls(data.name, data.checksum, None if same else data, same)

    @property
    def is_here(self) -> bool:
        return self.is_registered or self.data is not None or self.checksum in received

    def load(self) -> Any:
        if self.is_registered:
            return _load(self.name, self.checksum)
        return self.data if self.data is not None else received[self.checksum]


@lru_cache(maxsize=64)
def _checksum(name: str) -> str:
    return str(_datasets.load(name).checksum)


received: dict[str, Any] = {}  # data sets that were sent to this process, by their checksums


@lru_cache(maxsize=64)
def _load(name: str, checksum: str) -> Any:
    data = _datasets.load(name)
    if data.checksum != checksum:
        raise RuntimeError(
            f"the data set {name} is another one on this worker (checksum {data.checksum[:12]}, "
            f"not {checksum[:12]}): its minitrain or scikit-learn has another version"
        )
    return data


@dataclass(frozen=True)
class Workload:
    """What is the same in all trainings of a study; goes to the workers."""

    sources: dict[str, Source]
    layers: tuple[int, ...]
    batch_size: int
    budget: Budget
    schedules: dict[str, Any]
    paces: dict[tuple[str, str], float]  # (data set, optimizer) -> seconds per step, if needed

    def cost(self, task: Task) -> float:
        """Expected seconds of a training, for cutting work into portions."""
        data = self.sources[task.config.dataset].load()
        per_epoch = -(-int(0.6 * data.n_rows) // self.batch_size)
        steps = self.epochs(task, per_epoch) * per_epoch
        sizes = [data.n_features, *self.layers, data.n_classes]
        return steps * self.step_cost(sizes) * gradients_per_step(task.config.optimizer)

    def step_cost(self, sizes: Sequence[int]) -> float:
        """Expected seconds of a gradient evaluation of a network of these sizes."""
        flops = 6 * self.batch_size * sum(i * o for i, o in pairwise(sizes))
        return _STEP_OVERHEAD + flops / _FLOPS

    def epochs(self, task: Task, per_epoch: int) -> int:
        pace = self.paces.get((task.config.dataset, task.config.label))
        return self.budget.epochs(per_epoch, pace, gradients_per_step(task.config.optimizer))


class Bench:
    """What all trainings on a data set with a seed have in common.

    ``test`` is None for a search: who tunes is not given it.
    """

    def __init__(self, workload: Workload, name: str, seed: int, is_final: bool) -> None:
        data = workload.sources[name].load()
        train, validation, test = data.split(seed=seed)
        self.sizes = (data.n_features, *workload.layers, data.n_classes)
        self.step_cost = workload.step_cost(self.sizes)
        model = _Network(self.sizes, seed=seed)
        self.parameters = model.parameters.copy()
        self.loader = _Loader(train.X, train.y, workload.batch_size, seed=seed)
        self.loader.data = model.as_data(train)
        self.validation = model.as_data(validation)
        self.test = model.as_data(test) if is_final else None
        self.initial_loss, _ = model.measure(self.loader.data)

    @property
    def bytes(self) -> int:
        return self.loader.X.nbytes + self.validation.X.nbytes + self.parameters.nbytes


class _Loader(MiniBatchLoader):
    """Mini-batches with the rows as the kernels take them."""

    data: Data


class _Network(MLP):
    """A thread's network for one training after the other.

    It takes data that were checked before as they are, and keeps the room for a mini-batch: to
    check and to make them anew is 3 % of a short training.
    """

    def as_data(self, pair: Any) -> Data:
        if isinstance(pair, _Loader):
            return pair.data
        return pair if isinstance(pair, Data) else super().as_data(pair)

    def workspace(self, rows: int, threads: int = 1, objective: Objective = PLAIN) -> Workspace:
        if objective is not PLAIN:
            return super().workspace(rows, threads, objective)
        rooms: dict[tuple[int, int], Workspace] = self.__dict__.setdefault("_rooms", {})
        if (rows, threads) not in rooms:
            rooms[rows, threads] = super().workspace(rows, threads)
        return rooms[rows, threads]

    def training_workspace(
        self,
        rows: int,
        threads: int = 1,
        objective: Objective = PLAIN,
        seed: int = 0,
        step: int = 0,
    ) -> Workspace:
        """As a new one: nothing of the training before is left, such as what is not finite."""
        work = self.workspace(rows, threads, objective)
        for room in (work.numbers, work.labels, work.targets, work.loss, work.right, work.scratch):
            room.fill(0)
        work.plan[-1, CLOCK] = step
        return work

    def measure(self, data: Data) -> tuple[float, float]:
        """Mean loss and accuracy, as ``evaluate`` finds them."""
        loss, accuracy = evaluation.evaluate(
            self.parameters, self.workspace(min(len(data.X), _ROWS)), data, minibatch.team()[0]
        )
        return float(loss), float(accuracy)


def _thread_time() -> float:
    """Seconds that this thread computed, where the system counts them finely enough.

    Trainings share the cores with others: who had to wait for one did not become slower by it.
    """
    return time.thread_time() if _COUNTS_FINELY else time.perf_counter()


_COUNTS_FINELY = time.get_clock_info("thread_time").resolution < 1e-6
_own = threading.local()
_benches: "OrderedDict[tuple, Bench]" = OrderedDict()
_lock = threading.Lock()


def _model(bench: Bench) -> _Network:
    """This thread's network of that shape, with the initial weights of the bench."""
    models = _own.__dict__.setdefault("models", {})
    if bench.sizes not in models:
        if len(models) > 16:
            models.clear()
        models[bench.sizes] = _Network(bench.sizes)
    model: _Network = models[bench.sizes]
    model.parameters[:] = bench.parameters
    return model


def _bench(workload: Workload, name: str, seed: int, is_final: bool) -> Bench:
    """From the newest 256 MB of prepared data, or made."""
    checksum = workload.sources[name].checksum
    key = (checksum, seed, is_final, workload.layers, workload.batch_size)
    with _lock:
        if key in _benches:
            _benches.move_to_end(key)
            return _benches[key]
    made = Bench(workload, name, seed, is_final)
    with _lock:
        _benches[key] = made
        while len(_benches) > 1 and sum(b.bytes for b in _benches.values()) > _KEPT_BYTES:
            _benches.popitem(last=False)
    return made


def run_batch(
    workload: Workload, tasks: Sequence[Task], stop: Callable[[], bool] = lambda: False
) -> list[Run]:
    """Train them one after the other; what raises is a run that crashed.

    Ends early, with the runs so far, when ``stop()`` says so.
    """
    runs = []
    for task in tasks:
        if stop():
            break
        try:
            run = train(workload, task, stop)
        except Exception as error:
            run = Run.crashed(task, f"{type(error).__name__}: {error}")
        if run is None:
            break
        runs.append(run)
    return runs


def train(workload: Workload, task: Task, stop: Callable[[], bool] = lambda: False) -> Run | None:
    """One training; None if it was stopped in the middle."""
    config = task.config
    bench = _bench(workload, config.dataset, task.seed, task.stage == "final")
    model = _model(bench)
    steps = len(bench.loader)
    epochs = workload.epochs(task, steps)
    gradients = gradients_per_step(config.optimizer)
    trainer = Trainer(
        model,
        config.optimizer,
        schedule=workload.schedules[config.schedule],
        # Asking costs a call of compiled code per epoch: too much for short trainings.
        callbacks=[lambda _: stop()]
        if epochs * steps * gradients * bench.step_cost > _LONG
        else (),
        threads=1,
    )
    reason, final = "", {}
    began = _thread_time()
    try:
        history = trainer.fit(bench.loader, epochs, bench.validation)
        steps *= len(history)
    except DivergenceError as error:
        history, steps, reason = error.history, error.step, "diverged: not finite"
    computing = _thread_time() - began
    if not reason:
        if len(history) < epochs:
            return None
        if not history.loss[-1] <= bench.initial_loss:
            reason = "diverged: above its initial loss"
    if not reason:
        final["validation_loss"] = history.validation_loss[-1]
        final["validation_accuracy"] = history.validation_accuracy[-1]
        if bench.test is not None:  # training and choice are over
            final["test_loss"], final["test_accuracy"] = model.measure(bench.test)
    return Run.finished(
        task,
        steps=steps,
        gradient_evaluations=steps * gradients,
        seconds=min(history.seconds[-1], computing) if len(history) else 0.0,
        failed=bool(reason),
        reason=reason,
        steps_per_epoch=len(bench.loader),
        initial_loss=bench.initial_loss,
        curves=np.array([getattr(history, name) for name in CURVES]).T,
        **{name: final.get(name, np.nan) for name in _SCORES},
    )
