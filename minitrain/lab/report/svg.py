"""Small charts as SVG text: axes, lines, bands.  Colours come from the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 12, 40
COLOURS = 8
DASHES = ("", "6 3", "2 3", "8 3 2 3")


@dataclass
class Series:
    """One optimizer's line; ``low`` and ``high`` bound the band around it, if there is one."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    number: int = 0  # decides colour and dashes

    @property
    def style(self) -> str:
        dash = DASHES[self.number // COLOURS % len(DASHES)]
        return f'class="line c{self.number % COLOURS}"' + (
            f' stroke-dasharray="{dash}"' if dash else ""
        )


@dataclass
class Axis:
    """From values to pixels; ``log`` leaves out what is not above zero."""

    values: Sequence[float]
    start: float
    stop: float
    log: bool = False
    low: float = field(init=False)
    high: float = field(init=False)

    def __post_init__(self) -> None:
        v = np.asarray(self.values, float)
        v = v[np.isfinite(v) & ((v > 0) | (not self.log))]
        low, high = (float(v.min()), float(v.max())) if len(v) else (1.0, 10.0)
        if low == high:
            low, high = (low / 2, high * 2) if self.log else (low - 0.5, high + 0.5)
        self.low, self.high = low, high

    def at(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log10(max(x, 1e-300)) for x in (value, low, high))
        return self.start + (self.stop - self.start) * (value - low) / (high - low)

    def shown(self, value: float) -> bool:
        return math.isfinite(value) and (value > 0 or not self.log)

    def ticks(self) -> list[float]:
        if not self.log:
            return nice_ticks(self.low, self.high)
        first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
        if last - first < 1:
            few = nice_ticks(self.low, self.high)
            return [t for t in few if t > 0]
        step = -(-(last - first + 1) // 6)
        return [10.0**e for e in range(first, last + 1, step)]


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within the range."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A tick's label: 0.001 -> '0.001', 1e-05 -> '1e-5', 2000 -> '2000'."""
    text = f"{value:.4g}"
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


def chart(
    title: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    x_log: bool = False,
    y_log: bool = False,
    y_range: Sequence[float] = (),
) -> str:
    """An SVG element with a title and a description that screen readers read.

    ``y_range`` is shown whole, also where no line goes.
    """
    xs = [x for s in series for x in s.x]
    ys = [*y_range, *(y for s in series for part in (s.y, s.low, s.high) for y in part)]
    x_axis = Axis(xs, LEFT, WIDTH - RIGHT, x_log)
    y_axis = Axis(ys, HEIGHT - BOTTOM, TOP, y_log)
    parts = [*_frame(x_axis, y_axis, x_label, y_label)]
    for s in series:
        parts.append(_band(s, x_axis, y_axis))
    for s in series:
        points = [
            f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}"
            for x, y in zip(s.x, s.y, strict=True)
            if x_axis.shown(x) and y_axis.shown(y)
        ]
        parts.append(
            f'<polyline {s.style} points="{" ".join(points)}"><title>{escape(s.name)}</title>'
            "</polyline>"
        )
    names = ", ".join(s.name for s in series)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}: '
        f'{escape(y_label)} against {escape(x_label)} for {escape(names)}">'
        f"{''.join(parts)}</svg>"
    )


def _frame(x_axis: Axis, y_axis: Axis, x_label: str, y_label: str) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>']
    for value in x_axis.ticks():
        x = x_axis.at(value)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" class="mid">{number(value)}</text>')
    for value in y_axis.ticks():
        y = y_axis.at(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 3.5:.1f}" class="end">{number(value)}</text>')
    middle = (LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" class="mid">{escape(x_label)}</text>')
    height = (TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(12 {height}) rotate(-90)" class="mid">{escape(y_label)}</text>'
    )
    return parts


def _band(s: Series, x_axis: Axis, y_axis: Axis) -> str:
    rows = [
        (x_axis.at(x), y_axis.at(low), y_axis.at(high))
        for x, low, high in zip(s.x, s.low, s.high, strict=False)
        if x_axis.shown(x) and y_axis.shown(low) and y_axis.shown(high)
    ]
    if len(rows) < 2:
        return ""
    there = [f"{x:.1f},{low:.1f}" for x, low, _ in rows]
    back = [f"{x:.1f},{high:.1f}" for x, _, high in reversed(rows)]
    return f'<polygon class="band c{s.number % COLOURS}" points="{" ".join(there + back)}"/>'


def critical_difference(
    ranks: dict[str, float], difference: float, cliques: Sequence[Sequence[str]]
) -> str:
    """Demšar's diagram: optimizers on a line of ranks; a bar joins who cannot be told apart."""
    if not ranks or not all(map(math.isfinite, ranks.values())):
        return ""
    order = sorted(ranks, key=ranks.__getitem__)
    half = (len(order) + 1) // 2
    k = max(len(order), 2)
    wide, left, right, row = 720, 150, 570, 18
    bars = 46 + 9 * len(cliques)
    height = bars + row * half + 12

    def at(rank: float) -> float:
        return left + (right - left) * (rank - 1) / (k - 1)

    parts = [f'<path class="axis" d="M{left} 36H{right}"/>']
    for i in range(1, k + 1):
        parts.append(f'<path class="axis" d="M{at(i):.1f} 31V36"/>')
        if k <= 20 or i % 5 == 0 or i == 1:
            parts.append(f'<text x="{at(i):.1f}" y="27" class="mid">{i}</text>')
    if math.isfinite(difference) and difference <= k - 1:
        end = at(1 + difference)
        parts.append(f'<path class="clique" d="M{left} 10H{end:.1f}"/>')
        parts.append(f'<text x="{end + 6:.1f}" y="14">critical difference {difference:.2f}</text>')
    for i, group in enumerate(cliques):
        y = 44 + 9 * i
        first, last = (at(ranks[group[j]]) for j in (0, -1))
        parts.append(f'<path class="clique" d="M{first - 3:.1f} {y}H{last + 3:.1f}"/>')
    for i, name in enumerate(order):
        x = at(ranks[name])
        text = f"{escape(name)} ({ranks[name]:.2f})"
        if i < half:
            y = bars + row * i + 10
            parts.append(f'<path class="axis" d="M{x:.1f} 36V{y}H{left - 6}"/>')
            parts.append(f'<text x="{left - 10}" y="{y + 4}" class="end">{text}</text>')
        else:
            y = bars + row * (len(order) - 1 - i) + 10
            parts.append(f'<path class="axis" d="M{x:.1f} 36V{y}H{right + 6}"/>')
            parts.append(f'<text x="{right + 10}" y="{y + 4}">{text}</text>')
    said = ", ".join(f"{name} {ranks[name]:.2f}" for name in order)
    return (
        f'<svg viewBox="0 0 {wide} {height}" role="img" class="wide" aria-label="Average ranks: '
        f'{escape(said)}; critical difference {difference:.2f}">{"".join(parts)}</svg>'
    )
