"""Pictures of a network's loss on a plane, with trainings drawn on it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .landscape import Plane
from .style import caption, new_figure, style_of


def draw_plane(
    plane: Plane, trajectories: Mapping[str, np.ndarray] | None = None, setup: str = ""
) -> Any:
    """A matplotlib figure: loss and accuracy on the plane, and the trainings by optimizer's name;
    beside a plane of principal components what random walks look like in theirs.

    What is drawn of a training is its shadow: the nearest places in the plane.
    """
    trajectories = trajectories or {}
    columns = 2 if plane.null_ways is None else 3
    figure, (axes,) = new_figure(5 * columns - (columns > 2), 4.9, columns=columns)
    left, right = axes[:2]
    if plane.null_ways is not None:
        _draw_null(axes[2], plane)
    finite = np.where(np.isfinite(plane.loss), plane.loss, np.nanmax(plane.loss))
    lowest = max(float(finite.min()), 1e-9)
    levels = np.geomspace(lowest, max(float(np.quantile(finite, 0.98)), 2 * lowest), 18)
    left.contourf(plane.a, plane.b, finite, levels=levels, cmap="Greys_r", alpha=0.35,
                  extend="max")  # fmt: skip
    left.contour(plane.a, plane.b, finite, levels=levels, colors="#888888", linewidths=0.5)
    shares = right.contourf(
        plane.a, plane.b, 100 * plane.accuracy, levels=np.linspace(0, 100, 11), cmap="Greys"
    )
    shares.set_alpha(0.5)
    figure.colorbar(shares, ax=right, label="accuracy, %", shrink=0.8)
    # Each line is narrower than those below it: two of the same way are both seen.
    widths = np.linspace(1.5 + 1.2 * (len(trajectories) - 1), 1.5, max(1, len(trajectories)))
    for (name, places), width in zip(trajectories.items(), widths, strict=False):
        style, way = style_of(name), plane.project(places)
        for axis in (left, right):
            axis.plot(*way.T, linewidth=width, label=name, **style.line())
            axis.plot(*way[-1:].T, style.marker, color=style.colour, markersize=8,
                      markeredgecolor="white")  # fmt: skip
    for axis, title in ((left, "loss: dark is low"), (right, "accuracy: dark is high")):
        for places in list(trajectories.values())[:1]:
            if len(places) > 1:
                start = plane.project(places[:1]).T
                axis.plot(*start, "o", color="white", markeredgecolor="#333333")
        axis.set_xlim(plane.a[0], plane.a[-1])
        axis.set_ylim(plane.b[0], plane.b[-1])
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_xlabel(_label(plane, 0), fontsize=8)
        axis.set_ylabel(_label(plane, 1), fontsize=8)
    if trajectories:
        figure.legend(handles=left.get_legend_handles_labels()[0], fontsize=8, frameon=False,
                      loc="outside upper right", ncols=len(trajectories))  # fmt: skip
    levels_said = f"Lines: loss {levels[0]:.2g} … {levels[-1]:.2g}, even in the logarithm."
    caption(figure, f"{setup}\nPlane: {plane.how}. {_against_null(plane)}{levels_said}".strip())
    return figure


def _draw_null(axis: Any, plane: Plane) -> None:
    """Random walks in the plane of their own principal components."""
    assert plane.null_ways is not None
    assert plane.null is not None
    for k, way in enumerate(plane.null_ways):
        axis.plot(*way.T, color="#777777", linestyle=("-", "--", ":", "-.")[k % 4], linewidth=1.4)
    axis.plot(*plane.null_ways[0][:1].T, "o", color="white", markeredgecolor="#333333", zorder=5)
    axis.set_title("null: random walks, as many steps", fontsize=9, loc="left")
    axis.set_xlabel(f"component 1: {plane.null[0]:.0%} of the variance", fontsize=8)
    axis.set_ylabel(f"component 2: {plane.null[1]:.0%} of the variance", fontsize=8)


def _label(plane: Plane, axis: int) -> str:
    if plane.explained is None:
        return f"direction {axis + 1}, in lengths of the weights"
    return f"component {axis + 1}: {plane.explained[axis]:.0%} of the variance"


def _against_null(plane: Plane) -> str:
    if plane.explained is None or plane.null is None:
        return ""
    return (
        f"Explained variance {plane.explained[0]:.0%} + {plane.explained[1]:.0%}; random walks of "
        f"as many steps have {plane.null[0]:.0%} + {plane.null[1]:.0%}, so a curve here is no "
        "finding by itself. "
    )
