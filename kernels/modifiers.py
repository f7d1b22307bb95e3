"""What may happen to a gradient before the optimizer sees it: noise, centralisation, clipping.

The gradient is changed in place, portion by portion (see phases.py), in this order; last the L1
penalty is added.  All of it comes after accumulation and before coupled weight decay.
"""

from collections import namedtuple

import numpy as np

from ._jit import inline, jit
from .elementary import log
from .random import words
from .simd import elementwise, polynomial, sqrt, where
from .sums import PORTION, sum_of
from .threads import meet, share
from .vector import lanes, load, store

# clip_* are inf where they are off; ``centralize`` is 0 or 1; ``seed`` is of the noise.
Modifiers = namedtuple(
    "Modifiers", "clip_value clip_norm clip_global_norm centralize noise noise_decay seed l1"
)
OFF = Modifiers(np.inf, np.inf, np.inf, 0, 0.0, 0.0, 0, 0.0)

_NOISE = 0x4015E  # purpose of the random words

# erfinv(x) = x · p(w), w = -log(1 - x²): Giles (2012), "Approximating the erfinv function", in GPU
# Computing Gems 2; within 4e-7, which is enough for noise.  Lowest power first.
_CENTRE = (
    1.50140941, 0.246640727, -0.00417768164, -0.00125372503, 0.00021858087, -4.39150654e-06,
    -3.5233877e-06, 3.43273939e-07, 2.81022636e-08,
)  # fmt: skip
_TAIL = (
    2.83297682, 1.00167406, 0.00943887047, -0.0076224613, 0.00573950773, -0.00367342844,
    0.00134934322, 0.000100950558, -0.000200214257,
)  # fmt: skip
_SQRT2 = 1.4142135623730951


@elementwise
def normal(u):
    """The standard normal numbers whose distribution function is u, strictly between 0 and 1."""
    x = 2.0 * u - 1.0
    w = -log((1.0 - x) * (1.0 + x))
    inner, outer = polynomial(w - 2.5, _CENTRE), polynomial(sqrt(w) - 3.0, _TAIL)
    return _SQRT2 * x * where(w < 5.0, inner, outer)


@inline
def fill_normal(u, seed, step, portion):
    """Fill ``u`` (PORTION,) with standard normal numbers: a pure function of the three others."""
    drawn = np.empty(PORTION, np.uint64)
    words(drawn, seed, step, _NOISE + portion)
    for i in range(PORTION):
        u[i] = (np.float64(drawn[i]) + 0.5) * 2.0**-32
    for i in range(0, PORTION, lanes(u)):
        store(u, i, normal(load(u, i)))


@inline
def add_noise(g, scale, seed, step, portion):
    u = np.empty(PORTION)
    fill_normal(u, seed, step, portion)
    for i in range(g.size):
        g[i] += g.dtype.type(scale * u[i])


_fill = jit(fill_normal)


def noise_of(seed, step, portion):
    """The numbers (PORTION,) that are scaled and added to a portion of the gradient."""
    u = np.empty(PORTION)
    _fill(u, seed, step, portion)
    return u


@inline
def centralize(g, O, team):
    """Subtract from each column of a weight matrix's gradient (I, O) its mean over the inputs."""
    I = g.size // max(O, 1)
    first, last = share(O, 1, team.thread, team.threads)
    means = np.zeros(O)
    for i in range(I):
        for j in range(first, last):
            means[j] += np.float64(g[i * O + j])
    for i in range(I):
        for j in range(first, last):
            g[i * O + j] -= g.dtype.type(means[j] / I)


@inline
def square_sum(g):
    """The sum of the squares of at most PORTION numbers, in float64."""
    found = np.empty(PORTION)
    for i in range(g.size):
        found[i] = np.float64(g[i]) * np.float64(g[i])
    return sum_of(found, g.size)


@inline
def scale_down(g, norm, most):
    """torch's clip_grad_norm_: times most / (norm + 1e-6) where that is less than 1."""
    factor = most / (norm + 1e-6)
    if factor < 1.0:
        for i in range(g.size):
            g[i] *= g.dtype.type(factor)


@inline
def add_signs(g, p, l1):
    """The gradient of l1 · Σ|p|, with 0 at 0."""
    for i in range(g.size):
        g[i] += l1 * np.sign(p[i])


@inline
def modify(theta, gradient, phased, first, last, begin, end, step, team):
    """Change the gradient of blocks ``first … last``; ``begin … end`` are this thread's portions.

    False if a thread has given up.
    """
    m, portions, partials = phased.modifiers, phased.portions, phased.partials
    if m.noise > 0.0:
        scale = np.sqrt(m.noise / (1.0 + step) ** m.noise_decay)
        for q in range(begin, end):
            add_noise(gradient[portions[q, 0] : portions[q, 1]], scale, m.seed, step, q)
    if m.centralize:
        if not meet(team.shared, team.threads):
            return False
        for k in range(first, last):
            q, O = phased.firsts[k], phased.columns[k]
            if O:
                block = gradient[portions[q, 0] : portions[phased.firsts[k + 1] - 1, 1]]
                centralize(block, O, team)
        if not meet(team.shared, team.threads):
            return False
    if m.clip_value < np.inf:
        for q in range(begin, end):
            g = gradient[portions[q, 0] : portions[q, 1]]
            most = g.dtype.type(m.clip_value)
            for i in range(g.size):
                g[i] = np.minimum(np.maximum(g[i], -most), most)
    most = min(m.clip_norm, m.clip_global_norm)
    if most < np.inf:
        for q in range(begin, end):
            partials[q, 0] = square_sum(gradient[portions[q, 0] : portions[q, 1]])
        if not meet(team.shared, team.threads):
            return False
        for q in range(begin, end):
            k = portions[q, 2]
            first_of, last_of = phased.firsts[k], phased.firsts[k + 1]
            if m.clip_global_norm < np.inf:
                first_of, last_of = 0, portions.shape[0]
            norm = np.sqrt(add_partials(partials, 0, first_of, last_of))
            scale_down(gradient[portions[q, 0] : portions[q, 1]], norm, most)
        if not meet(team.shared, team.threads):  # all have read, before others are written
            return False
    if m.l1 > 0.0:
        for q in range(begin, end):
            if phased.columns[portions[q, 2]]:  # a weight matrix
                part = slice(portions[q, 0], portions[q, 1])
                add_signs(gradient[part], theta[part], gradient.dtype.type(m.l1))
    return True


@inline
def add_partials(partials, k, first, last):
    total = 0.0
    for q in range(first, last):
        total += partials[q, k]
    return total
