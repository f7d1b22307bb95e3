"""The three matrix products of a dense layer, at every size that a tile may treat in its own way.

Seen through a network without hidden layers (z = X W + b, and with squared error dW = Xᵀ dz), and
for dz Wᵀ through one with a hidden layer that passes its inputs on.
"""

import numpy as np
import pytest

import minitrain as mt
from minitrain.kernels._jit import COMPILED

# Around one and several vectors of 4, 8 and 16 numbers, and around tiles of 6 and 14 rows.
COUNTS = (1, 2, 3, 5, 6, 7, 8, 13, 14, 15, 16, 17, 28, 29, 31, 32, 33, 47, 48, 49, 64, 65, 100)
ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}


def shapes():
    """Each count at each place, beside random others; all of 1 … 4 cubed."""
    small = [(B, I, O) for B in range(1, 5) for I in range(1, 5) for O in range(1, 5)]
    if not COMPILED:
        return [*small[::5], (7, 17, 5), (2, 3, 33)]
    random = np.random.RandomState(0)
    mixed = []
    for count in COUNTS:
        for place in range(3):
            shape = random.choice(COUNTS, 3)
            shape[place] = count
            mixed.append(tuple(int(n) for n in shape))
    return small + mixed


def assert_product(got, a, b, dtype):
    """|error| <= k u |a| |b| in any order of summation (Higham 2002, §3.5).

    Twice, because NumPy's product is rounded too, and 4 u more for the rounding of b itself.
    """
    a, b = a.astype(float), b.astype(float)
    allowed = (2 * a.shape[1] + 4) * ROUNDOFF[dtype] * (np.abs(a) @ np.abs(b))
    assert (np.abs(got - a @ b) <= allowed).all(), (a.shape, b.shape)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_and_weight_product(dtype):
    random = np.random.RandomState(1)
    for B, I, O in shapes():
        model = mt.MLP([I, O], loss="squared_error", dtype=dtype)
        X = random.standard_normal((B, I)).astype(dtype)
        z = model.decision_function(X)
        assert_product(z, X, model.weights[0], dtype)
        # With z = 0 the difference z - t is a small whole number, exact in every dtype.
        dz = random.randint(-8, 9, (B, O)).astype(dtype)
        model.parameters[:] = 0
        _, gradient = model.loss_and_gradient(X, -dz)
        dW, db = gradient[: I * O].reshape(I, O), gradient[I * O :]
        exact = (dz / (0.5 * B * O)).astype(dtype)
        assert_product(dW, X.T, exact, dtype)
        assert_product(db.reshape(1, O), np.ones((1, B)), exact, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_input_product(dtype):
    """The hidden bias's gradient is the sum over the rows of dz Wᵀ; for one row, that product."""
    random = np.random.RandomState(2)
    for B, I, O in shapes():
        model = mt.MLP([1, I, O], "identity", loss="squared_error", dtype=dtype)
        model.weights[0][:] = 0
        W = model.weights[1]
        dz = random.randint(-8, 9, (B, O)).astype(dtype)
        _, gradient = model.loss_and_gradient(np.zeros((B, 1)), -dz)
        exact = (dz / (0.5 * B * O)).astype(dtype)
        total = exact.astype(float).sum(0, keepdims=True)
        allowed = 2 * (O + B + 2) * ROUNDOFF[dtype] * (np.abs(exact.astype(float)) @ np.abs(W.T))
        error = np.abs(gradient[I : 2 * I] - total @ W.T.astype(float))
        assert (error <= allowed.sum(0)).all(), (B, I, O)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_beyond_a_batch_are_not_read(dtype):
    """A prediction is made 256 rows at a time: the last, short one must not see the one before."""
    random = np.random.RandomState(3)
    model = mt.MLP([3, 2, 2], dtype=dtype)
    X = random.standard_normal((300, 3)).astype(dtype)
    whole = model.decision_function(X)
    for start, stop in [(0, 256), (256, 300), (299, 300)]:
        np.testing.assert_allclose(
            model.decision_function(X[start:stop]), whole[start:stop], rtol=0, atol=1e-5
        )
