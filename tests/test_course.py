"""A schedule in a training: rates, a momentum that moves, and feedback of the epochs."""

import numpy as np
import pytest

import minitrain as mt
from minitrain import schedule, training

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(55, 5)), RNG.integers(0, 3, 55)
LOADER = {"batch_size": 8, "shuffle": True, "seed": 4}
STEPS, EPOCHS = 7, 6
TOTAL = STEPS * EPOCHS


def make_model(seed=1):
    return mt.MLP([5, 6, 3], "tanh", seed=seed, dtype="float64")


def sgd(p, g, state, t, lr, momentum):
    state["v"] = momentum * state.get("v", 0) + g
    return p - lr * state["v"]


def rmsprop(p, g, state, t, lr, momentum):
    state["v"] = 0.99 * state.get("v", 0) + 0.01 * g**2
    state["b"] = momentum * state.get("b", 0) + g / (np.sqrt(state["v"]) + 1e-8)
    return p - lr * state["b"]


def adam(p, g, state, t, lr, beta1):
    """As torch: the correction is that of the newest beta1."""
    state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
    state["v"] = 0.999 * state.get("v", 0) + 0.001 * g**2
    m, v = state["m"] / (1 - beta1**t), state["v"] / (1 - 0.999**t)
    return p - lr * m / (np.sqrt(v) + 1e-8)


def train_plainly(update, lr, chosen):
    """The training in NumPy, with a rate and a momentum per step."""
    model, state = make_model(), {}
    factors = chosen(np.arange(TOTAL), TOTAL, STEPS)
    momenta = chosen.momenta(np.arange(TOTAL), TOTAL, STEPS)
    loader = mt.MiniBatchLoader(X, Y, **LOADER)
    batches = [batch for _ in range(EPOCHS) for batch in loader]
    for t, (rows, wanted) in enumerate(batches):
        _, gradient = model.loss_and_gradient(rows, wanted)
        model.parameters[:] = update(
            model.parameters, gradient, state, t + 1, lr * factors[t], momenta[t]
        )
    return model.parameters


@pytest.mark.parametrize("text", ["one_cycle(momentum=(0.5, 0.95))", "cyclic(momentum=(0.0, 0.9))"])
@pytest.mark.parametrize(
    ("optimizer", "update"),
    [
        (mt.optimizers.SGD(lr=0.1), sgd),  # its own momentum is 0: the variant with room is taken
        (mt.optimizers.Momentum(lr=0.1), sgd),
        (mt.optimizers.RMSprop(lr=0.01), rmsprop),
        (mt.optimizers.Adam(lr=0.05), adam),
    ],
    ids=lambda what: getattr(what, "__name__", repr(what)),
)
@pytest.mark.parametrize("threads", [1, 2])
def test_momentum_moves(text, optimizer, update, threads):
    chosen = schedule.get(text)
    wanted = train_plainly(update, optimizer.lr, chosen)
    model = make_model()
    history = mt.Trainer(model, optimizer, schedule=text, threads=threads).fit(
        mt.MiniBatchLoader(X, Y, **LOADER), EPOCHS
    )
    np.testing.assert_allclose(model.parameters, wanted, rtol=1e-9, atol=1e-11)
    factors = chosen(np.arange(TOTAL), TOTAL, STEPS)
    np.testing.assert_array_equal(history.learning_rate, optimizer.lr * factors[STEPS - 1 :: STEPS])


def test_where_nobody_moves_it_the_momentum_is_the_optimizers():
    def fit(optimizer, chosen):
        model = make_model()
        mt.Trainer(model, optimizer, 8, schedule=chosen).fit((X, Y), EPOCHS)
        return model.parameters

    still = "constant.then(one_cycle(momentum=(0.1, 0.2)), after=1.0)"
    for optimizer in (mt.optimizers.SGD(lr=0.1), mt.optimizers.Adam(lr=0.01, beta1=0.7)):
        np.testing.assert_allclose(
            fit(optimizer, still), fit(optimizer, "constant"), rtol=1e-12, atol=1e-14
        )


def test_an_optimizer_without_momentum():
    with pytest.raises(ValueError, match=r"moves the momentum, and Adagrad\(.*\) has none; accept"):
        mt.Trainer(
            make_model(), mt.optimizers.Adagrad(), schedule="cyclic(momentum=(0.8, 0.9))"
        ).fit((X, Y), 2)


