"""Normalisation, dropout and smoothed labels: against torch's autograd, differences and by hand.

What was dropped is read from the workspace, so that torch can drop the same.
"""

import itertools

import numpy as np
import pytest

from minitrain import MLP, optimizers
from minitrain.estimator.engine import Engine
from minitrain.kernels import activations, epoch, evaluation
from minitrain.kernels._jit import COMPILED
from minitrain.kernels.between import BACKWARD, CLOCK, FORWARD, LOSS, MASK
from minitrain.kernels.layers import at
from minitrain.kernels.memory import aligned_zeros
from minitrain.kernels.normalization import EPSILON
from minitrain.kernels.objective import PLAIN

SIZES = [5, 21, 7, 3] if COMPILED else [3, 9, 2]
ROWS = 19 if COMPILED else 4
RANDOM = np.random.RandomState(0)
X, LABELS = RANDOM.standard_normal((ROWS, SIZES[0])), RANDOM.randint(0, SIZES[-1], ROWS)
each_normalization = pytest.mark.parametrize("normalization", [None, "layer", "batch"])


def make(loss="softmax_cross_entropy", activation="tanh", dtype="float64", **inserted):
    """A model whose biases, gains and shifts are not those of its start; and y."""
    random = np.random.RandomState(1)
    model = MLP(SIZES, activation, loss=loss, dtype=dtype, seed=1, **inserted)
    for numbers in [*model.biases, *model.gains, *model.shifts]:
        numbers += 0.3 * random.standard_normal(numbers.size).astype(dtype)
    yes = (LABELS[:, None] == np.arange(SIZES[-1])).astype(int)
    return model, LABELS if loss == "softmax_cross_entropy" else yes


def trained_on(model, y, rows=ROWS, seed=7, step=0):
    """(loss, gradient, workspace) of the training objective."""
    work = model.training_workspace(rows, 1, PLAIN, seed, step)
    gradient = aligned_zeros(model.n_parameters, model.dtype)
    data = model.as_data((X.astype(model.dtype), y))
    loss = evaluation.loss_gradient(gradient, model.parameters, work, data, np.arange(rows))
    return float(loss), gradient, work


def masks_of(model, work, rows=ROWS):
    """Dropout's factors (rows, units) of each hidden layer."""
    found = []
    for l, O in enumerate(model.sizes[1:-1]):
        r, j = np.indices((rows, O))
        found.append(work.numbers[at(work, work.plan[l], work.plan[l, MASK], r, j)])
    return found


