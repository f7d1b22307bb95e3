"""One start of bench_start.py: digits to a trained 64-64-10 network and its test accuracy.

    python scripts/_start.py minitrain|arrays|scikit-learn|torch|JAX FILE

It prints when (time.time) each stage was over, and the accuracy.  FILE has the rows for those who
have no data sets of their own: torch, JAX, and minitrain itself as "arrays".
"""

import json
import sys
import time
from itertools import pairwise

SIZES, BATCH, EPOCHS, LEARNING_RATE = (64, 64, 10), 32, 20, 1e-3
PARTS = (0.8, 0.2)


def own(file):
    import minitrain as mt

    mt.Trainer  # noqa: B018 - rooms are imported when they are first used
    yield
    train, test = mt.datasets.load("digits").split(seed=0, fractions=PARTS)
    yield
    yield from fit_own(mt, train, (test.X, test.y))


def own_arrays(file):
    import minitrain as mt

    mt.Trainer  # noqa: B018
    yield
    X, y, test_X, test_y = read(file)
    yield
    yield from fit_own(mt, (X, y), (test_X, test_y))


def fit_own(mt, train, test):
    model = mt.MLP(SIZES, "relu", seed=0)
    mt.Trainer(model, mt.optimizers.Adam(lr=LEARNING_RATE), BATCH, seed=0).fit(train, EPOCHS)
    yield
    yield model.evaluate(*test)[1]


def scikit_learn(file):
    import warnings

    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler

    yield
    X, y = load_digits(return_X_y=True)
    X, test_X, y, test_y = train_test_split(X, y, test_size=PARTS[1], stratify=y, random_state=0)
    scaler = StandardScaler().fit(X)
    X, test_X = scaler.transform(X).astype("f"), scaler.transform(test_X).astype("f")
    yield
    model = MLPClassifier(
        SIZES[1:-1], batch_size=BATCH, learning_rate_init=LEARNING_RATE, alpha=0.0,
        max_iter=EPOCHS, n_iter_no_change=10**9, tol=0.0, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all epochs are meant to be done
        model.fit(X, y)
    yield
    yield model.score(test_X, test_y)


def torch(file):
    import torch
    from torch import nn

    yield
    X, y, test_X, test_y = map(torch.from_numpy, read(file))
    yield
    torch.set_num_threads(1)  # the faster at this size
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X[rows]), y[rows]).backward()
            optimizer.step()
    yield
    yield (model(test_X).argmax(1) == test_y).float().mean().item()


def jax(file):
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    yield
    X, y, test_X, test_y = read(file)
    yield
    random, optimizer = np.random.default_rng(0), optax.adam(LEARNING_RATE)
    layers = [
        (random.standard_normal((i, o), np.float32) * np.float32((2 / i) ** 0.5), np.zeros(o, "f"))
        for i, o in pairwise(SIZES)
    ]

    def outputs(layers, x):
        (W, b), (V, c) = layers
        return jax.nn.relu(x @ W + b) @ V + c

    def loss(layers, x, y):
        z = outputs(layers, x)
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

    @jax.jit
    def epoch(carry, X, y, batches):
        def step(carry, rows):
            layers, state = carry
            updates, state = optimizer.update(jax.grad(loss)(layers, X[rows], y[rows]), state)
            return (optax.apply_updates(layers, updates), state), None

        return jax.lax.scan(step, carry, batches)[0]

    carry = layers, jax.jit(optimizer.init)(layers)
    X, y, steps = jnp.asarray(X), jnp.asarray(y), len(X) // BATCH  # a short batch is left out
    for _ in range(EPOCHS):
        rows = random.permutation(len(X))[: steps * BATCH]
        carry = epoch(carry, X, y, rows.reshape(steps, BATCH).astype(np.int32))
    layers = [tuple(map(np.asarray, layer)) for layer in carry[0]]
    yield
    (W, b), (V, c) = layers  # in NumPy: another shape would be compiled again
    z = np.maximum(test_X @ W + b, 0) @ V + c
    yield (z.argmax(1) == test_y).mean()


def read(file):
    import numpy as np

    with np.load(file) as arrays:
        return [arrays[name] for name in ("X", "y", "test_X", "test_y")]


STARTS = {
    "minitrain": own,
    "arrays": own_arrays,
    "scikit-learn": scikit_learn,
    "torch": torch,
    "JAX": jax,
}


def main():
    name, file = sys.argv[1:]
    stages = [time.time()]
    accuracy = None
    for found in STARTS[name](file):
        stages.append(time.time())
        accuracy = found  # the last one is
    print(json.dumps({"stages": stages, "accuracy": float(accuracy)}))


if __name__ == "__main__":
    main()
