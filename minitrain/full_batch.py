"""Trainings whose every iteration takes all rows: L-BFGS."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import steps
from .history import History
from .kernels import epoch, evaluation, minibatch
from .lbfgs import LBFGS
from .model import MLP
from .stopping import Best, DivergenceError, EarlyStopping


def fit_full_batch(
    model: MLP,
    optimizer: LBFGS,
    train: Any,
    validation: Any,
    epochs: int,
    stopping: EarlyStopping | None,
    callbacks: Sequence[Callable[[History], Any]],
) -> History:
    """Train with an optimizer that needs all rows for each of its iterations, which count as
    epochs."""
    data = model.as_data(train)
    held_out = None if validation is None else model.as_data(validation)
    work, alone = model.workspace(min(len(data.X), 256)), minibatch.team()[0]
    best = Best(stopping, model) if stopping else None
    columns: dict[str, list[float]] = {
        name: [] for name in (*epoch.COLUMNS, "learning_rate", "seconds")
    }
    nan = float("nan")
    optimizer.compile(model, train)
    evaluation.evaluate(model.parameters, work, data if held_out is None else held_out, alone)
    started, reason = time.perf_counter(), ""

    def history() -> History:
        arrays: dict[str, Any] = {name: np.array(found) for name, found in columns.items()}
        return History(**arrays, steps_per_epoch=1)

    def seen(loss: float, gradient: np.ndarray) -> bool:
        nonlocal reason
        if not np.isfinite(loss):
            raise DivergenceError(optimizer, len(columns["loss"]) + 1, 1, history())
        measured = evaluation.evaluate(model.parameters, work, data, alone)
        unseen = (nan, nan)
        if held_out is not None:
            unseen = evaluation.evaluate(model.parameters, work, held_out, alone)
        right, right_unseen = measured[1], unseen[1]
        if model.loss == "squared_error":
            right = right_unseen = nan
        row = (loss, right, np.linalg.norm(gradient), unseen[0], right_unseen)
        for name, value in zip(epoch.COLUMNS, row, strict=True):
            columns[name].append(float(value))
        columns["learning_rate"].append(optimizer.lr)
        columns["seconds"].append(time.perf_counter() - started)
        so_far = history()
        exhausted = best and best.exhausted(so_far)
        answers = [callback(so_far) for callback in callbacks]
        if best and exhausted:
            reason = f"no better {best.monitor} for {best.patience} epochs"
        elif any(answers):
            reason = "stopped by a callback"
        return bool(reason)

    try:
        with steps.one_thread():
            ended = optimizer.minimize(model, train, epochs, seen)
    except KeyboardInterrupt:
        ended = "interrupted"
    finished = history()
    finished.stop_reason = reason or ended
    if best and best.epoch is not None:
        best.restore()
        finished.best_epoch = best.epoch
    return finished