@pytest.mark.compiled
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy"])
@pytest.mark.parametrize("activation", activations.NAMES)
@each_normalization
def test_against_torch_autograd(normalization, activation, loss, torch):
    F = torch.nn.functional
    function = {"identity": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh}.get(
        activation, getattr(F, activation, None)
    )
    for dropout, smoothing in itertools.product([0.0, 0.3], [0.0, 0.1]):
        options = {"normalization": normalization, "dropout": dropout, "label_smoothing": smoothing}
        model, y = make(loss, activation, **options)
        value, gradient, work = trained_on(model, y)
        masks = masks_of(model, work) if dropout else None
        theta = torch.tensor(model.parameters.copy(), requires_grad=True)
        h = torch.tensor(X)
        for l, (W, b) in enumerate(zip(model.blocks[::2], model.blocks[1::2], strict=True)):
            parts = theta[b.start : b.stop].reshape(-1, W.shape[1])
            z = h @ theta[W.start : W.stop].reshape(W.shape) + parts[0]
            if len(parts) == 3 and normalization == "layer":
                z = F.layer_norm(z, W.shape[1:], parts[1], parts[2])
            elif len(parts) == 3:
                kept = torch.zeros(W.shape[1]).double(), torch.ones(W.shape[1]).double()
                z = F.batch_norm(z, *kept, parts[1], parts[2], training=True)
                np.testing.assert_allclose(model.means[l], kept[0], rtol=1e-9, atol=1e-12)
                np.testing.assert_allclose(model.variances[l], kept[1], rtol=1e-9)
            h = z if l == len(SIZES) - 2 else function(z)
            if dropout and l < len(SIZES) - 2:
                h = h * torch.tensor(masks[l])
        if loss == "softmax_cross_entropy":
            theirs = F.cross_entropy(h, torch.tensor(y), label_smoothing=smoothing)
        else:
            wanted = torch.tensor(y).double() * (1 - smoothing) + smoothing / 2
            theirs = F.binary_cross_entropy_with_logits(h, wanted)
        theirs.backward()
        assert value == pytest.approx(theirs.item(), rel=1e-12)
        np.testing.assert_allclose(gradient, theta.grad, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("dtype, h, rtol", [("float64", 1e-5, 1e-8), ("float32", 1e-2, 5e-3)])
@each_normalization
def test_gradient_is_that_of_differences(normalization, dtype, h, rtol):
    """Along directions at random; the same masks are drawn each time."""
    model, y = make(dtype=dtype, normalization=normalization, dropout=0.25, label_smoothing=0.2)
    _, gradient, _ = trained_on(model, y)
    theta = model.parameters.copy()
    for seed in range(3):
        direction = np.random.RandomState(seed).standard_normal(theta.size).astype(dtype)
        direction /= np.linalg.norm(direction)
        values = []
        for k in (-2, -1, 1, 2):
            model.parameters[:] = theta + np.dtype(dtype).type(k * h) * direction
            values.append(trained_on(model, y)[0])
        slope = (8 * (values[2] - values[1]) - (values[3] - values[0])) / (12 * h)
        assert float(gradient @ direction) == pytest.approx(slope, rel=rtol, abs=rtol)


@pytest.mark.parametrize("normalization", ["layer", "batch"])
def test_normalisation_by_hand(normalization):
    """The whole network restated; in evaluation batches are measured by what they left."""
    model, y = make(activation="identity", normalization=normalization)
    h = X @ model.weights[0] + model.biases[0]
    trained_on(model, y)
    if normalization == "batch":
        unbiased = h.var(axis=0) * ROWS / (ROWS - 1)
        np.testing.assert_allclose(model.means[0], 0.1 * h.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(model.variances[0], 0.9 + 0.1 * unbiased, rtol=1e-12)
    for l, (gain, shift) in enumerate(zip(model.gains, model.shifts, strict=True)):
        if normalization == "layer":
            mean, variance = h.mean(axis=1, keepdims=True), h.var(axis=1, keepdims=True)
        else:
            mean, variance = model.means[l], model.variances[l]
        h = (h - mean) / np.sqrt(variance + EPSILON) * gain + shift
        h = h @ model.weights[l + 1] + model.biases[l + 1]
    np.testing.assert_allclose(model.decision_function(X), h, rtol=1e-9, atol=1e-12)


def test_dropout_drops_its_share_and_keeps_the_mean():
    units = 1000 if COMPILED else 40
    model = MLP([2, units, 2], "relu", dropout=0.2, dtype="float64")
    work = model.training_workspace(8, 1, PLAIN, 3, 0)
    gradient = aligned_zeros(model.n_parameters, model.dtype)
    data = model.as_data((np.ones((8, 2)), np.zeros(8, int)))
    seen = []
    for step in range(3):
        work.plan[-1, CLOCK] = step
        evaluation.loss_gradient(gradient, model.parameters, work, data, np.arange(8))
        seen.append(masks_of(model, work, 8)[0].copy())
    seen = np.array(seen)
    assert set(seen.ravel().round(12)) == {0.0, round(65536 / (65536 - round(0.2 * 65536)), 12)}
    n = seen.size
    assert abs((seen == 0).mean() - 0.2) < 4 * np.sqrt(0.16 / n)
    # Independent: of the step, the row and the neighbouring unit.
    dropped = (seen == 0) - 0.2
    for one, other in [(dropped[0], dropped[1]), (dropped[:, 0], dropped[:, 1]),
                       (dropped[..., :-1], dropped[..., 1:])]:  # fmt: skip
        assert abs((one * other).mean()) < 4 * 0.16 / np.sqrt(one.size)


def test_nothing_is_dropped_or_smoothed_in_evaluation():
    model, y = make(dropout=0.5, label_smoothing=0.5)
    plain, _ = make()
    np.testing.assert_array_equal(model.decision_function(X), plain.decision_function(X))
    assert model.evaluate(X, y) == plain.evaluate(X, y)
    assert trained_on(model, y)[0] != model.evaluate(X, y)[0]


def test_without_anything_a_workspace_calls_nothing():
    work = make()[0].training_workspace(4, 1, PLAIN, 0, 0)
    assert not work.plan[-1, [FORWARD, BACKWARD, LOSS]].any()


def test_a_bias_before_batch_normalisation_gets_no_gradient():
    model, y = make(normalization="batch")
    _, gradient, _ = trained_on(model, y)
    b = model.blocks[1]
    np.testing.assert_array_equal(gradient[b.start : b.start + SIZES[1]], 0.0)
    assert (gradient[b.start + SIZES[1] : b.stop] != 0.0).all()


def test_phases_and_plain_steps_see_the_same_gradient():
    """Steps in phases (clipping, sums) gather bias, gain and shift as plain ones do."""
    model, y = make(normalization="layer")
    fits = []
    for options in ({}, {"clip_global_norm": 1e9}):
        twin, _ = make(normalization="layer")
        data = twin.as_data((X, y))
        engine = Engine(twin, data, optimizers.get("sgd", lr=0.1, **options), 8, 0.0, 1)
        nothing = epoch.Moved(np.empty(0, np.int64), np.empty((0, 0)))
        engine.run(2, np.empty(0, np.int64), np.full(2 * engine.steps, 0.1), nothing, epoch.ENDLESS)
        fits.append(twin.parameters.copy())
    np.testing.assert_array_equal(*fits)
    assert (fits[0] != model.parameters).all()
