"""What people see: tables, facts, source code and progress.

With rich installed and a terminal to write to, rich draws them (it honours NO_COLOR); into a pipe
or a file, or without rich, they are plain aligned text.  Results go to stdout, progress to stderr.
"""

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from types import TracebackType
from typing import Any, TextIO

_LINES_IN_A_PIPE = 8  # that a progress leaves, whatever its length
_GAP = "  "

Row = Sequence[str]


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody watches, on a terminal that can do more than print lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def print_text(text: str = "", stream: TextIO | None = None) -> None:
    """A paragraph, wrapped between words in a terminal and left in one line elsewhere."""
    stream = stream or sys.stdout
    if is_terminal(stream):
        text = textwrap.fill(
            text, shutil.get_terminal_size().columns - 1, break_on_hyphens=False,
            break_long_words=False,
        )  # fmt: skip
    print(text, file=stream)


def print_heading(text: str, stream: TextIO | None = None) -> None:
    """A line that stands out where that is possible."""
    stream = stream or sys.stdout
    rich = _rich(stream)
    if rich:
        rich.print(text, style="bold")
    else:
        print(text, file=stream)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Row | None],
    right: Collection[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Rows of cells under the names of the columns; ``right`` are aligned on the right.

    None in place of a row ends a group of rows.
    """
    stream = stream or sys.stdout
    rows = list(rows)
    rich = _rich(stream)
    if not rich:
        for line in _aligned([columns, *rows], [name in right for name in columns]):
            print(line, file=stream)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, len(_GAP), 0, 0), pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(
            Text(name), justify="right" if name in right else "left", no_wrap=name in right
        )
    for row in rows:
        table.add_row(*map(Text, row or ()))
    rich.print(table)


def print_facts(facts: Iterable[Row], stream: TextIO | None = None) -> None:
    """Lines of a name, what it is, and remarks, each under the other."""
    stream = stream or sys.stdout
    lines = _aligned(list(facts), [])
    rich = _rich(stream)
    for line in lines:
        if rich:
            rich.print(line, soft_wrap=True)
        else:
            print(line, file=stream)


def print_source(code: str, stream: TextIO | None = None) -> None:
    """Python source, in colour where that is possible."""
    stream = stream or sys.stdout
    rich = _rich(stream)
    if rich and not rich.no_color:
        from rich.syntax import Syntax

        syntax = Syntax(code, "python", theme="ansi_dark", background_color="default")
        rich.print(syntax.highlight(code), soft_wrap=True, end="")
    else:
        print(code, file=stream)


def print_study(result: Any, stream: TextIO | None = None) -> None:
    """What a study (``minitrain.lab``) found: its verdict, what it cannot say, and its tables."""
    stream = stream or sys.stdout
    print_text(result.sentence(), stream)
    print_text(result.limits(), stream)
    for arm, schedule in result.columns:
        summary = result.summary(arm, schedule)
        if not summary:
            continue
        print(file=stream)
        if len(result.columns) > 1:
            rate = " rate" if schedule == "constant" else ""
            print_heading(f"{arm.replace('_', ' ')}, {schedule}{rate}", stream)
        _print_summary(summary, result.verdicts(arm, schedule), stream)


def _print_summary(summary: list[dict], verdicts: list[dict], stream: TextIO) -> None:
    beaten: dict[tuple[str, str], list[str]] = {}
    for verdict in verdicts:
        if verdict["verdict"] == "better":
            beaten.setdefault((verdict["dataset"], verdict["a"]), []).append(verdict["b"])
    failures = any(row["failed"] for row in summary)
    rows: list[Row | None] = []
    for dataset in dict.fromkeys(row["dataset"] for row in summary):
        group = [row for row in summary if row["dataset"] == dataset]
        group.sort(key=lambda row: -row["accuracy"] if row["accuracy"] == row["accuracy"] else 1)
        rows += [None] if rows else []
        for row in group:
            wins = beaten.get((dataset, row["optimizer"]), [])
            failed = [f"{row['failed']} of {row['runs']}" if row["failed"] else "none"]
            rows.append(
                [
                    dataset,
                    row["optimizer"],
                    f"{row['lr']:.2g}",
                    percent(row["accuracy"]),
                    interval(row["low"], row["high"]),
                    (", ".join(wins) if len(wins) < 4 else f"{len(wins)} of {len(group) - 1}")
                    or "none",
                    duration(row["seconds_per_training"]),
                    *(failed if failures else []),
                ]
            )
    columns = ["data set", "optimizer", "lr", "accuracy", "95 % interval", "better than", "time"]
    columns += ["failed"] if failures else []
    print_table(columns, rows, right=("lr", "accuracy", "95 % interval", "time"), stream=stream)


def percent(share: float) -> str:
    """0.9722 -> '97.2 %'."""
    return f"{100 * share:.1f} %" if share == share else "none"


def interval(low: float, high: float) -> str:
    """0.9501, 0.985 -> '95.0 to 98.5 %'."""
    return f"{100 * low:.1f} to {100 * high:.1f} %" if low == low else "none"


def duration(seconds: float) -> str:
    """'310 µs', '83 ms', '1.2 s', '2 min 5 s'."""
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 99.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes} min {left} s"


class Progress:
    """How far something is: one live line with a bar in a terminal, a few plain lines elsewhere.

    Parameters
    ----------
    unit
        What is counted: "epoch".
    keep
        Leave the few plain lines in a terminal too, above the bar.
    quiet
        Say nothing at all.
    """

    def __init__(
        self, unit: str, keep: bool = False, quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        self._unit, self._keep, self._quiet = unit, keep, quiet
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._newest: tuple[int, int, str] | None = None
        self._printed = 0

    def __enter__(self) -> "Progress":
        rich = None if self._quiet else _rich(self._stream)
        if rich:
            from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar
            from rich.table import Column
            from rich.text import Text

            class Message(ProgressColumn):
                def render(self, task: Any) -> Text:
                    return Text(task.fields["message"], no_wrap=True, overflow="ellipsis")

            self._bar = Bar(
                # Where the line is too narrow, the message gives way: rich takes width from the
                # columns that may wrap (that one, though it does not), and only then from all.
                TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
                BarColumn(bar_width=12, table_column=Column(min_width=12, no_wrap=True)),
                TimeRemainingColumn(compact=True, table_column=Column(min_width=5, no_wrap=True)),
                Message(),
                console=rich,
                transient=True,
                redirect_stdout=False,
            )
            self._task = self._bar.add_task(self._unit, total=None, message="")
            self._bar.start()
        return self

    def update(self, done: int, total: int, message: str) -> None:
        """``done`` of ``total`` are finished; ``message`` is what is known of the newest."""
        if self._quiet:
            return
        self._newest = (done, total, message)
        if self._bar:
            count = f"{self._unit} {done}/{total}"
            self._bar.update(
                self._task, completed=done, total=total, description=count, message=message
            )
        eighths, before = (n * _LINES_IN_A_PIPE // total for n in (done, self._printed))
        if done == 1 or eighths > before:
            self._print()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._newest and self._newest[0] != self._printed:
            self._print()
        if self._bar:
            self._bar.stop()

    def _print(self) -> None:
        assert self._newest is not None
        done, total, message = self._newest
        self._printed = done
        line = f"{self._unit} {done:>{len(str(total))}}/{total}{_GAP}{message}"
        if not self._bar:
            print(line, file=self._stream, flush=True)
        elif self._keep:
            self._bar.console.print(line, soft_wrap=True)


def _rich(stream: TextIO) -> Any:
    """A rich console on this terminal, or None: then plain text is wanted."""
    if not is_terminal(stream):
        return None
    try:
        from rich.console import Console
    except ImportError:  # rich is an extra
        return None
    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _aligned(rows: Sequence[Row | None], right: Sequence[bool]) -> list[str]:
    """Lines in which the cells of a column stand under each other; the last one runs free."""
    count = max((len(row) for row in rows if row), default=0)
    widths = [max(_width(row[i]) for row in rows if row and i < len(row)) for i in range(count)]
    flags = [*right, *[False] * (count - len(right))]
    lines = []
    for row in rows:
        cells = []
        for cell, width, is_right in zip(row or (), widths, flags, strict=False):
            blank = " " * (width - _width(cell))
            cells.append(blank + cell if is_right else cell + blank)
        lines.append(_GAP.join(cells).rstrip())
    return lines


def _width(text: str) -> int:
    """Columns that a text takes: 2 for each wide character (한, 漢), 0 for a combining one."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
