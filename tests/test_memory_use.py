"""How much memory a training takes beside the data and the model."""

import tracemalloc

import numpy as np
import pytest

import minitrain as mt

SIZES, BATCH, LINE = [200, 500, 300, 10], 64, 64


@pytest.mark.parametrize("steps", [3, 12])
def test_six_numbers_a_parameter_and_one_batch(steps):
    """The parameters, their gradient, Adam's two moments, the last good ones, the transposes."""
    random = np.random.RandomState(0)
    X = random.standard_normal((steps * BATCH, SIZES[0])).astype(np.float32)
    y = random.randint(0, SIZES[-1], len(X))
    model = mt.MLP(SIZES, seed=0)
    trainer = mt.Trainer(model, mt.optimizers.Adam(), BATCH)
    trainer.fit((X, y), 1)  # compiled
    tracemalloc.start()
    trainer.fit((X, y), 2, validation=(X[:BATCH], y[:BATCH]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    parameters = model.parameters.nbytes
    values = BATCH * (SIZES[0] + 2 * sum(SIZES[1:])) * 4
    small = 40_000 + 12 * len(X)  # order, labels, history, and lines that are not full
    assert parameters + peak <= 6 * parameters + values + small
