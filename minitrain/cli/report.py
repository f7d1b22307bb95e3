"""``minitrain report``: every table and figure of a study, from its records alone."""

import argparse
import sys
from pathlib import Path
from typing import Any

from .. import console
from .arguments import input_errors, to_json

USAGE = "FOLDER [--out FILE.html] [--json]"
SUMMARY = "make the report of a study's folder again, from its records alone"

_LEFT = ("others", "")  # columns that are not numbers, whatever they begin with


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="as compare --out made it")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.html",
        help="the report (default: FOLDER/report.html); tables go beside it",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON and write nothing")


def run(options: argparse.Namespace) -> int:
    from .. import lab
    from ..lab.index import write_index

    with input_errors():
        result = lab.Result.load(options.folder)
    for line in result.damaged:
        print(f"minitrain: warning: {line}; left out", file=sys.stderr)
    if options.json:
        print(to_json(result.to_json()))
        return 0
    with input_errors():
        path = result.report(options.out or options.folder / "report.html")
    result.write(options.folder)
    write_index(options.folder, result.runs)
    _print_all(result)
    print()
    print(f"Report of {result.trainings} trainings: {path}")
    return 0


def _print_all(result: Any) -> None:
    """The same as the page, in the terminal: the verdict, then everything it stands on."""
    from ..lab.report.sections import sections

    console.print_text(result.sentence())
    console.print_text(result.limits())
    for section in sections(result):
        print()
        console.print_heading(section.title)
        if section.words:
            console.print_text(section.words)
        if section.rows:
            names = section.columns
            right = [
                n
                for i, n in enumerate(names)
                if n not in _LEFT
                and all(row[i][:1].isdigit() or row[i] in ("–", "missed") for row in section.rows)
            ]
            console.print_table(names, section.rows, right=right)
        elif section.file:
            print(f"See the report, or tables/{section.file}.csv.")
    print()
    print(f"To do it again: {result.study['command']}")
