"""The compiled training loop against a plain Python loop over the loader with NumPy's pieces."""

from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest

import minitrain as mt
from minitrain import schedule, training
from minitrain.kernels import activations, losses

EPOCHS, ROWS = 5, 23  # batches of 8: the last one has 7 rows

OPTIMIZERS = [
    *mt.optimizers.names(),
    ("momentum", {"weight_decay": 0.1}),
    ("adamw", {"weight_decay": 0.3, "decay_biases": False}),
    ("adam", {"amsgrad": True, "lr": 0.1}),
    ("rmsprop", {"centered": True, "momentum": 0.9}),
]
LOADERS = {
    "shuffled": {},
    "in order": {"shuffle": False},
    "balanced": {"balanced": True},
    "drop last": {"drop_last": True},
    "balanced, drop last": {"balanced": True, "drop_last": True},
    "one batch": {"batch_size": 100},
    "single rows": {"batch_size": 1},
}


def named(value):
    return value if isinstance(value, str) else "-".join([value[0], *value[1]])


def optimizer_of(what):
    return (
        mt.optimizers.get(what)
        if isinstance(what, str)
        else mt.optimizers.get(*what[:1], **what[1])
    )


@pytest.fixture
def problem(targets):
    def make(loss="softmax_cross_entropy", rows=ROWS, seed=0):
        random = np.random.RandomState(seed)
        X = random.standard_normal((rows, 3))
        return X, targets(random, loss, rows, 3)

    return make


def make_model(loss="softmax_cross_entropy", activation="tanh", dtype="float64", seed=0):
    return mt.MLP([3, 5, 3], activation, loss=loss, dtype=dtype, seed=seed)


def right_rows(model, zs, y):
    if model.loss == "softmax_cross_entropy":
        return (zs.argmax(1) == y).sum()
    return ((zs > 0) == (y > 0.5)).all(1).sum()


def train_plainly(network, model, optimizer, loader, epochs, factor=lambda step: 1.0):
    """What ``Trainer.fit`` does, from the textbook network and the unfused optimizer."""
    theta = model.parameters.copy()
    state = optimizer.init(theta, model.blocks)
    history, step = [], 0
    for _ in range(epochs):
        loss = right = seen = 0.0
        for X, y in loader:
            mean, gradient = network.loss_and_gradient(theta, X, y)
            loss += mean * len(X)
            right += right_rows(model, network.forward(theta, X)[0][-1], y)
            seen += len(X)
            rate = optimizer.lr * factor(step)
            optimizer.replace(lr=rate).step_reference(theta, gradient, state)
            step += 1
        history.append([loss / seen, right / seen, np.linalg.norm(gradient), rate])
    return optimizer.evaluated(theta, state), np.array(history).T


