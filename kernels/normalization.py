"""Layer and batch normalisation, forward and backward, written by hand.

A hidden layer's z = x W + b is standardised, x^ = (z - μ) / sqrt(σ² + ε), and goes on as
γ x^ + β: over the units of a row (Ba, Kiros, Hinton 2016, arXiv 1607.06450), or over the rows of a
mini-batch (Ioffe & Szegedy 2015, arXiv 1502.03167).  γ and β stand right behind b in the flat
parameters.  With g = dL/dx^ and means over what was standardised,

    dz = (g - mean(g) - x^ · mean(g x^)) / sqrt(σ² + ε)

ε, and what batch normalisation keeps for prediction (a tenth of the new mean and of the new
unbiased variance), are torch's.  A batch's gradient does not depend on b, so db is just 0.
"""

import numpy as np

from . import activations as f
from ._jit import inline
from .between import FOLLOWING, HAT, KIND, LAYER, RUNNING, SPREAD, TRAINING, UNITS
from .layers import B_, DB_, DZ_, O_, Y_, Z_, at, length_of
from .simd import fma, sqrt
from .vector import lanes, load, splat, store, total

EPSILON = 1e-5
NEW = 0.1  # share of the newest batch in the running mean and variance


@inline
def standardize_rows(work, l, begin, end):
    """x^ of each row by itself, and 1 / its spread."""
    numbers = work.numbers
    p = work.plan[l]
    T, L, O = numbers.dtype.type, lanes(numbers), p[O_]
    for r in range(begin, end):
        s = splat(numbers, 0)
        for j in range(0, O, L):
            s = s + load(numbers, at(work, p, p[Y_], r, j), O - j)
        mean = total(s) / T(O)
        squares = splat(numbers, 0)
        for j in range(0, O, L):
            z = load(numbers, at(work, p, p[Y_], r, j), O - j, mean)
            d = z - mean  # a lane beyond O is 0
            squares = fma(d, d, squares)
            store(numbers, at(work, p, p[HAT], r, j), d, O - j)
        spread = T(1) / np.sqrt(total(squares) / T(O) + T(EPSILON))
        numbers[p[SPREAD] + r] = spread
        for j in range(0, O, L):
            x = at(work, p, p[HAT], r, j)
            store(numbers, x, load(numbers, x, O - j) * spread, O - j)


@inline
def standardize_units(work, l, begin, end):
    """x^ of each unit over the rows, which are all rows of a mini-batch; or by what was kept."""
    numbers, running = work.numbers, work.running
    p = work.plan[l]
    T, L, O, B = numbers.dtype.type, lanes(numbers), p[O_], end - begin
    last = work.plan[work.plan.shape[0] - 1]
    mean_at, variance_at = p[RUNNING], p[RUNNING] + last[UNITS]
    for j in range(0, O, L):
        n = O - j
        old_mean, old_variance = load(running, mean_at + j, n), load(running, variance_at + j, n)
        mean, variance = old_mean, old_variance
        if last[TRAINING]:
            s = splat(numbers, 0)
            for r in range(begin, end):
                s = s + load(numbers, at(work, p, p[Y_], r, j), n)
            mean = s / T(B)
            squares = splat(numbers, 0)
            for r in range(begin, end):
                d = load(numbers, at(work, p, p[Y_], r, j), n) - mean
                squares = fma(d, d, squares)
            variance = squares / T(B)
            unbiased = squares / T(max(B - 1, 1))
            store(running, mean_at + j, old_mean + (mean - old_mean) * T(NEW), n)
            new_variance = old_variance + (unbiased - old_variance) * T(NEW)
            store(running, variance_at + j, new_variance, n)
        spread = 1.0 / sqrt(variance + EPSILON)
        store(numbers, p[SPREAD] + j, spread, n)
        for r in range(begin, end):
            d = load(numbers, at(work, p, p[Y_], r, j), n) - mean
            store(numbers, at(work, p, p[HAT], r, j), d * spread, n)


