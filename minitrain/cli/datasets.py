"""``minitrain datasets``: what there is to learn from."""

import argparse
from dataclasses import asdict

from .. import console
from .arguments import to_json

USAGE = "[--json]"
SUMMARY = "list the data sets that can be used by name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from .. import datasets

    described = datasets.describe()
    if options.json:
        print(to_json([asdict(data) for data in described]))
        return 0
    console.print_table(
        ["name", "rows", "features", "classes", "what it is"],
        [
            [d.name, str(d.rows), str(d.features), str(d.classes or "–"), d.summary]
            for d in described
        ],
        right=("rows", "features", "classes"),
    )
    print()
    print("Train on one:      minitrain train digits")
    print("On your own file:  minitrain train FILE.csv --target COLUMN")
    return 0
