"""Other libraries as they are, where docstrings say how they differ: golden/elsewhere/cases.py.

Each difference is put into ours, or the formula restated with it: that gives their numbers.
"""

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest

from minitrain import catalogue, optimizers
from minitrain.model import Block

_spec = importlib.util.spec_from_file_location(
    "elsewhere_cases", Path(__file__).parent / "golden" / "elsewhere" / "cases.py"
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

GOLDEN = json.loads(cases.FILE.read_text("utf-8"))
GRADIENTS, CONSTANT, FALLING = cases.GRADIENTS, cases.CONSTANT, cases.FALLING
STEPS = np.arange(1, len(GRADIENTS) + 1)


def theirs(title):
    return np.array(GOLDEN["final"][title])


def ours(name, rates=CONSTANT, shape=(4,), **given):
    """Our parameters to evaluate after the same steps."""
    optimizer, theta = optimizers.get(name, lr=rates[0], **given), np.ones(4)
    state = optimizer.init(theta, [Block("W", 0, 4, shape)])
    for rate, gradient in zip(rates, GRADIENTS, strict=True):
        optimizer.replace(lr=rate).step(theta, gradient, state)
    return optimizer.evaluated(theta, state)


def stepped(step, rates=CONSTANT):
    """Parameters after p - step(t, rate, g, state), with a dictionary that starts empty."""
    theta, state = np.ones(4), {}
    for t, (rate, gradient) in enumerate(zip(rates, GRADIENTS, strict=True), 1):
        theta = theta - step(t, rate, gradient, state)
    return theta


def error(one, other):
    return np.linalg.norm(one - other) / np.linalg.norm(other)


def same(one, other, tolerance=1e-12):
    return error(one, other) <= tolerance


def averages(g, state, beta1=0.9, beta2=0.999):
    """Adam's m and v, which stay in ``state``."""
    state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * g
    state["v"] = beta2 * state.get("v", 0.0) + (1 - beta2) * g * g
    return state["m"], state["v"]


# ---- the file ----


def test_the_file_is_complete():
    assert list(GOLDEN["final"]) == [str(case) for case in cases.CASES]
    assert list(GOLDEN["defaults"]) == list(cases.DEFAULTS)


LIVE = [c for c in cases.CASES if c.package in ("torch.optim", "optax")]


@pytest.mark.compiled  # without the JIT the golden file suffices
@pytest.mark.parametrize("case", LIVE, ids=str)
def test_live(case, live):
    live(case.package)  # else the golden file stands in for it
    assert same(theirs(str(case)), cases.final(case))


# ---- defaults ----


@pytest.mark.parametrize(
    "name, phrase, argument, value",
    [
        ("adabelief", "optax has the first as eps_root", "optax.adabelief eps_root", 1e-16),
        ("adabelief", "with the same default", "optax.adabelief eps", 1e-16),
        ("adagrad", "Keras and optax start h at 0.1", "optax.adagrad initial_accumulator_value",
         0.1),
        ("adagrad", "Keras and optax", "keras.optimizers.Adagrad initial_accumulator_value", 0.1),
        ("adagrad", "torch, and this, start", "torch.optim.Adagrad initial_accumulator_value", 0),
        ("adadelta", "Keras starts at lr 1e-3", "keras.optimizers.Adadelta learning_rate", 1e-3),
        ("adadelta", "with rho 0.95", "keras.optimizers.Adadelta rho", 0.95),
        ("adadelta", "eps 1e-7", "keras.optimizers.Adadelta epsilon", 1e-7),
        ("adamw", "1e-2 as in torch", "torch.optim.AdamW weight_decay", 1e-2),
        ("adamw", "1e-4 in optax", "optax.adamw weight_decay", 1e-4),
        ("adamw", "4e-3 in Keras", "keras.optimizers.AdamW weight_decay", 4e-3),
        ("adan", "adds 1e-8 inside the root too", "optax.adan eps_root", 1e-8),
        ("ademamix", "alpha is 5 in optax", "optax.contrib.ademamix alpha", 5.0),
        ("dadapt_adamw", "their default does not", "dadaptation.DAdaptAdam use_bias_correction",
         False),
        ("lion", "optax decays by 1e-3", "optax.lion weight_decay", 1e-3),
        ("lion", "Keras starts at lr 1e-3", "keras.optimizers.Lion learning_rate", 1e-3),
        ("novograd", "optax, which has no lr of its own", "optax.novograd learning_rate", "none"),
        ("prodigy", "as the authors' code", "prodigyopt.Prodigy use_bias_correction", False),
        ("qhadam", "has Adam's betas", "qhoptim.pyt.QHAdam betas", [0.9, 0.999]),
        ("qhadam", "nu1 = nu2 = 1 as defaults", "qhoptim.pyt.QHAdam nus", [1.0, 1.0]),
        ("lbfgs", "torch's LBFGS makes max_iter", "torch.optim.LBFGS max_iter", 20),
        ("lbfgs", "without a line search unless", "torch.optim.LBFGS line_search_fn", None),
    ],
)  # fmt: skip
def test_defaults_elsewhere(name, phrase, argument, value):
    assert phrase in " ".join(catalogue.rule_of(name).doc.split())
    assert GOLDEN["defaults"][argument] == value


# ---- where lr stands ----


@pytest.mark.parametrize("name, nesterov", [("momentum", ""), ("nesterov", " nesterov=True")])
def test_momentum_elsewhere(name, nesterov):
    """optax keeps lr outside the velocity, as we do; Keras v = mu v - lr g inside."""

    def inside(t, lr, g, state):
        state["v"] = v = 0.9 * state.get("v", 0.0) + lr * g
        return lr * g + 0.9 * v if nesterov else v

    mine = ours(name, FALLING)
    assert same(mine, theirs(f"optax sgd momentum=0.9{nesterov} falling 4"))
    assert same(stepped(inside, FALLING), theirs(f"keras SGD momentum=0.9{nesterov} falling 4"))
    assert error(mine, theirs(f"keras SGD momentum=0.9{nesterov} falling 4")) > 0.1


@pytest.mark.parametrize(
    "title",
    [
        "keras RMSprop rho=0.9 epsilon=1e-08 momentum=0.9 falling 4",
        "optax rmsprop decay=0.9 eps=1e-08 eps_in_sqrt=False momentum=0.9 falling 4",
    ],
)
def test_momentum_of_rmsprop_elsewhere(title):
    def inside(t, lr, g, state):
        v = averages(g, state, beta2=0.9)[1]
        root = np.sqrt(v + 1e-8) if "keras" in title else np.sqrt(v) + 1e-8
        state["b"] = 0.9 * state.get("b", 0.0) + lr * g / root
        return state["b"]

    assert same(stepped(inside, FALLING), theirs(title))
    assert error(ours("rmsprop", FALLING, alpha=0.9, momentum=0.9), theirs(title)) > 0.1


def test_lars_of_optax_keeps_lr_inside_too():
    def outside(t, lr, g, state):
        p = state.get("p", np.ones(4))
        ratio = 1e-3 * np.linalg.norm(p) / np.linalg.norm(g)
        state["v"] = 0.9 * state.get("v", 0.0) + ratio * g
        state["p"] = p - lr * state["v"]
        return lr * state["v"]

    assert same(ours("lars", FALLING), theirs("optax lars falling 4"))
    assert error(stepped(outside, FALLING), theirs("optax lars falling 4")) > 1e-4


def test_asgd_of_torch_follows_a_rate_a_step_later():
    title, given = "torch.optim ASGD lambd=0.1 t0=5 falling 4", {"lambd": 0.1, "t0": 5}
    assert same(ours("asgd", FALLING, **given), theirs(title)[:4])
    at_once = ours("asgd", [*FALLING[1:], FALLING[-1]], **given)
    assert error(at_once, theirs(title)[:4]) > 1e-3


def test_asgd_evaluates_the_average_that_torch_only_computes():
    """a, which is not p from step t0 + 3 on."""
    found = ours("asgd", FALLING, lambd=0.1, t0=5, average=True)
    assert same(found, theirs("torch.optim ASGD lambd=0.1 t0=5 falling 4")[4:])
    asgd, theta = optimizers.ASGD(t0=5, average=True), np.ones(4)
    state = asgd.init(theta)
    for t, gradient in enumerate(GRADIENTS, 1):
        asgd.step(theta, gradient, state)
        assert (asgd.evaluated(theta, state) == theta).all() == (t < 5 + 3)


def test_rprop_of_torch_keeps_the_first_rate():
    title = "torch.optim Rprop falling 4"
    assert same(ours("rprop", [FALLING[0]] * 20), theirs(title))
    assert error(ours("rprop", FALLING), theirs(title)) > 1e-2


@pytest.mark.parametrize(
    "name, title", [("sgd", "SGDScheduleFree"), ("adamw", "AdamWScheduleFree")]
)
def test_schedule_free_takes_a_warmup_as_a_schedule(name, title):
    rising = [0.01 * min(1.0, t / cases.WARMUP) for t in STEPS]
    found = theirs(f"schedulefree {title} warmup_steps=5 foreach=False lr=0.01 4")
    assert same(ours(f"schedule_free_{name}", rising), found)
    assert error(ours(f"schedule_free_{name}"), found) > 1e-3


@pytest.mark.parametrize("name, given, case", cases.CHANGING, ids=str)
def test_a_rate_that_changes(name, given, case):
    """Falls to a hundredth half way."""
    assert same(ours(name, FALLING, **given), theirs(str(case)))


# ---- where eps and corrections stand ----


def test_eps_hat_of_keras():
    """Before the correction of v; after it, it would be eps / sqrt(1 - beta2^t)."""

    def hat(t, lr, g, state):
        m, v = averages(g, state)
        return lr * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-2)

    assert same(stepped(hat), theirs("keras Adam epsilon=0.01 lr=0.01 4"))
    assert error(ours("adam", eps=1e-2), theirs("keras Adam epsilon=0.01 lr=0.01 4")) > 1e-3
    assert 31 < 1 / math.sqrt(1 - 0.999) < 32


