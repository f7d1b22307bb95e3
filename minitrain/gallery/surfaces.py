"""The surfaces by name: what there is to see on each, where to start, and where it comes from."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..kernels import surfaces as kernels

Point = tuple[float, float]


@dataclass(frozen=True)
class Surface:
    """A function of two numbers, to be walked on.

    Parameters
    ----------
    name
        What it is called in figures and on the command line.
    function
        ``f(x, y) -> (value, df/dx, df/dy)`` in plain arithmetic and ``math``: it is compiled, and
        translated for the interactive page.
    start
        Where walks start if nobody says otherwise.
    window
        The part to show: ((least x, most x), (least y, most y)).
    steps
        How long a walk is if nobody says otherwise.
    minima
        Where the gradient vanishes at a lowest point; for figures and distances.
    shows
        One sentence: what can be seen here.
    source
        Who used it to explain optimizers, or who invented it.
    """

    name: str
    function: Callable[[Any, Any], tuple[Any, Any, Any]]
    start: Point
    window: tuple[Point, Point] = ((-2.0, 2.0), (-2.0, 2.0))
    steps: int = 100
    minima: tuple[Point, ...] = ()
    shows: str = ""
    source: str = ""

    @property
    def formula(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or self.name).strip().partition("\n")[0]

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()

    def __call__(self, x: float, y: float) -> tuple[float, float, float]:
        """(value, df/dx, df/dy), in plain Python: what the compiled walk is held to."""
        return self.function(float(x), float(y))

    def heights(self, points: int = 201) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """xs (points,), ys (points,) and the values (points, points), rows along y."""
        xs, ys = (np.linspace(low, high, points) for low, high in self.window)
        out = np.empty((points, points))
        kernels.heights(out, xs, ys, kernels.address(self.function))
        return xs, ys, out

    def replace(self, **changes: Any) -> "Surface":
        """The same surface with another start, window or number of steps."""
        return replace(self, **changes)


_BEALE = "Beale (1958); Radford's animations (2014)"
_ROOT = math.sqrt(2.0)

SURFACES = [
    Surface(
        "ravine", kernels.ravine, (-7.0, 2.0), ((-10, 10), (-5, 5)), 30, ((0, 0),),
        "Steep across, flat along: SGD zigzags, momentum swings, Adagrad and Adam cut the corner.",
        "밑바닥부터 시작하는 딥러닝 (Deep Learning from Scratch), ch. 6",
    ),
    Surface(
        "quadratic", kernels.quadratic, (-2.0, 0.6), ((-2.5, 2.5), (-1, 1)), 100, ((0, 0),),
        "Curvatures 1 and 50: the best rate of plain momentum is known exactly.",
        "Goh, Why Momentum Really Works, Distill (2017)",
    ),
    Surface(
        "saddle", kernels.saddle, (-1.5, 1e-3), ((-2, 2), (-2.2, 2.2)), 80,
        ((0, _ROOT), (0, -_ROOT)),
        "The gradient almost vanishes at (0, 0): who leaves along y, and after how many steps?",
        "after Radford's animations (2014), with walls, so that it has minima",
    ),
    Surface(
        "long_valley", kernels.long_valley, (-1.0, 1e-2), ((-1.6, 1.6), (-2.6, 2.6)), 150,
        ((0, -2), (0, 2)),
        "80 times flatter along than across: a step per coordinate breaks the symmetry first.",
        "after Radford's animations (2014)",
    ),
    Surface(
        "beale", kernels.beale, (1.0, 1.5), ((-1.0, 4.2), (-1.5, 2.2)), 200, ((3, 0.5),),
        "Steep walls around a flat valley: large first gradients throw momentum far.",
        _BEALE,
    ),
    Surface(
        "rosenbrock", kernels.rosenbrock, (-2.0, 2.0), ((-2.4, 2.4), (-1.2, 3.6)), 400, ((1, 1),),
        "A curved, flat valley: all find it at once and then hardly move.",
        "Rosenbrock (1960); start as in jettify/pytorch-optimizer",
    ),
    Surface(
        "himmelblau", kernels.himmelblau, (-0.3, -1.0), ((-5.5, 5.5), (-5.5, 5.5)), 80,
        ((3, 2), (-2.805118086952745, 3.131312518250573),
         (-3.779310253377747, -3.283185991286170), (3.584428340330492, -1.848126526964404)),
        "Four minima of the same depth: where one ends is a matter of rule and rate.",
        "Himmelblau (1972)",
    ),
    Surface(
        "rastrigin", kernels.rastrigin, (-2.0, 3.5), ((-4.5, 4.5), (-4.5, 4.5)), 200, ((0, 0),),
        "A local minimum in every unit square: the first steps decide in which one it ends.",
        "Rastrigin (1974); start as in jettify/pytorch-optimizer",
    ),
    Surface(
        "two_minima", kernels.two_minima, (0.75, 1.3), ((-2, 2), (-2, 2)), 80,
        ((-0.9363006340109187, 0), (0.9053178991605966, 0)),
        "A shallow and a deep minimum: the way, not the goal, decides which one it is.",
        "Dupont, Interactive Visualization of Optimization Algorithms (2018)",
    ),
    Surface(
        "trenches", kernels.trenches, (0.75, 1.0), ((-1.5, 1.5), (-1.5, 1.5)), 150,
        ((-0.0013900039877532, -0.0022228774358550), (-0.4522251811850289, -0.6560706287752527)),
        "Two narrow trenches on a plateau: a long step jumps over what a short one never reaches.",
        "Yun, j-w-yun/optimizer-visualization (2017)",
    ),
]  # fmt: skip

_BY_NAME = {surface.name: surface for surface in SURFACES}


def names() -> list[str]:
    """Names of the surfaces."""
    return list(_BY_NAME)


def get(surface: "str | Surface") -> Surface:
    """A surface from its name; a ValueError names the nearest one otherwise."""
    if isinstance(surface, Surface):
        return surface
    key = str(surface).lower().replace("-", "_").replace(" ", "_")
    if key not in _BY_NAME:
        near = get_close_matches(key, _BY_NAME, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"surface: unknown {surface!r}{hint} Accepted: {', '.join(names())}")
    return _BY_NAME[key]
