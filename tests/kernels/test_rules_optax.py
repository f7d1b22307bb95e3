"""The rules that torch has not: against optax, and against the formulas of their papers' codes."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from minitrain import optimizers

_spec = importlib.util.spec_from_file_location(
    "optax_cases", Path(__file__).parent / "golden" / "optax_cases.py"
)
optax_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(optax_cases)
cases = optax_cases.cases

TOLERANCE = 1e-12  # of the norm of the parameters, in float64; observed is 1e-14

each_case = pytest.mark.parametrize("case", optax_cases.CASES, ids=str)
each_step = pytest.mark.parametrize("which", ["step", "step_reference"])


def trajectory(optimizer, which="step"):
    theta, gradients = cases.drawn("float64")
    state = optimizer.init(theta)
    rows = []
    for gradient in gradients:
        getattr(optimizer, which)(theta, gradient, state)
        if state.t in cases.RECORDED:
            rows.append(theta.copy())
    return np.array(rows)


def error(rows, expected):
    assert rows.shape == expected.shape == (len(cases.RECORDED), cases.P)
    return (np.linalg.norm(rows - expected, axis=1) / np.linalg.norm(expected, axis=1)).max()


def golden(case):
    with np.load(cases.FOLDER / f"optax-{case.optimizer}.npz") as file:
        return file[str(case)]


@each_step
@each_case
def test_golden(case, which):
    optimizer = optimizers.get(case.optimizer, **case.hyperparameters)
    assert error(trajectory(optimizer, which), golden(case)) <= TOLERANCE


def test_golden_files_are_complete():
    held = set()
    for path in cases.FOLDER.glob("optax-*.npz"):
        with np.load(path) as file:
            held |= set(file)
    assert held == {str(case) for case in (*optax_cases.CASES, *optax_cases.DIFFERENT)}


@pytest.mark.parametrize("case", optax_cases.DIFFERENT, ids=str)
def test_optax_computes_something_else(case):
    """As the docstrings say; see test_deviations.py for what, number by number."""
    optimizer = optimizers.get(case.optimizer, **case.hyperparameters)
    assert error(trajectory(optimizer), golden(case)) > 1e-6
    assert "optax" in optimizer.rule.doc


@pytest.mark.compiled  # without the JIT the golden files suffice
@pytest.mark.parametrize("case", [*optax_cases.CASES, *optax_cases.DIFFERENT], ids=str)
def test_live(case, live):
    live("optax")  # else the golden files stand in for it
    optimizer = optimizers.get(case.optimizer, **case.hyperparameters)
    expected = optax_cases.optax_trajectory(case, optimizer.hyperparameters)
    assert error(golden(case), expected) <= TOLERANCE


# ---- formulas of the papers' codes, restated: each yields the parameters after every step ----


def laprop(p, gradients, lr, beta1, beta2, eps, weight_decay, **_):
    """Ziyin's laprop.py; its decay lacks the factor lr."""
    m, v, weight1, weight2 = 0.0, 0.0, 0.0, 0.0
    for g in gradients:
        v = v * beta2 + (1 - beta2) * g * g
        weight1 = weight1 * beta1 + (1 - beta1) * lr
        weight2 = weight2 * beta2 + (1 - beta2)
        m = m * beta1 + (1 - beta1) * lr * g / (np.sqrt(v / weight2) + eps)
        p = p - m / (weight1 / lr) - lr * weight_decay * p
        yield p


def qhm(p, gradients, lr, momentum, nu, weight_decay, **_):
    """Ma & Yarats' qhoptim, with its coupled decay."""
    buffer = 0.0
    for g in gradients:
        g = g + weight_decay * p
        buffer = momentum * buffer + (1 - momentum) * g
        p = p - lr * nu * buffer - lr * (1 - nu) * g
        yield p


def qhadam(p, gradients, lr, beta1, beta2, nu1, nu2, eps, weight_decay, **_):
    """qhoptim: averages with weights that make a correction needless."""
    weight1 = weight2 = m = v = 0.0
    for g in gradients:
        g = g + weight_decay * p
        weight1, weight2 = 1 + beta1 * weight1, 1 + beta2 * weight2
        m = (1 - 1 / weight1) * m + g / weight1
        v = (1 - 1 / weight2) * v + g * g / weight2
        u = nu1 * m + (1 - nu1) * g
        p = p - lr * u / (np.sqrt(nu2 * v + (1 - nu2) * g * g) + eps)
        yield p


def aggmo(p, gradients, lr, beta1, beta2, beta3, weight_decay, **_):
    """Lucas' aggmo.py."""
    betas = beta1, beta2, beta3
    buffers = [0.0] * 3
    for g in gradients:
        g = g + weight_decay * p
        buffers = [beta * b + g for beta, b in zip(betas, buffers, strict=True)]
        for b in buffers:
            p = p - lr / 3 * b
        yield p


