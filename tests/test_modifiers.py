"""Modifiers of every optimizer: against torch, against plain restatements, and fused = unfused."""

import re

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers, training
from minitrain.kernels import epoch
from minitrain.model import Block

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

RANDOM = np.random.RandomState(0)
X, Y = RANDOM.standard_normal((61, 7)), RANDOM.randint(0, 3, 61)
BLOCKS = [Block("W", 0, 12, (4, 3)), Block("b", 12, 15, (3,)), Block("V", 15, 21, (3, 2)),
          Block("c", 21, 23, (2,))]  # fmt: skip
P = 23

# Each modifier, and some together.
ALL = [
    ("adam", {"clip_value": 0.5}),
    ("adam", {"clip_norm": 0.5}),
    ("adam", {"clip_global_norm": 0.5}),
    ("adam", {"l1": 0.1}),
    ("adam", {"centralize": True}),
    ("adam", {"noise": 0.1}),
    ("adam", {"lookahead": 3}),
    ("adam", {"cautious": True}),
    ("adam", {"ema": 0.9}),
    ("adam", {"swa_start": 4, "swa_every": 2}),
    ("adam", {"layer_lr": (0.5, 2.0)}),
    ("lamb", {"cautious": False, "ema": 0.5, "clip_global_norm": 0.1}),
    (
        "nadam",
        {
            "cautious": True,
            "ema": 0.5,
            "clip_norm": 0.1,
            "noise": 0.01,
            "centralize": True,
            "l1": 0.01,
        },
    ),
    ("novograd", {"lookahead": 2, "lookahead_alpha": 0.3, "clip_value": 0.1}),
    ("schedule_free_adamw", {"clip_global_norm": 0.5}),
    # Wrappers compose with rules that have sums, or a point of evaluation, and with each other.
    ("prodigy", {"cautious": True, "swa_start": 3}),
    ("lamb", {"cautious": True, "ema": 0.5, "lookahead": 3, "clip_norm": 0.1}),
    ("schedule_free_adamw", {"ema": 0.5, "lookahead": 2, "cautious": True}),
]
each_one = pytest.mark.parametrize("name, given", ALL, ids=str)


def gradients(steps, dtype="float64"):
    return np.random.RandomState(3).standard_normal((steps, P)).astype(dtype)


def run(optimizer, dtype="float64", steps=9, which="step"):
    """(parameters, evaluated parameters) of each step."""
    theta = np.linspace(-1, 1, P).astype(dtype)
    state = optimizer.init(theta, BLOCKS)
    rows = []
    for gradient in gradients(steps, dtype):
        getattr(optimizer, which)(theta, gradient, state)
        rows.append((theta.copy(), optimizer.evaluated(theta, state)))
    return np.array(rows)


@each_dtype
@each_one
def test_fused_is_unfused(name, given, dtype):
    optimizer = optimizers.get(name, **given, weight_decay=0.1)
    fused, unfused = run(optimizer, dtype), run(optimizer, dtype, which="step_reference")
    np.testing.assert_array_equal(fused.view(np.uint8), unfused.view(np.uint8))
    assert (fused[-1, 0] != run(optimizers.get(name, weight_decay=0.1), dtype)[-1, 0]).any() or (
        fused[-1, 1] != fused[-1, 0]
    ).any()


@each_one
def test_the_gradient_that_is_given_is_left_alone(name, given):
    optimizer = optimizers.get(name, **given)
    gradient = np.ones(P)
    optimizer.step(np.zeros(P), gradient, optimizer.init(np.zeros(P), BLOCKS))
    np.testing.assert_array_equal(gradient, 1.0)


# ---- one at a time, restated: SGD with a rate of 1 shows the gradient itself ----


def seen_gradient(**modifiers):
    """What SGD saw of the first gradient, as parts of each block."""
    sgd = optimizers.SGD(lr=1.0, **modifiers)
    theta = np.zeros(P)
    sgd.step(theta, gradients(1)[0], sgd.init(theta, BLOCKS))
    return [(-theta)[b.start : b.stop] for b in BLOCKS]


PARTS = [gradients(1)[0][b.start : b.stop] for b in BLOCKS]


def test_clip_value():
    for seen, g in zip(seen_gradient(clip_value=0.5), PARTS, strict=True):
        np.testing.assert_array_equal(seen, np.clip(g, -0.5, 0.5))


