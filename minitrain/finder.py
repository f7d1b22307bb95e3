"""The learning-rate range test: raise the rate at every step until the loss explodes.

Smith (2017), Cyclical learning rates for training neural networks, arXiv 1506.01186, section 3.3.
Three things differ from the usual form.  The loss is not that of the mini-batch, which is mostly
noise, but that of the same rows after every step.  There are a few runs, each with its own order
of the rows (and its own initial weights, where the model is given by its sizes).  And the
suggestion is neither where the loss falls fastest nor a tenth of where it is least, since both
places are easily moved by chance, but a third of the rate at which most of the fall is done
(compared by scripts/check_learning_rate_finder.py; docs/schedules.md has the table).
"""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import optimizers
from .inputs import check_count, check_seed, unpack_pair
from .kernels.rule import Rule
from .lbfgs import LBFGS
from .loader import MiniBatchLoader
from .model import MLP
from .optimizer import Optimizer
from .schedule import exponential
from .schedule import steps as n_steps
from .trainer import DivergenceError, Trainer

_ROWS = 256  # that the loss is taken from after every step
_MEMORY = 0.8  # of the moving average that smooths it
_FALLEN = 0.95  # of the whole fall: then "most of it is done"
_CAUTION = 3.0  # the suggestion is that rate divided by this
_EXPLODED = 4.0  # times the least loss so far, and more than at the start


