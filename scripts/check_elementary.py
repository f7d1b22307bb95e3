"""Largest error of kernels/elementary.py, in units of the last place (ulp).

    python3 scripts/check_elementary.py                # all 2³² inputs of float32: minutes each
    python3 scripts/check_elementary.py --stride 31    # every 31st
    python3 scripts/check_elementary.py --functions exp tanh

float32 is compared with libm in float64, which is 2²⁸ times finer.  float64 is compared with 60
digits of decimal arithmetic, at random places (--samples of each kind).  Exit code 1 if an error is
above 2 ulp.

The last results are in docs/exactness.md.
"""

if __name__ == "__main__":  # the tests import this file
    from _environment import ensure

    ensure()

import argparse
import decimal
import hashlib
import math
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np

from minitrain.kernels import elementary
from minitrain.kernels._jit import inline, jit
from minitrain.kernels.vector import lanes, load, store

MOST = 2.0  # ulp
SOURCE = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()  # in the name of cache files

# --- the functions to 60 digits ---------------------------------------------------------------

DIGITS = decimal.Context(
    prec=60, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.InvalidOperation]
)
# What a function is so close to that 60 digits of cancellation would show less than this.
_TINY = Decimal("1e-20")


def exact_exp(x):
    return x.exp()


def exact_log(x):
    return x.ln()


def exact_log1p(x):
    return x - x * x / 2 if abs(x) < _TINY else (1 + x).ln()


def exact_tanh(x):
    if abs(x) < _TINY:
        return x - x**3 / 3
    e = (-2 * abs(x)).exp()
    return ((1 - e) / (1 + e)).copy_sign(x)


def exact_sigmoid(x):
    e = (-abs(x)).exp()
    return (e if x < 0 else 1) / (1 + e)


def exact_erf(x):
    """2/√π Σ (-1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)); beyond 6.5 it is 1 to more digits than a float has."""
    if abs(x) > Decimal("6.5"):
        return Decimal(1).copy_sign(x)
    term = total = x
    n = 0
    while term and abs(term) > abs(total) * Decimal("1e-50"):
        n += 1
        term *= -x * x / n
        total += term / (2 * n + 1)
    return 2 / PI.sqrt() * total


def _pi():
    """Machin: π = 16 arctan(1/5) - 4 arctan(1/239)."""

    def arctan(q):
        power, total, n = 1 / Decimal(q), 1 / Decimal(q), 1
        while abs(power) > Decimal("1e-65"):
            power, n = -power / (q * q), n + 2
            total += power / n
        return total

    return 16 * arctan(5) - 4 * arctan(239)


with decimal.localcontext(DIGITS):
    PI = _pi()

EXACT = {
    "exp": exact_exp,
    "log": exact_log,
    "log1p": exact_log1p,
    "tanh": exact_tanh,
    "sigmoid": exact_sigmoid,
    "erf": exact_erf,
}


def error(name, x, y):
    """|y - f(x)| in ulp of f(x), for numbers of one dtype; x must be finite, and f(x) real."""
    T = type(y)
    with decimal.localcontext(DIGITS):
        exact = EXACT[name](Decimal(float(x)))
        rounded = T(float(exact)) if abs(exact) <= Decimal(float(np.finfo(T).max)) else None
        if rounded is None or not math.isfinite(y):
            beyond = abs(exact) >= Decimal(float(np.finfo(T).max)) * (1 + Decimal(2) ** -54)
            return 0.0 if beyond and y == math.copysign(math.inf, exact) else math.inf
        return float(abs(Decimal(float(y)) - exact) / Decimal(float(np.spacing(abs(rounded)))))


# --- float32, all of it -----------------------------------------------------------------------


@inline
def libm_log(x):
    return math.log(x) if x > 0.0 else (-math.inf if x == 0.0 else math.nan)


@inline
def libm_log1p(x):
    return math.log1p(x) if x > -1.0 else (-math.inf if x == -1.0 else math.nan)


@inline
def libm_sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x))


LIBM = {
    "exp": math.exp,
    "log": libm_log,
    "log1p": libm_log1p,
    "tanh": math.tanh,
    "sigmoid": libm_sigmoid,
    "erf": math.erf,
}
BLOCK = 4096


