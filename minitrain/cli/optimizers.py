"""``minitrain optimizers``: the registered update rules, and one of them to read."""

import argparse
import inspect
from pathlib import Path
from typing import Any

from .. import console
from .arguments import choose, to_json

USAGE = "[NAME] [--json]"
SUMMARY = "list the optimizers, or read one: equation, defaults, paper, code"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="read this one")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from .. import optimizers

    known = optimizers.names()
    if options.name is None:
        described = [_describe(name) for name in known]
        if options.json:
            print(to_json(described))
        else:
            _print_list(described)
        return 0
    described_one = _describe(choose("optimizer", options.name.casefold(), known))
    if options.json:
        print(to_json(described_one))
    else:
        _print_one(described_one)
    return 0


def _describe(name: str) -> dict[str, Any]:
    from ..kernels.rule import get

    rule = get(name)
    standard = rule.choose(rule.defaults)
    return {
        "name": name,
        "title": rule.title,
        "summary": rule.doc.partition("\n")[0],
        "lr": rule.defaults["lr"],
        "slots": list(standard.slots),
        "bytes_per_parameter": _bytes(standard.slots),
        "defaults": dict(rule.defaults),
        "variants": [
            {
                "flags": sorted(flags),
                "default": variant is standard,
                "slots": list(variant.slots),
                "bytes_per_parameter": _bytes(variant.slots),
            }
            for flags, variant in rule.variants.items()
        ],
        "lr_range": list(rule.rates),
        "paper": rule.paper,
        "doc": rule.doc,
        "derived_from": _origin(rule),
        "file": _file(rule),
    }


def _bytes(slots: tuple[str, ...]) -> int:
    """Bytes that a fused step moves per float32 parameter: p and each slot are read and written,
    g is read."""
    return 4 * (2 + 1 + 2 * len(slots))


def _origin(rule: Any) -> str | None:
    """The rule whose code this one shares, where that is another."""
    from ..kernels.rule import get, names

    own = rule.variants[frozenset()].update
    first = next(n for n in names() if get(n).variants[frozenset()].update is own)
    return None if first == rule.name else first


def _file(rule: Any) -> str:
    return inspect.getsourcefile(rule.variants[frozenset()].update) or ""


def _print_list(described: list[dict[str, Any]]) -> None:
    console.print_table(
        ["name", "title", "lr", "slots", "bytes", "what it does"],
        [
            [
                d["name"],
                d["title"],
                f"{d['lr']:g}",
                str(len(d["slots"])),
                str(d["bytes_per_parameter"]),
                d["summary"],
            ]
            for d in described
        ],
        right=("lr", "slots", "bytes"),
    )
    print()
    print("slots: numbers kept per parameter; bytes: moved per float32 parameter and step")
    print("Read one:  minitrain optimizers adam")


def _print_one(d: dict[str, Any]) -> None:
    console.print_heading(f"{d['title']}  ({d['name']})")
    print(f"\n{d['doc']}\n\nPaper: {d['paper']}\n")
    console.print_table(
        ["hyperparameter", "default"],
        [[name, f"{v:g}" if isinstance(v, float) else str(v)] for name, v in d["defaults"].items()],
    )
    print()
    console.print_table(
        ["variant", "slots", "bytes per parameter"],
        [
            [
                (" + ".join(v["flags"]) or "plain") + (" (default)" if v["default"] else ""),
                ", ".join(v["slots"]) or "–",
                str(v["bytes_per_parameter"]),
            ]
            for v in d["variants"]
        ],
        right=("bytes per parameter",),
    )
    print()
    if d["derived_from"]:
        changed = _changes(d)
        console.print_text(f"{d['name']} is {d['derived_from']} with other defaults: {changed}.")
    path = Path(d["file"])
    console.print_heading(f"Its code, {path.parent.parent.name}/rules/{path.name}:")
    console.print_source(path.read_text("utf-8").rstrip())
    print()
    print(f"Use it:  minitrain train digits --optimizer {d['name']} --lr {d['lr']:g}")


def _changes(d: dict[str, Any]) -> str:
    from ..kernels.rule import get

    before = get(d["derived_from"]).defaults
    return ", ".join(f"{n}={v}" for n, v in d["defaults"].items() if v != before[n])
