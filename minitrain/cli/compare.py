"""``minitrain compare``: which optimizer is better here, and how sure is that?"""

import argparse
import sys
import time
from contextlib import ExitStack
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
    one_of,
    read_data,
    seed,
    to_json,
)

USAGE = "[DATASET|FILE.csv ...] [options]"
SUMMARY = "compare optimizers on data sets, with the uncertainty of the answer"

# Options that make the study; with --resume or --config they come from there.
_STUDY = (
    "optimizers", "preset", "arms", "schedules", "seeds", "trials", "epochs",
    "gradient_evaluations", "seconds", "batch_size", "layers", "baseline", "seed",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "datasets", metavar="DATASET|FILE.csv", nargs="*",
        help="names (see: minitrain datasets) or files; all files have the same target "
        "(default: those of the preset)",
    )  # fmt: skip
    add_data_options(parser)
    add = parser.add_argument_group("the study").add_argument
    add(
        "--preset",
        type=one_of("quick", "standard", "full"),
        metavar="NAME",
        help="quick (default, half a minute), standard (minutes) or full (the whole protocol)",
    )
    for name in ("quick", "standard", "full"):
        add(f"--{name}", dest="preset", action="store_const", const=name, help=argparse.SUPPRESS)
    add(
        "--optimizers",
        type=names,
        metavar="A,B",
        help="names, or all (default: sgd,momentum,rmsprop,adam)",
    )
    add(
        "--arms",
        type=names,
        metavar="A,B",
        help="defaults, learning_rate, everything: what is tuned (default: the preset's)",
    )
    add(
        "--schedules",
        type=_schedules,
        metavar="A,B",
        help="constant, cosine(warmup=0.1), … (see: minitrain schedules; default: the preset's)",
    )
    add(
        "--seeds",
        type=count(2),
        metavar="N",
        help="trainings that are compared in pairs; fewer than 30 see little (default: 30)",
    )
    add(
        "--trials",
        type=count(0),
        metavar="N",
        help="points that each arm tries in its search; 0 keeps the default rates "
        "(default: 25, and 75 for everything)",
    )
    add("--epochs", type=count(1), metavar="N", help="(default: the preset's)")
    add(
        "--gradient-evaluations",
        type=count(1),
        metavar="N",
        help="the length of a training in mini-batches, in place of epochs",
    )
    add("--seconds", type=_seconds, metavar="S", help="the length in seconds, by a pilot")
    add("--batch-size", type=count(1), metavar="N", help="(default: 32)")
    add(
        "--layers",
        type=layers,
        metavar="N,N",
        help="units of the hidden layers (default: 64,64); none for a linear model",
    )
    add("--unpaired", action="store_true", help="give every optimizer seeds of its own")
    add("--baseline", metavar="NAME", help="whom the others are tested against (default: first)")
    add("--seed", type=seed, metavar="N", help="of the whole study (default: 0)")
    add("--config", type=Path, metavar="FILE.toml", help="read the study from a TOML file")
    add = parser.add_argument_group("the run").add_argument
    add("--out", type=Path, metavar="FOLDER", help="write every run, the result and a report there")
    add("--resume", type=Path, metavar="FOLDER", help="go on with the study of this folder")
    add("--workers", type=count(1), metavar="N", help="threads (default: all cores)")
    add("--dask", metavar="ADDRESS", help="run on a Dask cluster, such as tcp://host:8786")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from .. import datasets

    folder = options.resume or options.out
    if options.resume and options.out:
        raise CommandError("--resume and --out: accepted: one of them")
    if not options.resume:
        _check_writable(options.out)
    with input_errors():
        study = _study(options)
    try:
        result = _run(study, options, folder)
    except datasets.DataError as error:  # a class with too few rows for three parts
        raise CommandError(str(error)) from None
    if options.json:
        print(to_json(result.to_json()))
        return 0
    print()
    console.print_study(result)
    print()
    print(f"{result.trainings} trainings in {console.duration(result.seconds)}.")
    if folder:
        print_files(result, folder)
    else:
        print("To keep every run and get a report, add --out FOLDER.")
    return 0


def print_files(result: Any, folder: Path) -> None:
    """Write the report, and say where everything is."""
    for line in result.damaged:
        print(f"minitrain: warning: {line}; computed again", file=sys.stderr)
    try:
        report = result.report(folder / "report.html")
    except ImportError as error:
        print(f"Every run is in {folder / 'runs.csv'}; no report: {error}")
        return
    print(f"Report: {report}")
    print(f"Every run is in {folder / 'runs.csv'}, the result in result.json beside it.")


