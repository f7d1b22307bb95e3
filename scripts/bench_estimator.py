"""Fit and predict beside scikit-learn's MLPs, on its own toy data sets.

    python3 scripts/bench_estimator.py [--repeats 5] [--splits 20] [--epochs 200] [--json FILE]

Hidden layers (100,) and otherwise scikit-learn's default parameters, on standardised columns, with
the same random_state; both do the same epochs with the same rows.  The contenders take turns, and
the figure is the median of the ratios of neighbouring runs.  Then both are fitted on the same
splits (80 % for training), and the scores are compared by a paired t-test.  Exit code 1 if the
losses of any pair of runs differ by more than 1e-6 or their epochs are not as many (float64), or
the scores can be told apart.
"""

from _environment import ensure

ensure()

import argparse
import json
import statistics
import sys
import time
import warnings

import numpy as np
from scipy import stats
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

import minitrain as mt

DATA = ("digits", "breast_cancer", "wine", "iris", "diabetes")
SETTINGS = {
    "batch 200, float64": ("auto", "float64"),
    "batch 32, float64": (32, "float64"),
    "batch 32, float32": (32, "float32"),
}


def load(name, dtype="float64"):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return scale(X).astype(dtype), y


def kinds(name):
    kind = "MLPRegressor" if name == "diabetes" else "MLPClassifier"
    return getattr(mt, kind), getattr(neural_network, kind)


def seconds(task):
    begun = time.perf_counter()
    result = task()
    return time.perf_counter() - begun, result


def measure_fit(name, batch_size, dtype, repeats, epochs):
    X, y = load(name, dtype)
    options = {"batch_size": batch_size, "random_state": 0, "max_iter": epochs}
    ours, theirs = kinds(name)
    ours(**options).fit(X, y)  # compiles
    pairs = []
    for _ in range(repeats):
        our_time, one = seconds(lambda: ours(**options).fit(X, y))
        their_time, other = seconds(lambda: theirs(**options).fit(X, y))
        pairs.append((our_time, their_time))
    same = min(20, len(one.loss_curve_))
    difference = np.max(
        np.abs(np.array(one.loss_curve_[:same]) / np.array(other.loss_curve_[:same]) - 1)
    )
    return {
        "ours": min(a for a, _ in pairs),
        "theirs": min(b for _, b in pairs),
        "ratio": statistics.median(b / a for a, b in pairs),
        "difference": float(difference),
        "epochs": one.n_iter_,
        "their_epochs": other.n_iter_,
    }


def measure_predict(name, repeats):
    X, y = load(name)
    both = [kind(max_iter=2, random_state=0).fit(X, y) for kind in kinds(name)]
    row, times = X[:1].copy(), ([], [])
    for _ in range(4 * repeats):
        for estimator, taken in zip(both, times, strict=True):
            estimator.predict(row)
            taken += [seconds(lambda e=estimator: e.predict(row))[0] for _ in range(50)]
    ours, theirs = (statistics.median(t) for t in times)
    return {"ours": ours, "theirs": theirs, "ratio": theirs / ours}


def compare_scores(name, splits, epochs):
    X, y = load(name)
    scores = []
    for seed in range(splits):
        parts = train_test_split(
            X, y, test_size=0.2, random_state=seed, stratify=None if name == "diabetes" else y
        )
        scores.append(
            [
                kind(random_state=seed, max_iter=epochs).fit(parts[0], parts[2])
                .score(parts[1], parts[3])
                for kind in kinds(name)
            ]
        )  # fmt: skip
    ours, theirs = np.array(scores).T
    differ = not np.allclose(ours, theirs, rtol=0, atol=1e-12)
    p = float(stats.ttest_rel(ours, theirs).pvalue) if differ else 1.0
    return {"ours": ours.mean(), "theirs": theirs.mean(), "p": p}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of each contender")
    parser.add_argument("--splits", type=int, default=20, help="splits for the scores")
    parser.add_argument("--epochs", type=int, default=200, help="at most (max_iter)")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    threadpool_limits(1)  # scikit-learn's best setting: its products here are too small to share
    found, passed = {}, True
    print(f"{'fit':22}{'data':>14}{'scikit-learn':>14}{'minitrain':>12}{'faster':>9}{'loss':>10}")
    for setting, (batch_size, dtype) in SETTINGS.items():
        for name in DATA:
            f = measure_fit(name, batch_size, dtype, options.repeats, options.epochs)
            found[f"fit {name} {setting}"] = f
            same = f["difference"] < 1e-6 and f["epochs"] == f["their_epochs"]
            passed &= dtype == "float32" or same
            print(
                f"{setting:22}{name:>14}{1e3 * f['theirs']:11.1f} ms{1e3 * f['ours']:9.1f} ms"
                f"{f['ratio']:8.1f}×{f['difference']:10.0e}"
            )
    print(f"\n{'predict one row':22}{'data':>14}{'scikit-learn':>14}{'minitrain':>12}{'faster':>9}")
    for name in DATA:
        f = found[f"predict {name}"] = measure_predict(name, options.repeats)
        print(
            f"{'':22}{name:>14}{1e6 * f['theirs']:11.1f} µs{1e6 * f['ours']:9.1f} µs"
            f"{f['ratio']:8.1f}×"
        )
    if options.splits:
        print(f"\n{'score, ' + str(options.splits) + ' splits':22}{'data':>14}{'scikit-learn':>14}"
              f"{'minitrain':>12}{'p':>9}")  # fmt: skip
        for name in DATA:
            f = found[f"score {name}"] = compare_scores(name, options.splits, options.epochs)
            passed &= f["p"] > 0.01
            print(f"{'':22}{name:>14}{f['theirs']:14.4f}{f['ours']:12.4f}{f['p']:9.2f}")
    if options.json:
        from _machine import about

        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"figures": found, **about("numpy", "numba", "scikit-learn")}, file, indent=1)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
