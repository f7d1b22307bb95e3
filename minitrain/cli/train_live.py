"""``minitrain train --live``: the curves of a training in the terminal while it goes on."""

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from .. import console
from .arguments import CommandError

_BLOCKS = " ▁▂▃▄▅▆▇█"
_HEIGHT = 3  # lines of a curve
_SECONDS = 0.05  # between two pictures: more often costs time and shows nothing


def curve(values: Sequence[float], width: int, height: int = _HEIGHT, log: bool = False) -> str:
    """Lines of block letters, highest first; the last one has no newline.

    Values that are not finite leave a gap; more than ``width`` are averaged.
    """
    points = np.asarray(values, float)
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            points = np.log(points)
    points = np.where(np.isfinite(points), points, np.nan)
    if points.size > width:
        points = np.array([_mean(part) for part in np.array_split(points, width)])
    good = points[np.isfinite(points)]
    if not good.size:
        return "\n".join([""] * height)
    low, high = good.min(), good.max()
    share = (points - low) / (high - low) if high > low else np.where(np.isnan(points), np.nan, 0.5)
    eighths = np.where(np.isnan(share), 0, 1 + np.nan_to_num(share) * (8 * height - 1))
    levels = [
        np.rint(np.clip(eighths - 8 * line, 0, 8)).astype(int) for line in reversed(range(height))
    ]
    return "\n".join("".join(_BLOCKS[k] for k in line) for line in levels)


def _mean(part: np.ndarray) -> float:
    good = part[np.isfinite(part)]
    return float(good.mean()) if good.size else np.nan


class Live:
    """The curves, redrawn in place, and left standing at the end."""

    def __init__(self, rich_console: Any) -> None:
        from rich.live import Live as Screen

        self._console = rich_console
        self._screen = Screen(console=rich_console, auto_refresh=False, transient=False)
        self._drawn = 0.0

    @classmethod
    def on(cls, stream: TextIO) -> "Live | None":
        """On this terminal; None where nobody watches.

        Raises CommandError if rich, which draws, is not installed.
        """
        if not console.is_terminal(stream):
            return None
        try:
            from rich.console import Console
        except ImportError as error:
            raise CommandError('--live needs rich: pip install "minitrain[lab]"', 1) from error
        return cls(Console(file=stream, highlight=False))

    def __enter__(self) -> "Live":
        self._screen.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._screen.refresh()
        self._screen.stop()

    def draw(self, history: Any, ratios: Sequence[float], epochs: int) -> None:
        """Show the history so far of ``epochs`` epochs."""
        now = time.monotonic()
        last = len(history) == epochs or history.stop_reason != "all epochs done"
        picture = self._picture(history, ratios, epochs)
        self._screen.update(picture, refresh=last or now - self._drawn > _SECONDS)
        self._drawn = now if now - self._drawn > _SECONDS else self._drawn

    def update(self, done: int, total: int, message: str) -> None:
        """What a plain progress takes; the curves say it already."""

    def _picture(self, history: Any, ratios: Sequence[float], epochs: int) -> Any:
        from rich.table import Table
        from rich.text import Text

        width = max(10, min(60, self._console.width - 46))
        table = Table(box=None, padding=(0, 1), show_header=False, pad_edge=False)
        rows = [
            ("loss, training", history.loss, True, "blue", "{:.4g}"),
            ("loss, validation", history.validation_loss, True, "yellow", "{:.4g}"),
            ("accuracy, training", history.accuracy, False, "blue", "{:.1%}"),
            ("accuracy, validation", history.validation_accuracy, False, "yellow", "{:.1%}"),
            ("learning rate", history.learning_rate, False, "white", "{:.3g}"),
            ("update / weights", ratios, True, "white", "{:.1e} (about 1e-3 is usual)"),
        ]
        for name, values, log, colour, form in rows:
            if not np.isfinite(np.asarray(values, float)).any():
                continue
            height = 1 if name == "learning rate" else _HEIGHT
            lines = curve(values, width, height, log)
            said = Text("\n" * (height - 1) + form.format(values[-1]))
            table.add_row(Text(name), Text(lines, style=colour), said)
        table.add_row(Text("epoch"), Text(f"{len(history)} of {epochs}"), Text(""))
        return table
