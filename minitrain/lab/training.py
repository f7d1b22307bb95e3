"""One training of a study, with nothing around the compiled call that could be shared.

What all trainings on a data set with one seed have in common (split, initial weights, order) is
made once; buffers belong to a thread.  The test part is a room of its own: a tuning run has no way
to it, because what it is given does not hold it.
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
from ..kernels import epoch
from ..kernels.memory import aligned_zeros
from ..loader import MiniBatchLoader
from ..model import MLP
from .plan import Budget, Task, read_schedule
from .records import Run

_SECONDS_PER_CALL = 0.1  # of compiled code, between two looks at whether to stop
_STEP_OVERHEAD, _FLOPS = 2e-6, 5e10  # for estimates of cost alone
_KEPT_BYTES = 256e6  # of prepared data


@dataclass(frozen=True)
class Source:
    """Where a worker gets a data set from: by its name if it is a registered one, else as it is.

    What is registered is not sent but made by the worker, and must have the same checksum.
    """

    name: str
    checksum: str
    data: Any

    @classmethod
    def of(cls, data: Any) -> "Source":
        registered = data.name in _datasets.names()
        same = registered and _datasets.load(data.name).checksum == data.checksum
        return cls(data.name, data.checksum, None if same else data)

    def load(self) -> Any:
        return self.data if self.data is not None else _load(self.name, self.checksum)


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
        steps = self.steps(task, per_epoch)
        sizes = [data.n_features, *self.layers, data.n_classes]
        flops = 6 * self.batch_size * sum(i * o for i, o in pairwise(sizes))
        return steps * (_STEP_OVERHEAD + flops / _FLOPS)

    def steps(self, task: Task, per_epoch: int) -> int:
        pace = self.paces.get((task.config.dataset, task.config.label))
        return self.budget.steps(per_epoch, pace)


class Bench:
    """Training and validation part, network and order of a data set with a seed; never the test."""

    def __init__(self, workload: Workload, name: str, seed: int) -> None:
        data = workload.sources[name].load()
        train, validation, _ = data.split(seed=seed)
        model = MLP([data.n_features, *workload.layers, data.n_classes], seed=seed)
        self.model, self.parameters = model, model.parameters.copy()
        self.train, self.validation = model.as_data(train), model.as_data(validation)
        loader = MiniBatchLoader(
            self.train.X, self.train.labels, workload.batch_size, shuffle=True, seed=seed
        )
        self.sampling, self.per_epoch = loader.sampling, len(loader)
        scratch = _scratch(model, loader.batch_size, len(self.train.X))
        self.initial_loss, _ = epoch.evaluate(
            self.parameters, scratch.work, self.train, epoch.team()[0]
        )

    @property
    def bytes(self) -> int:
        return self.train.X.nbytes + self.validation.X.nbytes + self.parameters.nbytes


class _Scratch:
    """Buffers of one thread for networks of one shape."""

    def __init__(self, model: MLP, batch_size: int) -> None:
        self.work = model.workspace(batch_size)
        self.theta = aligned_zeros(model.n_parameters, model.dtype)
        self.good, self.gradient = np.empty_like(self.theta), self.theta.copy()
        self.gradient = aligned_zeros(model.n_parameters, model.dtype)
        self.order = np.empty(0, np.int64)


_own = threading.local()
_benches: "OrderedDict[tuple, Bench]" = OrderedDict()
_lock = threading.Lock()


def _scratch(model: MLP, batch_size: int, rows: int) -> _Scratch:
    made = _own.__dict__.setdefault("made", {})
    key = (model.sizes, batch_size)
    if key not in made:
        if len(made) > 16:
            made.clear()
        made[key] = _Scratch(model, batch_size)
    if made[key].order.size != rows:
        made[key].order = np.empty(rows, np.int64)
    return made[key]


def _bench(workload: Workload, name: str, seed: int) -> Bench:
    """From the newest 256 MB of prepared data, or made."""
    key = (workload.sources[name].checksum, seed, workload.layers, workload.batch_size)
    with _lock:
        if key in _benches:
            _benches.move_to_end(key)
            return _benches[key]
    made = Bench(workload, name, seed)
    with _lock:
        _benches[key] = made
        while len(_benches) > 1 and sum(b.bytes for b in _benches.values()) > _KEPT_BYTES:
            _benches.popitem(last=False)
    return made


@lru_cache(maxsize=256)
def _factors(schedule: Any, steps: int) -> np.ndarray:
    """Factors of the learning rate; (steps,)."""
    function = schedule if callable(schedule) else read_schedule(schedule)
    factors = np.asarray(function(np.arange(steps), steps), float)
    if factors.shape != (steps,) or not (factors >= 0).all() or np.inf in factors:
        raise ValueError(f"schedules: {schedule!r} gives something else than one factor per step")
    return factors


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
    bench = _bench(workload, config.dataset, task.seed)
    model, optimizer = bench.model, config.optimizer
    rows = bench.sampling.batch_size
    scratch = _scratch(model, rows, len(bench.train.X))
    steps = workload.steps(task, bench.per_epoch)
    theta = scratch.theta
    theta[:] = bench.parameters
    state = optimizer.init(theta, model.blocks)
    kernels = optimizer.kernels(model.dtype)
    record = np.full((-(-steps // bench.per_epoch), len(epoch.COLUMNS)), np.nan)
    rates = optimizer.lr * _factors(workload.schedules[config.schedule], steps)
    member = epoch.team()[0]
    most = max(1, int(_SECONDS_PER_CALL * steps / max(workload.cost(task), 1e-9)))
    done, failed, seconds = 0, False, 0.0
    while done < steps and not failed:
        if stop():
            return None
        count = min(most, steps - done)
        before = time.perf_counter()
        with np.errstate(all="ignore"):  # compiled code does not warn; without the JIT neither
            reached = epoch.train(
                theta, scratch.good, scratch.gradient, scratch.work, bench.train,
                bench.validation, bench.sampling, scratch.order, state.arrays, kernels.advance,
                kernels.descend, rates[done : done + count], done, record, member,
            )  # fmt: skip
        seconds += time.perf_counter() - before
        failed = reached < done + count or not np.isfinite(theta).all()
        done = min(reached, done + count)
    reason = "diverged: not finite" if failed else ""
    finished = done // bench.per_epoch
    if not failed:
        finished = len(record) if steps % bench.per_epoch == 0 else len(record) - 1
        training_loss = record[finished - 1, epoch.LOSS] if finished else np.nan
        if not training_loss <= bench.initial_loss and finished:
            failed, reason = True, "diverged: above its initial loss"
    validation_loss = validation_accuracy = test_loss = test_accuracy = np.nan
    if not failed:
        if finished == len(record):
            validation_loss, validation_accuracy = record[-1, 3:]
        else:
            validation_loss, validation_accuracy = _judge(scratch, theta, bench.validation)
        if task.stage == "final":
            test = _test_part(workload, config.dataset, task.seed, model)
            test_loss, test_accuracy = _judge(scratch, theta, test)
    return Run.finished(
        task, steps=done, seconds=seconds, failed=failed, reason=reason,
        steps_per_epoch=bench.per_epoch, initial_loss=bench.initial_loss,
        validation_loss=validation_loss, validation_accuracy=validation_accuracy,
        test_loss=test_loss, test_accuracy=test_accuracy, curves=record[:finished],
    )  # fmt: skip


def _judge(scratch: _Scratch, theta: np.ndarray, part: Any) -> tuple[float, float]:
    return epoch.evaluate(theta, scratch.work, part, epoch.team()[0])


@lru_cache(maxsize=128)
def _test_rows(source_checksum: str, seed: int, load: Callable) -> Any:
    return load().split(seed=seed)[2]


def _test_part(workload: Workload, name: str, seed: int, model: MLP) -> Any:
    """Read in the final stage alone, after the training and its choice are over."""
    source = workload.sources[name]
    return model.as_data(_test_rows(source.checksum, seed, source.load))
