"""Functions of two numbers that optimizers are watched on, and a compiled walk over them.

A surface is one function in plain arithmetic, ``f(x, y) -> (value, df/dx, df/dy)``, with its
gradient written by hand.  A walk hands the gradient to an optimizer's own fused kernels, in
float64, as a training does: surface and kernels come by address, so one compiled walk serves all.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import float64, types

from ._jit import address_of, inline, jit
from .fuse import State, apply_step, call
from .rule import code_hash


def ravine(x, y):
    """x²/20 + y²"""
    return x * x / 20.0 + y * y, x / 10.0, 2.0 * y


def quadratic(x, y):
    """(x² + 50 y²) / 2"""
    return 0.5 * (x * x + 50.0 * y * y), x, 50.0 * y


def saddle(x, y):
    """x² − y² + y⁴/4"""
    return x * x - y * y + 0.25 * y**4, 2.0 * x, y**3 - 2.0 * y


def long_valley(x, y):
    """4 x² + (y²/4 − 1)² / 10"""
    w = 0.25 * y * y - 1.0
    return 4.0 * x * x + 0.1 * w * w, 8.0 * x, 0.1 * w * y


def beale(x, y):
    """(1.5 − x + x y)² + (2.25 − x + x y²)² + (2.625 − x + x y³)²"""
    a = 1.5 - x + x * y
    b = 2.25 - x + x * y * y
    c = 2.625 - x + x * y**3
    dx = 2.0 * (a * (y - 1.0) + b * (y * y - 1.0) + c * (y**3 - 1.0))
    dy = 2.0 * x * (a + 2.0 * b * y + 3.0 * c * y * y)
    return a * a + b * b + c * c, dx, dy


def rosenbrock(x, y):
    """(1 − x)² + 100 (y − x²)²"""
    a, b = 1.0 - x, y - x * x
    return a * a + 100.0 * b * b, -2.0 * a - 400.0 * x * b, 200.0 * b


def himmelblau(x, y):
    """(x² + y − 11)² + (x + y² − 7)²"""
    a, b = x * x + y - 11.0, x + y * y - 7.0
    return a * a + b * b, 4.0 * x * a + 2.0 * b, 2.0 * a + 4.0 * y * b


def rastrigin(x, y):
    """20 + x² + y² − 10 cos(2πx) − 10 cos(2πy)"""
    k = 2.0 * math.pi
    value = 20.0 + x * x + y * y - 10.0 * (math.cos(k * x) + math.cos(k * y))
    return value, 2.0 * x + 10.0 * k * math.sin(k * x), 2.0 * y + 10.0 * k * math.sin(k * y)


def two_minima(x, y):
    """x² + y² − 2 exp(−((x−1)² + y²)/0.2) − 3 exp(−((x+1)² + y²)/0.2)"""
    right = 2.0 * math.exp(-((x - 1.0) ** 2 + y * y) / 0.2)
    left = 3.0 * math.exp(-((x + 1.0) ** 2 + y * y) / 0.2)
    dx = 2.0 * x + 10.0 * ((x - 1.0) * right + (x + 1.0) * left)
    return x * x + y * y - right - left, dx, 2.0 * y + 10.0 * y * (right + left)


def trenches(x, y):
    """−sin(x²) cos(3y²) exp(−(xy)²) − exp(−(x+y)²) − N₀.₃₅(x+.5, y+.8) − N₀.₂(x, y)"""
    s, c, e = math.sin(x * x), math.cos(3.0 * y * y), math.exp(-((x * y) ** 2))
    ridge = math.exp(-((x + y) ** 2))
    # Normal densities of two dimensions: 1/(2πσ²) exp(−r²/(2σ²)).
    wide = math.exp(-((x + 0.5) ** 2 + (y + 0.8) ** 2) / 0.245) / (math.pi * 0.245)
    narrow = math.exp(-(x * x + y * y) / 0.08) / (math.pi * 0.08)
    dx = -2.0 * x * c * e * (math.cos(x * x) - s * y * y)
    dy = 2.0 * y * s * e * (3.0 * math.sin(3.0 * y * y) + c * x * x)
    dx += 2.0 * (x + y) * ridge + 2.0 * (x + 0.5) * wide / 0.245 + 2.0 * x * narrow / 0.08
    dy += 2.0 * (x + y) * ridge + 2.0 * (y + 0.8) * wide / 0.245 + 2.0 * y * narrow / 0.08
    return -s * c * e - ridge - wide - narrow, dx, dy


_kept: list[Any] = []  # dispatchers: the code at their addresses lives as long as they do


@cache
def address(function: Callable) -> Any:
    """Where the compiled surface stands: a kernel ``at(out, p)``; out is value, df/dx, df/dy."""
    f = inline(function)

    @jit(key=code_hash(function), by_address=True)
    def at(out, p):
        out[0], out[1], out[2] = f(p[0], p[1])

    _kept.append(at)
    return address_of(at, types.void(float64[::1], float64[::1]))


@jit
def heights(out, xs, ys, surface):
    """Values of the surface on a grid: out[j, i] = f(xs[i], ys[j])."""
    p, found = np.empty(2), np.empty(3)
    for j in range(ys.size):
        for i in range(xs.size):
            p[0], p[1] = xs[i], ys[j]
            call(surface, (found, p))
            out[j, i] = found[0]


@jit
def walk(
    path, loss, gradients, noise, surface,
    slots, carry, hyper, c, blocks, scales, rates, advance, descend,
):  # fmt: skip
    """Let an optimizer walk from ``path[0]``, a step per learning rate of ``rates``.

    path (steps + 1, 2), loss (steps + 1,), gradients (steps + 1, 2) as the optimizer saw them:
    ``noise`` (steps, 2), or without rows, is added to the surface's own.
    """
    state = State(slots, carry, hyper, c, blocks, scales)
    p, g, found = path[0].copy(), np.empty(2), np.empty(3)
    for t in range(rates.size + 1):
        call(surface, (found, p))
        loss[t] = found[0]
        for i in range(2):
            g[i] = found[1 + i]
            if t < noise.shape[0]:
                g[i] += noise[t, i]
            path[t, i], gradients[t, i] = p[i], g[i]
        if t < rates.size:
            apply_step(p, g, state, rates[t], t + 1, advance, descend)
