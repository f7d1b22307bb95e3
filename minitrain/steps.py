"""The training loop in Python, for optimizers of whole matrices: the twin of epoch.train."""

from contextlib import AbstractContextManager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from .kernels import epoch, evaluation, minibatch, ordering
from .kernels.between import CLOCK
from .kernels.layers import Workspace
from .matrix_optimizer import MatrixOptimizer
from .optimizer_state import OptimizerState


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager:
    """BLAS with one thread: several cost layers of our size more than they save, 100-fold on a busy
    machine, and would make the sums depend on how many cores there are."""
    return _libraries().limit(limits=1, user_api="blas")


def train(
    theta: np.ndarray,
    evaluated: np.ndarray,
    good: np.ndarray,
    gradient: np.ndarray,
    work: Workspace,
    data: minibatch.Data,
    validation: minibatch.Data,
    sampling: ordering.Sampling,
    order: np.ndarray,
    optimizer: MatrixOptimizer,
    state: OptimizerState,
    rates: np.ndarray,
    first: int,
    record: np.ndarray,
) -> int:
    """Run steps ``first``, ``first + 1``, …; return the next one, or the one that failed.

    As ``epoch.train`` in all it takes and gives; the gradient is compiled, the step is not.
    """
    alone, sam = minibatch.team()[0], optimizer.modifiers.sam
    stepping = optimizer.replace(sam=None) if sam else optimizer
    if not len(rates):  # compile what the steps will need
        ordering.fill_order(order, sampling, 0)
        evaluation.loss_gradient(gradient, theta, work, data, order[:1])
        if len(validation.X):
            evaluation.evaluate(theta, work, validation, alone)
    for step, rate in enumerate(rates, first):
        number, batch = divmod(step, sampling.steps)
        row = record[number]
        if step == first or batch == 0:
            ordering.fill_order(order, sampling, number)
        if batch == 0:
            row[:] = 0.0
        rows = order[batch * sampling.batch_size : (batch + 1) * sampling.batch_size]
        B = len(rows)
        loss = evaluation.loss_gradient(gradient, theta, work, data, rows)
        if not np.isfinite(loss):
            return step - 1 if batch == 0 and step > 0 else step
        if batch == 0:
            good[:] = evaluated
        right = work.right[:B].sum()
        if sam:
            look_from_above(gradient, theta, work, data, rows, sam)
        stepping.step_at(rate, theta, gradient, state)
        work.plan[-1, CLOCK] += 1
        row[epoch.LOSS] += B * loss
        row[epoch.ACCURACY] += right
        if batch == sampling.steps - 1:
            row[epoch.GRADIENT_NORM] = np.linalg.norm(gradient.astype(float))
            if not np.isfinite(row[epoch.GRADIENT_NORM]):
                return step
            row[[epoch.LOSS, epoch.ACCURACY]] /= min(
                len(order), sampling.steps * sampling.batch_size
            )
            if evaluated is not theta:
                evaluated[:] = stepping.evaluated(theta, state)
            if len(validation.X):
                row[epoch.VALIDATION_LOSS], row[epoch.VALIDATION_ACCURACY] = evaluation.evaluate(
                    evaluated, work, validation, alone
                )
    return first + len(rates)


def look_from_above(
    gradient: np.ndarray,
    theta: np.ndarray,
    work: Workspace,
    data: minibatch.Data,
    rows: np.ndarray,
    sam: float,
) -> None:
    """Sharpness-aware minimisation: the gradient at theta + sam · g / ‖g‖ in place of g."""
    home, size = theta.copy(), np.linalg.norm(gradient.astype(float))
    theta += theta.dtype.type(sam / (size + 1e-12)) * gradient
    evaluation.loss_gradient(gradient, theta, work, data, rows)
    theta[:] = home