@dataclass(frozen=True)
class RangeTest:
    """What a range test found; ``runs`` repetitions of ``n`` steps.

    Attributes
    ----------
    optimizer
        The one tested; ``found.optimizer.replace(lr=found.suggestion)`` is the one to use.
    rates
        Learning rates (n,).
    start, losses
        Loss of the fixed rows before the first step (runs,) and after each step (runs, n); nan
        where a run had failed.
    smoothed
        Moving averages of the losses (runs, n), nan from where the loss exploded.
    suggestions
        One per run (runs,): a third of the first rate at which the smoothed loss has made 95 %
        of its fall to the least one.
    """

    optimizer: Optimizer
    rates: np.ndarray
    start: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestions: np.ndarray

    @property
    def suggestion(self) -> float:
        """The median of the runs' suggestions, rounded to two digits."""
        return float(f"{np.exp(np.median(np.log(self.suggestions))):.2g}")

    @property
    def curve(self) -> np.ndarray:
        """Median of the smoothed losses (n,), nan from where most runs had exploded."""
        finite = np.isfinite(self.smoothed).sum(axis=0) * 2 > len(self.smoothed)
        curve = np.full(len(self.rates), np.nan)
        curve[finite] = np.nanmedian(self.smoothed[:, finite], axis=0)
        return curve

    @property
    def hopeless(self) -> bool:
        """Whether the loss fell at no rate, so that the suggestion means nothing."""
        least = np.nanmin(self.smoothed, initial=np.inf)
        return not least < 0.98 * np.median(self.start)

    @property
    def remark(self) -> str:
        """What the user should know about this suggestion; mostly nothing."""
        high, low = self.rates[-1], self.rates[0]
        if self.hopeless:
            return (
                f"the loss did not fall at any rate from {low:.2g} to {high:.2g}: take no "
                "suggestion from it; try a smaller low, or more steps"
            )
        # A loss that is next to nothing may be least anywhere: look at where most of it fell.
        if _CAUTION * np.median(self.suggestions) >= self.rates[-(len(self.rates) // 10)]:
            return f"the loss was still falling at {high:.2g}, the highest rate; try a larger high"
        apart = self.suggestions.max() / self.suggestions.min()
        if apart > 10:
            return f"the runs' suggestions differ by a factor of {apart:.0f}; try more runs"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {
            "optimizer": self.optimizer.name,
            "suggestion": self.suggestion,
            "suggestions": self.suggestions.tolist(),
            "remark": self.remark,
            "rates": self.rates.tolist(),
            "curve": self.curve.tolist(),
            "losses": self.losses.tolist(),
        }

    def plot(self, path: str | os.PathLike | None = None) -> Any:
        """A matplotlib figure of the curve, written to ``path`` (.png, .svg, .pdf) if given."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise ImportError("plot: needs matplotlib: pip install 'minitrain[lab]'") from None
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        for run in self.smoothed:
            axes.plot(self.rates, run, color="0.8", linewidth=1)
        axes.plot(self.rates, self.curve, color="C0", linewidth=2)
        axes.axvline(self.suggestion, color="C3", linestyle="--")
        axes.annotate(
            f"{self.suggestion:g}", (self.suggestion, 1.0), (4, -12), color="C3",
            xycoords=("data", "axes fraction"), textcoords="offset points",
        )  # fmt: skip
        curve = np.append(np.median(self.start), self.curve[np.isfinite(self.curve)])
        room = 0.08 * (max(curve[0], curve.min() + 1e-12) - curve.min())
        axes.set(
            xscale="log", xlabel="learning rate", ylabel="loss",
            title=f"Range test of {self.optimizer.rule.title}",
            ylim=(curve.min() - room, max(1.3 * curve[0], curve.min() + 2 * room)),
        )  # fmt: skip
        axes.spines[["top", "right"]].set_visible(False)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def __repr__(self) -> str:
        low, high = self.suggestions.min(), self.suggestions.max()
        runs = f"{len(self.suggestions)} runs: {low:.2g} to {high:.2g}"
        remark = f"; {self.remark}" if self.remark else ""
        return f"RangeTest(suggestion={self.suggestion:g}, {self.optimizer.name}, {runs}{remark})"


def find_learning_rate(
    model: MLP | Sequence[int],
    data: Any,
    optimizer: str | Rule | Optimizer = "adam",
    *,
    low: float | None = None,
    high: float | None = None,
    steps: int = 300,
    runs: int = 3,
    batch_size: int = 32,
    seed: int = 0,
) -> RangeTest:
    """Suggest a learning rate: train while the rate rises from ``low`` to ``high``, watch the loss.

    Parameters
    ----------
    model
        The model as it is (a copy is trained), or layer sizes of one for classification.
    data
        A Dataset, an (X, y) pair, or a loader, whose batches count then.
    low, high
        First and last rate; by default the range on which the optimizer's rule is searched.
    steps, runs
        Steps of a run, each with a rate that is the same factor above the last; repetitions.
    batch_size, seed
        Of the mini-batches.

    It takes milliseconds for small networks: all steps of a run are a few compiled calls.

    Raises
    ------
    ValueError, TypeError
        If rates are out of range, or data and model do not fit together.
    """
    chosen = optimizers.get(optimizer)
    if isinstance(chosen, LBFGS):
        raise ValueError("optimizer: lbfgs has no learning rate to find; its line search does that")
    low, high = _check_range(chosen.rule.rates, low, high)
    check_count("steps", steps, 10)
    check_count("runs", runs)
    check_seed(seed + runs)
    X, y = unpack_pair(data)
    loader = data if isinstance(data, MiniBatchLoader) else None
    curves = [
        _run(
            copy.deepcopy(model) if isinstance(model, MLP) else MLP(model, seed=seed + run),
            _Portions(X, y, steps, loader, batch_size, seed + run),
            chosen.replace(lr=low),
            high / low,
            steps,
        )
        for run in range(runs)
    ]
    rates = low * (high / low) ** (np.arange(steps) / (steps - 1))
    start, losses = np.array([curve[0] for curve in curves]), np.array([c[1:] for c in curves])
    smoothed = np.array([_smooth(curve) for curve in curves])
    suggestions = np.array([_suggest(rates, curve) for curve in smoothed])
    return RangeTest(chosen, rates, start, losses, smoothed, suggestions)


class _Portions(MiniBatchLoader):
    """Every mini-batch is an epoch of its own, so that the history has a row per step."""

    def __init__(
        self, X: Any, y: Any, steps: int, loader: MiniBatchLoader | None, batch_size: int, seed: int
    ) -> None:
        X, y = np.asarray(X), np.asarray(y)
        if loader is not None:
            batch_size = loader.batch_size
        # More rows than the steps can see would cost an order of all of them at every step.
        most = max(steps * batch_size, _ROWS)
        if len(X) > most:
            rows = np.random.default_rng(seed).permutation(len(X))[:most]
            X, y = X[rows], y[rows]
        super().__init__(X, y, batch_size, seed=seed, balanced=bool(loader and loader.balanced))
        self.sampling = self.sampling._replace(steps=1)


def _run(
    model: MLP, batches: _Portions, optimizer: Optimizer, growth: float, steps: int
) -> np.ndarray:
    """Losses (1 + steps,) of the fixed rows before and after each step, nan after a failure."""
    rising = exponential(growth, n_steps(steps - 1))
    fixed = batches.X[:_ROWS], batches.y[:_ROWS]
    losses = np.full(1 + steps, np.nan)
    losses[0], _ = model.evaluate(*fixed)
    try:
        history = Trainer(model, optimizer, schedule=rising).fit(batches, steps, validation=fixed)
        if history.stop_reason == "interrupted":
            raise KeyboardInterrupt
    except DivergenceError as error:
        history = error.history
    losses[1 : 1 + len(history)] = history.validation_loss
    if not np.isfinite(losses[:2]).all():
        raise ValueError(
            f"low: the loss is not finite after a step with {optimizer.lr:g}; accepted: a rate "
            "that is far too small, and rows of ordinary size (standardised)"
        )
    return losses


def _smooth(losses: np.ndarray) -> np.ndarray:
    """A moving average that starts at the loss before the training; nan from the explosion on."""
    average = least = losses[0]
    smoothed = np.full(len(losses) - 1, np.nan)
    for i, loss in enumerate(losses[1:]):
        average = _MEMORY * average + (1 - _MEMORY) * loss
        least = min(least, average)
        if not average <= max(_EXPLODED * least, losses[0]):  # nor if it is nan
            break
        smoothed[i] = average
    return smoothed


def _suggest(rates: np.ndarray, curve: np.ndarray) -> float:
    known = curve[np.isfinite(curve)]
    if not known.size:
        return float(rates[0])
    wanted = known[0] - _FALLEN * (known[0] - known.min())
    return float(max(rates[np.argmax(known <= wanted)] / _CAUTION, rates[0]))


def _check_range(
    own: tuple[float, float], low: float | None, high: float | None
) -> tuple[float, float]:
    first = own[0] if low is None else float(low)
    last = own[1] if high is None else float(high)
    if not 0 < first < last < np.inf:
        raise ValueError(f"low, high: {low}, {high}; accepted: rates with 0 < low < high")
    return first, last
