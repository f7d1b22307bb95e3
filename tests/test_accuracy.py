"""What a user gets on real data; ``scripts/check_accuracy.py`` is the full, paired comparison."""

import numpy as np
import pytest

import minitrain as mt

SEEDS = range(5)


@pytest.mark.parametrize(
    "name, epochs, bar",
    [("digits", 50, 0.965), ("breast_cancer", 50, 0.96), ("wine", 50, 0.95), ("iris", 100, 0.92)],
)
def test_mean_test_accuracy(name, epochs, bar):
    """The bars of the script; five seeds' mean of digits and iris has an error of up to 0.005."""
    found = []
    for seed in SEEDS:
        train, test = mt.datasets.load(name).split(seed=seed, fractions=(0.8, 0.2))
        model = mt.MLP([train.n_features, 64, 64, train.n_classes], seed=seed)
        mt.Trainer(model, mt.optimizers.Adam(lr=1e-3), 32, seed).fit(train, epochs)
        found.append(model.evaluate(test.X, test.y)[1])
    assert np.mean(found) >= bar, found


def test_random_labels_are_not_learned():
    """The same pipeline on shuffled labels is at chance: no test row leaks into the training."""
    data = mt.datasets.load("digits")
    y = np.random.RandomState(0).permutation(data.y)
    train, test = mt.datasets.Dataset("shuffled", data.X, y).split(seed=0, fractions=(0.8, 0.2))
    model = mt.MLP([64, 64, 64, 10])
    mt.Trainer(model, mt.optimizers.Adam(lr=1e-3)).fit(train, 20)
    _, accuracy = model.evaluate(test.X, test.y)
    assert accuracy < 0.1 + 4 * np.sqrt(0.1 * 0.9 / len(test))


def test_regression():
    """diabetes: a squared error well below the variance, close to that of linear regression."""
    data = mt.datasets.load("diabetes")
    train, test = data.split(seed=0, fractions=(0.8, 0.2))
    mean, scale = train.y.mean(), train.y.std()
    model = mt.MLP([10, 16, 1], "tanh", loss="squared_error")
    mt.Trainer(model, mt.optimizers.Adam(lr=1e-3)).fit((train.X, (train.y - mean) / scale), 60)
    error, _ = model.evaluate(test.X, (test.y - mean) / scale)
    A = np.column_stack([train.X, np.ones(len(train))])
    line = np.linalg.lstsq(A, (train.y - mean) / scale, rcond=None)[0]
    linear = np.mean(
        (np.column_stack([test.X, np.ones(len(test))]) @ line - (test.y - mean) / scale) ** 2
    )
    assert error < 1.15 * linear < 0.8