def test_amsgrad_of_keras_is_ours_and_of_optax_corrects_first():
    def corrects_first(t, lr, g, state):
        m, v = averages(g, state, 0.5, 0.9)
        state["most"] = np.maximum(state.get("most", 0.0), v / (1 - 0.9**t))
        return lr * m / (1 - 0.5**t) / np.sqrt(state["most"])

    mine = ours("adam", betas=(0.5, 0.9), eps=0.0, amsgrad=True)
    keras = "keras Adam epsilon=0.0 beta_1=0.5 beta_2=0.9 amsgrad=True lr=0.01 4"
    optax = "optax amsgrad b1=0.5 b2=0.9 eps=0.0 lr=0.01 4"
    assert same(mine, theirs(keras))
    assert same(stepped(corrects_first), theirs(optax))
    assert error(mine, theirs(optax)) > 1e-3


@pytest.mark.parametrize(
    "library", ["torch.optim AdamW eps", "optax adamw eps", "keras AdamW epsilon"]
)
def test_decay_of_adamw_is_the_same_everywhere_in_float64(library):
    found = theirs(f"{library}=0.0 weight_decay=0.5 lr=0.01 4")
    assert same(ours("adamw", eps=0.0, weight_decay=0.5), found)


def test_the_factor_of_torch_is_one_below_3e_8():
    assert np.float32(1 - 2.9e-8) == 1.0 > np.float32(1 - 3.1e-8)


