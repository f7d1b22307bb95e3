"""Learning rate and momentum of one training, step by step: a schedule meets its optimizer."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from .kernels.epoch import Moved
from .optimizer import Optimizer
from .schedule import Feedback, Schedule

_KEPT = 2**16  # steps whose rates are kept: half a megabyte


class Course:
    """What ``schedule`` makes of ``optimizer`` in a training of ``total`` steps.

    ``measured`` are the columns of the history that will be noted.  ``optimizer`` is the one to
    train with: the variant with momentum, where the schedule moves it.

    Raises
    ------
    ValueError
        If the schedule moves a momentum that the optimizer has not, looks at what is not measured,
        or gives something else than one factor per step.
    """

    def __init__(
        self,
        schedule: Schedule,
        optimizer: Optimizer,
        total: int,
        steps_per_epoch: int,
        measured: Collection[str],
    ) -> None:
        self._schedule, self._total, self._steps_per_epoch = schedule, total, steps_per_epoch
        for monitor in schedule.watches - {None}:
            if monitor not in measured:
                raise ValueError(
                    f"schedule: {schedule!r} needs {monitor}; this training measures "
                    f"{', '.join(measured)}"
                )
        self._measured = measured if schedule.watches else ()
        self._feedback = Feedback()
        self._places = np.empty(0, np.int64)
        self.optimizer = optimizer
        highest = schedule.highest_momentum
        if highest is not None:
            name = _momentum_of(optimizer, schedule)
            self._own_momentum = optimizer.hyperparameters[name]
            if not self._own_momentum:
                self.optimizer = optimizer.replace(**{name: highest})
            self._places = np.array([self.optimizer.rule.takes.index(name)], np.int64)
        self._known: np.ndarray | None = None
        # What is wrong with a schedule is better said before the training than in it.  And what no
        # epoch changes is asked for once.
        if total <= _KEPT and not self._measured:
            self._known = self.optimizer.lr * _all_factors(schedule, total, steps_per_epoch)
        else:
            self._checked(np.arange(steps_per_epoch - 1, total, steps_per_epoch))

    def rates(self, steps: np.ndarray) -> np.ndarray:
        """Learning rates of these steps (n,)."""
        return self._checked(steps) if self._known is None else self._known[steps]

    def _checked(self, steps: np.ndarray) -> np.ndarray:
        factors = self._schedule(steps, self._total, self._steps_per_epoch, self._feedback)
        return self.optimizer.lr * _check(factors, steps, self._total)

    def moved(self, steps: np.ndarray) -> Moved:
        """The values of the momentum at these steps, where it moves."""
        values = np.empty((len(steps), len(self._places)))
        if len(self._places):
            momenta = self._schedule.momenta(steps, self._total, self._steps_per_epoch)
            assert momenta is not None
            values[:, 0] = np.where(np.isnan(momenta), self._own_momentum, momenta)
        return Moved(self._places, values)

    @property
    def listens(self) -> bool:
        """Whether the rates depend on what the epochs measure: then each is to be noted."""
        return bool(self._measured)

    def note(self, row: Mapping[str, Any]) -> None:
        """What the epoch that has just ended measured."""
        if self._measured:
            self._feedback.note({name: row[name] for name in self._measured})


# (schedule, total, steps per epoch, factors) of the newest training: thousands of a study follow
# each other with the same schedule.  The very same: an equal one may hold 2 instead of 2.0.
_newest: tuple[Any, int, int, np.ndarray] = None, 0, 0, np.empty(0)


def _all_factors(schedule: Schedule, total: int, steps_per_epoch: int) -> np.ndarray:
    global _newest
    known, *lengths, factors = _newest
    if known is schedule and lengths == [total, steps_per_epoch]:
        return factors
    steps = np.arange(total)
    factors = _check(schedule(steps, total, steps_per_epoch), steps, total)
    _newest = schedule, total, steps_per_epoch, factors
    return factors


def _check(factors: np.ndarray, steps: np.ndarray, total: int) -> np.ndarray:
    if factors.shape != steps.shape or not (factors >= 0).all() or np.inf in factors:
        raise ValueError(
            "schedule: accepted: one finite factor of at least 0 for each step; received "
            f"shape {factors.shape} for {steps.size} of the {total} steps"
        )
    return factors


def _momentum_of(optimizer: Optimizer, schedule: Schedule) -> str:
    """Its hyperparameter that is the momentum: ``momentum``, or ``beta1`` as in torch."""
    for name in ("momentum", "beta1"):
        if name in getattr(optimizer.rule, "takes", ()):  # a matrix rule has no inputs
            return name
    raise ValueError(
        f"schedule: {schedule!r} moves the momentum, and {optimizer!r} has none; accepted: "
        "an optimizer with momentum or beta1"
    )
