"""When a fit by mini-batches ends: no improvement, time, callbacks; and the best weights so far."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..kernels import epoch
from ..model import MLP


class Patience:
    """Counts epochs without improvement as scikit-learn does, in the estimator's attributes.

    ``limits`` are what the compiled loop counts by where the loss is watched, so that it need not
    come back after every epoch; a score is counted here, as a loss of the other sign.
    """

    def __init__(self, estimator: Any, mlp: MLP, watches_score: bool) -> None:
        self._estimator, self._mlp, self._watches_score = estimator, mlp, watches_score
        self._best = [array.copy() for array in self._numbers()] if watches_score else None
        best = estimator.best_validation_score_ if watches_score else estimator.best_loss_
        best = np.inf if best is None else -best if watches_score else best
        self._limits = epoch.Patience(
            float(estimator.tol), float(estimator.n_iter_no_change),
            np.array([best, estimator._no_improvement_count, 0.0]),
        )  # fmt: skip
        self.limits = epoch.ENDLESS if watches_score else self._limits

    def note(self) -> None:
        """Take over what was counted, and the newest epoch's score."""
        e, seen = self._estimator, self._limits.seen
        if self._watches_score:
            score = e.validation_scores_[-1]
            if score > -seen[epoch.BEST]:
                e.best_validation_score_ = score
                assert self._best is not None
                for best_one, now in zip(self._best, self._numbers(), strict=True):
                    best_one[:] = now
            epoch.note_loss(self._limits, -score)
        else:
            e.best_loss_ = seen[epoch.BEST]
        e._no_improvement_count = int(seen[epoch.SINCE])

    def begin_anew(self) -> None:
        """Forget how many epochs brought nothing."""
        self._limits.seen[[epoch.SINCE, epoch.OVER]] = 0.0
        self._estimator._no_improvement_count = 0

    def _numbers(self) -> list[np.ndarray]:
        """All that prediction depends on: parameters, and what batch normalisation has kept."""
        return [self._mlp.parameters, self._mlp.running]

    def restore(self) -> None:
        """Bring the weights of the best score back, if scores are watched."""
        for best_one, now in zip(self._best or [], self._numbers(), strict=False):
            now[:] = best_one

    @property
    def is_over(self) -> bool:
        return bool(self._limits.seen[epoch.OVER])

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
