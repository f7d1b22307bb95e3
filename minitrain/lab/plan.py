"""What a study consists of: presets, budgets, configurations and the single trainings."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from ..optimizer import Optimizer
from ..schedule import get as get_schedule

ARMS = ("defaults", "learning_rate", "everything")
TRIALS = {"defaults": 0, "learning_rate": 25, "everything": 75}
TUNING_SEEDS = 3

REAL = ("digits", "breast_cancer", "wine", "iris")
GENERATED = ("moons", "circles", "spirals", "xor", "imbalanced", "noisy_labels", "ill_scaled")
WARMED_UP = "cosine(warmup=0.1)"


class Preset(NamedTuple):
    """What a study does where its maker does not say."""

    datasets: tuple[str, ...]
    arms: tuple[str, ...]
    schedules: tuple[str, ...]
    epochs: int


PRESETS = {
    # about half a minute on two cores; minutes; the whole protocol of docs/comparing.md
    "quick": Preset(REAL, ARMS[:2], ("constant",), 20),
    "standard": Preset(REAL + GENERATED, ARMS[:2], ("constant", WARMED_UP), 40),
    "full": Preset(REAL + GENERATED, ARMS, ("constant", WARMED_UP), 100),
}


@dataclass(frozen=True)
class Budget:
    """How long each training lasts: ``amount`` of "epochs", "gradient_evaluations" or "seconds".

    The last two are rounded to whole epochs, at least one: a validation closes each.
    """

    unit: str
    amount: float

    def epochs(
        self, per_epoch: int, seconds_per_step: float | None = None, gradients: int = 1
    ) -> int:
        """Epochs of a training whose epochs have so many steps of so many gradients each."""
        if self.unit == "epochs":
            return int(self.amount)
        if self.unit == "gradient_evaluations":
            return max(1, round(self.amount / (per_epoch * gradients)))
        assert seconds_per_step, "a budget in seconds needs a pace"
        return max(1, round(self.amount / seconds_per_step / per_epoch))

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Config:
    """An optimizer with its hyperparameters, where and how it is run.

    ``trial`` counts the points of a search, ``extension`` the searches: a new one begins when the
    best learning rate lay at the edge of the range.  The final runs have trial -1.
    """

    dataset: str
    label: str
    arm: str
    schedule: str
    extension: int
    trial: int
    optimizer: Optimizer

    @property
    def cell(self) -> tuple[str, str, str, str]:
        return self.dataset, self.label, self.arm, self.schedule

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What is written of the optimizer; one dict for all its runs, of which there are many."""
        return _given(self.optimizer)


@dataclass(frozen=True, slots=True)
class Task:
    """One training: "tuning" or "final", of a configuration, with a seed."""

    stage: str
    config: Config
    seed: int

    @property
    def key(self) -> tuple:
        """What tells it from all other trainings of its study."""
        c = self.config
        return self.stage, *c.cell, c.extension, c.trial, self.seed


@dataclass(frozen=True, slots=True)
class Group:
    """The trainings of one stage in one cell: each trial, or what was chosen, with each seed.

    A study keeps these, and makes a task of it when its turn comes: there may be 10⁵ of them.
    """

    stage: str
    cell: tuple[str, str, str, str]
    extension: int
    optimizers: Sequence[Optimizer]
    seeds: range

    @property
    def key(self) -> tuple:
        return self.stage, *self.cell, self.extension

    def __len__(self) -> int:
        return len(self.optimizers) * len(self.seeds)

    def tasks(self) -> Iterator[Task]:
        for number, optimizer in enumerate(self.optimizers):
            trial = number if self.stage == "tuning" else -1
            config = Config(*self.cell, self.extension, trial, optimizer)
            for seed in self.seeds:
                yield Task(self.stage, config, seed)


def gradients_per_step(optimizer: Optimizer) -> int:
    """What a step costs by the clock of gradient evaluations: sharpness-aware ones take two."""
    return 1 if optimizer.modifiers.sam is None else 2


def given(optimizer: Optimizer) -> dict[str, Any]:
    """The arguments that make this optimizer of its rule: hyperparameters and modifiers."""
    return {**optimizer.hyperparameters, **optimizer.modifiers.given()}


_given = lru_cache(maxsize=1000)(given)


def batches(
    tasks: Iterable[Task], cost: Callable[[Task], float], seconds: float,
    workers: int = 0, left: float = 0.0,
) -> Iterator[list[Task]]:  # fmt: skip
    """The tasks in order, cut into pieces of about so many seconds by their estimated cost.

    For so many ``workers`` the last pieces are shorter, a half of what is ``left`` for each, so
    that nobody waits long for the last one (guided self-scheduling, Polychronopoulos & Kuck 1987).
    """

    def most() -> float:
        return min(seconds, left / (2 * workers)) if workers > 1 else seconds

    piece: list[Task] = []
    filled, room = 0.0, most()
    for task in tasks:
        expected = cost(task)
        if piece and filled + expected > room:
            yield piece
            piece, filled, room = [], 0.0, most()
        piece.append(task)
        filled += expected
        left -= expected
    if piece:
        yield piece


def name_schedules(given: Any) -> dict[str, Any]:
    """Texts, a list of texts, or a dict of label → schedule, as a dict of label → schedule."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, dict):
        given = {text: text for text in given}
    if not given:
        raise ValueError("schedules: none; accepted: at least one, such as 'constant'")
    named = {}
    for label, value in given.items():
        try:
            get_schedule(value)  # an unknown one is an error now, not in a worker
        except (TypeError, ValueError) as error:
            raise type(error)(f"schedules: {error}") from None
        named[str(label)] = value
    return named
