"""Train and compare the optimizers on real data: ``python3 scripts/demo.py``.

Eight optimizers on the four classification data sets that scikit-learn ships.  Each is tuned with
the same budget and then run on 30 fresh seeds (docs/comparing.md says why it is done so).  The
first start makes a private environment in ``.venv``.
"""

from _environment import ensure

ensure(extras=("lab",))

import argparse
import sys
import time
from pathlib import Path

import minitrain as mt
from minitrain.console import Progress, print_heading, print_study, print_text
from minitrain.kernels import _jit

DATASETS = ("digits", "breast_cancer", "wine", "iris")
# The ones that introductions teach; the others: minitrain compare digits --optimizers all
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=0, help="of the whole study (default 0)")
    parser.add_argument("--seeds", type=int, default=30, help="paired runs each (default 30)")
    parser.add_argument("--out", type=Path, help="folder for results")
    options = parser.parse_args()
    options.out = options.out or Path(f"runs/demo-{options.seed}")

    study = mt.lab.Study(DATASETS, OPTIMIZERS, seeds=options.seeds, seed=options.seed)
    print_heading("Which optimizer, here?")
    print_text(
        f"{', '.join(OPTIMIZERS)} on {', '.join(DATASETS)}: a network of 64-64 ReLU units, "
        f"{study.budget}; first as published, then with {study.trials['learning_rate']} learning "
        f"rates tried for each; {study.seeds} fresh seeds. {study.trainings} trainings."
    )
    print()

    said_so = []

    def say_once(kernel: str) -> None:
        if not said_so:
            said_so.append(kernel)
            print("compiling kernels (first run only) …", file=sys.stderr, flush=True)

    _jit.on_compile = say_once
    began = time.perf_counter()
    try:
        with Progress("training") as progress:
            result = study.run(out=options.out, progress=progress.update)
    except KeyboardInterrupt:
        print(f"\nInterrupted; the same command goes on from {options.out}/", file=sys.stderr)
        return 130
    print_study(result)
    print()
    print_text(
        f"{result.trainings} trainings in {time.perf_counter() - began:.0f} s. The report is "
        f"{result.report(options.out / 'report.html')}, every run is beside it."
    )
    command = Path(sys.executable).with_name("minitrain")
    print_text(f"Next: {command} train digits   or   {command} optimizers adam")
    return 0


if __name__ == "__main__":
    sys.exit(main())
