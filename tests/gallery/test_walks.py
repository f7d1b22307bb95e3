"""Walks against theory, against hand-written twins and against torch."""

import os

import numpy as np
import pytest

import minitrain as mt
from minitrain.gallery import style, surfaces, walks


def twin(name, surface, lr, steps):
    """The eight rules once more, from the papers, in plain Python: independent of kernels/."""
    p, t = np.array(surface.start, float), 0
    m, v, product, path = np.zeros(2), np.zeros(2), 1.0, [np.array(surface.start, float)]
    for t in range(1, steps + 1):
        g = np.array(surface(*p)[1:])
        if name == "sgd":
            u = g
        elif name in ("momentum", "nesterov"):
            m = 0.9 * m + g
            u = m if name == "momentum" else g + 0.9 * m
        elif name == "adagrad":
            v = v + g**2
            u = g / (np.sqrt(v) + 1e-10)
        elif name == "rmsprop":
            v = 0.99 * v + 0.01 * g**2
            u = g / (np.sqrt(v) + 1e-8)
        else:
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            root = np.sqrt(v / (1 - 0.999**t)) + 1e-8
            if name == "nadam":
                mu = 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))
                ahead = 0.9 * (1 - 0.5 * 0.96 ** ((t + 1) * 0.004))
                product *= mu
                u = ((1 - mu) / (1 - product) * g + ahead / (1 - product * ahead) * m) / root
            else:
                u = m / (1 - 0.9**t) / root
            if name == "adamw":
                u = u + 0.01 * p
        p = p - lr * u
        path.append(p.copy())
    return np.array(path)


@pytest.mark.parametrize("name", style.STYLES)
@pytest.mark.parametrize("surface", surfaces.SURFACES, ids=lambda s: s.name)
def test_equals_a_reference(surface, name):
    """To 1e-10 in float64, at a tenth of the tuned rate: no sum there amplifies a last bit."""
    lr = walks.tune(surface, name).optimizer.lr / 10
    walk = walks.walk(surface, mt.optimizers.get(name, lr=lr))
    np.testing.assert_allclose(
        walk.path, twin(name, surface, lr, walk.steps), rtol=1e-10, atol=1e-10
    )


def one_place_rules():
    """Those whose step and whose path are about the same numbers, and which have a NumPy twin."""
    made = map(mt.optimizers.get, mt.optimizers.names())
    return [o.name for o in made if not getattr(o, "evaluates_elsewhere", False)
            and hasattr(o, "step_reference")]  # fmt: skip


@pytest.mark.parametrize("name", one_place_rules())
def test_every_rule_walks_as_its_numpy_twin(name):
    """MADGRAD among them, whose state begins as the start point: a walk once began it as 0."""
    surface, optimizer = surfaces.get("himmelblau"), mt.optimizers.get(name)
    p = np.array(surface.start, float)
    state, path = optimizer.init(p.copy()), [p.copy()]
    for _ in range(30):
        optimizer.step_reference(p, np.array(surface(*p)[1:]), state)
        path.append(p.copy())
    walk = walks.walk(surface, optimizer, steps=30)
    with np.errstate(invalid="ignore"):  # both may leave all numbers behind, at the same step
        np.testing.assert_allclose(walk.path, path, rtol=1e-10, atol=1e-10)


def test_momentum_converges_as_distill_says():
    """Goh (2017): the best α and β of a quadratic give the rate √β = (√κ − 1) / (√κ + 1)."""
    low, high = np.sqrt([1.0, 50.0])
    alpha, beta = (2 / (low + high)) ** 2, ((high - low) / (high + low)) ** 2
    walk = walks.walk("quadratic", mt.optimizers.Momentum(lr=alpha, momentum=beta), steps=500)
    size = np.linalg.norm(walk.path, axis=1)
    rate = (size[500] / size[300]) ** (1 / 200)
    assert rate == pytest.approx(np.sqrt(beta), rel=0.01)
    for factor_a, factor_b in ((0.9, 1), (1.1, 1), (1, 0.95), (1, 1.05)):  # and no other is better
        other = mt.optimizers.Momentum(lr=alpha * factor_a, momentum=min(beta * factor_b, 0.999))
        walk = walks.walk("quadratic", other, steps=500)
        away = np.linalg.norm(walk.path, axis=1)
        assert max(away[490:500]) ** (1 / 500) > max(size[490:500]) ** (1 / 500)


