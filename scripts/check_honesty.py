"""How often does a study see a difference that is not there, or miss one that is?

    python3 scripts/check_honesty.py [--studies 200] [--seeds 30] [--workers N] [--json FILE]

Studies of two identical optimizers under two names, each with seeds of its own (``paired=False``:
with the same seeds the runs would be equal).  Whatever verdict is not "not separable" is false.
Then one study with an optimizer whose learning rate is a thousand times too small: it must come
out "worse" everywhere.  The same tables come from any machine; the last one is in
docs/comparing.md (``--json docs/benchmarks/honesty.json``, then scripts/update_comparing.py).
"""

from _environment import ensure

ensure(extras=("lab",))

import argparse
import json
import sys
import time
from pathlib import Path

from _machine import about
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
    parser.add_argument("--json", type=Path, help="write the table there")
    options = parser.parse_args()
    began = time.perf_counter()
    facts = about("minitrain", "numpy", "numba", "scikit-learn", "scipy")
    false = dict.fromkeys(DATASETS, 0)
    with Progress("study") as progress:
        for number in range(options.studies):
            verdicts = twins(number, options.seeds, options.workers)
            for dataset in false:
                false[dataset] += verdicts[dataset] != "not separable"
            progress.update(number + 1, options.studies, f"{sum(false.values())} false verdicts")
    rows = [row(dataset, count, options.studies) for dataset, count in false.items()]
    honest = all(r["rate"] <= STATED for r in rows)
    print_table(
        ["data set", "false verdicts", "rate", "95 % interval"],
        [[r["dataset"], f"{r['false']} of {options.studies}", f"{100 * r['rate']:.1f} %",
          f"{100 * r['low']:.1f} to {100 * r['high']:.1f} %"] for r in rows],
    )  # fmt: skip
    found = crippled(options.seeds, options.workers)
    print_text(
        f"Adam with a learning rate a thousand times too small, against Adam: "
        f"{', '.join(f'{verdict} on {dataset}' for dataset, verdict in found.items())}."
    )
    honest &= set(found.values()) == {"worse"}
    print_text(f"{'Honest' if honest else 'NOT honest'}: at most {100 * STATED:.0f} % was stated. "
               f"{duration(time.perf_counter() - began)}.")  # fmt: skip
    if options.json:
        whole = {
            **facts, "studies": options.studies, "seeds": options.seeds, "stated": STATED,
            "rows": rows, "crippled": found, "honest": honest,
        }  # fmt: skip
        options.json.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
    return 0 if honest else 1


def row(dataset: str, false: int, studies: int) -> dict:
    """How often it was wrong, with the exact (Clopper-Pearson) interval of the rate."""
    interval = binomtest(false, studies).proportion_ci(0.95)
    return {
        "dataset": dataset, "false": false, "rate": false / studies, "low": interval.low,
        "high": interval.high,
    }  # fmt: skip


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
