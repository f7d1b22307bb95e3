"""From the start of a process to a trained network: digits, 64-64-10, 20 epochs, test accuracy.

    python3 scripts/bench_start.py                     # about 2 minutes
    python3 scripts/bench_start.py --runs 5 --json docs/benchmarks/start.json

Every run is a fresh Python process, in turn with the others; the time is from before it is started
until it has ended.  minitrain and scikit-learn bring the data set along; torch and JAX, and
minitrain once more ("arrays"), read the same rows from a file.  Where code is compiled, a run
without and a run with a filled cache are told apart.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from _environment import ensure

ensure(extras=("peers",))

from _machine import about, without_handicaps

PACKAGES = ("minitrain", "numpy", "numba", "scikit-learn", "torch", "jax", "optax")
STAGES = ("python", "import", "data", "training", "reading", "end")
LEAST_ACCURACY = 0.94  # who has less did something else

# The bars of the project (issue 3), in seconds; the first one is also scikit-learn's time.
BARS = {"minitrain, filled cache": 1.2, "minitrain, no cache": 10.0}

# What is started, and whether a cache is "filled", "empty" or of no use to it.
CONTENDERS = {
    "minitrain, filled cache": ("minitrain", "filled"),
    "minitrain, no cache": ("minitrain", "empty"),
    "minitrain on arrays, filled cache": ("arrays", "filled"),
    "scikit-learn": ("scikit-learn", None),
    "torch, fused Adam": ("torch", None),
    "JAX scan, filled cache": ("JAX", "filled"),
    "JAX scan, no cache": ("JAX", "empty"),
}


def main():
    options = arguments()
    facts = about(*PACKAGES)
    print(f"{facts['machine']}, {facts['cores']} cores; {options.runs} runs of each; seconds")
    names = [name for name, (what, _) in CONTENDERS.items()
             if what in ("minitrain", "arrays") or what in options.peers]  # fmt: skip
    runs, out = {name: [] for name in names}, {}
    with tempfile.TemporaryDirectory() as folder:
        file, caches = Path(folder, "digits.npz"), Path(folder, "caches")
        write_digits(file)
        for number in range(-1, options.runs):  # the first one warms files and caches up
            for name in [name for name in names if name not in out]:
                run = start(*CONTENDERS[name], file, caches)
                if "missing" in run:
                    out[name] = run["missing"]
                elif number >= 0:
                    runs[name].append(run)
    rows = [summary(name, found) for name, found in runs.items() if found]
    print_table(rows, out)
    if options.json:
        result = {"benchmark": "start", **facts, "runs": options.runs, "rows": rows, "out": out}
        with open(options.json, "w", encoding="utf-8") as to:
            json.dump(result, to, indent=1, ensure_ascii=False)
            to.write("\n")
        print(f"Written to {options.json}")
    return 0


def arguments(given=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    peers = ("scikit-learn", "torch", "JAX")
    add("--runs", type=int, default=7, help="fresh processes of each (default: %(default)s)")
    add("--peers", nargs="*", choices=peers, default=peers, metavar="PEER",
        help=f"only these of {', '.join(peers)}")  # fmt: skip
    add("--json", metavar="FILE", help="write the figures there, too")
    return parser.parse_args(given)


def write_digits(file):
    """In a process of its own: this one shall not keep what it imports in memory."""
    code = (
        "import sys, numpy as np, minitrain as mt\n"
        "train, test = mt.datasets.load('digits').split(seed=0, fractions=(0.8, 0.2))\n"
        "np.savez(sys.argv[1], X=train.X.astype('f'), y=train.y, test_X=test.X.astype('f'),"
        " test_y=test.y)"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=True)


def start(what, cache, file, caches):
    """One run: its stages in seconds, and the accuracy."""
    environment = without_handicaps()
    with tempfile.TemporaryDirectory() as empty:
        folder = empty if cache == "empty" else str(caches)
        if cache:
            environment["NUMBA_CACHE_DIR"] = folder
        if what == "JAX":
            environment["JAX_COMPILATION_CACHE_DIR"] = os.path.join(folder, "jax")
            environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
            environment["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
        script = Path(__file__).with_name("_start.py")
        command = [sys.executable, str(script), what, str(file)]
        began = time.time()
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        ended = time.time()
    if done.returncode:
        return {"missing": done.stderr.strip().rpartition("\n")[2][:200]}
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["accuracy"] < LEAST_ACCURACY:
        return {"missing": f"other work: an accuracy of {answer['accuracy']:.3f}"}
    times = [began, *answer["stages"], ended]
    parts = [after - before for before, after in pairwise(times)]
    return {**dict(zip(STAGES, parts, strict=True)), "total": ended - began,
            "accuracy": answer["accuracy"]}  # fmt: skip


def summary(name, runs):
    median = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return {"name": name, **median, "least": min(run["total"] for run in runs)}


def print_table(rows, out):
    for cells in table(rows):
        print(f"{cells[0]:36}" + "".join(f"{cell:>10}" for cell in cells[1:]))
    for name, why in out.items():
        print(f"{name:36}  not measured: {why}")
    total = {row["name"]: row["total"] for row in rows}
    print()
    for name, bar in BARS.items():
        verdict = "cleared" if total[name] <= bar else "MISSED"
        print(f"{name}: {total[name]:.2f} s, the bar is {bar} s: {verdict}")
    if "scikit-learn" in total:
        ratio = total["scikit-learn"] / total["minitrain, filled cache"]
        print(f"scikit-learn takes {ratio:.2f} times as long: "
              f"{'cleared' if ratio >= 1 else 'MISSED'}")  # fmt: skip


def table(rows):
    """Cells of the summary, here and in the README."""
    lines = [["", "total", *STAGES, "accuracy"]]
    for row in rows:
        seconds = [f"{row[key]:.2f}" for key in ("total", *STAGES)]
        lines.append([row["name"], *seconds, f"{row['accuracy']:.3f}"])
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
