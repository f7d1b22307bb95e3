"""HTML reports: one file each, without any request to elsewhere."""

import base64
import io
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any


def render(template: str, **values: Any) -> str:
    """A jinja2 template with everything escaped, and the common style as ``css``.

    Raises
    ------
    ImportError
        If jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise ImportError('reports need jinja2: pip install "minitrain[lab]"') from error
    css = Markup(files(__package__).joinpath("report.css").read_text("utf-8"))
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return made.from_string(template).render(css=css, **values)


def environment(command: str) -> str:
    """The command that makes it again, and the versions that made it."""
    names = ("minitrain", "numpy", "numba", "scikit-learn")
    return (
        f"{command}: "
        + ", ".join(f"{name} {_version(name)}" for name in names)
        + (f", Python {platform.python_version()}")
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def embedded(figure: Any, dpi: int = 100) -> str:
    """A figure as a data: address of a small PNG."""
    from PIL import Image

    from .style import with_palette

    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, dpi=dpi, format="png")
    with_palette(Image.open(raw).convert("RGB")).save(small, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode()
