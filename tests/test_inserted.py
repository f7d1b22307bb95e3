"""Normalization, dropout and smoothed labels in `MLP`, and in its training by `Trainer`."""

import copy
import pickle

import numpy as np
import pytest

import minitrain as mt
from minitrain.gallery.inside import idle_units

RANDOM = np.random.RandomState(3)
X, Y = RANDOM.standard_normal((60, 4)), RANDOM.randint(0, 3, 60)
UNSEEN = RANDOM.standard_normal((30, 4)), RANDOM.randint(0, 3, 30)


def make(**options):
    return mt.MLP([4, 8, 6, 3], dtype="float64", seed=1, **options)


def train(model, optimizer="adam", epochs=6, validation=UNSEEN, stopping=None, **options):
    trainer = mt.Trainer(model, mt.optimizers.get(optimizer, lr=0.01), 16, **options)
    return trainer.fit((X, Y), epochs, validation, stopping)


@pytest.mark.parametrize("normalization", ["layer", "batch"])
def test_a_training_is_torchs(normalization, torch):
    nn = torch.nn
    model = make(normalization=normalization, label_smoothing=0.1)
    kind = nn.LayerNorm if normalization == "layer" else nn.BatchNorm1d
    theirs = nn.Sequential(
        nn.Linear(4, 8), kind(8), nn.ReLU(), nn.Linear(8, 6), kind(6), nn.ReLU(), nn.Linear(6, 3)
    ).double()
    with torch.no_grad():
        linear = [theirs[0], theirs[3], theirs[6]]
        for layer, W, b in zip(linear, model.weights, model.biases, strict=True):
            layer.weight[:], layer.bias[:] = torch.tensor(W.T), torch.tensor(b)
    # All rows are one mini-batch, so that their order does not matter.
    trainer = mt.Trainer(model, mt.optimizers.SGD(lr=0.3, momentum=0.9), batch_size=len(X))
    history = trainer.fit((X, Y), 10, validation=UNSEEN)
    sgd = torch.optim.SGD(theirs.parameters(), lr=0.3, momentum=0.9)
    x, y = torch.tensor(X), torch.tensor(Y)
    losses = []
    for _ in range(10):
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(theirs(x), y, label_smoothing=0.1)
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    np.testing.assert_allclose(history.loss, losses, rtol=1e-10)
    with torch.no_grad():
        z = theirs.eval()(torch.tensor(UNSEEN[0]))
        loss = nn.functional.cross_entropy(z, torch.tensor(UNSEEN[1])).item()
    np.testing.assert_allclose(model.decision_function(UNSEEN[0]), z, rtol=1e-9, atol=1e-10)
    assert history.validation_loss[-1] == pytest.approx(loss, rel=1e-10)


@pytest.mark.parametrize(
    "options",
    [{"dropout": 0.3}, {"normalization": "layer"}, {"normalization": "batch"},
     {"label_smoothing": 0.2}, {"dropout": 0.2, "normalization": "batch"}],
    ids=str,
)  # fmt: skip
class TestTraining:
    def test_validation_is_of_the_whole_network(self, options):
        model = make(**options)
        history = train(model)
        loss, accuracy = model.evaluate(*UNSEEN)
        assert history.validation_loss[-1] == pytest.approx(loss, rel=1e-12)
        assert history.validation_accuracy[-1] == accuracy
        assert history.loss[0] != train(make()).loss[0]

    def test_validation_threads_and_copies_change_nothing(self, options):
        model = make(**options)
        train(model)
        fresh = make(**options)
        copied, pickled = copy.deepcopy(fresh), pickle.loads(pickle.dumps(fresh))
        for other, how in ((copied, {"validation": None}), (pickled, {"threads": 2})):
            train(other, **how)
            np.testing.assert_array_equal(other.parameters, model.parameters)
            np.testing.assert_array_equal(other.running, model.running)
            assert all(np.shares_memory(part, other.running) for part in other.means)

    def test_best_weights_come_with_their_statistics(self, options):
        model = make(**options)
        history = train(model, "rmsprop", 60, stopping=3)
        assert history.best_epoch < len(history)
        best = history.validation_loss[history.best_epoch - 1]
        assert model.evaluate(*UNSEEN)[0] == pytest.approx(best, rel=1e-12)

    @pytest.mark.parametrize("optimizer", ["muon", "shampoo"])
    def test_with_optimizers_of_whole_matrices(self, options, optimizer):
        model = make(**options)
        history = train(model, optimizer)
        assert history.validation_loss[-1] == pytest.approx(model.evaluate(*UNSEEN)[0], rel=1e-12)


