"""``minitrain compare``: which optimizer is better here, and how sure is that?"""

import argparse
import sys
from pathlib import Path
from typing import Any

from .. import console
from .arguments import (
    CommandError,
    add_data_options,
    choose,
    count,
    input_errors,
    layers,
    names,
    read_data,
    seed,
    to_json,
)

USAGE = "DATASET|FILE.csv ... [options]"
SUMMARY = "compare optimizers on data sets, with the uncertainty of the answer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "datasets", metavar="DATASET|FILE.csv", nargs="+",
        help="names (see: minitrain datasets) or files; all files have the same target",
    )  # fmt: skip
    add_data_options(parser)
    group = parser.add_argument_group("the study")
    add = group.add_argument
    add(
        "--optimizers", type=names, default=["sgd", "momentum", "rmsprop", "adam"],
        metavar="A,B", help="names, or all (default: sgd,momentum,rmsprop,adam)",
    )  # fmt: skip
    add("--seeds", type=count(2), default=30, metavar="N",
        help="trainings that are compared in pairs; fewer than 30 see little "
        "(default: %(default)s)")  # fmt: skip
    add("--trials", type=count(0), default=8, metavar="N",
        help="learning rates tried first for each optimizer; 0 keeps its default rate "
        "(default: %(default)s)")  # fmt: skip
    add("--epochs", type=count(1), default=30, metavar="N", help="(default: %(default)s)")
    add("--batch-size", type=count(1), default=32, metavar="N", help="(default: %(default)s)")
    add("--layers", type=layers, default=(64, 64), metavar="N,N",
        help="units of the hidden layers (default: 64,64); none for a linear model")  # fmt: skip
    add("--seed", type=seed, default=0, metavar="N", help="(default: %(default)s)")
    add("--out", type=Path, metavar="FOLDER", help="write every run and the result there")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from .. import datasets, lab

    optimizers = _optimizers(options.optimizers)
    data = read_data(options.datasets, options)
    _check_writable(options.out)
    with input_errors():
        study = lab.Study(
            data,
            optimizers,
            seeds=options.seeds,
            epochs=options.epochs,
            trials=options.trials,
            layers=options.layers,
            batch_size=options.batch_size,
            seed=options.seed,
        )
    try:
        result = _run(study, options)
    except datasets.DataError as error:  # a class with too few rows for three parts
        raise CommandError(str(error)) from None
    if options.json:
        print(to_json(result.to_json()))
        return 0
    print()
    console.print_study(result)
    print()
    print(f"{result.trainings} trainings in {console.duration(result.seconds)}.")
    if options.out:
        print(f"Every run is in {options.out / 'runs.csv'}, the result in result.json beside it.")
    else:
        print("To keep every run, add --out FOLDER.")
    return 0


def _run(study: Any, options: argparse.Namespace) -> Any:
    if not options.json:
        tuned = f"{options.trials} learning rates tried for each, then " if options.trials else ""
        console.print_text(
            f"{', '.join(study.optimizers)} on {', '.join(study.datasets)}: {study.trainings} "
            f"trainings ({tuned}{options.seeds} paired seeds)"
        )
        sys.stdout.flush()
    done = 0
    quiet = options.json and not console.is_terminal(sys.stderr)
    try:
        with console.Progress("training", quiet=quiet) as progress:

            def show(finished: int, total: int, message: str) -> None:
                nonlocal done
                done = finished
                progress.update(finished, total, message)

            return study.run(out=options.out, progress=show)
    except KeyboardInterrupt:
        written = (
            f"what was finished is in {options.out}"
            if options.out
            else "nothing was written (--out FOLDER keeps what is finished)"
        )
        raise KeyboardInterrupt(
            f"interrupted after {done} of {study.trainings} trainings; {written}"
        ) from None


def _optimizers(asked: list[str]) -> list[str]:
    from .. import optimizers

    known = optimizers.names()
    chosen = known if asked == ["all"] else [
        choose("--optimizers", name.casefold(), [*known, "all"]) for name in asked
    ]  # fmt: skip
    for name in chosen:
        if chosen.count(name) > 1:
            raise CommandError(f"--optimizers: {name!r} is named twice")
    if len(chosen) < 2 or "all" in chosen:
        raise CommandError(
            f"--optimizers: {','.join(asked)!r}; accepted: all, or at least two of "
            f"{', '.join(known)}"
        )
    return chosen


def _check_writable(folder: Path | None) -> None:
    """Find out before the trainings whether their folder can be written."""
    if folder is None:
        return
    import tempfile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CommandError(
            f"--out: {str(folder)!r} cannot be written ({error.strerror or error}); "
            "accepted: a folder that is new or can be written"
        ) from None
