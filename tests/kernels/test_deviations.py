"""What the docstrings say under "Elsewhere": each deviation from another library, as numbers."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from minitrain import optimizers
from minitrain.kernels import rule as rules
from minitrain.model import Block

_spec = importlib.util.spec_from_file_location(
    "golden_cases", Path(__file__).parent / "golden" / "cases.py"
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

GRADIENTS = np.random.RandomState(3).standard_normal((20, 4))


def final(name, rates=None, gradients=GRADIENTS, **given):
    """Parameters after the gradients, from 1, with a rate per step."""
    optimizer = optimizers.get(name, **given)
    theta = np.ones(gradients.shape[1])
    state = optimizer.init(theta)
    for t, g in enumerate(gradients):
        (optimizer if rates is None else optimizer.replace(lr=rates[t])).step(theta, g, state)
    return theta


def sklearn_final(make, rates, gradients=GRADIENTS):
    theta = [np.ones(gradients.shape[1])]
    optimizer = make(theta)
    for rate, g in zip(rates, gradients, strict=True):
        optimizer.learning_rate = optimizer.learning_rate_init = rate
        optimizer.update_params(theta, [g])
    return theta[0]


def close(a, b):
    return np.allclose(a, b, rtol=1e-12, atol=0)


CONSTANT = [0.01] * 20
FALLING = [0.1] * 10 + [0.001] * 10


# ---- scikit-learn, live: it is a core dependency ----


@pytest.mark.parametrize("name, nesterov", [("momentum", False), ("nesterov", True)])
def test_momentum_of_scikit_learn_keeps_lr_inside(name, nesterov):
    def make(theta):
        return SGDOptimizer(theta, 0.01, "constant", 0.9, nesterov)

    assert close(final(name, CONSTANT), sklearn_final(make, CONSTANT))
    assert not np.allclose(final(name, FALLING), sklearn_final(make, FALLING), rtol=1e-2)


def test_eps_hat_of_scikit_learn_weighs_32_times_as_much_at_first():
    first = GRADIENTS[:1]
    theirs = sklearn_final(lambda theta: AdamOptimizer(theta, epsilon=1e-2), [0.01], first)
    assert close(theirs, final("adam", gradients=first, lr=0.01, eps=1e-2 / math.sqrt(1 - 0.999)))
    assert 31 < 1 / math.sqrt(1 - 0.999) < 32
    assert not np.allclose(theirs, final("adam", gradients=first, lr=0.01, eps=1e-2), rtol=1e-3)


# ---- others, restated ----


def corrected(m, v, t, betas=(0.9, 0.999)):
    return m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)


def radam_divides(t, beta2):
    of_adam, of_momentum = rules.get("radam").coefficients(float(t), 0.9, beta2, 1e-8)[3:5]
    assert (of_adam == 0) != (of_momentum == 0)
    return of_adam > 0


def test_radam_divides_from_the_sixth_step_on():
    assert [radam_divides(t, 0.999) for t in range(1, 9)] == [False] * 5 + [True] * 3
    assert not any(radam_divides(t, 0.5) for t in (1, 10, 1000))


def radam_rho(t, beta2):
    longest = 2.0 / (1.0 - beta2) - 1.0
    return longest - 2.0 * t * beta2**t / (1.0 - beta2**t)


def test_radam_waits_longer_than_in_the_paper():
    """Which divides from rho > 4 on: at the default's fifth step it is between 4 and 5."""
    assert 4 < radam_rho(5, 0.999) < 5 < radam_rho(6, 0.999)


def test_yogi_corrects_its_averages_and_the_paper_does_not():
    def yogi(correct):
        theta, m, v = np.ones(4), 1e-6, 1e-6
        for t, g in enumerate(GRADIENTS, 1):
            m = 0.9 * m + 0.1 * g
            v = v - (1 - 0.999) * np.sign(v - g * g) * g * g
            m_, v_ = corrected(m, v, t) if correct else (m, v)
            theta = theta - 0.01 * m_ / (np.sqrt(v_) + 1e-3)
        return theta

    ours = final("yogi")
    assert close(ours, yogi(correct=True))
    assert not np.allclose(ours, yogi(correct=False), rtol=1e-2)


def test_adopt_decays_at_its_first_step():
    decay = {"weight_decay": 0.5, "decoupled_weight_decay": True}
    assert final("adopt", gradients=np.ones((1, 3)), lr=0.1, **decay) == pytest.approx(0.95)
    assert final("adopt", gradients=np.ones((1, 3)), lr=0.1) == pytest.approx(1.0)


