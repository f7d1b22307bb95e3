"""``minitrain doctor``: check data, network and learning rate before a long training."""

import argparse
import shlex
from dataclasses import asdict
from typing import Any

from .. import console
from .arguments import (
    CommandError,
    add_data_options,
    choose,
    count,
    data_words,
    input_errors,
    layers,
    rate,
    read_data,
    seed,
    to_json,
)

USAGE = "DATASET|FILE.csv [options]"
SUMMARY = "check data, network and learning rate, and say what to try"

_SIGNS = {"good": "✓", "look": "?", "bad": "✗"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dataset", metavar="DATASET|FILE.csv", help="a name (see: minitrain datasets) or a file")
    add_data_options(parser)
    add("--layers", type=layers, default=(64, 64), metavar="N,N", help="(default: 64,64)")
    add("--activation", default="relu", metavar="NAME", help="(default: %(default)s)")
    add("--optimizer", default="adam", metavar="NAME", help="(default: %(default)s)")
    add("--lr", type=rate, metavar="RATE", help="learning rate (default: the optimizer's)")
    add("--batch-size", type=count(1), default=32, metavar="N", help="(default: %(default)s)")
    add("--seed", type=seed, default=0, metavar="N", help="(default: %(default)s)")
    add("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from .. import catalogue, optimizers
    from ..gallery import doctor
    from ..kernels import activations

    known = [name for name in catalogue.names() if name != "lbfgs"]
    name = choose("--optimizer", options.optimizer.casefold(), known)
    activation = choose("--activation", options.activation, activations.NAMES)
    (data,) = read_data([options.dataset], options)
    if not data.class_names:
        raise CommandError(f"{data.name}: numbers to predict; accepted: a data set with classes")
    checks = []
    with input_errors():
        optimizer = optimizers.get(name, **({} if options.lr is None else {"lr": options.lr}))
        for check in doctor.examine(
            data, options.layers, activation, optimizer, options.batch_size, options.seed
        ):
            checks.append(check)
            if not options.json:
                _print(check)
    if options.json:
        print(to_json([asdict(check) for check in checks]))
        return 0
    _sum_up(checks, options)
    return 0


def _print(check: Any) -> None:
    console.print_heading(f"{_SIGNS[check.verdict]} {check.name}")
    console.print_text(f"    measured: {check.measured}")
    console.print_text(f"    normal: {check.normal}")
    if check.advice:
        console.print_text(f"    try: {check.advice}")


def _sum_up(checks: list[Any], options: argparse.Namespace) -> None:
    found = [check.name for check in checks if check.verdict != "good"]
    print()
    if found:
        console.print_text(f"{len(found)} of {len(checks)} want a look: {', '.join(found)}.")
    else:
        print(f"All {len(checks)} are as they should be.")
    print(f"Then train:  {shlex.join(_next_words(options))}")


def _next_words(options: argparse.Namespace) -> list[str]:
    """The command that trains what was examined, with the options that matter."""
    words = ["minitrain", "train", options.dataset, *data_words(options)]
    units = ",".join(map(str, options.layers)) or "none"
    for option, value, default in (
        ("layers", units, "64,64"), ("activation", options.activation, "relu"),
        ("optimizer", options.optimizer.casefold(), "adam"), ("lr", options.lr, None),
        ("batch-size", options.batch_size, 32), ("seed", options.seed, 0),
    ):  # fmt: skip
        words += [f"--{option}", str(value)] if value != default else []
    return [*words, "--report", "report.html"]
