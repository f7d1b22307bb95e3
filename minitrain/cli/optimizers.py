"""``minitrain optimizers``: the registered update rules, and one of them to read."""

import argparse
from typing import Any

from .. import console
from .arguments import choose, to_json

USAGE = "[NAME] [--json]"
SUMMARY = "list the optimizers, or read one: equation, defaults, paper, code"

_NUMBERS = ("year", "lr", "state", "bytes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="read this one")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from ..catalogue import describe, names

    known = names()
    if options.name is None:
        described = [describe(name) for name in known]
        if options.json:
            print(to_json(described))
        else:
            _print_list(described)
        return 0
    described_one = describe(choose("optimizer", options.name.casefold(), known))
    if options.json:
        print(to_json(described_one))
    else:
        _print_one(described_one)
    return 0


def _print_list(described: list[dict[str, Any]]) -> None:
    console.print_table(
        ["name", "family", "year", "lr", "state", "bytes", "also in", "what it does"],
        [
            [
                d["name"],
                d["family"],
                str(d["year"] or "–"),
                "–" if d["lr"] is None else f"{d['lr']:g}",
                str(len(d["slots"])),
                str(d["bytes_per_parameter"] or "–"),
                " ".join(d["elsewhere"]) or "–",
                d["summary"],
            ]
            for d in described
        ],
        right=_NUMBERS,
    )
    print()
    print("state: numbers kept per parameter; bytes: moved per float32 parameter and step")
    print("Families matrix and full batch: in NumPy and SciPy; their state is whole arrays")
    print("Read one:  minitrain optimizers adam")


def _print_one(d: dict[str, Any]) -> None:
    from ..catalogue import rule_of, shown_path, source_code

    console.print_heading(f"{d['title']}  ({d['name']})")
    print(f"\n{d['doc']}\n\nPaper: {d['paper'] or '–'}")
    print(f"Family: {d['family']}{', ' + str(d['year']) if d['year'] else ''}")
    also = ", ".join(f"{library} {name}" for library, name in d["elsewhere"].items())
    print(f"Also in: {also or 'none of torch, optax, Keras, scikit-learn'}")
    print(f"Defaults: {d['defaults_from'] or 'your own'}\n")
    console.print_table(
        ["hyperparameter", "default", "accepted"],
        [
            [name, f"{v:g}" if isinstance(v, float) else str(v), d["ranges"][name]]
            for name, v in d["defaults"].items()
        ],
    )
    print()
    console.print_table(
        ["variant", "slots", "bytes per parameter"],
        [
            [
                (" + ".join(v["flags"]) or "plain") + (" (default)" if v["default"] else ""),
                ", ".join(v["slots"]) or "–",
                str(v["bytes_per_parameter"] or "–"),
            ]
            for v in d["variants"]
        ],
        right=("bytes per parameter",),
    )
    print()
    if d["derived_from"]:
        changed = _changes(d)
        console.print_text(f"{d['name']} is {d['derived_from']} with other defaults: {changed}.")
    code = source_code(rule_of(d["name"]))
    if code:
        where = f", {shown_path(d['file'])}" if d["file"] else ""
        console.print_heading(f"Its code{where}:")
        console.print_source(code)
        print()
    rate = "" if d["lr"] is None else f" --lr {d['lr']:g}"
    print(f"Use it:  minitrain train digits --optimizer {d['name']}{rate}")


def _changes(d: dict[str, Any]) -> str:
    from ..kernels.rule import get

    before = get(d["derived_from"]).defaults
    return ", ".join(f"{n}={v}" for n, v in d["defaults"].items() if v != before[n])
