"""How good is the suggested learning rate?  Beside the best of a grid, and other suggestions.

    python3 scripts/check_learning_rate_finder.py [--seeds 3] [--epochs 20] [--write] [--json]

For every data set with classes, optimizer and seed (of split, weights and mini-batches) a 64-64
ReLU network is trained with each rate of a grid, three to the decade over the range of the rule,
and with the rates suggested by: the rule's default; the range test of `mt.find_learning_rate`; and
the two usual readings of the same curve, its steepest descent and a tenth of its minimum.  The
best rate of the grid has the least validation loss, averaged over the seeds; what a suggestion
loses is the difference of the test accuracies, in points.

`--write` puts the table into docs/schedules.md.
"""

from _environment import ROOT, ensure

ensure()

import argparse
import json
import sys
import time

import numpy as np
from _machine import about

import minitrain as mt

# How to read the curve was chosen by looking at these; the others were not looked at before.
SEEN_DATA = ("digits", "breast_cancer", "wine", "iris", "moons", "spirals")
SEEN_OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "nadam")
READINGS = ("default", "steepest", "a tenth of the minimum", "found")
HIDDEN, BATCH, PER_DECADE = (64, 64), 32, 3
DOCS = ROOT / "docs" / "schedules.md"


def outcome(parts, optimizer, seed, epochs):
    """Validation loss and test accuracy after a training; inf and chance if it diverged."""
    train, valid, test = parts
    model = mt.MLP([train.n_features, *HIDDEN, train.n_classes], seed=seed)
    try:
        mt.Trainer(model, optimizer, BATCH, seed).fit(train, epochs)
    except mt.DivergenceError:
        return np.inf, np.bincount(test.y).max() / len(test.y)
    return model.evaluate(valid.X, valid.y)[0], model.evaluate(test.X, test.y)[1]


def readings(found):
    """Rates that other readings of the same curves suggest: medians over the runs."""
    steepest, lowest = [], []
    for curve in found.smoothed:
        known = np.isfinite(curve)
        rates, curve = found.rates[known], curve[known]
        least = np.argmin(curve)
        # Up to the minimum: after an explosion, a steep step down means nothing.
        slopes = np.gradient(curve, np.log(rates))[: least + 1]
        steepest.append(rates[np.argmin(slopes)])
        lowest.append(rates[least])
    return {"steepest": np.median(steepest), "a tenth of the minimum": np.median(lowest) / 10}


def measure(name, optimizer, seeds, epochs):
    """What every reading loses against the best rate of the grid, and by how many decades."""
    low, high = mt.optimizers.get(optimizer).rule.rates
    grid = np.geomspace(low, high, round(np.log10(high / low) * PER_DECADE) + 1)
    parts = [mt.datasets.load(name).split(seed=seed) for seed in range(seeds)]

    def train(rate, seed):
        return outcome(parts[seed], mt.optimizers.get(optimizer, lr=float(rate)), seed, epochs)

    tried = np.array([[train(rate, seed) for seed in range(seeds)] for rate in grid])
    best = np.argmin(tried[..., 0].mean(axis=1))
    lost, decades, seconds = {r: [] for r in READINGS}, {r: [] for r in READINGS}, []
    for seed in range(seeds):
        sizes = [parts[seed][0].n_features, *HIDDEN, parts[seed][0].n_classes]
        before = time.perf_counter()
        found = mt.find_learning_rate(sizes, parts[seed][0], optimizer, batch_size=BATCH, seed=seed)
        seconds.append(time.perf_counter() - before)
        rates = {
            "default": found.optimizer.lr, "found": found.suggestion, **readings(found)
        }  # fmt: skip
        for reading in READINGS:
            accuracy = train(rates[reading], seed)[1]
            lost[reading].append(100 * (tried[best, seed, 1] - accuracy))
            decades[reading].append(float(np.log10(rates[reading] / grid[best])))
    return {
        "dataset": name,
        "optimizer": optimizer,
        "best_rate": grid[best],
        "lost": {reading: float(np.mean(values)) for reading, values in lost.items()},
        "decades": decades,
        "seconds": float(np.median(seconds)),
    }


def table(rows):
    """Lines of markdown: a line per optimizer, then the groups of data sets."""
    seen = [r for r in rows if r["dataset"] in SEEN_DATA and r["optimizer"] in SEEN_OPTIMIZERS]
    groups = [
        (f"`{o}`", [r for r in rows if r["optimizer"] == o])
        for o in dict.fromkeys(r["optimizer"] for r in rows)
    ]
    groups += [
        ("chosen by looking at these", seen),
        ("**fresh** data sets or optimizers", [r for r in rows if r not in seen]),
        ("**all**", rows),
    ]
    lines = [
        "| | default rate | steepest descent | a tenth of the minimum | **found** "
        "| found, at worst | found, decades from the best (median) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, group in groups:
        if not group:
            continue
        means = [np.mean([r["lost"][reading] for r in group]) for reading in READINGS]
        worst = max(r["lost"]["found"] for r in group)
        apart = np.median(np.abs([d for r in group for d in r["decades"]["found"]]))
        *others, own = [f"{round(mean, 1) + 0.0:.1f}" for mean in means]  # no "-0.0"
        lines.append(f"| {name} | {' | '.join(others)} | **{own}** | {worst:.1f} | {apart:.2f} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--datasets", nargs="*", help="default: all with classes")
    parser.add_argument("--optimizers", nargs="*", help="default: all")
    parser.add_argument("--write", action="store_true", help="put the table into docs/schedules.md")
    parser.add_argument("--json", action="store_true", help="print every figure")
    options = parser.parse_args()
    described = [d.name for d in mt.datasets.describe() if d.classes]
    rows = []
    for name in options.datasets or described:
        for optimizer in options.optimizers or mt.optimizers.names():
            row = measure(name, optimizer, options.seeds, options.epochs)
            rows.append(row)
            lost = "  ".join(f"{reading} {row['lost'][reading]:.1f}" for reading in READINGS)
            print(f"{name} {optimizer}: best {row['best_rate']:.2g}; lost: {lost}", file=sys.stderr)
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    where = about()
    text = [
        "Points of test accuracy lost against the best rate of the grid, averaged over "
        f"{len({r['dataset'] for r in rows})} data sets and {options.seeds} seeds "
        f"({options.epochs} epochs, {'-'.join(map(str, HIDDEN))}, batches of {BATCH}):",
        "",
        *table(rows),
        "",
        f"`python3 scripts/check_learning_rate_finder.py`, {where['date']}, commit "
        f"{where['commit']}, {where['machine']}; a range test took "
        f"{np.median([r['seconds'] for r in rows]):.2f} s (median).",
    ]
    print("\n".join(text))
    if options.write:
        begin, end = "<!-- finder -->\n", "<!-- /finder -->"
        page = DOCS.read_text("utf-8")
        before, after = page.split(begin)[0], page.split(end)[1]
        DOCS.write_text(before + begin + "\n".join(text) + "\n" + end + after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