@inline
def scale_and_activate(theta, work, l, begin, end):
    """y = f(γ x^ + β); kept is what f's derivative is computed from."""
    numbers = work.numbers
    p = work.plan[l]
    L, O, code = lanes(numbers), p[O_], p[FOLLOWING]
    for j in range(0, O, L):
        n = O - j
        gain, shift = load(theta, p[B_] + O + j, n), load(theta, p[B_] + 2 * O + j, n)
        for r in range(begin, end):
            z = fma(load(numbers, at(work, p, p[HAT], r, j), n), gain, shift)
            y = f.forward(code, z)
            store(numbers, at(work, p, p[Y_], r, j), y, n)
            if code >= f.GELU:
                store(numbers, at(work, p, p[Z_], r, j), z, n)
            else:
                store(numbers, at(work, p, p[Z_], r, j), y, n)


@inline
def chain_rule(theta, work, l, begin, end):
    """From dy: dβ and dγ of each row, and g = dL/dx^ in the place of dz."""
    numbers = work.numbers
    p = work.plan[l]
    L, O = lanes(numbers), p[O_]
    length = length_of(p, O, L)
    for j in range(0, O, L):
        n = O - j
        gain = load(theta, p[B_] + O + j, n)
        for r in range(begin, end):
            dy = load(numbers, at(work, p, p[DZ_], r, j), n)
            d = f.backward(p[FOLLOWING], dy, load(numbers, at(work, p, p[Z_], r, j), n))
            x = load(numbers, at(work, p, p[HAT], r, j), n)
            store(numbers, at(work, p, p[DB_] + length, r, j), d * x, n)
            store(numbers, at(work, p, p[DB_] + 2 * length, r, j), d, n)
            store(numbers, at(work, p, p[DZ_], r, j), d * gain, n)


@inline
def rows_backward(work, l, begin, end):
    """dz of layer normalisation from g, which it replaces; and db of each row."""
    numbers = work.numbers
    p = work.plan[l]
    T, L, O = numbers.dtype.type, lanes(numbers), p[O_]
    for r in range(begin, end):
        a, b = splat(numbers, 0), splat(numbers, 0)
        for j in range(0, O, L):
            g = load(numbers, at(work, p, p[DZ_], r, j), O - j)
            a, b = a + g, fma(g, load(numbers, at(work, p, p[HAT], r, j), O - j), b)
        mean, with_x, spread = total(a) / T(O), total(b) / T(O), numbers[p[SPREAD] + r]
        for j in range(0, O, L):
            dz, hat = at(work, p, p[DZ_], r, j), load(numbers, at(work, p, p[HAT], r, j), O - j)
            d = (load(numbers, dz, O - j) - mean - hat * with_x) * spread
            store(numbers, dz, d, O - j)
            store(numbers, at(work, p, p[DB_], r, j), d, O - j)


@inline
def units_backward(work, l, begin, end):
    """dz of batch normalisation from g, which it replaces; db is 0 where the batch is measured."""
    numbers = work.numbers
    p = work.plan[l]
    T, L, O, B = numbers.dtype.type, lanes(numbers), p[O_], end - begin
    training = work.plan[work.plan.shape[0] - 1, TRAINING]
    for j in range(0, O, L):
        n = O - j
        a, b = splat(numbers, 0), splat(numbers, 0)
        if training:
            for r in range(begin, end):
                g = load(numbers, at(work, p, p[DZ_], r, j), n)
                a, b = a + g, fma(g, load(numbers, at(work, p, p[HAT], r, j), n), b)
        mean, with_x, spread = a / T(B), b / T(B), load(numbers, p[SPREAD] + j, n)
        for r in range(begin, end):
            g = load(numbers, at(work, p, p[DZ_], r, j), n)
            d = (g - mean - load(numbers, at(work, p, p[HAT], r, j), n) * with_x) * spread
            store(numbers, at(work, p, p[DZ_], r, j), d, n)
            db = splat(numbers, 0) if training else d
            store(numbers, at(work, p, p[DB_], r, j), db, n)


@inline
def normalization_forward(theta, work, l, begin, end):
    if work.plan[l, KIND] == LAYER:
        standardize_rows(work, l, begin, end)
    else:
        standardize_units(work, l, begin, end)
    scale_and_activate(theta, work, l, begin, end)


@inline
def normalization_backward(theta, work, l, begin, end):
    chain_rule(theta, work, l, begin, end)
    if work.plan[l, KIND] == LAYER:
        rows_backward(work, l, begin, end)
    else:
        units_backward(work, l, begin, end)