def test_clip_norm_is_of_each_matrix_and_vector():
    for seen, g in zip(seen_gradient(clip_norm=2.5), PARTS, strict=True):
        factor = min(1.0, 2.5 / (np.linalg.norm(g) + 1e-6))
        np.testing.assert_allclose(seen, factor * g, rtol=1e-14)
    assert (
        len({bool(np.linalg.norm(g) > 2.5) for g in PARTS}) == 2
    )  # some are clipped, some are not


def test_clip_global_norm():
    whole = np.concatenate(PARTS)
    factor = 2.0 / (np.linalg.norm(whole) + 1e-6)
    assert factor < 1.0
    np.testing.assert_allclose(
        np.concatenate(seen_gradient(clip_global_norm=2.0)), factor * whole, rtol=1e-14
    )
    np.testing.assert_array_equal(np.concatenate(seen_gradient(clip_global_norm=100.0)), whole)


def test_clipping_comes_before_coupled_decay():
    sgd = optimizers.SGD(lr=1.0, weight_decay=10.0, clip_global_norm=1e-3)
    theta = np.ones(3)
    sgd.step(theta, np.full(3, 5.0), sgd.init(theta))
    expected = 1.0 - 10.0 - 5.0 * 1e-3 / (np.sqrt(75.0) + 1e-6)
    np.testing.assert_allclose(theta, expected, rtol=1e-14)


def test_live_l1(torch):
    sgd = optimizers.SGD(lr=1.0, l1=0.25, clip_global_norm=1e-3)
    theta = np.linspace(-1, 1, P)
    theta[3] = 0.0
    moved, g = theta.copy(), gradients(1)[0]
    sgd.step(moved, g, sgd.init(theta, BLOCKS))
    p = torch.tensor(theta, requires_grad=True)
    sum(p[b.start : b.stop].abs().sum() for b in BLOCKS if not b.is_bias).mul(0.25).backward()
    clipped = g * 1e-3 / (np.linalg.norm(g) + 1e-6)  # the penalty is not
    np.testing.assert_allclose(theta - moved, clipped + p.grad.numpy(), rtol=1e-12)


def test_centralize_leaves_biases_alone():
    seen = seen_gradient(centralize=True)
    for part, g, block in zip(seen, PARTS, BLOCKS, strict=True):
        expected = g if block.is_bias else (m := g.reshape(block.shape)) - m.mean(axis=0)
        np.testing.assert_allclose(part, np.ravel(expected), atol=1e-15)


def test_noise_is_normal_and_shrinks():
    """20 000 numbers of variance 0.04 / (1 + step): mean, variance, kurtosis and tails."""
    sgd = optimizers.SGD(lr=1.0, noise=0.04, noise_decay=1.0)
    theta = np.zeros(20_000)
    state = sgd.init(theta)
    for step in range(3):
        before = theta.copy()
        sgd.step(theta, np.zeros_like(theta), state)
        noise = (theta - before) / np.sqrt(0.04 / (1 + step))
        assert abs(noise.mean()) < 4 / np.sqrt(20_000)
        assert noise.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / 20_000))
        assert (noise**4).mean() == pytest.approx(3.0, abs=4 * np.sqrt(96 / 20_000))
        assert (np.abs(noise) > 1.959964).mean() == pytest.approx(0.05, abs=0.007)
        assert len(np.unique(noise)) > 19_900