def search(name):
    """A kernel: (worst error, where, how many are not the nearest float32) of some inputs.

    These are ``count`` inputs from the float32 with the bits ``begin`` on, ``stride`` apart.
    """
    function, reference = getattr(elementary, name), LIBM[name]

    @jit(key=f"{name} {function.__code__.co_code.hex()} {SOURCE}")
    def find(begin, count, stride):
        x, y = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
        patterns = x.view(np.uint32)
        worst, where, other = 0.0, np.float32(0.0), 0
        for start in range(0, count, BLOCK):
            n = min(BLOCK, count - start)
            for i in range(n):
                patterns[i] = np.uint32(begin + (start + i) * stride)
            for i in range(0, n, lanes(x)):
                store(y, i, function(load(x, i)))
            for i in range(n):
                wanted = reference(np.float64(x[i]))
                nearest = np.float32(wanted)
                if y[i] == nearest or (np.isnan(y[i]) and np.isnan(wanted)):
                    continue
                other += 1
                found = ulps(y[i], wanted, nearest)
                if not found <= worst:
                    worst, where = found, x[i]
        return worst, where, other

    return find


@inline
def ulps(y, wanted, nearest):
    if not (np.isfinite(y) and np.isfinite(nearest)):
        return np.inf
    exponent = max(math.frexp(nearest)[1] - 24, -149)  # of the last place; subnormal: 2^-149
    return abs(np.float64(y) - wanted) / 2.0**exponent


def check_float32(name, stride, part=1 << 26):
    """(worst error, where, share that is not the nearest float32, number of inputs)."""
    find, worst, where, other = search(name), 0.0, 0.0, 0
    inputs = -(-(1 << 32) // stride)
    for first in range(0, inputs, part):
        found, at, count = find(first * stride, min(part, inputs - first), stride)
        other += count
        if found > worst:
            worst, where = found, at
    return worst, where, other / inputs, inputs


# --- float64, sampled -------------------------------------------------------------------------


def sample(name, T, count, random):
    """Finite inputs of every kind: about 0, about 1, moderate, to overflow, any bits."""
    bits = random.randint(0, 256, (count, np.dtype(T).itemsize), np.uint8).view(T).ravel()
    edge = 750.0 if T is np.float64 else 110.0
    x = [random.uniform(-b, b, count) for b in (1e-3, 1.0, 10.0, 30.0, edge)]
    x = np.concatenate([*x, random.uniform(0.5, 2.0, count), bits]).astype(T)
    x = x[np.isfinite(x)]
    if name == "log":
        x = np.abs(x)
        return x[x > 0]
    if name == "log1p":
        return np.where(x <= -1, -x, x)
    return x


def apply(name):
    function = getattr(elementary, name)

    @jit(key=f"{name} {function.__code__.co_code.hex()} {SOURCE}")
    def whole(y, x):
        for i in range(0, x.size, lanes(x)):
            store(y, i, function(load(x, i, x.size - i)), x.size - i)

    return whole


def check_float64(name, samples):
    x = sample(name, np.float64, samples, np.random.RandomState(0))
    y = np.empty_like(x)
    apply(name)(y, x)
    return (*max((error(name, a, b), a) for a, b in zip(x, y, strict=True)), len(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--functions", nargs="+", default=list(EXACT), choices=EXACT, metavar="F")
    parser.add_argument("--stride", type=int, default=1, help="every so many float32 (default: 1)")
    parser.add_argument("--samples", type=int, default=5000, help="of float64, of seven kinds")
    options = parser.parse_args()
    failed = False
    for name in options.functions:
        began = time.monotonic()
        single, at, other, inputs = check_float32(name, options.stride)
        seconds = time.monotonic() - began
        double, place, places = check_float64(name, options.samples)
        failed |= not (single <= MOST and double <= MOST)
        print(
            f"{name:8} float32 {single:.3f} ulp at {at:.9g}, {100 * other:.2f} % not the nearest, "
            f"of {inputs} inputs ({seconds:.0f} s)   "
            f"float64 {double:.3f} ulp at {place:.17g}, of {places} inputs",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
