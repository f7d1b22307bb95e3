"""Test accuracy on the bundled data beside scikit-learn's MLPClassifier, on the same splits.

    python3 scripts/check_accuracy.py [--seeds 10] [--initialization he] [--json]

Both train a 64-64 ReLU network from Glorot's initial weights (scikit-learn's) with Adam (lr 1e-3),
mini-batches of 32 and as many epochs, without weight decay or early stopping, on the 80 % of a
stratified split per seed.  Exit code 1 if a mean misses its bar, or lies more than one standard
error of the paired differences below scikit-learn's.
"""

from _environment import ensure

ensure()

import argparse
import json
import sys
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import minitrain as mt

HIDDEN, BATCH = (64, 64), 32
# Epochs, and the mean test accuracy to reach.  An epoch of iris has 4 mini-batches.
TASKS = {
    "digits": (50, 0.97),
    "breast_cancer": (50, 0.96),
    "wine": (50, 0.95),
    "iris": (100, 0.93),
}


def ours(train, test, epochs, seed, initialization):
    sizes = [train.n_features, *HIDDEN, train.n_classes]
    model = mt.MLP(sizes, "relu", seed=seed, initialization=initialization)
    mt.Trainer(model, mt.optimizers.Adam(lr=1e-3), BATCH, seed).fit(train, epochs)
    return model.evaluate(test.X, test.y)[1]


def theirs(train, test, epochs, seed):
    model = MLPClassifier(
        HIDDEN, solver="adam", alpha=0.0, batch_size=BATCH, learning_rate_init=1e-3,
        max_iter=epochs, n_iter_no_change=10**9, tol=0.0, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # all epochs are meant to be done
        return model.fit(train.X, train.y).score(test.X, test.y)


def measure(name, seeds, initialization):
    epochs, bar = TASKS[name]
    pairs = []
    for seed in range(seeds):
        train, test = mt.datasets.load(name).split(seed=seed, fractions=(0.8, 0.2))
        mine = ours(train, test, epochs, seed, initialization)
        pairs.append([mine, theirs(train, test, epochs, seed)])
    mine, sklearn = np.array(pairs).T
    difference = mine - sklearn
    error = difference.std(ddof=1) / np.sqrt(seeds)
    return {
        "dataset": name,
        "epochs": epochs,
        "minitrain": mine.mean(),
        "standard_error": mine.std(ddof=1) / np.sqrt(seeds),
        "scikit_learn": sklearn.mean(),
        "difference": difference.mean(),
        "difference_standard_error": error,
        "bar": bar,
        "passed": bool(mine.mean() >= bar and difference.mean() >= -error - 1e-12),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="splits and trainings per data set")
    parser.add_argument("--initialization", default="glorot", help="of ours: glorot or he")
    parser.add_argument("--json", action="store_true", help="machine-readable, no table")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds: at least 2, for a standard error")
    if not arguments.json:
        print(f"mean test accuracy of {arguments.seeds} seeds ± its standard error\n")
        print("data set       epochs   minitrain          scikit-learn   paired difference     bar")
    results = []
    for name in TASKS:
        r = measure(name, arguments.seeds, arguments.initialization)
        results.append(r)
        if not arguments.json:
            print(
                f"{name:15}{r['epochs']:6}   {r['minitrain']:.4f} ± {r['standard_error']:.4f}    "
                f"{r['scikit_learn']:.4f}         {r['difference']:+.4f} ± "
                f"{r['difference_standard_error']:.4f}      {r['bar']:.2f}   "
                f"{'passed' if r['passed'] else 'MISSED'}",
                flush=True,
            )
    if arguments.json:
        print(json.dumps(results, indent=2))
    sys.exit(not all(r["passed"] for r in results))


if __name__ == "__main__":
    main()
