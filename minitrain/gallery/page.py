"""The interactive page: one file, without any request to elsewhere.

The rules and surfaces in it are translated from the library's own source (``javascript``).
"""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..optimizer import Optimizer
from ..optimizers import get as get_optimizer
from .javascript import NotTranslatable, optimizer_source, surface_source
from .style import STYLES, style_of
from .surfaces import SURFACES, Surface
from .surfaces import get as get_surface
from .walks import RATES

_SCRIPTS = ("page_walk.js", "page_map.js", "page_chart.js", "page.js")  # in this order: one script


def write_page(
    path: str | Path,
    optimizers: Sequence[str | Optimizer] = tuple(STYLES),
    surface: str | Surface = "ravine",
    start: Any = None,
) -> Path:
    """Write the page with these optimizers and all surfaces; it opens with ``surface``.

    A rule that holds more than arithmetic cannot be shown.

    Raises
    ------
    ValueError
        Naming the rule that cannot be translated, and why.
    """
    first = get_surface(surface)
    shown = [s for s in SURFACES if s.name != first.name]
    shown = [first, *shown] if first not in SURFACES else list(SURFACES)
    target = Path(path)
    target.write_text(_page(shown, [get_optimizer(o) for o in optimizers], first, start), "utf-8")
    return target


def _page(
    surfaces: Sequence[Surface], optimizers: Sequence[Optimizer], first: Surface, start: Any
) -> str:
    moved = [float(v) for v in (first.start if start is None else start)]
    opening = {"surface": first.name, "start": moved, "steps": first.steps}
    data = [
        f"const RATES = {json.dumps([float(r) for r in RATES])};",
        f"const FIRST = {json.dumps(opening)};",
        f"const SURFACES = [{', '.join(map(surface_source, surfaces))}];",
        f"const OPTIMIZERS = [{', '.join(map(_optimizer, optimizers))}];",
    ]
    text = _asset("page.html")
    for mark, content in (
        ("/*CSS*/", _asset("page.css")),
        ("/*DATA*/", "\n".join(data)),
        ("/*SCRIPT*/", "".join(map(_asset, _SCRIPTS))),
    ):
        text = text.replace(mark, content, 1)
    return text


def _optimizer(optimizer: Optimizer) -> str:
    style = style_of(optimizer.name)
    look = json.dumps({"colour": style.colour, "dash": list(style.dash)})
    try:
        return f"{{...{optimizer_source(optimizer)}, ...{look}}}"
    except NotTranslatable as error:
        raise ValueError(
            f"optimizers: {optimizer.name!r} has no counterpart in JavaScript ({error}); "
            "accepted: rules of plain arithmetic"
        ) from None


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
