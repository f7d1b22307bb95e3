"""Surfaces: hand-written gradients against differences, the compiled walk against plain steps."""

import numpy as np
import pytest

from minitrain.gallery import surfaces as gallery
from minitrain.kernels import surfaces
from minitrain.optimizer import Optimizer

pytestmark = pytest.mark.filterwarnings("ignore:overflow")


@pytest.mark.parametrize("surface", gallery.SURFACES, ids=lambda s: s.name)
def test_gradient_is_the_slope(surface):
    """Central differences of fourth order: an error of h⁴ f⁗ / 30 + ulp / h."""
    h = 1e-3
    low, high = np.array(surface.window).T
    for x, y in np.random.default_rng(0).uniform(low, high, (40, 2)):
        value, dx, dy = surface(x, y)
        for slope, e in ((dx, (h, 0)), (dy, (0, h))):
            at = [surface(x + k * e[0], y + k * e[1])[0] for k in (-2, -1, 1, 2)]
            tried = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)
            assert slope == pytest.approx(tried, rel=1e-6, abs=1e-7 * (1 + abs(value)))


@pytest.mark.parametrize("surface", gallery.SURFACES, ids=lambda s: s.name)
def test_minima_are_minima(surface):
    assert surface.minima
    for x, y in surface.minima:
        value, dx, dy = surface(x, y)
        assert np.hypot(dx, dy) < 1e-9 * max(1, abs(value))
        around = [surface(x + 1e-3 * np.cos(a), y + 1e-3 * np.sin(a))[0] for a in range(7)]
        assert min(around) > value


def test_heights():
    surface = gallery.get("beale")
    xs, ys, z = surface.heights(5)
    assert z[1, 3] == pytest.approx(surface(xs[3], ys[1])[0], rel=1e-15)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "nadam"])
def test_walk_is_the_reference_step_by_step(name):
    """The compiled walk against Optimizer.step_reference in NumPy, and the surface in Python."""
    surface, optimizer, steps = gallery.get("trenches"), Optimizer(name, lr=0.01), 120
    path, gradients = np.empty((steps + 1, 2)), np.empty((steps + 1, 2))
    loss, noise = np.empty(steps + 1), np.random.default_rng(0).normal(0, 0.1, (50, 2))
    path[0] = surface.start
    fused = optimizer.kernels(np.dtype(float))
    surfaces.walk(
        path, loss, gradients, noise, surfaces.address(surface.function),
        *optimizer.init(np.zeros(2)).arrays, np.full(steps, 0.01), fused.advance, fused.descend,
    )  # fmt: skip
    p = np.array(surface.start)
    state = optimizer.init(p)
    for t in range(steps):
        value, *slope = surface(*p)
        g = np.array(slope) + (noise[t] if t < 50 else 0)
        np.testing.assert_allclose(path[t], p, rtol=0, atol=1e-10)
        np.testing.assert_allclose(gradients[t], g, rtol=0, atol=1e-8)
        assert loss[t] == pytest.approx(value, abs=1e-10)
        optimizer.step_reference(p, g, state)
    np.testing.assert_allclose(path[-1], p, rtol=0, atol=1e-10)
