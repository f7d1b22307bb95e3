"""One column of a CSV file: numbers, or a few different texts (a category).

Cells arrive in blocks and are kept as float64 or as codes, never as texts, so that memory is
about that of the result. What is wrong with a column is collected, to be told all at once.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .checks import counted, listing

MISSING = frozenset({"", "na", "n/a", "nan", "+nan", "-nan", "null", "?"})
NUMBER_WITH_COMMA = re.compile(r"[+-]?\d+(,\d+)+(\.\d+)?")
LINES_SHOWN = 5


@dataclass
class Places:
    """How often something was met, the first lines, and the first text."""

    count: int = 0
    lines: list[int] = field(default_factory=list)
    text: str = ""

    def note(self, line: int, text: str) -> None:
        if not self.count:
            self.text = text
        if self.count < LINES_SHOWN:
            self.lines.append(line)
        self.count += 1

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.lines) else ""
        lines = "line" if self.count == 1 else "lines"
        return f"{counted(self.count, 'row')} ({lines} {listing(self.lines)}{more})"


class Column:
    """Collects the cells of one column.

    name: as in the header. as_text: every text is a level, even "1". max_levels: more
    different texts than this are not kept (None: all are).
    """

    def __init__(self, name: str, as_text: bool, max_levels: int | None) -> None:
        self.name = name
        self.as_text = as_text
        self.max_levels = max_levels
        self.missing, self.infinite, self.texts, self.numbers = (Places() for _ in range(4))
        self.levels: dict[str, int] = {}  # stripped text -> code, in order of appearance
        self._code_of_cell: dict[str, int] = {}  # the cell as it stands -> code
        self._codes: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    @property
    def is_text(self) -> bool:
        return self.texts.count > 0

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Append a block of cells and the line numbers of their rows."""
        if not (self._add_all_numbers(cells, lines) or self._add_known_texts(cells)):
            self._add_one_by_one(cells, lines)

    def values(self) -> np.ndarray:
        """(n,) float64, of a column of numbers."""
        return np.concatenate(self._values)

    def codes(self) -> np.ndarray:
        """(n,) int64, of a column of texts: positions in `levels`."""
        return np.concatenate(self._codes)

    def _add_all_numbers(self, cells: Sequence[str], lines: Sequence[int]) -> bool:
        """The fast path of a numeric column: all finite numbers, or nothing is done."""
        if self.as_text or self.is_text:
            return False
        try:
            block = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
        except ValueError:
            return False
        if not np.isfinite(block).all() or any("_" in cell for cell in cells):
            return False
        if not self.numbers.count:
            self.numbers.note(lines[0], cells[0].strip())
        self._values.append(block)
        return True

    def _add_known_texts(self, cells: Sequence[str]) -> bool:
        """The fast path of a category: all texts met before, or nothing is done."""
        codes = [self._code_of_cell.get(cell, -1) for cell in cells]
        if -1 in codes:
            return False
        self._codes.append(np.array(codes, dtype=np.int64))
        return True

    def _add_one_by_one(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        codes, values = [], []
        for cell, line in zip(cells, lines, strict=True):
            code = self._code_of_cell.get(cell)
            if code is not None:
                codes.append(code)
                continue
            text = cell.strip()
            if text.casefold() in MISSING:
                self.missing.note(line, text)
                continue
            number = None if self.as_text else as_number(text)
            if number is None:
                self.texts.note(line, text)
                codes.append(self._new_code(cell, text))
            elif np.isfinite(number):
                self.numbers.note(line, text)
                values.append(number)
            else:
                self.infinite.note(line, text)
        self._codes.append(np.array(codes, dtype=np.int64))
        self._values.append(np.array(values, dtype=np.float64))

    def _new_code(self, cell: str, text: str) -> int:
        if self.max_levels is not None and len(self.levels) > self.max_levels:
            return -1  # already one too many: the column will be refused
        code = self.levels.setdefault(text, len(self.levels))
        self._code_of_cell[cell] = code
        return code


def as_number(text: str) -> float | None:
    """The number that a text stands for, infinite ones too; None if it is none.

    Python's float() less the underscores: "1_000" is a name, not a thousand.
    """
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def problem(column: Column) -> str:
    """What is wrong with a feature column (missing cells aside) and what to do; '' if nothing."""
    name = column.name
    as_category = f"if each text is a category of its own, say so: {option('categorical', name)}"
    if column.infinite.count:
        return (
            f"column {name!r} holds the infinite or too large number {column.infinite.text!r} in "
            f"{column.infinite}; correct it, or leave the column out: {option('drop', name)}"
        )
    if column.is_text and column.numbers.count:
        return (
            f"column {name!r} mixes numbers (as {column.numbers.text!r} on line "
            f"{column.numbers.lines[0]}) and text (as {column.texts.text!r} on line "
            f"{column.texts.lines[0]}); correct the cells, or, {as_category}"
        )
    if (
        column.is_text
        and not column.as_text
        and all(map(NUMBER_WITH_COMMA.fullmatch, column.levels))
    ):
        return (
            f"column {name!r} holds numbers with commas (as {column.texts.text!r} on line "
            f"{column.texts.lines[0]}); write 3.5 for 3,5 and 1000 for 1,000, or, {as_category}"
        )
    if column.max_levels is not None and len(column.levels) > column.max_levels:
        return (
            f"column {name!r} holds more than {column.max_levels} different texts "
            f"({listing([repr(level) for level in column.levels], 3)}), too many for a category; "
            f"leave it out: {option('drop', name)}"
        )
    return ""


def option(option_name: str, column: str) -> str:
    """How to name a column in an option, on the command line and in Python."""
    return f"--{option_name} {shlex.quote(column)} (in Python: {option_name}=[{column!r}])"