def test_adan_decays_with_the_step_and_its_code_after_it():
    (ours,) = final("adan", gradients=np.ones((1, 1)), lr=0.1, weight_decay=0.5, eps=0.0)
    assert ours == pytest.approx(1 - 0.1 - 0.05, rel=1e-14)
    assert ours != pytest.approx((1 - 0.1) / 1.05, rel=1e-3)


def test_laprop_of_its_authors_keeps_lr_inside():
    def inside(rates):
        theta, m, v, weight = np.ones(4), 0.0, 0.0, 0.0
        for t, (lr, g) in enumerate(zip(rates, GRADIENTS, strict=True), 1):
            v = 0.999 * v + (1 - 0.999) * g * g
            weight = 0.9 * weight + 0.1 * lr
            m = 0.9 * m + 0.1 * lr * g / (np.sqrt(v / (1 - 0.999**t)) + 1e-15)
            theta = theta - m / (weight / lr)
        return theta

    assert close(final("laprop", CONSTANT), inside(CONSTANT))
    assert not np.allclose(final("laprop", FALLING), inside(FALLING), rtol=1e-3)


def test_laprop_decays_with_lr_and_its_code_without():
    (ours,) = final("laprop", gradients=np.zeros((1, 1)), lr=0.1, weight_decay=0.5)
    assert ours == pytest.approx(0.95)


def test_lars_scales_biases_too():
    """A bias vector is a block like a weight matrix: its step is 1e-3 · ‖p‖ · g / ‖g‖."""
    lars, theta = optimizers.LARS(lr=1.0), np.full(6, 2.0)
    blocks = [Block("W", 0, 4, (2, 2)), Block("b", 4, 6, (2,))]
    lars.step(theta, np.full(6, 5.0), lars.init(theta, blocks))
    np.testing.assert_allclose(theta, 2.0 - 1e-3 * 2.0, rtol=1e-14)


def test_qhadam_and_qhm_hold_what_their_docstrings_say():
    adam = final("adam", lr=0.01)
    assert np.allclose(final("qhadam", lr=0.01, betas=(0.9, 0.999), nus=(1, 1)), adam, rtol=1e-12)
    assert close(final("qhm", lr=0.01, nu=0), final("sgd", lr=0.01))
    heavy_ball = final("momentum", lr=0.001)
    assert np.allclose(final("qhm", lr=0.01, momentum=0.9, nu=1), heavy_ball, rtol=1e-12)
    nesterov = final("nesterov", lr=0.001)
    assert np.allclose(final("qhm", lr=0.01, momentum=0.9, nu=0.9), nesterov, rtol=1e-12)


def test_rprop_follows_a_rate_that_changes_and_torch_does_not():
    """Gradients of one sign: steps lr · 1.2^t, so that a tenth of the rate is a tenth of them."""
    rates = [0.1, 0.1, 0.01]
    (ours,) = final("rprop", rates, np.ones((3, 1)))
    assert ours == pytest.approx(1 - 0.1 - 0.12 - 0.0144)
    assert ours != pytest.approx(1 - 0.1 - 0.12 - 0.144)


def test_rprop_of_optax_steps_one_step_later():
    """Not at all at the first; at the second the first one's, where the sign is still the same."""
    with np.load(cases.FOLDER / "optax-rprop.npz") as file:
        (theirs,) = file.values()
    assert cases.RECORDED[:2] == (1, 2)
    start, (g1, g2, *_) = cases.drawn("float64")
    np.testing.assert_array_equal(theirs[0], start)
    second = start - 0.01 * np.sign(g1) * (g1 * g2 > 0)
    np.testing.assert_allclose(theirs[1], second, rtol=1e-12)


@pytest.mark.parametrize(
    "name, phrase, default, value",
    [
        ("adamw", "1e-2 as in torch (1e-4 in optax, 4e-3 in Keras)", "weight_decay", 1e-2),
        ("lion", "optax decays by 1e-3 unless told otherwise", "weight_decay", 0.0),
        ("lion", "Keras starts at lr 1e-3", "lr", 1e-4),
        ("ademamix", "alpha is 5 in optax and here, 2 in the paper's code", "alpha", 5.0),
        ("adadelta", "Keras starts at lr 1e-3 with rho 0.95", "lr", 1.0),
        ("adadelta", "Keras starts at lr 1e-3 with rho 0.95", "rho", 0.9),
        ("qhadam", "the paper's code has Adam's betas and nu1 = nu2 = 1", "nu1", 0.7),
        ("adagrad", "Keras and optax start h at 0.1", "initial_accumulator_value", 0.0),
    ],
)
def test_defaults_that_differ(name, phrase, default, value):
    found = rules.get(name)
    assert phrase in " ".join(found.doc.split())
    assert found.defaults[default] == value
