"""How many trainings a second? A study by minitrain beside scikit-learn, torch and JAX.

    python3 scripts/bench_study.py                 # about a minute and a half
    python3 scripts/bench_study.py --seconds 10 --rounds 1 --peers

64-64-10 on digits, Adam, 20 epochs with validation after each; every contender on all cores, in a
process of its own, warm (what is compiled was compiled before the clock).  They run in turn, and
the ratios are medians over the rounds.  A contender counts only if its mean validation accuracy is
minitrain's within a point: the work is the same.  minitrain is measured as its users have it:
``Study.run`` whole, with splits, records of every epoch and verdict-ready results; also on one
core, for what the second one brings.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from _environment import ensure

ensure(extras=("peers",))

from _machine import about, cores, without_handicaps

from minitrain.console import print_table, print_text

PEERS = ("scikit-learn + joblib", "torch + joblib", "JAX loop", "JAX vmap")
TOLERANCE = 0.01
BARS = {"the best peer": 4.0, "scikit-learn + joblib": 15.0, "two cores to one": 1.9}


class Contender:
    def __init__(self, name, cores, epochs):
        self.name, self.found = name, []
        script = Path(__file__).with_name("_study_contenders.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), name, str(cores), str(epochs)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**without_handicaps(), "MINITRAIN_SETUP": "skip"},
        )  # fmt: skip

    def ask(self, count):
        try:
            print(count, file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline() or '{"missing": "it ended"}')
        except BrokenPipeError:
            return {"missing": "it ended"}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    options = arguments()
    facts = about("minitrain", "numpy", "numba", "scikit-learn", "joblib", "torch", "jax")
    facts["cores"] = count = options.cores or cores()
    print_text(f"{facts['machine']}, {count} cores")
    contenders = [Contender("minitrain", count, options.epochs)]
    alone = Contender("minitrain", 1, options.epochs)
    alone.name = "minitrain, one core"
    contenders += [alone, *(Contender(name, count, options.epochs) for name in options.peers)]
    usable = []
    for contender in contenders:
        began = time.perf_counter()
        warm = contender.ask(10)
        cold = time.perf_counter() - began
        if "missing" in warm:
            print_text(f"{contender.name}: {warm['missing']}")
        else:
            contender.cold = cold
            # As many as take so long: then a busy moment of the machine hits all alike.
            probe = contender.ask(10)
            contender.count = max(10, int(options.seconds * probe["trainings"] / probe["seconds"]))
            usable.append(contender)
    for _ in range(options.rounds):
        for contender in usable:
            found = contender.ask(contender.count)
            found["rate"] = found["trainings"] / found["seconds"]
            contender.found.append(found)
    report(usable, options, facts)
    for contender in contenders:
        contender.close()


def report(usable, options, facts):
    ours = usable[0]
    rows, ratios = [], {}
    for c in usable:
        rate = statistics.median(f["rate"] for f in c.found)
        ratio = statistics.median(
            o["rate"] / f["rate"] for o, f in zip(ours.found, c.found, strict=True)
        )
        accuracy = c.found[-1]["accuracy"]
        same = abs(accuracy - ours.found[-1]["accuracy"]) <= TOLERANCE
        ratios[c.name] = ratio if same else float("nan")
        rows.append(
            {"contender": c.name, "rate": rate, "accuracy": accuracy, "cold": c.cold,
             "ratio": ratio if same else None}
        )  # fmt: skip
    names, cells = table(rows)
    print_table(names, cells, right=names[1:])
    peers = [v for k, v in ratios.items() if k in PEERS and v == v]
    found = {
        "the best peer": min(peers, default=float("nan")),
        "scikit-learn + joblib": ratios.get("scikit-learn + joblib", float("nan")),
        "two cores to one": ratios["minitrain, one core"],
    }
    for name, bar in BARS.items():
        print_text(f"{name}: {found[name]:.2f} (bar {bar:g})")
    if options.json:
        bars = {name: {"measured": found[name], "bar": bar} for name, bar in BARS.items()}
        whole = {**facts, "epochs": options.epochs, "load": _load(), "rows": rows, "bars": bars,
                 "rounds": {c.name: c.found for c in usable}}  # fmt: skip
        options.json.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


def table(rows):
    """Names of the columns, and cells."""
    names = ["contender", "trainings a second", "1000 take", "validation accuracy",
             "minitrain is faster by", "first 10, cold"]  # fmt: skip
    cells = [
        [r["contender"], f"{r['rate']:.0f}", f"{1000 / r['rate']:.1f} s",
         f"{100 * r['accuracy']:.1f} %",
         "other work" if r["ratio"] is None else f"{r['ratio']:.1f}", f"{r['cold']:.1f} s"]
        for r in rows
    ]  # fmt: skip
    return names, cells


def _load():
    """How many others wanted the cores in the last minute (none of ours is counted out)."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each, a round")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, help="(default: all)")
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