def test_momentum_swings_where_distill_says():
    """Underdamped if and only if β > (1 − √(αλ))²: there the coordinate changes its sign."""
    for beta, swings in ((0.3, False), (0.6, True)):  # (1 − √0.1)² = 0.467 with λ = 1
        walk = walks.walk(
            "quadratic", mt.optimizers.Momentum(lr=0.1 / 50, momentum=beta), steps=300
        )
        y = walk.path[:, 1]  # λ = 50, so αλ = 0.1
        assert (np.abs(np.diff(np.sign(y[np.abs(y) > 1e-9]))).sum() > 0) == swings


def test_equals_torch():
    if os.environ.get("MINITRAIN_LIVE") != "1":
        pytest.importorskip("torch")
    import torch

    for name, make in (
        ("momentum", lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9)),
        ("adam", lambda p: torch.optim.Adam(p, lr=1e-3)),
        ("nadam", lambda p: torch.optim.NAdam(p, lr=1e-3)),
        ("adagrad", lambda p: torch.optim.Adagrad(p, lr=1e-3)),
    ):
        p = torch.tensor([1.0, 1.5], dtype=torch.float64, requires_grad=True)
        optimizer = make([p])
        for _ in range(100):
            optimizer.zero_grad()
            x, y = p
            a, b, c = 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3
            (a * a + b * b + c * c).backward()
            optimizer.step()
        walk = walks.walk("beale", mt.optimizers.get(name, lr=1e-3), steps=100)
        np.testing.assert_allclose(walk.path[-1], p.detach().numpy(), rtol=1e-10)


def test_what_a_walk_measures():
    walk = walks.walk("ravine", mt.optimizers.SGD(lr=0.25), start=(3, 1), steps=5)
    np.testing.assert_allclose(walk.effective_rate, 0.25)
    at_rest = walks.walk("ravine", mt.optimizers.SGD(lr=0.5), start=(3, 1), steps=5)
    assert np.isnan(at_rest.effective_rate[1:, 1]).all()  # y is 0 after one step, and so is its g
    np.testing.assert_allclose(walk.velocity[0], [-0.25 * 0.3, -0.25 * 2])
    assert walk.distance()[0] == pytest.approx(np.sqrt(10))
    assert not walk.diverged
    assert walks.walk("ravine", mt.optimizers.SGD(lr=9.0), steps=900).diverged


def test_noise_is_the_same_for_everybody_and_its_seed_counts():
    def noise(name, seed):
        walk = walks.walk("ravine", mt.optimizers.get(name, lr=1e-9), steps=4, noise=0.3, seed=seed)
        return walk.gradient[:-1] - [-0.7, 4]

    np.testing.assert_allclose(noise("sgd", 1), noise("adam", 1), atol=1e-6)
    assert np.abs(noise("sgd", 1) - noise("sgd", 2)).max() > 0.1
    many = walks.walk("ravine", mt.optimizers.SGD(lr=1e-12), steps=4000, noise=0.3)
    assert (many.gradient[:-1] - [-0.7, 4]).std() == pytest.approx(0.3, rel=0.05)


def test_tune_takes_the_lowest_mean():
    best = walks.tune("ravine", "sgd")
    means = [walks.walk("ravine", mt.optimizers.SGD(lr=r)).loss.mean() for r in walks.RATES]
    assert best.optimizer.lr == walks.RATES[np.nanargmin(means)]
    assert "best of 51" in best.chosen


def test_any_rule_and_any_surface(own_registry):
    @mt.rule("signs", lr=0.01)
    def update(p, g, c):
        return (np.sign(g),)

    def bowl(x, y):
        """x² + 3 y²"""
        return x * x + 3.0 * y * y, 2.0 * x, 6.0 * y

    own = mt.gallery.Surface("bowl", bowl, (1.0, -1.0))
    walk = mt.gallery.walk(own, "signs", steps=10)
    np.testing.assert_allclose(walk.path[-1], [0.9, -0.9])
    assert own.formula == "x² + 3 y²"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: surfaces.get("ravin"), "did you mean 'ravine'"),
        (lambda: walks.walk("ravine", "sgd", start=(1, 2, 3)), "start: .*two finite numbers"),
        (lambda: walks.walk("ravine", "sgd", start="here"), "start: 'here'"),
        (lambda: walks.walk("ravine", "sgd", noise=-1), "noise: -1"),
        (lambda: walks.walk("ravine", "sgd", steps=0), "steps: 0"),
        (lambda: walks.tune("ravine", "sgd", rates=[]), "rates: none"),
        (lambda: walks.walk("ravine", "adm"), "did you mean 'adam'"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