def test_adamax_of_keras():
    def late(t, lr, g, state):
        m = averages(g, state)[0] / (1 - 0.9**t)
        state["u"] = np.maximum(0.999 * state.get("u", 0.0), np.abs(g))
        return lr * m / (state["u"] + 0.1)

    assert same(stepped(late), theirs("keras Adamax epsilon=0.1 lr=0.01 4"))
    assert error(ours("adamax", eps=0.1), theirs("keras Adamax epsilon=0.1 lr=0.01 4")) > 1e-6


def radam(t, lr, g, state, beta2, eps, waits):
    """As in optax: eps is added to the corrected root."""
    m, v = averages(g, state, beta2=beta2)
    m, longest = m / (1 - 0.9**t), 2 / (1 - beta2) - 1
    if t <= waits:
        return lr * m
    rho = longest - 2 * t * beta2**t / (1 - beta2**t)
    r = (rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)
    return lr * math.sqrt(r) * m / (np.sqrt(v / (1 - beta2**t)) + eps)


def test_radam_of_optax_adds_eps_to_the_corrected_root():
    title = "optax radam eps=0.01 lr=0.01 4"
    assert same(stepped(lambda *now: radam(*now, 0.999, 1e-2, waits=5)), theirs(title))
    assert error(ours("radam", eps=1e-2), theirs(title)) > 1e-5


