"""From the bytes of a CSV file to its header and its rows, with the line each row began on.

Knows nothing of numbers or classes. Rows are read in blocks, once, so a pipe works as well.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from .checks import DataError, counted, listing

DELIMITERS = (",", "\t", ";", "|")
BLOCK_ROWS = 4096
HEAD_BYTES = 1 << 16

NOT_TEXT = {
    b"PK\x03\x04": "an Excel or zip file; save the sheet as CSV (UTF-8)",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"PAR1": "a Parquet file; save it as CSV",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8, or give the encoding: --encoding utf-16",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8, or give the encoding: --encoding utf-16",
}


class CsvRows:
    """An open CSV file. `header`: the stripped column names; `blocks()`: the rows, once.

    Use as a context manager. Raises DataError, beginning with the path, for a file that
    cannot be read, is not text in `encoding`, or is not a table.
    """

    def __init__(self, path: Path, delimiter: str | None, encoding: str) -> None:
        self.path = path
        self._encoding = _codec(encoding)
        if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
            raise DataError(f"delimiter must be one character; got {delimiter!r}")
        binary = _open(path)
        try:
            head = binary.peek(HEAD_BYTES)
            self._refuse_binary(head)
            self.delimiter = delimiter or sniff(head.decode(self._encoding, errors="replace"))
            self._text = io.TextIOWrapper(binary, encoding=self._encoding, newline="")
            self._reader = csv.reader(
                self._text, delimiter=self.delimiter, skipinitialspace=True, strict=True
            )
            self._rows = self._numbered_rows()
            self.header_line, first = next(self._rows, (0, []))
        except BaseException:
            binary.close()
            raise
        self.header = [name.strip() for name in first]

    def __enter__(self) -> CsvRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    def blocks(self) -> Iterator[tuple[list[int], list[list[str]]]]:
        """Yield (line numbers, rows), up to 4096 rows at a time; every row as wide as the header.

        A row's line is the one it begins on; lines count from 1, blank ones are skipped.
        """
        lines: list[int] = []
        rows: list[list[str]] = []
        width = len(self.header)
        for line, row in self._rows:
            if len(row) != width:
                advice = (
                    "write every cell of a row"
                    if len(row) < width
                    else f"a cell that contains {self.delimiter!r} must stand in double quotes"
                )
                raise DataError(
                    f"{self.path}: line {line} has {counted(len(row), 'cell')}, but the header "
                    f"names {counted(width, 'column')}; {advice}"
                )
            lines.append(line)
            rows.append(row)
            if len(rows) == BLOCK_ROWS:
                yield lines, rows
                lines, rows = [], []
        if rows:
            yield lines, rows

    def _numbered_rows(self) -> Iterator[tuple[int, list[str]]]:
        """(line, row) of every line that is not blank, errors translated."""
        line = 1
        try:
            for row in self._reader:
                if len(row) > 1 or any(cell.strip() for cell in row):
                    yield line, row
                line = self._reader.line_num + 1
        except csv.Error as error:
            raise DataError(
                f"{self.path}: line {line} is not valid CSV: {error}; "
                "is a double quote left open, or one inside a cell not doubled?"
            ) from None
        except UnicodeError:
            raise DataError(self._undecodable()) from None
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror or error}") from None

    def _refuse_binary(self, head: bytes) -> None:
        if not head:
            raise DataError(f"{self.path}: the file is empty; expected a header line and rows")
        if self._encoding.startswith(("utf-16", "utf-32")):
            return
        for magic, what in NOT_TEXT.items():
            if head.startswith(magic):
                raise DataError(f"{self.path}: this is {what}")
        if b"\0" in head:
            raise DataError(f"{self.path}: this is a binary file, not text; expected a CSV file")

    def _undecodable(self) -> str:
        where = ""
        if os.path.isfile(self.path):  # a pipe cannot be read again
            with open(self.path, "rb") as file:
                for number, line in enumerate(file, start=1):
                    try:
                        line.decode(self._encoding)
                    except UnicodeError:
                        where = f" on line {number}"
                        break
        name = self._encoding.removesuffix("-sig").upper()
        return (
            f"{self.path}: not {name} text{where}; save it as UTF-8, or give its encoding, "
            "such as --encoding cp949 (Korean Windows) or cp1252 (Western Windows)"
        )


def sniff(head: str) -> str:
    """The delimiter, of , tab ; | under which the most of the first rows are as wide as the header.

    Ties go to the wider header, then to that order. Comma where none splits the header.
    """

    def score(delimiter: str) -> tuple[bool, float, int]:
        widths = []
        try:
            for row in csv.reader(
                io.StringIO(head, newline=""), delimiter=delimiter, skipinitialspace=True
            ):
                if row:
                    widths.append(len(row))
                if len(widths) == 50:
                    break
        except csv.Error:
            pass
        if len(widths) > 2:
            del widths[-1]  # possibly cut off by the end of `head`
        header = widths[0] if widths else 0
        return header > 1, widths.count(header) / max(len(widths), 1), header

    return max(DELIMITERS, key=score)


def _codec(encoding: str) -> str:
    """The normalised name; UTF-8 with or without a byte-order mark is the same to us."""
    try:
        "".encode(encoding)
        b"".decode(encoding)
    except (LookupError, TypeError, ValueError):
        raise DataError(
            f"encoding must be one that Python knows, such as 'utf-8' or 'cp949'; got {encoding!r}"
        ) from None
    normal = encoding.lower().replace("_", "-")
    return "utf-8-sig" if normal in ("utf-8", "utf8", "utf-8-sig") else normal


def _open(path: Path) -> io.BufferedReader[io.FileIO]:
    """The file, unread; DataError in one line where it cannot be opened."""
    if os.path.isdir(path):
        inside = sorted(entry.name for entry in path.glob("*.csv"))
        found = f" (it holds {listing(inside, 5)})" if inside else ""
        raise DataError(f"{path}: this is a folder; give the path of a CSV file{found}")
    try:
        return io.BufferedReader(io.FileIO(path), buffer_size=HEAD_BYTES)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file{_similar_file(path)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be opened: {reason}") from None


def _similar_file(path: Path) -> str:
    try:
        siblings = os.listdir(path.parent)
    except OSError:
        return f"; nor is there a folder {str(path.parent)!r}"
    near = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.6)
    return f" (did you mean {str(path.parent / near[0])!r}?)" if near else ""
