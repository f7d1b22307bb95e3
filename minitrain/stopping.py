"""Why a training ends before its last epoch: it diverged, or nothing gets better."""

from dataclasses import dataclass

import numpy as np

from .history import History
from .inputs import check_choice, check_count
from .model import MLP
from .optimizer import Optimizer


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


class Best:
    """The best epoch so far, and its weights."""

    def __init__(self, stopping: EarlyStopping, model: MLP) -> None:
        self.monitor, self.patience = stopping.monitor, stopping.patience
        self._min_delta = stopping.min_delta
        self._sign = 1.0 if stopping.monitor == "validation_loss" else -1.0
        self._value = np.inf
        self.epoch: int | None = None
        self._model = model
        self._parameters, self._running = model.parameters.copy(), model.running.copy()

    def exhausted(self, history: History) -> bool:
        """Note the newest epoch; True if the last ``patience`` ones brought nothing better."""
        value = self._sign * getattr(history, self.monitor)[-1]
        if value < self._value - self._min_delta or self.epoch is None:
            self._value = np.inf if np.isnan(value) else value
            self.epoch = len(history)
            self._parameters[:], self._running[:] = self._model.parameters, self._model.running
        return len(history) - self.epoch >= self.patience

    def restore(self) -> None:
        """Give the model the weights of the best epoch."""
        self._model.parameters[:], self._model.running[:] = self._parameters, self._running
