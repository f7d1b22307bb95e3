"""``minitrain bench``: the measurements of the source tree, run where there is one."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from .arguments import CommandError, choose

USAGE = "epoch|kernels|start [options of the script]"
SUMMARY = "measure the speed beside scikit-learn, torch and JAX (in a source tree)"

BENCHMARKS = {
    "epoch": "a training step beside scikit-learn, torch and JAX, and the machine's limit",
    "kernels": "one optimizer step, fused and as plain NumPy",
    "start": "from the start of a process to a trained network",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "benchmark", metavar="|".join(BENCHMARKS), nargs="?",
        help="; ".join(f"{name}: {what}" for name, what in BENCHMARKS.items()),
    )  # fmt: skip
    parser.add_argument(
        "rest", metavar="options", nargs=argparse.REMAINDER,
        help="handed on, such as --json FILE; all of them: minitrain bench epoch --help",
    )  # fmt: skip
    parser.set_defaults(json=False)  # the script reads its own


def run(options: argparse.Namespace) -> int:
    if options.benchmark is None:
        raise CommandError(f"bench: which one? accepted: {', '.join(BENCHMARKS)}")
    name = choose("bench", options.benchmark, list(BENCHMARKS))
    script = find_script(f"bench_{name}.py")
    # The Python that runs this command has minitrain: the script need not make an environment.
    environment = {**os.environ, "MINITRAIN_SETUP": "skip"}
    sys.stdout.flush()
    with subprocess.Popen([sys.executable, str(script), *options.rest], env=environment) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the child has heard it too
            child.wait()
            raise


def find_script(name: str) -> Path:
    """The script in the tree that this package is imported from, where that is a source tree."""
    tree = Path(__file__).resolve().parents[2]
    script = tree / "scripts" / name
    if not (script.is_file() and (tree / "setup.cfg").is_file()):
        raise CommandError(
            f"bench: scripts/{name} is not part of the installed package; in a clone of the "
            f"source, run: python3 scripts/{name}"
        )
    return script
