"""What scikit-learn minimises, and what it reports: of a mini-batch, and of all rows at once."""

import numpy as np

from ..kernels import evaluation, minibatch
from ..kernels.losses import REGRESSION
from ..kernels.memory import aligned_zeros
from ..kernels.objective import Objective
from ..model import MLP

_PORTION = 1024  # rows of a whole data set that pass at a time


def objective_of(mlp: MLP, alpha: float, decay: np.ndarray) -> Objective:
    """scikit-learn's objective: sums over outputs where the engine's losses are means.

    Its squared error is half the mean over outputs, but what it descends is half the sum.  Its
    log loss takes probabilities below the unit roundoff for just that.
    """
    loss, outputs = mlp.loss, mlp.sizes[-1]
    scale = shown = 1.0
    cap = np.inf if loss in REGRESSION else -float(np.log(np.finfo(mlp.dtype).eps))
    if loss in ("binary_cross_entropy", "poisson"):
        scale = shown = float(outputs)
    elif loss == "squared_error":
        scale, shown = outputs / 2.0, 0.5
    return Objective(scale, shown, cap, float(alpha), decay)


class Whole:
    """The objective over all rows of some data, and its gradient; or the value that is reported.

    Rows pass in portions, so that memory does not grow with them.
    """

    def __init__(
        self, mlp: MLP, data: minibatch.Data, alpha: float = 0.0, shown: bool = False
    ) -> None:
        self._mlp, self._data, self._alpha = mlp, data, alpha
        objective = objective_of(mlp, 0.0, np.empty(0))
        if not shown:
            objective = objective._replace(shown=objective.scale, cap=np.inf)
        n = len(data.X)
        self._work = mlp.workspace(min(n, _PORTION), 1, objective)
        self._portions = [np.arange(i, min(i + _PORTION, n)) for i in range(0, n, _PORTION)]
        given = data.weights
        weights = [given[p].sum(dtype=float) if len(given) else len(p) for p in self._portions]
        self._total = float(sum(weights))
        self._shares = [weight / self._total for weight in weights]
        self._part = aligned_zeros(mlp.n_parameters, mlp.dtype)

    def loss_and_gradient(self) -> tuple[float, np.ndarray]:
        """(value, gradient in the layout of ``mlp.parameters``) at its present weights."""
        mlp, decay = self._mlp, self._alpha / self._total
        loss, gradient = 0.0, np.zeros(mlp.n_parameters)
        with np.errstate(all="ignore"):
            for rows, share in zip(self._portions, self._shares, strict=True):
                loss += share * evaluation.loss_gradient(
                    self._part, mlp.parameters, self._work, self._data, rows
                )
                gradient += share * self._part
            for W, block in zip(mlp.weights, mlp.blocks[::2], strict=True):
                W = W.reshape(-1).astype(float, copy=False)
                loss += 0.5 * decay * float(W @ W)
                gradient[block.start : block.stop] += decay * W
        return loss, gradient

    def loss(self) -> float:
        """The value alone."""
        if len(self._data.weights) or self._alpha:
            return self.loss_and_gradient()[0]
        work, team = self._work, minibatch.team()[0]
        return float(evaluation.evaluate(self._mlp.parameters, work, self._data, team)[0])