def adan(p, gradients, lr, beta1, beta2, beta3, eps, weight_decay, **_):
    """sail-sg's adan.py with no_prox; the parameters are decayed first."""
    before, m, v, n = gradients[0], 0.0, 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        change = g - before
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * change
        n = beta3 * n + (1 - beta3) * (g + beta2 * change) ** 2
        root = np.sqrt(n) / math.sqrt(1 - beta3**t) + eps
        p = p * (1 - lr * weight_decay)
        p = p - lr / (1 - beta1**t) * m / root - lr * beta2 / (1 - beta2**t) * v / root
        before = g
        yield p


def ademamix(
    p, gradients, lr, beta1, beta2, beta3, alpha, eps, alpha_warmup, beta3_warmup, weight_decay, **_
):
    """Apple's ademamix.py, with its two schedules."""

    def half_life(beta):
        return math.log(0.5) / math.log(beta + 1e-8) - 1

    fast = slow = v = 0.0
    for t, g in enumerate(gradients, 1):
        a, b = alpha, beta3
        if t < alpha_warmup:
            a = t / alpha_warmup * alpha
        if t < beta3_warmup:
            part = t / beta3_warmup
            life = (1 - part) * half_life(beta1) + part * half_life(beta3)
            b = math.pow(0.5, 1 / (life + 1))
        fast = beta1 * fast + (1 - beta1) * g
        slow = b * slow + (1 - b) * g
        v = beta2 * v + (1 - beta2) * g * g
        root = np.sqrt(v) / math.sqrt(1 - beta2**t) + eps
        u = (fast / (1 - beta1**t) + a * slow) / root
        p = p - lr * (u + weight_decay * p)
        yield p


def madgrad(p, gradients, lr, momentum, eps, weight_decay, **_):
    """Facebook's madgrad.py.  (optax takes the root of the step's number in float32.)"""
    x0, s, v = p, 0.0, 0.0
    for k, g in enumerate(gradients):
        g = g + weight_decay * p
        lamb = (lr + eps) * math.sqrt(k + 1)
        v = v + lamb * g * g
        s = s + lamb * g
        z = x0 - s / (np.cbrt(v) + eps)
        p = momentum * p + (1 - momentum) * z
        yield p


def named(what):
    return getattr(what, "__name__", str(what))


RESTATED = [
    ("madgrad", madgrad, {}),
    ("madgrad", madgrad, {"momentum": 0.0, "lr": 0.1, "eps": 1e-2, "weight_decay": 0.1}),
    ("laprop", laprop, {}),
    ("laprop", laprop, {"betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("qhm", qhm, {}),
    ("qhm", qhm, {"lr": 0.1, "momentum": 0.9, "nu": 0.5, "weight_decay": 0.1}),
    ("qhm", qhm, {"lr": 0.1, "nu": 1.0, "momentum": 0.0}),
    ("qhadam", qhadam, {}),
    ("qhadam", qhadam, {"nus": (0.9, 0.3), "betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("aggmo", aggmo, {}),
    ("aggmo", aggmo, {"betas": (0.5, 0.9, 0.999), "lr": 0.1, "weight_decay": 0.1}),
    ("adan", adan, {}),
    ("adan", adan, {"betas": (0.9, 0.8, 0.7), "eps": 1e-2, "lr": 1e-2, "weight_decay": 0.1}),
    ("ademamix", ademamix, {"alpha_warmup": 150, "beta3_warmup": 150}),
    ("ademamix", ademamix, {"betas": (0.5, 0.9, 0.99), "beta3_warmup": 400, "weight_decay": 0.1}),
    ("ademamix", ademamix, {"betas": (0.0, 0.9, 0.99), "alpha_warmup": 400, "beta3_warmup": 20}),
]


@each_step
@pytest.mark.parametrize("name, formula, given", RESTATED, ids=named)
def test_restated(name, formula, given, which):
    optimizer = optimizers.get(name, **given)
    theta, gradients = cases.drawn("float64")
    steps = enumerate(formula(theta, gradients, **optimizer.hyperparameters), 1)
    expected = np.array([p for t, p in steps if t in cases.RECORDED])
    assert error(trajectory(optimizer, which), expected) <= TOLERANCE


def test_every_rule_is_compared_with_something():
    compared = {case.optimizer for case in (*cases.CASES, *optax_cases.CASES)}
    compared |= {name for name, _, _ in RESTATED}
    # test_sums.py has all rules with sums or a point, and AdaBound's formula.
    compared |= {n for n in optimizers.names() if optimizers.get(n).rule.sums is not None}
    compared |= {"schedule_free_sgd", "schedule_free_adamw", "adabound"}
    assert compared == set(optimizers.names())