def test_noise_comes_from_its_seed():
    runs = [run(optimizers.Adam(noise=0.1, noise_seed=seed))[-1, 0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).all()


def test_lookahead():
    fast = np.linspace(-1, 1, P)
    slow = fast.copy()
    got = run(optimizers.SGD(lr=0.1, lookahead=3, lookahead_alpha=0.4))
    for t, g in enumerate(gradients(9), 1):
        fast = fast - 0.1 * g
        if t % 3 == 0:
            slow = slow + 0.4 * (fast - slow)
            fast = slow.copy()
        np.testing.assert_allclose(got[t - 1, 0], fast, rtol=1e-13)
        np.testing.assert_allclose(got[t - 1, 1], slow, rtol=1e-13)


def test_cautious():
    """Momentum makes the direction differ from the gradient; the authors' code, by block."""
    theta, v = np.linspace(-1, 1, P), np.zeros(P)
    got = run(optimizers.Momentum(lr=0.1, cautious=True))
    for t, g in enumerate(gradients(9)):
        v = 0.9 * v + g
        for b in BLOCKS:
            part = slice(b.start, b.stop)
            mask = (v[part] * g[part] > 0).astype(float)
            theta[part] -= 0.1 * v[part] * mask / max(mask.mean(), 1e-3)
        np.testing.assert_allclose(got[t, 0], theta, rtol=1e-13, atol=1e-15)


def test_ema_starts_as_a_copy():
    got = run(optimizers.SGD(lr=0.1, ema=0.8))
    average = None
    for weights, seen in got:
        average = weights if average is None else average + (1 - 0.8) * (weights - average)
        np.testing.assert_allclose(seen, average, rtol=1e-13, atol=1e-15)


def test_swa_is_the_mean_of_what_it_counts():
    got = run(optimizers.SGD(lr=0.1, swa_start=4, swa_every=2))
    for t, (weights, seen) in enumerate(got, 1):
        counted = [w for s, (w, _) in enumerate(got[:t], 1) if s >= 4 and (s - 4) % 2 == 0]
        expected = np.mean(counted, axis=0) if counted else weights
        np.testing.assert_allclose(seen, expected, rtol=1e-13, atol=1e-15)


def test_cautious_behind_the_sums_of_a_rule():
    """LAMB's step of one block at a time, masked where its direction and the gradient disagree."""
    plain, masked = optimizers.LAMB(lr=0.1), optimizers.LAMB(lr=0.1, cautious=True)
    theta = np.linspace(-1, 1, P)
    state, other = plain.init(theta, BLOCKS), masked.init(theta, BLOCKS)
    for gradient in gradients(6):
        before, there = theta.copy(), theta.copy()
        plain.step(theta, gradient, state)
        masked.step(there, gradient, other)
        step, agrees = before - theta, (before - theta) * gradient > 0
        for block in BLOCKS:
            part = slice(block.start, block.stop)
            expected = step[part] * agrees[part] / max(agrees[part].mean(), 1e-3)
            np.testing.assert_allclose((before - there)[part], expected, rtol=1e-9, atol=1e-15)
    assert not agrees.all()


@pytest.mark.parametrize("name", ["schedule_free_sgd", "schedule_free_adamw"])
def test_an_average_of_what_a_rule_evaluates(name):
    plain, averaged = run(optimizers.get(name)), run(optimizers.get(name, ema=0.5))
    np.testing.assert_array_equal(plain[:, 0], averaged[:, 0])  # the steps are the same
    expected = plain[0, 1]
    for t in range(len(plain)):
        expected = 0.5 * expected + 0.5 * plain[t, 1] if t else expected
        np.testing.assert_allclose(averaged[t, 1], expected, rtol=1e-12, atol=1e-14)


def test_lookahead_takes_all_weights_of_schedule_free_along():
    """y, z and so x go back half of the way to where they were: the start, after two steps."""
    free = optimizers.ScheduleFreeSGD(lr=0.1)
    theta, ahead = np.linspace(-1, 1, P), np.linspace(-1, 1, P)
    start, looking = theta.copy(), free.replace(lookahead=2)
    state, other = free.init(theta), looking.init(ahead)
    for gradient in gradients(2):
        free.step(theta, gradient, state)
        looking.step(ahead, gradient, other)
    np.testing.assert_allclose(ahead, (start + theta) / 2, rtol=1e-14)
    np.testing.assert_allclose(other.slots["z"], (start + state.slots["z"]) / 2, rtol=1e-14)
    x = (start + free.evaluated(theta, state)) / 2
    np.testing.assert_allclose(looking.evaluated(ahead, other), x, rtol=1e-13)


def test_the_average_is_evaluated_where_there_is_one_besides_lookahead():
    both, alone = (run(optimizers.Adam(lookahead=2, **g)) for g in ({"ema": 0.5}, {}))
    np.testing.assert_array_equal(both[:, 0], alone[:, 0])
    expected = both[0, 0]
    for t in range(len(both)):
        expected = 0.5 * expected + 0.5 * both[t, 0] if t else expected
        np.testing.assert_allclose(both[t, 1], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ["prodigy", "schedule_free_adamw", "muon"])
def test_everything_at_once(name):
    """All wrappers and modifiers together, with one rule of each kind."""
    given = {"cautious": True, "ema": 0.5, "lookahead": 2, "sam": 0.05, "noise": 1e-4,
             "centralize": True, "clip_value": 1.0, "clip_global_norm": 1.0, "weight_decay": 0.01,
             "decay_biases": False, "layer_lr": (1.0, 0.5, 0.1)}  # fmt: skip
    optimizer = optimizers.get(name, **given)
    model, _ = fit(optimizer, "float64", accumulate=2, epochs=2)
    expected = train_plainly(optimizer, "float64", 2, epochs=2)
    assert np.linalg.norm(model.parameters - expected) <= 1e-12 * np.linalg.norm(expected)


def test_layer_lr():
    plain, scaled = run(optimizers.SGD()), run(optimizers.SGD(layer_lr=(0.5, 2.0)))
    start = np.linspace(-1, 1, P)
    steps, longer = plain[-1, 0] - start, scaled[-1, 0] - start
    np.testing.assert_allclose(longer[:15], 0.5 * steps[:15], atol=1e-15)
    np.testing.assert_allclose(longer[15:], 2.0 * steps[15:], atol=1e-15)


# ---- against torch ----


def torch_parameters(torch, flat):
    return [torch.nn.Parameter(torch.from_numpy(flat[b.start : b.stop].copy())) for b in BLOCKS]


@pytest.mark.parametrize("given", [{"clip_value": 0.3}, {"clip_global_norm": 0.7}], ids=str)
def test_live_clipping(torch, given):
    parameters = torch_parameters(torch, np.linspace(-1, 1, P))
    adam = torch.optim.Adam(parameters, lr=0.1, weight_decay=0.1, foreach=False)
    got = run(optimizers.Adam(lr=0.1, weight_decay=0.1, **given), steps=50)
    for t, gradient in enumerate(gradients(50)):
        for p, b in zip(parameters, BLOCKS, strict=True):
            p.grad = torch.from_numpy(gradient[b.start : b.stop].copy())
        if "clip_value" in given:
            torch.nn.utils.clip_grad_value_(parameters, 0.3)
        else:
            torch.nn.utils.clip_grad_norm_(parameters, 0.7)
        adam.step()
        theirs = np.concatenate([p.detach().numpy() for p in parameters])
        assert np.linalg.norm(got[t, 0] - theirs) <= 1e-12 * np.linalg.norm(theirs)


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_live_averages(torch, kind):
    from torch.optim import swa_utils

    model = torch.nn.Linear(P - 1, 1, dtype=torch.float64)
    average = swa_utils.get_ema_avg_fn(0.9) if kind == "ema" else None
    averaged = swa_utils.AveragedModel(model, avg_fn=average)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    start = np.linspace(-1, 1, P)
    with torch.no_grad():
        model.weight[:] = torch.from_numpy(start[None, :-1])
        model.bias[:] = torch.from_numpy(start[-1:])
    given = {"ema": 0.9} if kind == "ema" else {"swa_start": 1}
    got = run(optimizers.SGD(lr=0.1, **given), steps=30)
    for t, gradient in enumerate(gradients(30)):
        model.weight.grad = torch.from_numpy(gradient[None, :-1].copy())
        model.bias.grad = torch.from_numpy(gradient[-1:].copy())
        sgd.step()
        averaged.update_parameters(model)
        theirs = np.concatenate([p.detach().numpy().ravel() for p in averaged.module.parameters()])
        np.testing.assert_allclose(got[t, 1], theirs, rtol=1e-12, atol=1e-14)


# ---- in a training ----


def train_plainly(optimizer, dtype, accumulate, epochs=3):
    """What Trainer.fit does, from gradients of whole batches and the unfused steps."""
    model, sam = make_model(dtype), optimizer.modifiers.sam
    stepping = optimizer.replace(sam=None)
    theta = model.parameters.copy()
    state = stepping.init(theta, model.blocks)
    loader = mt.MiniBatchLoader(X, Y, 8 * accumulate, seed=2)
    for _ in range(epochs):
        for x, y in loader:
            model.parameters[:] = theta
            _, gradient = model.loss_and_gradient(x, y)
            if sam:
                norm = np.linalg.norm(gradient.astype(float)) + 1e-12
                model.parameters[:] = theta + gradient.dtype.type(sam / norm) * gradient
                _, gradient = model.loss_and_gradient(x, y)
            stepping.step_reference(theta, gradient, state)
    return stepping.evaluated(theta, state)


def make_model(dtype="float64"):
    return mt.MLP([7, 19, 5, 3], "tanh", dtype=dtype, seed=1)


def fit(optimizer, dtype="float64", threads=1, accumulate=1, epochs=3, **options):
    model = make_model(dtype)
    made = mt.Trainer(model, optimizer, 8, seed=2, accumulate=accumulate, **options)
    made.threads = threads
    history = made.fit((X, Y), epochs, validation=(X[:20], Y[:20]))
    return model, np.array([getattr(history, column) for column in epoch.COLUMNS])


TRAININGS = [
    *((name, given, 1) for name, given in ALL if "layer_lr" not in given),
    ("adam", {"layer_lr": (0.5, 1.0, 2.0)}, 1),
    ("adam", {"sam": 0.05}, 1),
    ("adam", {}, 3),
    ("lamb", {"clip_global_norm": 0.1}, 2),
    ("adam", {"sam": 0.05, "clip_norm": 0.1, "cautious": True}, 2),
]


@pytest.mark.compiled
@each_dtype
@pytest.mark.parametrize("name, given, accumulate", TRAININGS, ids=str)
def test_training_is_the_plain_loop_for_any_number_of_threads(
    name, given, accumulate, dtype, monkeypatch
):
    optimizer = optimizers.get(name, **given)
    monkeypatch.setattr(training, "choose_threads", lambda asked, flops: asked)
    model, record = fit(optimizer, dtype, 1, accumulate)
    expected = train_plainly(optimizer, dtype, accumulate)
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    assert np.linalg.norm(model.parameters - expected) <= tolerance * np.linalg.norm(expected)
    for threads in (2, 4):
        other, also = fit(optimizer, dtype, threads, accumulate)
        np.testing.assert_array_equal(other.parameters, model.parameters)
        np.testing.assert_array_equal(also, record)


@pytest.mark.parametrize("name, given, accumulate", TRAININGS[:14:4] + TRAININGS[-3:], ids=str)
def test_training_without_threads_or_compiler(name, given, accumulate):
    """As above, short enough for plain Python."""
    optimizer = optimizers.get(name, **given)
    model, _ = fit(optimizer, "float64", 1, accumulate, 1)
    expected = train_plainly(optimizer, "float64", accumulate, 1)
    assert np.linalg.norm(model.parameters - expected) <= 1e-14 * np.linalg.norm(expected)


def test_what_averages_is_what_everyone_sees():
    """Validation, callbacks, early stopping and predictions: nobody switches anything."""
    validation, seen = (X[:20], Y[:20]), []
    for optimizer in (
        optimizers.ScheduleFreeAdamW(lr=0.05),
        optimizers.Adam(lr=0.05, ema=0.9),
        optimizers.Adam(lr=0.05, lookahead=4),
    ):
        model = make_model()
        at_epoch = []

        def look(history, model=model, at_epoch=at_epoch):
            at_epoch.append((model.evaluate(*validation)[0], model.parameters.copy()))

        history = mt.Trainer(model, optimizer, 8, seed=2, callbacks=[look]).fit(
            (X, Y), 40, validation, early_stopping=3
        )
        losses = [loss for loss, _ in at_epoch]
        np.testing.assert_allclose(history.validation_loss, losses, rtol=1e-13)
        best = at_epoch[history.best_epoch - 1]
        np.testing.assert_array_equal(model.parameters, best[1])
        assert best[0] == min(losses)
        seen.append(len(losses))
        again = mt.MLP([7, 19, 5, 3], "tanh", dtype="float64", seed=1)
        mt.Trainer(again, optimizer, 8, seed=2).fit((X, Y), history.best_epoch)
        np.testing.assert_array_equal(again.parameters, model.parameters)
    assert min(seen) < 40  # early stopping did stop


def test_an_interrupted_training_shows_the_average():
    class Interrupt:
        def __call__(self, history):
            raise KeyboardInterrupt

    model = make_model()
    optimizer = optimizers.ScheduleFreeAdamW(lr=0.05)
    mt.Trainer(model, optimizer, 8, seed=2, callbacks=[Interrupt()]).fit((X, Y), 5)
    whole = make_model()
    mt.Trainer(whole, optimizer, 8, seed=2).fit((X, Y), 1)
    np.testing.assert_array_equal(model.parameters, whole.parameters)


def test_a_divergence_leaves_the_average_of_the_epoch_before():
    def explode(step, total):
        return np.where(step < 16, 1.0, 1e300)

    model, whole = make_model("float32"), make_model("float32")
    optimizer = optimizers.Adam(lr=0.05, ema=0.9)
    with pytest.raises(mt.DivergenceError):
        mt.Trainer(model, optimizer, 8, seed=2, schedule=explode).fit((X, Y), 5)
    mt.Trainer(whole, optimizer, 8, seed=2).fit((X, Y), 2)
    np.testing.assert_array_equal(model.parameters, whole.parameters)


def test_the_norm_in_the_history_is_that_before_clipping():
    plain = fit(optimizers.SGD(lr=0.0))[1]
    for given in ({"clip_norm": 1e-3}, {"clip_global_norm": 1e-3}, {"clip_value": 1e-3}):
        clipped = fit(optimizers.SGD(lr=0.0, **given))[1]
        np.testing.assert_allclose(clipped[epoch.GRADIENT_NORM], plain[epoch.GRADIENT_NORM])


def test_accumulated_steps_are_counted_as_steps():
    model = make_model()
    history = mt.Trainer(model, optimizers.Adam(), 8, accumulate=3).fit((X, Y), 2)
    assert history.steps_per_epoch == 3  # 61 rows by 24
    loader = mt.MiniBatchLoader(X, Y, 8, drop_last=True)
    history = mt.Trainer(model, optimizers.Adam(), accumulate=3).fit(loader, 2)
    assert history.steps_per_epoch == 2


# ---- what is refused ----


@pytest.mark.parametrize(
    "name, given, message",
    [
        ("adam", {"clip_value": 0}, "clip_value: 0; accepted: above 0"),
        ("adam", {"clip_norm": "much"}, "clip_norm: 'much'; accepted: above 0"),
        ("adam", {"clip_global_norm": np.inf}, "clip_global_norm: inf; accepted: above 0"),
        ("adam", {"clip_norm": 1, "clip_global_norm": 1}, "clip_norm and clip_global_norm: acc"),
        ("adam", {"ema": 1.0}, "ema: 1.0; accepted: [0, 1)"),
        ("adam", {"ema": 0.9, "swa_start": 3}, "ema and swa_start: accepted: one of them"),
        ("adam", {"lookahead": 0}, "lookahead: 0 is too small; accepted"),
        ("adam", {"lookahead_alpha": 1.5}, "lookahead_alpha: 1.5; accepted: above 0, up to 1"),
        ("adam", {"centralize": 1}, "centralize: 1; accepted: True or False"),
        ("adam", {"noise": -1}, "noise: -1; accepted: above 0"),
        ("adam", {"layer_lr": 0.5}, "layer_lr: 0.5; accepted: a factor for each layer"),
        ("adam", {"layer_lr": [-1.0]}, "layer_lr: -1.0; accepted: factors of at least 0"),
        (
            "adam",
            {"clip_vale": 1},
            "adam: unknown hyperparameter 'clip_vale'; did you mean 'clip_v",
        ),
    ],
)
def test_a_bad_modifier(name, given, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        optimizers.get(name, **given)


def test_sam_needs_a_trainer():
    adam = optimizers.Adam(sam=0.05)
    theta = np.zeros(3)
    state = adam.init(theta)
    for step in (adam.step, adam.step_reference):
        with pytest.raises(ValueError, match=r"^sam: needs a second gradient"):
            step(theta, np.ones(3), state)
    assert state.t == 0


def test_layer_lr_must_fit_the_network():
    optimizer = optimizers.Adam(layer_lr=[1.0, 0.5])
    with pytest.raises(ValueError, match=r"^layer_lr: 2 factors for 3 layers"):
        mt.Trainer(make_model(), optimizer).fit((X, Y), 1)


def test_modifiers_are_part_of_the_optimizer():
    import pickle

    adam = optimizers.Adam(lr=0.1, clip_norm=1.0, ema=0.9)
    assert repr(adam) == "Adam(lr=0.1, clip_norm=1.0, ema=0.9)"
    assert repr(adam.replace(lr=0.2, ema=None)) == "Adam(lr=0.2, clip_norm=1.0)"
    sent = pickle.loads(pickle.dumps(adam))
    assert sent.modifiers == adam.modifiers
    np.testing.assert_array_equal(run(sent), run(adam))
