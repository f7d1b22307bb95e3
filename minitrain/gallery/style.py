"""One look per optimizer in all pictures: colour, dashes, marker.

The colours are Okabe and Ito's (2008), chosen so that colour-blind readers tell them apart, and
Tol's wine in place of their yellow, which vanishes on white.  Dashes and markers say the same
again for who sees no colour at all.
"""

import io
import textwrap
import zlib
from typing import Any, NamedTuple

INK = "#333333"


class Style(NamedTuple):
    """``dash``: lengths of line and gap in points, () if solid; ``marker``: matplotlib's."""

    colour: str
    dash: tuple[float, ...]
    marker: str

    def line(self) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot``."""
        return {"color": self.colour, "linestyle": (0, self.dash) if self.dash else "-"}


STYLES = {
    "sgd": Style("#000000", (), "o"),
    "momentum": Style("#0072B2", (), "s"),
    "nesterov": Style("#56B4E9", (5, 2), "D"),
    "adagrad": Style("#E69F00", (), "^"),
    "rmsprop": Style("#009E73", (), "v"),
    "adam": Style("#D55E00", (), "P"),
    "adamw": Style("#CC79A7", (5, 2), "X"),
    "nadam": Style("#882255", (2, 1.5), "*"),
}
# For all others, a user's own too: by name, so that it stays the same from run to run.
_COLOURS = ("#332288", "#117733", "#AA4499", "#999933", "#44AA99", "#DDAA33", "#661100", "#6699CC")
_DASHES = ((1, 1), (6, 2, 1, 2), (3, 1))


def style_of(name: str) -> Style:
    """The look of the optimizer of this name."""
    if name in STYLES:
        return STYLES[name]
    number = zlib.crc32(name.encode())
    markers = "<>hpd8"
    return Style(
        _COLOURS[number % len(_COLOURS)],
        _DASHES[number // 8 % len(_DASHES)],
        markers[number // 24 % len(markers)],
    )


def new_figure(width: float, height: float, columns: int = 1, rows: int = 1, **grid: Any) -> Any:
    """(figure, axes (rows, columns)) without pyplot, whose global state leaks between pictures.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('pictures need matplotlib: pip install "minitrain[lab]"') from error
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **grid)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(which="both", labelsize=8, colors=INK)
    return figure, axes


def caption(figure: Any, text: str) -> None:
    """Small print under a figure: what a reader needs to make it again."""
    width = int(17.5 * figure.get_figwidth())  # letters of this size that fit into a line
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, width) or [""]]
    figure.supxlabel("\n".join(lines), fontsize=7, color="#555555", x=0.01, ha="left")


def save(figure: Any, path: Any, dpi: int = 100) -> None:
    """Write the figure as its suffix says; a PNG gets a palette, and is small."""
    if not str(path).endswith(".png"):
        figure.savefig(path, dpi=dpi)
        return
    from PIL import Image

    raw = io.BytesIO()
    figure.savefig(raw, dpi=dpi, format="png")
    with_palette(Image.open(raw).convert("RGB")).save(path, optimize=True)


def with_palette(picture: Any) -> Any:
    """A pillow image in at most 256 colours: ours, their way to white, and greys.

    Pillow's own choice of a palette takes large grey areas more seriously than a thin coloured
    line, and merges the colours of two optimizers.
    """
    from PIL import Image

    ours = [style.colour for style in STYLES.values()] + list(_COLOURS)
    colours = [tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in ours]
    mixed = [
        tuple(round(255 - share * (255 - c)) for c in colour)
        for colour in colours
        for share in (1.0, 0.85, 0.7, 0.55, 0.4, 0.25, 0.12)
    ]
    greys = [(g, g, g) for g in range(0, 256, 2)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([c for colour in (mixed + greys)[:256] for c in colour])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)
