"""``minitrain schedules``: the learning-rate schedules, and one of them to look at."""

import argparse
import dataclasses
import inspect
from typing import Any

import numpy as np

from .. import chart, console
from .arguments import input_errors, to_json

USAGE = "[NAME|'NAME(ARGUMENTS)'] [--json]"
SUMMARY = "list the learning-rate schedules, or look at one"

# Pictures are of a training of so many epochs with so many steps.
_EPOCHS, _STEPS = 20, 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "schedule", metavar="NAME", nargs="?",
        help="look at this one, with or without arguments: cosine, 'cosine(warmup=0.1)'",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from .. import schedule as schedules

    if options.schedule is None:
        described = [_describe(schedules.get(name)) for name in schedules.names()]
        if options.json:
            print(to_json(described))
        else:
            _print_list(described)
        return 0
    with input_errors():
        one = schedules.get(options.schedule)
        described_one = _describe(one)
    if options.json:
        print(to_json(described_one))
    else:
        _print_one(described_one)
    return 0


def _describe(schedule: Any) -> dict[str, Any]:
    doc = (inspect.getdoc(type(schedule)) or "").replace("``", "")
    total = _EPOCHS * _STEPS
    factors = schedule(np.arange(total), total, _STEPS, _feedback())
    return {
        "name": schedule.name,
        "text": repr(schedule),
        "summary": doc.partition("\n")[0],
        "doc": doc,
        "arguments": {
            f.name: _plain(getattr(schedule, f.name))
            for f in dataclasses.fields(schedule)
            if schedule.name
        },
        "same_as": schedule.torch,
        "depends_on": sorted(name or "loss" for name in schedule.watches),
        "epochs": _EPOCHS,
        "factors": factors[:: _STEPS // 10].tolist(),
    }


def _feedback() -> Any:
    """What a training measures that gets better for 4 epochs alone."""
    from ..schedule import Feedback
    from ..schedule.plateau import MONITORS

    falling = [1.0 / min(epoch, 4) for epoch in range(1, _EPOCHS + 1)]
    return Feedback(**dict.fromkeys(MONITORS, falling))


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str, type(None))) else repr(value)


def _print_list(described: list[dict[str, Any]]) -> None:
    console.print_table(
        ["name", "rate over the training", "what it does"],
        [[d["name"], chart.sparkline(d["factors"]), d["summary"]] for d in described],
    )
    print()
    print("Look at one:  minitrain schedules 'cosine(warmup=0.1)'")
    print("Train so:     minitrain train digits --schedule 'cosine(warmup=0.1)'")


def _print_one(d: dict[str, Any]) -> None:
    console.print_heading(d["text"])
    print()
    if d["name"]:
        print(f"{d['doc']}\n")
    labels = [f"epoch {n}" if not n else str(n) for n in range(0, d["epochs"] + 1, 5)]
    x = [float(i) for i in range(len(d["factors"]))]
    for line in chart.picture(x, d["factors"], labels, bottom=0.0):
        print(line)
    print()
    if d["depends_on"]:
        print("Here what it watches gets better for the first 4 epochs alone.\n")
    if d["arguments"]:
        console.print_table(
            ["argument", "value"], [[name, _text(v)] for name, v in d["arguments"].items()]
        )
        print()
        print("Durations: a fraction of the training such as 0.1, epochs(5) or steps(500).")
    if d["same_as"]:
        print(f"Elsewhere: {d['same_as']}")
    quoted = d["text"] if d["text"].isidentifier() else f'"{d["text"]}"'
    print(f"Use it:    minitrain train digits --schedule {quoted}")


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
