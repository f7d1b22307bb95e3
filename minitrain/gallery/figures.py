"""Still pictures of walks: the ways over the surface, and the loss against the step."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .style import INK, caption, new_figure, style_of
from .surfaces import Surface
from .walks import Walk, spelled


def draw_surface(axis: Any, surface: Surface, points: int = 161) -> None:
    """Contours in grey, dark is low, and the minima as crosses."""
    xs, ys, z = surface.heights(points)
    # By quantiles and not by height: else one wall takes all lines and the valley none.
    levels = np.unique(np.quantile(z, np.linspace(0, 1, 22) ** 1.5))
    axis.contourf(xs, ys, z, levels=levels, cmap="Greys_r", alpha=0.3)
    axis.contour(xs, ys, z, levels=levels, colors="#888888", linewidths=0.4,
                 linestyles="solid")  # fmt: skip
    minima = np.array(surface.minima, float).reshape(-1, 2)
    axis.plot(*minima.T, "+", color="white", markersize=11, markeredgewidth=3, zorder=4)
    axis.plot(*minima.T, "+", color=INK, markersize=10, markeredgewidth=1.4, zorder=5)
    axis.set_xlim(*surface.window[0])
    axis.set_ylim(*surface.window[1])
    axis.set_xlabel("x", fontsize=8)
    axis.set_ylabel("y", fontsize=8)


def draw_path(axis: Any, walk: Walk, until: int | None = None, **options: Any) -> Any:
    """One walk's way, with a marker at its end; returns what was drawn."""
    style = style_of(walk.optimizer.name)
    path = inside(walk)[: None if until is None else until + 1]
    (line,) = axis.plot(*path.T, linewidth=1.6, label=walk.optimizer.rule.title, zorder=6,
                        **style.line(), **options)  # fmt: skip
    (end,) = axis.plot(
        *path[-1:].T, style.marker, color=style.colour, markersize=7, markeredgecolor="white",
        markeredgewidth=0.8, zorder=7,
    )  # fmt: skip
    return line, end


def inside(walk: Walk) -> np.ndarray:
    """The path, cut at ten times the window so that a divergence does not break the renderer."""
    low, high = np.array(walk.surface.window).T
    reach = 10 * (high - low)
    path = np.where(np.isfinite(walk.path), walk.path, np.nan)
    return np.clip(path, low - reach, high + reach)


def draw_losses(axis: Any, walks: Sequence[Walk]) -> None:
    """Height above the lowest known point against the step, on a log axis."""
    lowest = lowest_known(walks)
    for walk in walks:
        style = style_of(walk.optimizer.name)
        above = np.where(np.isfinite(walk.loss), walk.loss, np.nan) - lowest
        axis.plot(np.maximum(above, 1e-12), linewidth=1.4, label=walk.optimizer.rule.title,
                  marker=style.marker, markevery=max(1, walk.steps // 6), markersize=4,
                  **style.line())  # fmt: skip
    axis.set_yscale("log")
    axis.set_xlabel("step", fontsize=8)
    axis.set_ylabel(f"loss − {lowest:.4g}" if lowest else "loss", fontsize=8)


def lowest_known(walks: Sequence[Walk]) -> float:
    """The lowest value of the surface: at a minimum, or at a place that a walk came to."""
    values = [walk.surface(*m)[0] for walk in walks for m in walk.surface.minima]
    values += [walk.loss[np.isfinite(walk.loss)].min() for walk in walks if not walks[0].noise]
    lowest = min(values, default=0.0)
    return 0.0 if abs(lowest) < 1e-12 else float(lowest)


def draw_walks(walks: Sequence[Walk]) -> Any:
    """A matplotlib figure of walks on one surface: ways on the left, losses on the right.

    Raises
    ------
    ValueError
        If there is no walk, or they are not on the same surface.
    """
    walks = list(walks)
    if not walks or any(walk.surface.function is not walks[0].surface.function for walk in walks):
        raise ValueError("walks: accepted: at least one, all on the same surface")
    surface = walks[0].surface
    figure, ((left, right),) = new_figure(10, 5.2 + 0.12 * len(walks), columns=2)
    draw_surface(left, surface)
    for walk in walks:
        draw_path(left, walk)
    start = walks[0].path[0]
    left.plot(*start, "o", color="white", markeredgecolor=INK, markersize=7, zorder=8)
    left.set_title(f"{surface.title}:  {surface.formula}", fontsize=9, loc="left", color=INK)
    draw_losses(right, walks)
    right.legend(fontsize=8, frameon=False)
    caption(figure, small_print(walks))
    return figure


def small_print(walks: Sequence[Walk]) -> str:
    """What it takes to make the picture again, and what it does not show."""
    alike = len({walk.chosen for walk in walks}) == 1
    each = [spelled(w.optimizer) + ("" if alike else f" ({w.chosen})") for w in walks]
    return f"{'; '.join(each)}.\n{how_made(walks)}"


def how_made(walks: Sequence[Walk]) -> str:
    """How the rates were chosen, start, steps, noise and seed; one surface is no ranking."""
    first = walks[0]
    rates = " / ".join(sorted({walk.chosen for walk in walks}))
    where = f"Start ({first.path[0][0]:g}, {first.path[0][1]:g}), {first.steps} steps, float64"
    noise = (
        f"noise of the gradient {first.noise:g}, seed {first.seed}"
        if first.noise
        else "no noise, no seed"
    )
    return f"Rates: {rates}. {where}, {noise}. One surface is no ranking."