def test_each_step_drops_other_units():
    def losses(optimizer, seed=0):  # which does not move the weights
        still = mt.optimizers.get(optimizer, lr=1e-300)
        return mt.Trainer(make(dropout=0.5), still, 60, seed).fit((X, Y), 5).loss

    for optimizer in ("sgd", "shampoo"):  # compiled, and in Python
        assert len(set(losses(optimizer))) == 5
    np.testing.assert_allclose(losses("sgd"), losses("shampoo"), rtol=1e-12)
    assert (losses("sgd", seed=1) != losses("sgd")).all()


def test_divergence_leaves_good_statistics():
    model = make(normalization="batch")
    with pytest.raises(mt.DivergenceError):
        mt.Trainer(model, mt.optimizers.SGD(lr=1e200), 60).fit((X, Y), 20)
    assert np.isfinite(model.running).all()
    assert np.isfinite(model.decision_function(X)).all()


def test_what_does_not_go_together():
    with pytest.raises(ValueError, match="accepted with lbfgs: no dropout"):
        mt.Trainer(make(dropout=0.1), mt.optimizers.get("lbfgs")).fit((X, Y), 1)
    with pytest.raises(ValueError, match="averages weights; accepted with normalization='batch'"):
        mt.Trainer(make(normalization="batch"), mt.optimizers.Adam(ema=0.9)).fit((X, Y), 1)
    with pytest.raises(ValueError, match="accepted: one without normalization"):
        idle_units(make(normalization="layer"), X)
    loss = mt.Trainer(make(normalization="layer"), mt.optimizers.get("lbfgs")).fit((X, Y), 30).loss
    assert loss[-1] < 0.7 * loss[0]


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"normalization": "group"}, ValueError, "normalization: 'group'; accepted: None, layer"),
        ({"dropout": 1.0}, ValueError, "dropout: 1.0; accepted: at least 0, below 1"),
        ({"dropout": "much"}, TypeError, "dropout: 'much' is not a number"),
        ({"label_smoothing": -0.1}, ValueError, "label_smoothing: -0.1; accepted: at least 0"),
        ({"label_smoothing": 0.1, "loss": "poisson"}, ValueError, "accepted with poisson: 0"),
    ],
)
def test_wrong_options(options, error, message):
    with pytest.raises(error, match=message):
        make(**options)


def test_repr_says_what_is_inserted():
    text = repr(make(normalization="layer", dropout=0.25, label_smoothing=0.1))
    assert "layer normalization, dropout 0.25, labels smoothed by 0.1" in text
    assert "dropout" not in repr(make())


@pytest.mark.parametrize("normalization", ["layer", "batch"])
def test_gradient_is_of_the_network_that_predicts(normalization):
    model = make(activation="tanh", normalization=normalization, dropout=0.3, label_smoothing=0.1)
    train(model)
    kept, theta = model.running.copy(), model.parameters
    loss, gradient = model.loss_and_gradient(X, Y)
    assert loss == model.evaluate(X, Y)[0]
    for i in range(0, theta.size, 3):
        home, around = theta[i], []
        for step in (1e-5, -1e-5):
            theta[i] = home + step
            around.append(model.evaluate(X, Y)[0])
        theta[i] = home
        assert gradient[i] == pytest.approx((around[0] - around[1]) / 2e-5, abs=1e-8)
    np.testing.assert_array_equal(model.running, kept)
