"""When a fit by mini-batches ends: no improvement, time, callbacks; and the best weights so far."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..model import MLP


class Patience:
    """Counts epochs without improvement as scikit-learn does, in the estimator's attributes."""

    def __init__(self, estimator: Any, mlp: MLP, watches_score: bool) -> None:
        self._estimator, self._mlp, self._watches_score = estimator, mlp, watches_score
        self._best = [array.copy() for array in self._numbers()] if watches_score else None

    def safe_epochs(self) -> float:
        """So many epochs can be made before the first after which the fit might have to end."""
        e = self._estimator
        return max(1, e.n_iter_no_change + 1 - e._no_improvement_count)

    def note(self, losses: list[float]) -> None:
        """Take the losses of the newest epochs, or the newest one's score, into account."""
        e = self._estimator
        count, tol = e._no_improvement_count, e.tol
        if self._watches_score:
            score, best = e.validation_scores_[-1], e.best_validation_score_
            count = count + 1 if score < best + tol else 0
            if score > best:
                e.best_validation_score_ = score
                assert self._best is not None
                for best_one, now in zip(self._best, self._numbers(), strict=True):
                    best_one[:] = now
        else:
            best = e.best_loss_
            for loss in losses:
                count = count + 1 if loss > best - tol else 0
                best = min(best, loss)
            e.best_loss_ = np.float64(best)
        e._no_improvement_count = count

    def _numbers(self) -> list[np.ndarray]:
        """All that prediction depends on: parameters, and what batch normalisation has kept."""
        return [self._mlp.parameters, self._mlp.running]

    def restore(self) -> None:
        """Bring the weights of the best score back, if scores are watched."""
        for best_one, now in zip(self._best or [], self._numbers(), strict=False):
            now[:] = best_one

    @property
    def is_over(self) -> bool:
        return self._estimator._no_improvement_count > self._estimator.n_iter_no_change

    @property
    def message(self) -> str:
        e = self._estimator
        what = "Validation score" if self._watches_score else "Training loss"
        return (
            f"{what} did not improve more than tol={e.tol:f} for "
            f"{e.n_iter_no_change} consecutive epochs."
        )


def as_callbacks(given: Any) -> list[Callable]:
    """The ``callbacks`` parameter as a list of callables."""
    callbacks = list(given) if isinstance(given, Iterable) else [given] if given else []
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks: {callback!r} cannot be called; accepted: callables")
    return callbacks
