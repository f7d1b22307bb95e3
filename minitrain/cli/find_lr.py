"""``minitrain find-lr``: a learning rate for this data set, network and optimizer, in a moment."""

import argparse
import shlex
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import chart, console
from .arguments import (
    CommandError,
    add_data_options,
    count,
    data_words,
    input_errors,
    rate,
    read_data,
    seed,
    to_json,
)
from .options import add_network_options, add_optimizer_options
from .training import Training

USAGE = "DATASET|FILE.csv [options]"
SUMMARY = "suggest a learning rate, from a short training whose rate rises"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "dataset", metavar="DATASET|FILE.csv", help="a name (see: minitrain datasets) or a file"
    )
    add_data_options(parser)
    add_network_options(parser)
    group = parser.add_argument_group("the range test")
    add = group.add_argument
    add_optimizer_options(group, with_rate=False)
    add("--low", type=rate, metavar="RATE", help="first rate (default: the optimizer's range)")
    add("--high", type=rate, metavar="RATE", help="last rate (default: the optimizer's range)")
    add("--steps", type=count(10), default=300, metavar="N",
        help="steps of a run, each with a larger rate (default: %(default)s)")  # fmt: skip
    add("--runs", type=count(1), default=3, metavar="N",
        help="repetitions with other mini-batches (default: %(default)s)")  # fmt: skip
    add("--batch-size", type=count(1), default=32, metavar="N", help="(default: %(default)s)")
    add("--balanced", action="store_true", help="let every class come equally often")
    add("--seed", type=seed, default=0, metavar="N",
        help="of split, initial weights and mini-batches (default: %(default)s)")  # fmt: skip
    add("--plot", type=Path, metavar="FILE", help="draw the curve: .png, .svg or .pdf")
    parser.add_argument("--json", action="store_true", help="print JSON")
    # what a training needs besides
    parser.set_defaults(lr=None, schedule="constant", live=False, report=None, accumulate=1)


def run(options: argparse.Namespace) -> int:
    from ..finder import find_learning_rate

    (data,) = read_data([options.dataset], options)
    training = Training(data, options)
    before = time.perf_counter()
    with input_errors():
        found = find_learning_rate(
            training.model, training.loader, training.optimizer, low=options.low,
            high=options.high, steps=options.steps, runs=options.runs, seed=options.seed,
        )  # fmt: skip
    seconds = time.perf_counter() - before
    if options.plot:
        _plot(found, options.plot)
    if options.json:
        print(to_json({"dataset": data.name, "seconds": seconds, **found.to_dict()}))
        return 0
    training.print_network()
    _print_found(found, seconds)
    if options.plot:
        print(f"\nThe curve is in {options.plot}.")
    if not found.hopeless:
        print()
        print(f"Use it:  {shlex.join(_next_words(found, options))}")
    return 0


def _plot(found: Any, path: Path) -> None:
    try:
        found.plot(path)
    except ImportError as error:
        raise CommandError(f"--{error}") from None
    except (OSError, ValueError) as error:  # the folder, or an ending that is no picture's
        raise CommandError(f"--plot: {str(path)!r} cannot be written ({error})") from None


def _print_found(found: Any, seconds: float) -> None:
    runs, steps = found.losses.shape
    what = f"{found.optimizer.rule.title}, {runs} × {steps} steps"
    rates = f"rates from {found.rates[0]:.3g} to {found.rates[-1]:.3g}"
    console.print_facts([["range test", f"{what}, {rates}, in {console.duration(seconds)}"]])
    print()
    if np.isfinite(found.curve).any():
        _print_curve(found)
    if not found.hopeless:
        apart = f"the runs say {found.suggestions.min():.2g} to {found.suggestions.max():.2g}"
        console.print_facts(
            [
                ["suggested rate", f"{found.suggestion:g}", apart if runs > 1 else ""],
                ["default", f"{found.optimizer.lr:g}"],
            ]
        )
    if found.remark:
        console.print_text(f"{found.remark[0].upper()}{found.remark[1:]}.")


def _print_curve(found: Any) -> None:
    low, high = found.rates[0], found.rates[-1]
    decades = np.arange(np.ceil(np.log10(low) - 1e-9), np.floor(np.log10(high) + 1e-9) + 1)
    labels = [f"{10.0**d:.0e}".replace("e-0", "e-").replace("e+0", "e") for d in decades]
    whole = abs(np.log10(high / low) - (len(labels) - 1)) < 0.01
    start = float(np.median(found.start))
    for line in chart.picture(
        np.log10(found.rates).tolist(),
        found.curve.tolist(),
        labels if whole else [f"{low:.3g}", f"{high:.3g}"],
        None if found.hopeless else float(np.log10(found.suggestion)),
        top=1.2 * start,
        bottom=0.0,
    ):
        print(line)
    print()


def _next_words(found: Any, options: argparse.Namespace) -> list[str]:
    """The command that trains with it, with the options that matter."""
    words = ["minitrain", "train", options.dataset]
    words += data_words(options)
    units = ",".join(map(str, options.layers)) or "none"
    for option, value, default in (
        ("layers", units, "64,64"), ("activation", options.activation, "relu"),
        ("dtype", options.dtype, "float32"), ("optimizer", options.optimizer.casefold(), "adam"),
        ("batch-size", options.batch_size, 32), ("seed", options.seed, 0),
    ):  # fmt: skip
        words += [f"--{option}", str(value)] if value != default else []
    for name, value in options.set:
        values = value if isinstance(value, list) else [value]
        words += ["--set", f"{name}={','.join(map(str, values))}"]
    words += ["--balanced"] if options.balanced else []
    return [*words, "--lr", f"{found.suggestion:g}"]
