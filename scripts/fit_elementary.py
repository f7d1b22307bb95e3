"""Fit the polynomials of kernels/elementary.py, and say whether they are the ones in that file.

    python3 scripts/fit_elementary.py

Least squares at Chebyshev points with the weight that makes the error relative to the function, in
60 digits of decimal arithmetic; the error is the largest weighted one at those points.
"""

if __name__ == "__main__":
    from _environment import ensure

    ensure()

import decimal
import math
import sys
from decimal import Decimal

import numpy as np
from check_elementary import PI, exact_tanh

from minitrain.kernels import elementary

DIGITS = decimal.Context(prec=120, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
ONE = Decimal(1)


def fit(f, weight, a, b, degree):
    """(coefficients from the lowest, largest weighted error) of a polynomial near f on [a, b]."""
    n, a, b = 3 * degree + 10, Decimal(a), Decimal(b)
    middle, half = (a + b) / 2, (b - a) / 2
    ts = [Decimal(math.cos(math.pi * (2 * i + 1) / (2 * n))) for i in range(n)]
    xs = [middle + half * t for t in ts]
    rows = [
        [weight(x) * v for v in chebyshev(degree, t)] + [weight(x) * f(x)]
        for x, t in zip(xs, ts, strict=True)
    ]
    normal = [
        [sum(r[i] * r[j] for r in rows) for j in range(degree + 2)] for i in range(degree + 1)
    ]
    in_chebyshev = solve(normal)
    residuals = [r[-1] - sum(c * v for c, v in zip(in_chebyshev, r, strict=False)) for r in rows]
    # Chebyshev's to powers of x: T(k + 1) = 2 t T(k) - T(k - 1), t = (x - middle) / half
    previous, current = [ONE], [-middle / half, 1 / half]
    coefficients = [Decimal(0)] * (degree + 1)
    for k, c in enumerate(in_chebyshev):
        if k >= 2:
            twice = [2 * v for v in times_t(current, middle, half)]
            following = [v - w for v, w in zip(twice, previous + [Decimal(0)] * 2, strict=False)]
            previous, current = current, following
        for i, v in enumerate(previous if k == 0 else current):
            coefficients[i] += c * v
    return coefficients, max(map(abs, residuals))


def chebyshev(degree, t):
    values = [ONE, t]
    while len(values) <= degree:
        values.append(2 * t * values[-1] - values[-2])
    return values[: degree + 1]


def times_t(p, middle, half):
    shifted = [Decimal(0), *p]
    return [(s - middle * v) / half for s, v in zip(shifted, [*p, Decimal(0)], strict=True)]


def solve(system):
    """Gauss's elimination with pivots; each row ends with its right side."""
    rows = [list(row) for row in system]
    n = len(rows)
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(n):
            if r != i:
                factor = rows[r][i] / rows[i][i]
                rows[r] = [v - factor * w for v, w in zip(rows[r], rows[i], strict=True)]
    return [rows[i][-1] / rows[i][i] for i in range(n)]


TINY = Decimal("1e-30")


def of_exp(r):
    """exp(r) = 1 + r + r² P(r)"""
    return (r.exp() - 1 - r) / r**2 if abs(r) > TINY else ONE / 2


def of_log(z):
    """log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s²"""
    s = z.sqrt()
    return (((1 + s) / (1 - s)).ln() - 2 * s) / (s * z)


def of_tanh(z):
    """tanh(x) = x + x z P(z), z = x²"""
    x = z.sqrt()
    return (exact_tanh(x) - x) / (x * z)


def of_erf(z):
    """erf(x) = x + x P(z), z = x²"""
    x = z.sqrt()
    return long_erf(x) / x - 1


def of_erfc(t):
    """log(erfc(t)) = t P(t) - t"""
    return (1 - long_erf(t)).ln() / t + 1


def long_erf(x):
    """To more digits than exact_erf: 1 - erf(6) is 2e-17."""
    term = total = x
    n = 0
    while abs(term) > Decimal("1e-105"):
        n += 1
        term *= -x * x / n
        total += term / (2 * n + 1)
    return 2 / PI.sqrt() * total


def main():
    half_log2, s = Decimal(2).ln() / 2, (Decimal(2).sqrt() - 1) / (Decimal(2).sqrt() + 1)
    wider = Decimal("1.01")
    different = 0
    kinds = ((0, 9, (4, 3, 5, 6, 9), 4), (1, 17, (10, 7, 12, 12, 22), 6))
    for place, digits, degrees, top in kinds:
        fits = {
            "EXP": (of_exp, lambda r: r**2, -half_log2 * wider, half_log2 * wider),
            "LOG": (of_log, lambda z: z, TINY, s**2 * wider),
            "TANH": (of_tanh, lambda z: z, TINY, Decimal("0.625") ** 2),
            "ERF": (of_erf, lambda z: ONE, TINY, ONE),
            "ERFC": (of_erfc, lambda t: t * (1 - long_erf(t)), Decimal("0.9"), Decimal(top)),
        }
        for (name, arguments), degree in zip(fits.items(), degrees, strict=True):
            coefficients, error = fit(*arguments, degree)
            found = [float(f"{c:.{digits - 1}e}") for c in coefficients]
            there = getattr(elementary, name)[place]
            # The last digit depends on where the points are rounded to.
            same = np.allclose(found, there, rtol=10.0 ** (2 - digits), atol=0)
            different += not same
            print(
                f"{name:5} degree {degree:2}, {digits:2} digits, error 2^{math.log2(error):.1f}: "
                f"{'as in elementary.py' if same else found}"
            )
    return int(different > 0)


if __name__ == "__main__":
    with decimal.localcontext(DIGITS):
        sys.exit(main())