def assert_equals_plain_loop(network, model, optimizer, data, options, factor=None, chosen=None):
    plain_loader = mt.MiniBatchLoader(*data, **{"batch_size": 8, "seed": 3, **options})
    loader = mt.MiniBatchLoader(*data, **{"batch_size": 8, "seed": 3, **options})
    start = model.parameters.copy()
    wanted, (loss, accuracy, norm, rate) = train_plainly(
        network.like(model), model, optimizer, plain_loader, EPOCHS, factor or (lambda step: 1.0)
    )
    how = {"schedule": chosen} if chosen else {}
    history = mt.Trainer(model, optimizer, **how).fit(loader, epochs=EPOCHS)
    assert not np.array_equal(model.parameters, start)
    np.testing.assert_allclose(model.parameters, wanted, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(history.loss, loss, rtol=1e-10)
    np.testing.assert_allclose(history.gradient_norm, norm, rtol=1e-9)
    np.testing.assert_allclose(history.learning_rate, rate, rtol=1e-14)
    if model.loss in losses.REGRESSION:
        assert np.isnan(history.accuracy).all()
    else:
        np.testing.assert_allclose(history.accuracy, accuracy, rtol=1e-15)


@pytest.mark.parametrize("what", OPTIMIZERS, ids=named)
def test_every_optimizer(what, problem, numpy_network):
    assert_equals_plain_loop(numpy_network, make_model(), optimizer_of(what), problem(), {})


@pytest.mark.parametrize(
    "name, loss",
    [
        (name, loss)
        for name, options in LOADERS.items()
        for loss in losses.NAMES
        if loss == "softmax_cross_entropy" or not options.get("balanced")  # takes class codes
    ],
)
def test_every_loader_and_loss(name, loss, problem, numpy_network):
    optimizer = mt.optimizers.Adam(lr=0.02)
    assert_equals_plain_loop(
        numpy_network, make_model(loss), optimizer, problem(loss), LOADERS[name]
    )


@pytest.mark.parametrize("activation", activations.NAMES)
def test_every_activation(activation, problem, numpy_network):
    model = make_model(activation=activation)
    assert_equals_plain_loop(numpy_network, model, mt.optimizers.Adam(), problem(), {})


def test_a_schedule(problem, numpy_network):
    """The rate rises over the first tenth of 15 steps and falls as a half cosine."""

    def factor(step):
        t = (step - 1.5) / (15 - 1.5)
        return min((step + 1) / 1.5, 1.0) if step < 1.5 else 0.5 * (1 + np.cos(np.pi * t))

    assert_equals_plain_loop(
        numpy_network, make_model(), mt.optimizers.Adam(lr=0.05), problem(), {},
        factor, schedule.cosine(warmup=0.1),
    )  # fmt: skip


def fit(problem, seed=0, epochs=EPOCHS, model=None, dtype="float32", **options):
    data = problem(rows=61)
    model = model or make_model("softmax_cross_entropy", "relu", dtype)
    history = mt.Trainer(model, mt.optimizers.Adam(lr=0.01), 8, seed, **options).fit(
        data, epochs, validation=problem(seed=1)
    )
    columns = {k: v for k, v in history.to_dict().items() if k != "seconds"}
    return model.parameters.copy(), columns


def assert_same_bits(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    assert one[1] == other[1]


@pytest.mark.compiled  # slow without
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_however_it_is_cut_into_calls(dtype, problem, monkeypatch):
    monkeypatch.setattr(training, "_SECONDS_PER_CALL", 1e6)
    whole = fit(problem, dtype=dtype)
    monkeypatch.setattr(training, "_SECONDS_PER_CALL", 1e-12)
    assert_same_bits(fit(problem, dtype=dtype), whole)  # step by step
    assert_same_bits(fit(problem, dtype=dtype, callbacks=[lambda history: False]), whole)
    monkeypatch.setattr(training, "_SECONDS_PER_CALL", 1.0)
    monkeypatch.setattr(training, "_FIRST_CALL", 0.0)  # a single step
    for seed in range(6):
        random, now, calls = np.random.RandomState(seed), [0.0], []

        def clock(random=random, now=now, calls=calls):
            now[0] += random.exponential(0.5)
            calls.append(now[0])
            return now[0]

        monkeypatch.setattr(training, "_paces", {})
        monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=clock))
        assert_same_bits(fit(problem, dtype=dtype), whole)
        assert 10 < len(calls) < 2 * EPOCHS * 8  # neither in one call nor step by step


def test_same_seed_same_bits(problem):
    assert_same_bits(fit(problem), fit(problem))


def test_another_seed_another_order(problem):
    one, other = fit(problem, seed=0), fit(problem, seed=1)
    assert not np.array_equal(one[0], other[0])
    assert one[1]["loss"] != other[1]["loss"]


@pytest.mark.compiled
def test_trainings_in_threads_equal_those_alone(problem):
    """More threads than cores, each with its own model and seed, all through the same kernels."""
    epochs = 3000  # 0.1 s each, so that they do meet
    alone = [fit(problem, seed, epochs) for seed in range(4)]
    together = [None] * 4

    def work(seed):
        together[seed] = fit(problem, seed, epochs)

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert_same_bits(one, other)


def test_a_rate_of_zero_changes_nothing(problem):
    model = make_model()
    start = model.parameters.copy()
    mt.Trainer(model, mt.optimizers.Adam(lr=0.0)).fit(problem(), 2)
    np.testing.assert_array_equal(model.parameters, start)


def test_validation_is_taken_after_the_epoch(problem):
    """With the weights that the epoch left, over all rows of any number of batches."""
    model, validation = make_model(), problem(seed=1, rows=29)
    seen = []

    def look(history):
        loss, accuracy = model.evaluate(*validation)
        seen.append((loss, accuracy))

    history = mt.Trainer(model, mt.optimizers.Adam(lr=0.1), 8, callbacks=[look]).fit(
        problem(), EPOCHS, validation
    )
    got = np.stack([history.validation_loss, history.validation_accuracy], 1)
    np.testing.assert_allclose(got, seen, rtol=1e-14)
    assert len(np.unique(got[:, 0])) == EPOCHS


def test_what_is_not_finite_stops_the_loop():
    """An infinite loss, and a finite one (1e300) whose gradient is not: x · 2 z = 2e310."""
    X, y = np.full((4, 1), 1e160), np.zeros(4)
    for weight in (1e0, 1e-10):
        model = mt.MLP([1, 1], loss="squared_error", dtype="float64")
        model.parameters[:] = [weight, 0]
        with pytest.raises(mt.DivergenceError, match="in epoch 1, step 1, "):
            mt.Trainer(model, mt.optimizers.SGD(lr=0.1)).fit((X, y), 3)
        assert model.parameters.tolist() == [weight, 0]
