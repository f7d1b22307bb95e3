"""Reduce on plateau: the one schedule that depends on what the training measured.

What it must remember follows from the measurements of the finished epochs, which the history of a
training has anyway.  So the schedule stays a value, and there is no state to save: a training that
resumes hands in its history again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .base import Schedule, check_number, register
from .duration import Span

MONITORS = ("validation_loss", "validation_accuracy", "loss", "accuracy")


@register(
    "reduce_on_plateau",
    "ReduceLROnPlateau(factor=f, patience=n) = reduce_on_plateau(f, n)",
)
class ReduceOnPlateau(Schedule):
    """Multiply the rate by ``factor`` when ``monitor`` has not improved for ``patience`` epochs.

    ``monitor`` is a column of the history (None: the validation loss where there is one, else the
    loss).  Better is less, or more for an accuracy: by more than the share ``threshold`` of the
    best, or by ``threshold`` itself (relative=False).  For ``cooldown`` epochs after a reduction
    nothing counts as bad.  The factor is never less than ``minimum``.
    """

    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    relative: bool = True
    cooldown: int = 0
    minimum: float = 0.0
    monitor: str | None = None

    def __post_init__(self) -> None:
        check_number("factor", self.factor)
        if self.factor >= 1:
            raise ValueError(f"factor: {self.factor!r}; accepted: numbers from 0 to below 1")
        for name in ("patience", "cooldown"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
                raise ValueError(f"{name}: {value!r}; accepted: whole numbers of epochs from 0")
        check_number("threshold", self.threshold)
        check_number("minimum", self.minimum, 0.0, 1.0)
        if self.monitor is not None and self.monitor not in MONITORS:
            raise ValueError(f"monitor: {self.monitor!r}; accepted: {', '.join(MONITORS)}")

    @property
    def watches(self) -> frozenset[str | None]:
        return frozenset([self.monitor])

    def _factor(self, t: np.ndarray, span: Span) -> np.ndarray:
        length = span.epoch(self)
        begun = -int(-span.begin // length)  # the first epoch that is wholly the schedule's own
        levels = span.feedback.levels(self, begun) if span.feedback else np.ones(1)
        epochs = ((t + span.begin) // length).astype(np.int64) - begun
        # Of an epoch in the future nothing is known: the newest level.
        return levels[np.clip(epochs, 0, len(levels) - 1)]


@dataclass
class _Level:
    """How far the watching of one schedule has come."""

    seen: int
    levels: list[float]
    best: float = np.inf
    bad: int = 0
    cooling: int = 0

    def see(self, schedule: ReduceOnPlateau, value: float, more: bool) -> None:
        """torch's ReduceLROnPlateau.step, but for its ``eps``."""
        value = -value if more else value
        margin = schedule.threshold * (abs(self.best) if schedule.relative else 1.0)
        if value < self.best - (margin if np.isfinite(self.best) else 0.0):
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.cooling > 0:
            self.cooling, self.bad = self.cooling - 1, 0
        level = self.levels[-1]
        if self.bad > schedule.patience:
            self.cooling, self.bad = schedule.cooldown, 0
            level = max(level * schedule.factor, schedule.minimum)
        self.levels.append(level)
        self.seen += 1


class Feedback:
    """What the finished epochs of a training measured, for the schedules that look at it.

    ``columns`` are those of a history, by name; they may grow in place, or by :meth:`note`.

    >>> Feedback(validation_loss=history.validation_loss)
    """

    def __init__(self, **columns: Sequence[float]) -> None:
        self._columns = {name: [float(v) for v in values] for name, values in columns.items()}
        self._seen: dict[tuple[ReduceOnPlateau, int], _Level] = {}

    def note(self, measured: Mapping[str, float]) -> None:
        """One more epoch is finished."""
        for name, value in measured.items():
            self._columns.setdefault(name, []).append(float(value))

    def levels(self, schedule: ReduceOnPlateau, begun: int = 0) -> np.ndarray:
        """Factors of a schedule that began with epoch ``begun``: of that one, of the next, …"""
        name = schedule.monitor or next(
            (name for name in ("validation_loss", "loss") if name in self._columns), "loss"
        )
        if not self._columns:  # no epoch is finished
            return np.ones(1)
        if name not in self._columns:
            raise ValueError(f"{schedule!r}: needs {name}; measured: {', '.join(self._columns)}")
        level = self._seen.setdefault((schedule, begun), _Level(begun, [1.0]))
        for value in self._columns[name][level.seen :]:
            level.see(schedule, value, more=name.endswith("accuracy"))
        return np.array(level.levels)
