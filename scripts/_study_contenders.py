"""One contender of bench_study.py in a process of its own: it reads how many trainings from stdin,
a line each, and answers with {"seconds": s, "accuracy": mean validation accuracy}.

    python scripts/_study_contenders.py NAME CORES EPOCHS

Every training: 64-64-10 on digits, ReLU, Adam, batches of 32, the rate from one list, a split and
initial weights by the training's number, rows shuffled every epoch, validation after each.
"""

import json
import os
import sys
import time
from itertools import pairwise

import numpy as np

SIZES, BATCH = (64, 64, 10), 32
RATES = np.geomspace(1e-3, 1e-2, 10)
SPLITS = 10  # then they come again, as in a study where many configurations share the seeds


def parts(seed):
    """(X, y) to train and to validate, float32."""
    import minitrain as mt

    train, validation, _ = mt.datasets.load("digits").split(seed=seed)
    return train.X, train.y, validation.X, validation.y


def initial(rng):
    """Glorot-uniform weights and zero biases, float32."""
    layers = []
    for i, o in pairwise(SIZES):
        bound = np.sqrt(6 / (i + o))
        layers.append((rng.uniform(-bound, bound, (i, o)).astype(np.float32), np.zeros(o, "f")))
    return layers


class Minitrain:
    """The lab itself: Study.run without a folder, on threads."""

    def __init__(self, cores, epochs):
        self.cores, self.epochs = cores, epochs

    def run(self, count):
        import minitrain as mt

        # Final runs at default arms: a label per rate, the seeds are the splits.
        named = {f"adam {r:.4g}": mt.optimizers.Adam(lr=r) for r in RATES}
        chosen = dict(list(named.items())[: max(1, count // SPLITS)])
        study = mt.lab.Study(
            ["digits"], chosen, trials=0, seeds=max(2, count // len(chosen)), epochs=self.epochs,
            layers=SIZES[1:-1], batch_size=BATCH,
        )  # fmt: skip
        result = study.run(workers=self.cores, joblib=False)
        return np.mean([run.validation_accuracy for run in result.runs]), result.trainings


class Joblib:
    """A training per task on loky's processes, one thread each."""

    def __init__(self, cores, epochs):
        from joblib import Parallel

        self.epochs = epochs
        self.parallel = Parallel(n_jobs=cores)

    def run(self, count):
        from joblib import delayed

        one = type(self).train
        jobs = (delayed(one)(n % SPLITS, RATES[n % len(RATES)], self.epochs) for n in range(count))
        return np.mean(self.parallel(jobs)), count


class ScikitLearn(Joblib):
    @staticmethod
    def train(seed, rate, epochs):
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        X, y, V, v = parts(seed)
        model = MLPClassifier(
            SIZES[1:-1], alpha=0.0, batch_size=BATCH, learning_rate_init=rate, random_state=seed
        )
        with threadpool_limits(1):
            for _ in range(epochs):
                model.partial_fit(X, y, classes=np.arange(10))
                accuracy = model.score(V, v)
        return accuracy


class Torch(Joblib):
    @staticmethod
    def train(seed, rate, epochs):
        import torch

        torch.set_num_threads(1)
        X, y, V, v = map(torch.from_numpy, map(np.copy, parts(seed)))
        nn = torch.nn
        torch.manual_seed(seed)
        dense = [nn.Linear(64, 64), nn.Linear(64, 10)]
        for layer in dense:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        model = nn.Sequential(dense[0], nn.ReLU(), dense[1])
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
        for _ in range(epochs):
            for rows in torch.randperm(len(X)).split(BATCH):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(X[rows]), y[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                accuracy = (model(V).argmax(1) == v).float().mean().item()
        return accuracy


class Jax:
    """Whole trainings compiled: epochs and steps are scans.  vmap runs many side by side."""

    at_once = 1

    def __init__(self, cores, epochs):
        if cores == 1 and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        import jax
        import jax.numpy as jnp
        import optax

        self.jax, self.jnp, self.data = jax, jnp, [parts(s) for s in range(SPLITS)]

        def logits(layers, x):
            for W, b in layers[:-1]:
                x = jax.nn.relu(x @ W + b)
            return x @ layers[-1][0] + layers[-1][1]

        def loss(layers, x, y):
            return optax.softmax_cross_entropy_with_integer_labels(logits(layers, x), y).mean()

        def train(layers, rate, key, X, y, V, v):
            n = len(X) // BATCH * BATCH

            def step(carry, rows):
                layers, state = carry
                gradient = jax.grad(loss)(layers, X[rows], y[rows])
                updates, state = optax.scale_by_adam().update(gradient, state)
                layers = jax.tree.map(lambda p, u: p - rate * u, layers, updates)
                return (layers, state), None

            def epoch(carry, key):
                order = jax.random.permutation(key, len(X))
                carry, _ = jax.lax.scan(step, carry, order[:n].reshape(-1, BATCH))
                return carry, (logits(carry[0], V).argmax(1) == v).mean()

            carry = layers, optax.scale_by_adam().init(layers)
            _, accuracies = jax.lax.scan(epoch, carry, jax.random.split(key, epochs))
            return accuracies[-1]

        self.train = jax.jit(jax.vmap(train) if self.at_once > 1 else train)

    def run(self, count):
        jnp, found = self.jnp, []
        rng = np.random.default_rng(0)
        numbers = np.arange(-(-count // self.at_once) * self.at_once)
        for group in numbers.reshape(-1, self.at_once):
            many = [self._arguments(int(n), rng) for n in group]
            if self.at_once > 1:
                given = self.jax.tree.map(lambda *a: jnp.stack(a), *many)
            else:
                (given,) = many
            found.append(self.train(*given))
        return float(np.mean([np.mean(f) for f in found])), len(numbers)

    def _arguments(self, n, rng):
        key = self.jax.random.PRNGKey(n)
        rate = self.jnp.float32(RATES[n % len(RATES)])
        return initial(rng), rate, key, *self.data[n % SPLITS]


class JaxVmap(Jax):
    at_once = 50


CONTENDERS = {
    "minitrain": Minitrain,
    "scikit-learn + joblib": ScikitLearn,
    "torch + joblib": Torch,
    "JAX loop": Jax,
    "JAX vmap": JaxVmap,
}


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not come between the answers
    try:
        contender = CONTENDERS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    for line in sys.stdin:
        began = time.perf_counter()
        accuracy, count = contender.run(int(line))
        seconds = time.perf_counter() - began
        found = {"seconds": seconds, "accuracy": float(accuracy), "trainings": count}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