def test_radam_of_optax_divides_where_rho_is_5():
    beta2 = cases.RHO_IS_5
    title = f"optax radam eps=0.0 b2={beta2} lr=0.01 4"
    assert same(stepped(lambda *now: radam(*now, beta2, 0.0, waits=5)), theirs(title))
    mine = stepped(lambda *now: radam(*now, beta2, 0.0, waits=6))
    assert same(ours("radam", eps=0.0, betas=(0.9, beta2)), mine)
    assert error(mine, theirs(title)) > 1e-3


@pytest.mark.parametrize("library", ["keras Adagrad {} epsilon", "optax adagrad {} eps"])
def test_adagrad_elsewhere_has_eps_inside(library):
    def inside(t, lr, g, state):
        state["h"] = state.get("h", 0.25) + g * g
        return lr * g / np.sqrt(state["h"] + 1e-2)

    found = theirs(library.format("initial_accumulator_value=0.25") + "=0.01 lr=0.01 4")
    assert same(stepped(inside), found)
    assert error(ours("adagrad", initial_accumulator_value=0.25, eps=1e-2), found) > 1e-5


@pytest.mark.parametrize(
    "library", ["keras RMSprop rho=0.9 epsilon", "optax rmsprop decay=0.9 eps"]
)
def test_rmsprop_elsewhere_has_eps_inside(library):
    def inside(t, lr, g, state):
        return lr * g / np.sqrt(averages(g, state, beta2=0.9)[1] + 1e-2)

    assert same(stepped(inside), theirs(f"{library}=0.01 lr=0.01 4"))
    assert error(ours("rmsprop", alpha=0.9, eps=1e-2), theirs(f"{library}=0.01 lr=0.01 4")) > 1e-3


# ---- other formulas ----


def test_nadam_elsewhere():
    """Keras has our schedule with momentum_decay = 1; optax has a constant momentum."""

    def optax(t, lr, g, state):
        m, v = averages(g, state)
        u = 0.9 * m / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)
        return lr * u / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    assert same(ours("nadam", momentum_decay=1.0), theirs("keras Nadam epsilon=1e-08 lr=0.01 4"))
    assert same(stepped(optax), theirs("optax nadam lr=0.01 4"))
    for title in ("keras Nadam epsilon=1e-08 lr=0.01 4", "optax nadam lr=0.01 4"):
        assert error(ours("nadam"), theirs(title)) > 1e-3


