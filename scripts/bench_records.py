"""What does a study of 100 000 runs ask of its driver?  Memory while it runs, and the report.

    python3 scripts/bench_records.py                      # about 2 minutes
    python3 scripts/bench_records.py --optimizers 1 --epochs 100

The whole protocol (``full``: 11 data sets, three arms, two schedules) with trainings that are made
up: each takes no time and has plausible curves, so that what is measured is the driver alone, with
searches, records, index and tables as always.  Each size runs in a process of its own, its report
in another one; the compiled code of all rules is there at the start, so that what is added later
belongs to the runs.  The last table is in docs/comparing.md (``--json
docs/benchmarks/records.json``, then scripts/update_comparing.py).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _environment import ensure

ensure(extras=("lab",))

import numpy as np
from _machine import about

import minitrain as mt
from minitrain.console import duration, print_table, print_text
from minitrain.lab import engine
from minitrain.lab.records import CURVES, Run
from minitrain.lab.training import gradients_per_step

RULES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "adamax",
         "nadam", "adamw", "radam", "lion", "yogi")  # fmt: skip
SEED = 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--optimizers", type=int, nargs="*", default=(1, 4, 12),
                        help="sizes of the study: 8 580 runs for each")  # fmt: skip
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_one(*options.child, options.optimizers[0], options.epochs)))
        return
    facts = about("minitrain", "numpy", "numba")
    rows = []
    for count in options.optimizers:
        with tempfile.TemporaryDirectory() as folder:
            run, report = (
                child(what, folder, count, options.epochs) for what in ("study", "report")
            )
            size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
        rows.append({"runs": run["runs"], "start_mb": run["start_mb"], "study_mb": run["peak_mb"],
                     "study_s": run["seconds"], "report_mb": report["peak_mb"],
                     "report_s": report["seconds"], "folder_mb": size / 2**20})  # fmt: skip
    names, cells = table(rows)
    print_table(names, cells, right=names)
    print_text(grown(rows))
    if options.json:
        whole = {**facts, "epochs": options.epochs, "rows": rows}
        options.json.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


def table(rows):
    """Names of the columns, and cells."""
    names = ["runs", "memory at the start", "memory of the study", "its driver takes",
             "report takes", "memory of the report", "folder"]  # fmt: skip
    cells = [
        [f"{r['runs']:,}".replace(",", " "), f"{r['start_mb']:.0f} MB", f"{r['study_mb']:.0f} MB",
         duration(r["study_s"]), duration(r["report_s"]), f"{r['report_mb']:.0f} MB",
         f"{r['folder_mb']:.0f} MB"]
        for r in rows
    ]  # fmt: skip
    return names, cells


def grown(rows):
    """What a run adds to the study's memory and to the report's, from the least to the most."""
    first, last = rows[0], rows[-1]
    runs = last["runs"] - first["runs"]
    if not runs:
        return ""
    study = last["study_mb"] - last["start_mb"] - (first["study_mb"] - first["start_mb"])
    report = last["report_mb"] - first["report_mb"]
    return (
        f"A run more takes {2**20 * study / runs:.0f} bytes of the study, "
        f"{2**20 * report / runs:.0f} of the report, which has more optimizers to show then."
    )


def child(what, folder, count, epochs):
    done = subprocess.run(
        [sys.executable, __file__, "--child", what, folder, "--optimizers", str(count),
         "--epochs", str(epochs)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def run_one(what, folder, count, epochs):
    if what == "report":
        began = time.perf_counter()
        result = mt.lab.Result.load(folder)
        result.report(Path(folder) / "report.html")
        return {"seconds": time.perf_counter() - began, "peak_mb": peak()}
    mt.lab.Study(["iris"], RULES, trials=0, seeds=2, epochs=1).run()  # what is compiled is there
    study = mt.lab.Study(None, RULES[:count], preset="full", epochs=epochs)
    engine.run_batch = made_up
    start = []

    def progress(done, total, message):
        if not start:
            start.append(peak())

    began = time.perf_counter()
    result = study.run(folder, progress, workers=1)
    return {"runs": result.trainings, "seconds": time.perf_counter() - began,
            "start_mb": start[0], "peak_mb": peak()}  # fmt: skip


def peak():
    """The most memory that this process had so far, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def made_up(workload, tasks, stop):
    """Runs as trainings would leave them: best at a rate of 0.01, some diverge above 1."""
    runs = []
    for task in tasks:
        random = np.random.default_rng([SEED, task.seed, task.config.trial + 1])
        rate = task.config.optimizer.lr
        failed = rate > 1 and random.random() < 0.5
        epochs = workload.epochs(task, 10)
        done = epochs // 2 if failed else epochs
        end = 0.1 + 0.1 * np.log10(rate / 0.01) ** 2 + 0.02 * random.standard_normal()
        losses = abs(end) + 2 * np.exp(-np.linspace(0, 8, epochs))[:done]
        curves = np.stack([losses, np.exp(-losses), losses, losses, np.exp(-losses)], axis=1)
        curves *= 1 + 0.01 * random.standard_normal((done, len(CURVES)))
        scores = np.full(4, np.nan) if failed else curves[-1, [3, 4, 3, 4]]
        names = ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy")
        run = Run.finished(
            task, curves, steps=10 * done, steps_per_epoch=10, seconds=0.01, initial_loss=2.3,
            gradient_evaluations=10 * done * gradients_per_step(task.config.optimizer),
            failed=failed, reason="diverged: not finite" if failed else "",
            **dict(zip(names, scores, strict=True)),
        )  # fmt: skip
        runs.append(run)
    return runs


if __name__ == "__main__":
    main()