@pytest.mark.parametrize("seconds", [0.0, 1e6], ids=["step by step", "in long calls"])
@pytest.mark.parametrize(
    ("text", "monitor"),
    [
        ("reduce_on_plateau(0.5, 0)", "validation_loss"),
        ("reduce_on_plateau(0.5, 0, monitor='loss')", "loss"),
        ("warmup(epochs(2)) * reduce_on_plateau(0.3, 1, monitor='validation_accuracy')",
         "validation_accuracy"),
        ("warmup(epochs(2)).then(reduce_on_plateau(0.3, 1, monitor='accuracy'))", "accuracy"),
    ],
)  # fmt: skip
def test_plateau_is_fed_by_the_training(text, monitor, seconds, monkeypatch):
    """The rates are what the finished history gives: a training resumes from its history alone."""
    monkeypatch.setattr(training, "_SECONDS_PER_CALL", seconds)
    model = make_model()
    history = mt.Trainer(model, mt.optimizers.Adam(lr=0.5), 8, schedule=text).fit(
        (X, Y), 30, validation=(X[:20], Y[:20])
    )
    feedback = schedule.Feedback(**{monitor: getattr(history, monitor)})
    last_steps = np.arange(STEPS - 1, 30 * STEPS, STEPS)
    factors = schedule.get(text)(last_steps, 30 * STEPS, STEPS, feedback)
    np.testing.assert_array_equal(history.learning_rate, 0.5 * factors)
    assert len(set(factors[3:])) > 2  # it did reduce


def test_rates_of_the_very_same_schedule_are_made_once():
    """A study has thousands of trainings; but an equal schedule may hold 2 instead of 2.0."""
    asked = []

    def function(steps, total):
        asked.append(len(steps))
        return np.full(len(steps), 0.5)

    chosen = schedule.get(function)
    for lr in (0.1, 0.2):
        history = mt.Trainer(make_model(), mt.optimizers.SGD(lr=lr), 8, schedule=chosen).fit(
            (X, Y), EPOCHS
        )
        assert set(history.learning_rate) == {0.5 * lr}
    assert asked == [TOTAL]
    mt.Trainer(make_model(), mt.optimizers.SGD(), 8, schedule=function).fit((X, Y), EPOCHS)
    assert asked == [TOTAL, TOTAL]


def test_plateau_without_validation_looks_at_the_loss():
    history = mt.Trainer(
        make_model(), mt.optimizers.Adam(lr=0.5), 8, schedule="reduce_on_plateau(0.5, 0)"
    ).fit((X, Y), 20)
    feedback = schedule.Feedback(loss=history.loss)
    last_steps = np.arange(STEPS - 1, 20 * STEPS, STEPS)
    factors = schedule.get("reduce_on_plateau(0.5, 0)")(last_steps, 20 * STEPS, STEPS, feedback)
    np.testing.assert_array_equal(history.learning_rate, 0.5 * factors)
    assert factors[-1] < 1


@pytest.mark.parametrize(
    ("monitor", "loss"),
    [
        ("validation_loss", "softmax_cross_entropy"),
        ("validation_accuracy", "softmax_cross_entropy"),
        ("accuracy", "squared_error"),
    ],
)
def test_plateau_needs_what_it_looks_at(monitor, loss):
    model = mt.MLP([5, 6, 3], loss=loss)
    running = mt.Trainer(
        model, mt.optimizers.Adam(), schedule=f"reduce_on_plateau(monitor={monitor!r})"
    )
    target = Y if loss != "squared_error" else X[:, :3]
    with pytest.raises(ValueError, match=f"needs {monitor}; this training measures loss, "):
        running.fit((X, target), 2)


def test_schedules_as_text_and_by_name():
    def fit(chosen):
        model = make_model()
        history = mt.Trainer(model, mt.optimizers.Adam(), 8, schedule=chosen).fit((X, Y), 4)
        return history.learning_rate.tolist(), model.parameters.tolist()

    assert fit("cosine(warmup=0.25)") == fit(schedule.cosine(0.25))
    assert fit("cosine(warmup=epochs(1))") == fit(schedule.cosine(schedule.steps(7)))
    assert fit("constant") == fit(schedule.constant)


def test_wrong_schedules_are_named():
    with pytest.raises(ValueError, match="schedule: unknown 'cosin'; did you mean 'cosine'"):
        mt.Trainer(make_model(), mt.optimizers.Adam(), schedule="cosin")
    with pytest.raises(TypeError, match="schedule: 7; accepted: a schedule"):
        mt.Trainer(make_model(), mt.optimizers.Adam(), schedule=7)
