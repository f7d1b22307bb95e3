"""Curves as text: a line of blocks, or a picture of dots with its axes."""

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
# Bits of the dots of a braille character: 2 columns of 4 rows.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """One line of ``width`` blocks, from 0 (the lowest) to the largest value."""
    most = max(values) or 1.0
    found = []
    for i in range(width):
        begin, end = i * len(values) // width, (i + 1) * len(values) // width
        part = values[begin : max(end, begin + 1)]
        share = sum(part) / len(part) / most
        found.append(_BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)])
    return "".join(found)


def picture(
    x: Sequence[float],
    y: Sequence[float],
    labels: Sequence[str],
    marked: float | None = None,
    width: int = 60,
    height: int = 12,
    top: float | None = None,
    bottom: float | None = None,
) -> list[str]:
    """Lines of a picture of y over x: braille dots, the ends of the y axis, and a line of labels.

    ``x`` rises.  Numbers of ``y`` that are not finite are left out; those outside ``bottom`` …
    ``top`` (by default: the least and the largest) are drawn at the edge.  ``labels`` are set
    apart evenly under the x axis; at ``marked`` on it stands a vertical line.
    """
    known = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(b)]
    low = min(b for _, b in known) if bottom is None else bottom
    high = max(b for _, b in known) if top is None else top
    columns, rows = 2 * width, 4 * height

    def column(a: float) -> int:
        return round((columns - 1) * (a - x[0]) / ((x[-1] - x[0]) or 1.0))

    def row(b: float) -> int:
        share = (min(max(b, low), high) - low) / ((high - low) or 1.0)
        return round((rows - 1) * (1.0 - share))

    cells = [[0] * width for _ in range(height)]

    def dot(c: int, r: int) -> None:
        cells[r // 4][c // 2] |= _DOTS[r % 4][c % 2]

    if marked is not None:
        for r in range(0, rows, 2):
            dot(column(marked), r)
    points = [(column(a), row(b)) for a, b in known]
    for (c, r), (next_c, next_r) in zip(points, points[1:] or points, strict=False):
        count = max(abs(next_c - c), abs(next_r - r), 1)
        for i in range(count + 1):
            dot(c + round(i * (next_c - c) / count), r + round(i * (next_r - r) / count))

    ends = [f"{high:.3g}", *[""] * (height - 2), f"{low:.3g}"]
    margin = max(map(len, ends))
    lines = [
        f"{end:>{margin}} ┤{''.join(chr(0x2800 + cell) for cell in line)}".rstrip("⠀")
        for end, line in zip(ends, cells, strict=True)
    ]
    axis = [" "] * (width + 12)
    for i, label in enumerate(labels):
        at = round(i * (width - 1) / max(len(labels) - 1, 1))
        start = min(max(at - len(label) // 2, 0), width - len(label))
        axis[start : start + len(label)] = label
    return [*lines, f"{'':>{margin}}  {''.join(axis)}".rstrip()]