def test_adadelta_of_keras_makes_steps_two_thousand_times_shorter():
    found = theirs("keras Adadelta lr=0.001 4")
    # The steps themselves: of 1 - 1e-6, ten digits remain.
    np.testing.assert_allclose(
        ours("adadelta", [1e-3] * 20, rho=0.95, eps=1e-7) - 1, found - 1, rtol=1e-8
    )
    ratio = (ours("adadelta", [1.0] * 20) - 1) / (found - 1)
    assert (ratio > 1500).all()
    assert (ratio < 2500).all()


def test_adan_of_optax():
    """1 - beta2 where the paper has beta2, which is a twelfth, and 1e-8 inside the root too."""

    def optax(t, lr, g, state):
        d, state["before"] = g - state.get("before", g), g
        m = state["m"] = 0.98 * state.get("m", 0.0) + 0.02 * g
        v = state["v"] = 0.92 * state.get("v", 0.0) + 0.08 * d
        n = state["n"] = 0.99 * state.get("n", 0.0) + 0.01 * (g + (1 - 0.92) * d) ** 2
        u = m / (1 - 0.98**t) + (1 - 0.92) * v / (1 - 0.92**t)
        return lr * u / (np.sqrt(n / (1 - 0.99**t) + 1e-8) + 1e-8)

    assert same(stepped(optax), theirs("optax adan lr=0.01 4"))
    assert error(ours("adan"), theirs("optax adan lr=0.01 4")) > 1e-3
    assert 11 < 0.92 / (1 - 0.92) < 12


def test_adopt_of_pytorch_optimizer_clips_a_step_ahead():
    def clipped(t, lr, g, state, limit):
        if t == 1:
            state["v"] = g * g
            return 0.0
        u = np.clip(g / np.maximum(np.sqrt(state["v"]), 1e-6), -limit, limit)
        state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * u
        state["v"] = 0.9999 * state["v"] + (1 - 0.9999) * g * g
        return lr * state["m"]

    ahead = stepped(lambda t, *rest: clipped(t, *rest, t**0.25))
    unlimited = stepped(lambda t, *rest: clipped(t, *rest, math.inf))
    assert same(ahead, theirs("pytorch_optimizer ADOPT lr=0.01 4"))
    assert same(stepped(lambda t, *rest: clipped(t, *rest, (t - 1) ** 0.25)), ours("adopt"))
    assert min(error(ours("adopt"), other) for other in (ahead, unlimited)) > 1e-4


def test_lamb_elsewhere_is_not_corrected():
    """pytorch_optimizer: no correction in u, but the rate over 1 - beta1^t; eps at ||u|| too."""

    def uncorrected(t, lr, g, state):
        m, v = averages(g, state)
        u, p = m / (np.sqrt(v) + 0.1), state.get("p", np.ones(4))
        ratio = min(np.linalg.norm(p), 10.0) / (np.linalg.norm(u) + 0.1)
        step = lr / (1 - 0.9**t) * ratio * u
        state["p"] = p - step
        return step

    title = "pytorch_optimizer Lamb max_grad_norm=0.0 eps=0.1 lr=0.01 4"
    assert same(stepped(uncorrected), theirs(title))
    assert error(ours("lamb", eps=0.1), theirs(title)) > 1e-3


def test_lamb_bounds_no_ratio():
    theta = np.full(4, 1000.0)
    lamb = optimizers.LAMB(lr=0.1, eps=0.0)
    lamb.step(theta, np.ones(4), lamb.init(theta))
    np.testing.assert_allclose(theta, 1000.0 - 0.1 * 2000.0 / 2.0, rtol=1e-12)


def test_qhadam_of_pytorch_optimizer_was_wrong():
    """3.9 adds 1 - beta2 * g² in place of (1 - beta2) * g²; 4.1 is ours, but for float32 in it."""

    def wrong(t, lr, g, state):
        m = averages(g, state)[0] / (1 - 0.9**t)
        kept = 1 - (1 - 0.1) / (1 - 0.1**t)  # beta2, corrected
        state["wrong"] = kept * state.get("wrong", 0.0) + (1 - kept * g * g)
        return lr * (0.3 * g + 0.7 * m) / (np.sqrt(state["wrong"]) + 1e-8)

    title = "pytorch_optimizer QHAdam nus=(0.7, 1.0) betas=(0.9, 0.1) lr=0.01 4"
    assert same(stepped(wrong), theirs(f"old {title}"), 1e-8)
    assert same(ours("qhadam", nus=(0.7, 1.0), betas=(0.9, 0.1)), theirs(title), 1e-7)
    assert error(theirs(f"old {title}"), theirs(title)) > 1e-3


