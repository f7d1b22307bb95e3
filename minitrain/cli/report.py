"""``minitrain report``: every table and figure of a study, from its records alone."""

import argparse
import sys
from pathlib import Path

from .. import console
from .arguments import input_errors, to_json

USAGE = "FOLDER [--out FILE.html] [--json]"
SUMMARY = "make the report of a study's folder again, from its records alone"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="as compare --out made it")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.html",
        help="the report (default: FOLDER/report.html); tables go beside it",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON and write nothing")


def run(options: argparse.Namespace) -> int:
    from .. import lab
    from ..lab.records import write_index

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
    console.print_study(result)
    print()
    print(f"Report of {result.trainings} trainings: {path}")
    return 0
