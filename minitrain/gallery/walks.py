"""Walks: an optimizer's way over a surface, step by step, by its own compiled kernels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..inputs import check_count, check_seed
from ..kernels import surfaces as kernels
from ..optimizer import Optimizer
from ..optimizers import get as get_optimizer
from .surfaces import Point, Surface
from .surfaces import get as get_surface

# Where a rate is looked for: the same points for every optimizer.
RATES = np.array([float(f"{rate:.2g}") for rate in np.logspace(-4, 1, 51)])


def spelled(optimizer: Optimizer) -> str:
    """The optimizer with its hyperparameters, for captions: its ``repr`` leaves the defaults out,
    and a reader of a picture does not know them.  Defaults that are zero or a switch stay out."""
    defaults = optimizer.rule.defaults
    shown = {
        name: value for name, value in optimizer.hyperparameters.items()
        if name == "lr" or value != defaults[name] or (value and not isinstance(value, bool))
    } | optimizer.modifiers.given()  # fmt: skip
    values = (
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}"
        for name, value in shown.items()
    )
    return f"{optimizer.rule.title}({', '.join(values)})"


@dataclass(frozen=True)
class Walk:
    """What happened: position 0 is the start, position t is after t steps.

    ``path`` (steps + 1, 2), ``loss`` (steps + 1,) and ``gradient`` (steps + 1, 2), as the
    optimizer saw it, are float64; after a divergence they hold inf or nan.  ``chosen`` says how
    the learning rate was chosen.
    """

    surface: Surface
    optimizer: Optimizer
    path: np.ndarray
    loss: np.ndarray
    gradient: np.ndarray
    noise: float
    seed: int
    chosen: str

    @property
    def steps(self) -> int:
        return len(self.path) - 1

    @property
    def velocity(self) -> np.ndarray:
        """The step itself, (steps, 2)."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.diff(self.path, axis=0)

    @property
    def effective_rate(self) -> np.ndarray:
        """Length of the step by size of the gradient, per coordinate (steps, 2); nan where the
        gradient is zero.  It is the learning rate for SGD, and what an adaptive rule makes of it.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rate = np.abs(self.velocity) / np.abs(self.gradient[:-1])
        return np.where(self.gradient[:-1] != 0, rate, np.nan)

    @property
    def diverged(self) -> bool:
        return not np.isfinite(self.loss).all()

    def distance(self) -> np.ndarray:
        """From each position to the nearest minimum, (steps + 1,)."""
        minima = np.array(self.surface.minima, float)
        away = self.path[:, None, :] - minima[None, :, :]
        return np.sqrt((away**2).sum(axis=2)).min(axis=1)

    def describe(self) -> str:
        """Optimizer, hyperparameters and how the rate was chosen, for captions."""
        return f"{spelled(self.optimizer)}, rate {self.chosen}"


def walk(
    surface: str | Surface,
    optimizer: str | Optimizer,
    start: Point | None = None,
    steps: int | None = None,
    noise: float = 0.0,
    seed: int = 0,
    chosen: str = "given",
) -> Walk:
    """Let ``optimizer`` walk over ``surface`` and note every step.

    ``noise`` is the standard deviation of what is added to each coordinate of the gradient, as a
    mini-batch does; its random numbers depend on ``seed`` alone, the same for every optimizer.

    Raises
    ------
    ValueError, TypeError
        For an unknown surface or optimizer, or a start that is not two finite numbers.
    """
    found = get_surface(surface)
    mover = get_optimizer(optimizer)
    steps = check_count("steps", found.steps if steps is None else steps)
    first = _check_start(found.start if start is None else start)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise: {noise}; accepted: a standard deviation, finite, at least 0")
    drawn = np.random.default_rng(check_seed(seed)).standard_normal((steps, 2)) * noise
    path, gradient = np.empty((steps + 1, 2)), np.empty((steps + 1, 2))
    loss = np.empty(steps + 1)
    path[0] = first
    with np.errstate(all="ignore"):
        if _is_one_pass(mover):
            fused = mover.kernels(np.dtype(float))
            kernels.walk(
                path, loss, gradient, drawn if noise else drawn[:0],
                kernels.address(found.function), *mover.init(first.copy()).arrays,
                np.full(steps, mover.lr), fused.advance, fused.descend,
            )  # fmt: skip
        else:
            _walk_by_steps(path, loss, gradient, drawn, found, mover)
    return Walk(found, mover, path, loss, gradient, float(noise), seed, chosen)


def _is_one_pass(optimizer: Optimizer) -> bool:
    """Whether a step is ``advance`` and ``descend`` and nothing else: no sums over all parameters
    before it, and no other place to evaluate than that of the steps."""
    plain = getattr(optimizer, "_plain", True)
    return bool(plain) and not getattr(optimizer, "evaluates_elsewhere", False)


def _walk_by_steps(
    path: np.ndarray, loss: np.ndarray, gradient: np.ndarray, noise: np.ndarray,
    surface: Surface, optimizer: Optimizer,
) -> None:  # fmt: skip
    """The walk of an optimizer whose step is more than one pass, by its own ``step``.

    The path shows the place that counts: an average, for one that averages.
    """
    p = path[0].copy()
    state = optimizer.init(p)
    shown = getattr(optimizer, "evaluated", lambda params, state: params)
    for t in range(len(path)):
        slope = np.array(surface(*p)[1:])
        path[t] = shown(p, state)
        loss[t] = surface(*path[t])[0]
        gradient[t] = slope + (noise[t] if t < len(noise) else 0.0)
        if t + 1 < len(path):
            optimizer.step(p, gradient[t], state)


def tune(
    surface: str | Surface,
    optimizer: str | Optimizer,
    start: Point | None = None,
    steps: int | None = None,
    rates: Sequence[float] | np.ndarray = RATES,
    **options: Any,
) -> Walk:
    """The walk with that rate, of ``rates``, whose loss is lowest on average over its steps.

    It serves a picture in which everybody shows what it can do; it ranks nobody, since the
    surface is one of many and the same walk both chose and is shown.
    """
    mover = get_optimizer(optimizer)
    if not len(rates):
        raise ValueError("rates: none; accepted: at least one learning rate")
    best, least = None, np.inf
    for rate in rates:
        tried = walk(surface, mover.replace(lr=float(rate)), start, steps, **options)
        mean = np.mean(tried.loss)
        if best is None or mean < least:
            best, least = tried, mean if np.isfinite(mean) else np.inf
    assert best is not None
    how = f"best of {len(rates)} in {min(rates):g} … {max(rates):g} by mean loss"
    return replace(best, chosen=how)


def _check_start(start: Any) -> np.ndarray:
    try:
        point = np.array(start, float)
    except (TypeError, ValueError):
        point = np.empty(0)
    if point.shape != (2,) or not np.isfinite(point).all():
        raise ValueError(f"start: {start!r}; accepted: two finite numbers, such as (-1.0, 2.0)")
    return point