def test_madgrad_of_optax_takes_a_root_in_float32():
    assert 1e-10 < error(ours("madgrad"), theirs("optax contrib.madgrad lr=0.01 4")) < 1e-8


def test_prodigy_of_optax_always_corrects():
    found = theirs("optax contrib.prodigy lr=1.0 4")
    assert same(ours("prodigy", [1.0] * 20, use_bias_correction=True), found)
    assert error(ours("prodigy", [1.0] * 20), found) > 1e-6


def test_dadapt_of_its_authors_does_not_correct():
    """e = d in place of d · lr · sqrt(1 - beta2^t) / (1 - beta1^t): a rate that takes it back."""
    found = theirs("dadaptation DAdaptAdam decouple=True lr=1.0 4")
    uncorrected = (1 - 0.9**STEPS) / np.sqrt(1 - 0.999**STEPS)
    assert same(ours("dadapt_adamw", uncorrected), found)
    assert error(ours("dadapt_adamw", [1.0] * 20), found) > 1e-6


def test_adabound_of_the_paper():
    """Algorithm 2: clip(lr / sqrt(v), low, high) / sqrt(t) without eps and corrections."""

    def paper(t, lr, g, state):
        m, v = averages(g, state)
        low, high = 0.1 * (1 - 1 / (1e-3 * t + 1)), 0.1 * (1 + 1 / (1e-3 * t))
        return np.clip(lr / np.sqrt(v), low, high) / math.sqrt(t) * m

    assert error(ours("adabound"), stepped(paper)) > 1e-2


# ---- of matrices ----


def test_adafactor_elsewhere():
    """Keras's is ours, but for a float32 power; optax factors no small matrix, bounds no rate."""
    for shape in ((2, 2), (4,)):
        title = f"keras Adafactor lr=0.01 {'x'.join(map(str, shape))}"
        assert same(ours("adafactor", shape=shape), theirs(title), 1e-8)
    for title in ("optax adafactor lr=0.01 4", "optax adafactor lr=0.01 2x2"):
        assert same(ours("adafactor"), theirs(title), 1e-8)
    assert error(ours("adafactor", shape=(2, 2)), theirs("optax adafactor lr=0.01 2x2")) > 1e-3
    assert error(ours("adafactor", [0.5] * 20), theirs("optax adafactor lr=0.5 4")) > 0.1


def test_muon_elsewhere():
    """Keras scales as match_rms_adamw does; optax corrects both parts of Nesterov's momentum."""

    def optax(t, lr, g, state):
        m = state["m"] = 0.95 * state.get("m", 0.0) + 0.05 * g
        u = 0.95 * m / (1 - 0.95 ** (t + 1)) + 0.05 * g / (1 - 0.95**t)
        X = u.reshape(2, 2) / np.linalg.norm(u)
        for _ in range(5):
            A = X @ X.T
            X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
        return lr * X.ravel()

    mine = {"shape": (2, 2), "weight_decay": 0.0}
    keras, of_optax = "keras Muon weight_decay=0.0 lr=0.01 2x2", "optax contrib.muon lr=0.01 2x2"
    assert same(ours("muon", match_rms_adamw=True, **mine), theirs(keras), 1e-8)
    assert error(ours("muon", **mine), theirs(keras)) > 1e-2
    assert same(stepped(optax), theirs(of_optax), 1e-6)
    assert error(ours("muon", **mine), theirs(of_optax)) > 1e-3
