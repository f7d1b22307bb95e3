"""How often does a study see a difference that is not there, or miss one that is?

    python scripts/check_honesty.py [--studies 200] [--seeds 30] [--workers N]

Studies of two identical optimizers under two names, each with seeds of its own (``paired=False``:
with the same seeds the runs would be equal).  Whatever verdict is not "not separable" is false.
Then one study with an optimizer whose learning rate is a thousand times too small: it must come
out "worse" everywhere.  The same tables come from any machine.
"""

from _environment import ensure

ensure(extras=("lab",))

import argparse
import sys
import time

from scipy.stats import binomtest

import minitrain as mt
from minitrain.console import Progress, duration, print_table, print_text

DATASETS = ("digits", "breast_cancer", "wine", "iris")
STATED = 0.05  # at most so many false verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    began = time.perf_counter()
    false = dict.fromkeys(DATASETS, 0)
    with Progress("study") as progress:
        for number in range(options.studies):
            verdicts = twins(number, options.seeds, options.workers)
            for dataset in false:
                false[dataset] += verdicts[dataset] != "not separable"
            progress.update(number + 1, options.studies, f"{sum(false.values())} false verdicts")
    rows, honest = [], True
    for dataset, count in false.items():
        interval = binomtest(count, options.studies).proportion_ci(0.95)
        honest &= interval.low <= STATED
        rows.append(
            [dataset, f"{count} of {options.studies}", f"{100 * count / options.studies:.1f} %",
             f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %"]
        )  # fmt: skip
    print_table(["data set", "false verdicts", "rate", "95 % interval"], rows)
    found = crippled(options.seeds, options.workers)
    print_text(
        f"Adam with a learning rate a thousand times too small, against Adam: "
        f"{', '.join(f'{verdict} on {dataset}' for dataset, verdict in found.items())}."
    )
    honest &= set(found.values()) == {"worse"}
    print_text(f"{'Honest' if honest else 'NOT honest'}: at most {100 * STATED:.0f} % was stated. "
               f"{duration(time.perf_counter() - began)}.")  # fmt: skip
    return 0 if honest else 1


def twins(number: int, seeds: int, workers: int | None) -> dict[str, str]:
    """The verdict on each data set of a study of Adam against Adam."""
    both = {"one": mt.optimizers.Adam(lr=3e-3), "other": mt.optimizers.Adam(lr=3e-3)}
    study = mt.lab.Study(
        DATASETS, both, arms="defaults", seeds=seeds, epochs=10, paired=False, seed=number
    )
    verdicts = study.run(workers=workers).verdicts()
    return {v["dataset"]: v["verdict"] for v in verdicts if v["a"] == "one"}


def crippled(seeds: int, workers: int | None) -> dict[str, str]:
    """The verdicts on an optimizer that hardly moves."""
    both = {"crippled": mt.optimizers.Adam(lr=3e-6), "adam": mt.optimizers.Adam(lr=3e-3)}
    study = mt.lab.Study(DATASETS, both, arms="defaults", seeds=seeds, epochs=10)
    verdicts = study.run(workers=workers).verdicts()
    return {v["dataset"]: v["verdict"] for v in verdicts if v["a"] == "crippled"}


if __name__ == "__main__":
    sys.exit(main())
