"""Trainings on real data for the claims: paired seeds, rates tuned alike for everybody."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from ... import datasets
from ...kernels import evaluation, minibatch
from ...loader import MiniBatchLoader
from ...model import MLP
from ...optimizer import Optimizer
from ...optimizers import get
from ...trainer import DivergenceError, Trainer

# Powers of 10^(1/3): a factor of 2.2 between neighbours, the same for every optimizer.
RATES = tuple(float(f"{10 ** (k / 3):.2g}") for k in range(-13, 4))
TUNING_SEEDS = (1000, 1001, 1002)  # not used again for what is reported


@dataclass(frozen=True)
class Setting:
    """A data set, a network and a budget."""

    dataset: str = "digits"
    hidden: tuple[int, ...] = (32,)
    activation: str = "relu"
    batch_size: int = 32
    epochs: int = 20

    def describe(self) -> str:
        hidden = "-".join(map(str, self.hidden))
        batch = f"batch {self.batch_size}" if self.batch_size < 10**6 else "full batch"
        return f"{self.dataset}, {hidden} {self.activation}, {batch}, {self.epochs} epochs, float32"

    def model(self, seed: int, dtype: str = "float32") -> MLP:
        data = _load(self.dataset)
        sizes = [data.n_features, *self.hidden, data.n_classes]
        return MLP(sizes, self.activation, seed=seed, dtype=dtype)

    def parts(self, seed: int) -> Any:
        """(train, validation, test) of this seed's split."""
        return _split(self.dataset, seed)

    def loader(self, seed: int) -> MiniBatchLoader:
        train = self.parts(seed)[0]
        return MiniBatchLoader(train.X, train.y, self.batch_size, seed=seed)


@cache
def _load(name: str) -> Any:
    return datasets.load(name)


@cache
def _split(name: str, seed: int) -> Any:
    return _load(name).split(seed=seed)


class Run(NamedTuple):
    """Per epoch (epochs,): training loss, validation loss; after the last one, test accuracy."""

    loss: np.ndarray
    validation: np.ndarray
    accuracy: float


def run(setting: Setting, optimizer: Optimizer, seed: int, *callbacks: Any) -> Run:
    """Train once; the seed sets split, weights and order.  A divergence is inf from there on."""
    _, validation, test = setting.parts(seed)
    model = setting.model(seed)
    try:
        # One thread: two are of no use to networks of this size, and others may want the cores.
        trainer = Trainer(model, optimizer, callbacks=callbacks, threads=1)
        history = trainer.fit(setting.loader(seed), setting.epochs, validation)
    except DivergenceError:
        lost = np.full(setting.epochs, np.inf)
        return Run(lost, lost, 0.0)
    _, accuracy = model.evaluate(test.X, test.y)
    return Run(history.loss, history.validation_loss, accuracy)


def each(work: Callable[[int], Any], seeds: int | Sequence[int]) -> list[Any]:
    """work(seed) of each seed, in order; kernels let go of Python's lock, so cores share them."""
    numbers = range(seeds) if isinstance(seeds, int) else seeds
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, numbers))


def runs(setting: Setting, optimizer: Optimizer, seeds: int | Sequence[int]) -> list[Run]:
    """A run per seed."""
    return each(lambda seed: run(setting, optimizer, seed), seeds)


def timed_run(setting: Setting, optimizer: Optimizer, seed: int) -> tuple[Run, np.ndarray]:
    """A run, and the seconds (epochs,) from its start to the end of each epoch."""
    began, seconds = time.perf_counter(), np.full(setting.epochs, np.nan)

    def clock(history: Any) -> None:
        seconds[len(history) - 1] = time.perf_counter() - began

    return run(setting, optimizer, seed, clock), seconds


@cache
def _best_rate(setting: Setting, optimizer: Optimizer, part: str) -> float:
    def last(number: int) -> float:
        rate, seed = divmod(number, len(TUNING_SEEDS))
        tried = run(setting, optimizer.replace(lr=RATES[rate]), TUNING_SEEDS[seed])
        return float(getattr(tried, part)[-1])

    losses = np.reshape(each(last, len(RATES) * len(TUNING_SEEDS)), (len(RATES), -1))
    return RATES[int(np.argmin(losses.mean(axis=1)))]


_kept: dict[Any, Optimizer] = {}


def tuned(setting: Setting, optimizer: str | Optimizer, part: str = "validation") -> Optimizer:
    """The optimizer with that rate of RATES whose last validation (or training) loss is lowest on
    average over the tuning seeds."""
    made = get(optimizer)
    key = (made.rule, tuple(sorted(made.hyperparameters.items())))
    made = _kept.setdefault(key, made)  # so that equal optimizers are tuned once
    return made.replace(lr=_best_rate(setting, made, part))


HOW = (
    f"rates: the best of {len(RATES)} in {RATES[0]:g} … {RATES[-1]:g} by the mean {{}} loss of "
    f"seeds {TUNING_SEEDS[0]}–{TUNING_SEEDS[-1]}, which are not reported"
)


class Steps(NamedTuple):
    """Per step (steps,): loss of all training rows before the step, its change along the step,
    size of the update by size of the weights, median effective rate |Δp| / |g|."""

    loss: np.ndarray
    change: np.ndarray
    update_ratio: np.ndarray
    effective_rate: np.ndarray


def by_steps(
    setting: Setting, optimizer: Optimizer, seed: int, steps: int, scale: float = 1.0
) -> Steps:
    """Train step by step in Python, to look at what the compiled epoch does not show.

    ``scale`` multiplies the initial weights.
    """
    train = setting.parts(seed)[0]
    # float64: of a small step of a large weight float32 leaves nothing to measure.
    model, loader = setting.model(seed, "float64"), setting.loader(seed)
    theta = model.parameters
    theta *= scale
    # Arrays and workspaces once: loss_and_gradient would check and make them at every step.
    data, g = model.as_data(train), np.zeros_like(theta)
    work, room = model.workspace(loader.batch_size), model.workspace(min(len(train), 256))
    state, team = optimizer.init(theta, model.blocks), minibatch.team()[0]
    found = np.empty((steps, 4))
    loss, _ = evaluation.evaluate(theta, room, data, team)
    for t, batch in zip(range(steps), _batches(loader), strict=False):
        before = theta.copy()
        evaluation.loss_gradient(g, theta, work, data, batch)
        optimizer.step(theta, g, state)
        moved, weight = np.abs(theta - before), np.linalg.norm(before)
        after, _ = evaluation.evaluate(theta, room, data, team)
        with np.errstate(invalid="ignore", over="ignore"):
            felt = np.abs(g) > 1e-6 * np.abs(g).max()  # of the others p rounds the step away
            rates = moved[felt] / np.abs(g[felt])
            rate = np.median(rates) if rates.size else np.nan
            found[t] = (loss, after - loss, np.linalg.norm(moved) / weight, rate)
        loss = after
    return Steps(*found.T)


def steps_of(
    setting: Setting, optimizer: Optimizer, seeds: int, steps: int, scale: float = 1.0
) -> list[Steps]:
    """``by_steps`` per seed."""
    return each(lambda seed: by_steps(setting, optimizer, seed, steps, scale), seeds)


def _batches(loader: MiniBatchLoader) -> Iterator[np.ndarray]:
    """Row numbers of one mini-batch after the other, for ever."""
    for number in count():
        order = loader.order(number)
        for start in range(0, len(order), loader.batch_size):
            yield order[start : start + loader.batch_size]
