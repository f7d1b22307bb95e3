"""Rules that are sent to other processes, with their code where that is needed."""

import importlib
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers
from minitrain.kernels import rule as rules
from minitrain.kernels import travel

pytestmark = pytest.mark.usefixtures("own_registry")

MODULE = """
import numpy as np
import minitrain as mt

SCALE = 3.0

def coefficients(t, beta):
    return beta, SCALE / t

@mt.rule("from_a_module", lr=0.1, beta=0.5, sharp=False, coefficients=coefficients)
def update(p, g, m, c):
    beta, scale = c
    m = np.where(g > m, g, beta * m)
    return scale * m, m

@update.variant("sharp")
def sharp(p, g, c):
    beta, scale = c
    return (scale * np.sign(g),)
"""

ELSEWHERE = """
import pickle, sys
import numpy as np
optimizer, theta, gradient = pickle.load(sys.stdin.buffer)
from minitrain import optimizers
state = optimizer.init(theta)
for _ in range(3):
    optimizer.step(theta, gradient, state)
assert optimizers.get(optimizer.name).rule is optimizer.rule
assert pickle.loads(pickle.dumps(optimizer)).rule is optimizer.rule
sys.stdout.buffer.write(theta.tobytes())
"""


def own(power):
    def coefficients(t, total, beta):
        return (beta, total**power), (total + 1.0,)

    @mt.rule("own", lr=0.1, beta=0.5, coefficients=coefficients, carry={"total": 1.0})
    def update(p, g, m, c):
        beta, grown = c
        m = beta * m + g
        return grown * m, m

    return update


@pytest.fixture
def of_a_module(tmp_path, monkeypatch):
    (tmp_path / "my_rules.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("my_rules").update
    del sys.modules["my_rules"]


def steps_here(optimizer, theta, gradient):
    state = optimizer.init(theta)
    for _ in range(3):
        optimizer.step(theta, gradient, state)
    return theta


@pytest.mark.compiled
@pytest.mark.parametrize("kind", ["library", "closure", "module", "variant"])
def test_in_another_process(kind, of_a_module):
    """Which has neither this file nor the user's module; and it takes the same steps."""
    optimizer = {
        "library": lambda: optimizers.get("adam", lr=0.1),
        "closure": lambda: mt.Optimizer(own(0.5), beta=0.75),
        "module": lambda: mt.Optimizer(of_a_module),
        "variant": lambda: mt.Optimizer(of_a_module, sharp=True),
    }[kind]()
    theta, gradient = np.linspace(-1, 1, 7, dtype=np.float32), np.ones(7, np.float32)
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", ELSEWHERE],
        input=pickle.dumps((optimizer, theta, gradient)), capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == steps_here(optimizer, theta, gradient).tobytes()


@pytest.mark.compiled
def test_with_joblib():
    """What a notebook does: a rule of its own on worker processes."""

    def train(optimizer, seed):
        import minitrain

        X = np.random.RandomState(0).standard_normal((40, 3)).astype(np.float32)
        model = minitrain.MLP([3, 4, 2], seed=seed)
        minitrain.Trainer(model, optimizer, seed=seed).fit((X, (X[:, 0] > 0).astype(int)), 2)
        return model.parameters

    optimizer = mt.Optimizer(own(1.0))
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(train)(optimizer, s) for s in range(2))
    for seed, parameters in enumerate(found):
        np.testing.assert_array_equal(parameters, train(optimizer, seed))


def test_here_the_registered_one_comes_back():
    made = own(0.5)
    assert pickle.loads(pickle.dumps(made)) is made
    assert rules.get("own") is made


def test_a_rule_that_has_been_replaced_keeps_its_code():
    old = own(0.5)
    sent = pickle.dumps(old)
    new = own(0.25)
    received = pickle.loads(sent)
    assert received is not new
    assert received.evaluate(1, [4.0], [0.5]) == ((0.5, 2.0), (5.0,))
    assert rules.get("own") is new
    assert pickle.loads(sent) is received, "or every task would compile it again"


def test_a_derived_rule_of_the_user():
    fast = rules.get("adam").derive("fast_adam", title="FastAdam", paper="", doc="", lr=1.0)
    sent = pickle.dumps(fast)
    rules._registry.pop("fast_adam")
    received = pickle.loads(sent)
    assert received.defaults["lr"] == 1.0
    assert rules.get("fast_adam") is received
    # The library's functions go by name, so that its compiled kernels serve this one, too.
    assert received.coefficients is rules.get("adam").coefficients


def test_modules_are_by_value_only_while_they_are_pickled(of_a_module):
    assert pickle.loads(pickle.dumps(of_a_module)) is of_a_module
    assert "my_rules" not in travel.cloudpickle.list_registry_pickle_by_value()
