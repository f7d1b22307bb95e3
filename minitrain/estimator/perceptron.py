"""An MLP with normalisation, dropout and smoothed labels: what the estimators add to the engine's.

It computes and trains through the same kernels; only its workspaces are other ones.
"""

from typing import Any

import numpy as np

from ..kernels import insertion
from ..kernels.between import FIRST
from ..kernels.layers import Workspace
from ..kernels.objective import PLAIN, Objective
from ..model import MLP


class Perceptron(MLP):
    """``gains[l]`` (γ), ``shifts[l]`` (β), ``means[l]`` and ``variances[l]`` are of hidden layer l,
    views of ``parameters`` and of ``running``."""

    def __init__(
        self,
        sizes: list[int],
        activation: str,
        *,
        normalization: str | None = None,
        dropout: float = 0.0,
        smoothing: float = 0.0,
        **options: Any,
    ) -> None:
        self.normalization, self.dropout, self.smoothing = normalization, dropout, smoothing
        super().__init__(sizes, activation, **options)
        self.running = insertion.running_of(self.sizes, self.dtype, smoothing)
        ends = np.cumsum(self.sizes[1:-1])[:-1]
        kept = self.running[FIRST:].reshape(2, -1)
        self.means, self.variances = (np.split(row, ends) for row in kept)
        for gain in self.gains:
            gain[:] = 1.0

    @property
    def measures_batches(self) -> bool:
        """Whether a row's output depends on the others of its mini-batch in training."""
        return self.normalization == "batch" and len(self.sizes) > 2

    def _bias_numbers(self, layer: int) -> int:
        # b, γ and β, in this order, where a hidden layer is normalised.
        normalised = self.normalization is not None and layer < len(self.sizes) - 2
        return self.sizes[layer + 1] * (3 if normalised else 1)

    def _adopt(self, parameters: np.ndarray) -> None:
        super()._adopt(parameters)
        parts = [b.reshape(-1, O) for b, O in zip(self.biases, self.sizes[1:], strict=True)]
        self.biases = [part[0] for part in parts]
        normalised = [part for part in parts if len(part) == 3]
        self.gains, self.shifts = ([part[k] for part in normalised] for k in (1, 2))

    def workspace(self, rows: int, threads: int = 1, objective: Objective = PLAIN) -> Workspace:
        """For prediction and evaluation: nothing is dropped or smoothed, kept statistics count."""
        work = super().workspace(rows, threads, objective)
        options = {"normalization": self.normalization, "training": False}
        return insertion.insert(work, self.loss, self.running, **options)

    def training_workspace(
        self, rows: int, threads: int, objective: Objective, seed: int, step: int
    ) -> Workspace:
        """For mini-batches of at most ``rows``, after ``step`` steps."""
        if self.smoothing:  # which may cost more than the unit roundoff's logarithm
            objective = objective._replace(cap=np.inf)
        return insertion.insert(
            super().workspace(rows, threads, objective), self.loss, self.running,
            normalization=self.normalization, dropout=self.dropout, seed=seed, step=step,
        )  # fmt: skip