def _study(options: argparse.Namespace) -> Any:
    from .. import lab

    given = {name: getattr(options, name) for name in _STUDY}
    given = {name: value for name, value in given.items() if value is not None}
    if options.unpaired:
        given["paired"] = False
    if "optimizers" in given:
        given["optimizers"] = _optimizers(given["optimizers"])
    data = read_data(options.datasets, options) if options.datasets else None
    if options.resume:
        if given.keys() - {"seeds"} or data or options.config:
            name = next(iter([*(given.keys() - {"seeds"}), "DATASET"])).replace("_", "-")
            raise CommandError(
                f"--resume: the folder says what the study is; leave out {name} "
                "(more --seeds may be given)"
            )
        study = lab.Study.resume(options.resume)
        study.seeds = given.get("seeds", study.seeds)
        return study
    if options.config:
        if not options.config.is_file():
            raise CommandError(f"--config: no file {str(options.config)!r}")
        return lab.Study.from_toml(options.config, **given, **({"datasets": data} if data else {}))
    return lab.Study(data, **given)


def _run(study: Any, options: argparse.Namespace, folder: Path | None) -> Any:
    if not options.json:
        print_plan(study)
    done = 0
    quiet = options.json and not console.is_terminal(sys.stderr)
    try:
        with ExitStack() as stack:
            if options.dask:
                stack.enter_context(_dask(options.dask))
            progress = stack.enter_context(console.Progress("training", quiet=quiet))
            shown = 0.0

            def show(finished: int, total: int, message: str) -> None:
                nonlocal done, shown
                done = finished
                now = time.monotonic()
                # Thousands a second: a terminal needs a few of them.
                if now - shown > 0.05 or finished in (1, total):
                    progress.update(finished, total, message)
                    shown = now

            return study.run(
                out=folder, progress=show, workers=options.workers,
                joblib=True if options.dask else None,
            )  # fmt: skip
    except KeyboardInterrupt:
        written = (
            f"what was finished is in {folder}; to go on: minitrain compare --resume {folder}"
            if folder
            else "nothing was written (--out FOLDER keeps what is finished)"
        )
        raise KeyboardInterrupt(
            f"interrupted after {done} of {study.trainings} trainings; {written}"
        ) from None
    except OSError as error:
        if folder is None:
            raise
        raise CommandError(
            f"{folder} cannot be written ({error.strerror or error}); what was finished before is "
            f"kept there; to go on when that is mended: minitrain compare --resume {folder}",
            code=1,
        ) from None


def print_plan(study: Any) -> None:
    tuned = [f"{arm.replace('_', ' ')} ({n} trials)" for arm, n in study.trials.items() if n]
    arms = ", ".join([*(["published defaults"] if "defaults" in study.arms else []), *tuned])
    schedules = f", schedules {', '.join(study.schedules)}" if len(study.schedules) > 1 else ""
    pairs = "paired seeds" if study.paired else "seeds of their own"
    console.print_text(
        f"{', '.join(study.optimizers)} on {', '.join(study.datasets)}: {study.trainings} "
        f"trainings of {study.budget} ({arms}{schedules}; {study.seeds} {pairs})"
    )
    sys.stdout.flush()


def _dask(address: str) -> Any:
    """The workers of this cluster, until the study is done."""
    try:
        from dask.distributed import Client
    except ImportError:
        raise CommandError(
            "--dask: dask is not installed: pip install 'minitrain[scale]'"
        ) from None
    from contextlib import contextmanager

    from joblib import parallel_config

    @contextmanager
    def connected() -> Any:
        try:
            client = Client(address, timeout="10s")
        except (OSError, ValueError, TimeoutError) as error:
            raise CommandError(f"--dask: no scheduler at {address!r} ({error})") from None
        with client:
            if not client.scheduler_info()["workers"]:
                raise CommandError(
                    f"--dask: {address} has no workers; start one: dask worker {address}"
                )
            with parallel_config(backend="dask"):
                yield

    return connected()


def _schedules(text: str) -> list[str]:
    """The kind of an argument: texts of schedules; a comma inside brackets belongs to one."""
    import re

    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None


def _optimizers(asked: list[str]) -> list[str]:
    from .. import catalogue, optimizers

    # "all" are those that train at the speed of the engine, by mini-batches.
    known = [name for name in catalogue.names() if name != "lbfgs"]
    chosen = optimizers.names() if asked == ["all"] else [
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
