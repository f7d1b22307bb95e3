"""exp, log, tanh, … of vectors, written once for float32 and float64.

np.exp in a compiled loop is a call of libm for every number, other bits on every machine, since
Numba lost SVML.  These are polynomials in explicit fma, so the bits are the same everywhere, on
16 numbers at a time.  Largest errors in ulp (float32 over every 31st of all 2³² inputs, float64
sampled: scripts/check_elementary.py):

              exp    log    log1p  tanh   sigmoid  erf
    float32   0.77   0.83   1.44   1.33   1.91     1.04
    float64   0.75   0.78   1.27   1.26   1.53     1.03

±inf, nan and subnormal numbers come out right.  Coefficients: scripts/fit_elementary.py.
"""

import numpy as np

from .simd import absolute, bits, copysign, elementwise, floats, fma, pick, polynomial, real, where

INF, NAN = np.inf, np.nan

# 1.5 · 2^mantissa bits: added to a small number it rounds it to an integer, held in the low bits.
ROUND = (12582912.0, 6755399441055744.0)
ROUND_BITS = (0x4B400000, 0x4338000000000000)
MANTISSA = (23, 52)
BIAS = (127, 1023)
# Beyond these exp is inf, or 0.
EXP_LARGEST = (89.0, 710.0)
EXP_SMALLEST = (-105.0, -746.0)
# log 2 as a sum; the first has few enough bits that its product with an exponent is exact.
LN2 = (0.693145751953125, 0.6931471803691238)
LN2_REST = (1.428606765330187e-06, 1.9082149292705877e-10)
LOG2_E = 1.4426950408889634

# exp(r) = 1 + r + r² P(r), |r| ≤ log(2) / 2
EXP = (
    (0.500000009, 0.166665099, 0.0416662467, 0.00836987309, 0.00139476056),
    (
        0.5, 0.16666666666666686, 0.041666666666666719, 0.0083333333333149191,
        0.0013888888888861574, 0.00019841269901377479, 2.4801587367633745e-5,
        2.7557230047473894e-6, 2.7557238383573879e-7, 2.5113668652964097e-8,
        2.0925461108654397e-9,
    ),
)  # fmt: skip
# log((1 + s) / (1 - s)) = 2 s + s z P(z), z = s² ≤ 0.03
LOG = (
    (0.666666656, 0.400003495, 0.285363989, 0.235996099),
    (
        0.6666666666666666, 0.40000000000006818, 0.28571428568912607, 0.22222222672021239,
        0.18181773693920253, 0.15387175508441496, 0.13248231508682199, 0.13268314322523051,
    ),
)  # fmt: skip
# tanh(x) = x + x z P(z), z = x², |x| ≤ 0.625
TANH = (
    (-0.333333308, 0.133332052, -0.0539467032, 0.0217005006, -0.00817709361, 0.00214280365),
    (
        -0.33333333333333332, 0.13333333333333155, -0.053968253968127855, 0.021869488531642281,
        -0.0088632354343324708, 0.0035921267317478611, -0.0014558223057353166,
        0.00058994931685286518, -0.00023877120490932102, 9.5752095119503603e-5,
        -3.6627222165597872e-5, 1.1796207318582948e-5, -2.2724448611049625e-6,
    ),
)  # fmt: skip
# erf(x) = x + x P(x²), |x| ≤ 1
ERF = (
    (
        0.128379166, -0.376126269, 0.112835975, -0.0268543288, 0.00518931194, -0.000801885499,
        7.88249711e-5,
    ),
    (
        0.12837916709551257, -0.37612638903183748, 0.11283791670954882, -0.026866170645077334,
        0.0052239776248232226, -0.0008548326981129666, 0.00012055331122299265,
        -1.4925595519506043e-5, 1.6461004480962035e-6, -1.6350354461959656e-7,
        1.4660051998394848e-8, -1.1373902296430912e-9, 5.9589307431349412e-11,
    ),
)  # fmt: skip
# log(erfc(t)) = t P(t) - t, 0.9 ≤ t ≤ ERF_ONE, from where on erf is 1
ERF_ONE = (4.0, 6.0)
ERFC = (
    (
        -0.128407301, -0.636437455, -0.103288098, 0.0199553905, -0.0005996221, -0.00123642654,
        0.000500657656, -0.000103999754, 1.19432992e-5, -5.99918862e-7,
    ),
    (
        -0.12837917303035939, -0.63661969719557655, -0.10277305139911859, 0.019130117303061601,
        0.00020483330106231302, -0.0016877433007392848, 0.00057750591467661751,
        -1.1160912279429464e-5, -7.7972083192851419e-5, 3.928985673911413e-5,
        -8.4019382959876053e-6, -1.2645906470095479e-6, 1.8688427586623558e-6,
        -8.8712907553453091e-7, 2.8367702789612913e-7, -6.8393630084227177e-8,
        1.2825964476072556e-8, -1.8758136708690383e-9, 2.10823634478775e-10,
        -1.7631620050141308e-11, 1.0348325554914347e-12, -3.8054653855462161e-14,
        6.5984937648236975e-16,
    ),
)  # fmt: skip


# Subnormal numbers are multiplied by this power of two before their logarithm is taken.
SMALLEST_NORMAL = (1.1754943508222875e-38, 2.2250738585072014e-308)
RAISE = (25, 54)
RAISED = (33554432.0, 18014398509481984.0)
SQRT_HALF_BITS = (0x3F3504F3, 0x3FE6A09E667F3BCD)


@elementwise
def exp(x):
    largest, smallest = pick(x, EXP_LARGEST), pick(x, EXP_SMALLEST)
    x = where(x > largest, largest, where(x < smallest, smallest, x))
    shifted = fma(x, LOG2_E, pick(x, ROUND))
    n = shifted - pick(x, ROUND)  # exp(x) = 2^n exp(r)
    # r = upper + lower, the first exact; 1 + upper is split the same way: half an ulp is all that
    # is lost, which sigmoid needs.
    upper, lower = fma(n, -pick(x, LN2), x), n * -pick(x, LN2_REST)
    r = upper + lower
    sum_ = upper + 1.0
    lost = upper - (sum_ - 1.0)
    y = sum_ + (lost + fma(r * r, polynomial(r, pick(r, EXP)), lower))
    # In two factors: 2^n itself is not always a number, and a subnormal result is rounded once.
    exponent = bits(shifted) - pick(x, ROUND_BITS)
    half = exponent >> 1
    return y * power_of_two(half, x) * power_of_two(exponent - half, x)


def power_of_two(n, x):
    return floats((n + pick(x, BIAS)) << pick(x, MANTISSA))


@elementwise
def log(x):
    small = x < pick(x, SMALLEST_NORMAL)
    y = where(small, x * pick(x, RAISED), x)
    # x = 2^n (1 + f), sqrt(1/2) ≤ 1 + f < sqrt(2)
    exponent = (bits(y) - pick(x, SQRT_HALF_BITS)) >> pick(x, MANTISSA)
    f = floats(bits(y) - (exponent << pick(x, MANTISSA))) - 1.0
    n = real(exponent)
    n = where(small, n - pick(x, RAISE), n)
    s = f / (f + 2.0)
    z = s * s
    # log(1 + f) = 2 s + s z P = f - (f²/2 - s (f²/2 + z P)), as in FreeBSD's msun
    half = 0.5 * f * f
    rest = fma(n, pick(x, LN2_REST), s * fma(z, polynomial(z, pick(x, LOG)), half))
    y = fma(n, pick(x, LN2), f - (half - rest))
    y = where(x == INF, x, where(x == 0.0, -INF, y))
    return where(x < 0.0, NAN, where(x == x, y, x))


@elementwise
def log1p(x):
    y = x + 1.0
    lost = x - (y - 1.0)
    lost = where((y > 0.0) & (y < INF), lost / y, 0.0)
    return where(y == 1.0, x, log(y) + lost)


@elementwise
def tanh(x):
    z = x * x
    near = fma(x * z, polynomial(z, pick(x, TANH)), x)
    far = 1.0 - 2.0 / (exp(2.0 * absolute(x)) + 1.0)
    return copysign(where(absolute(x) < 0.625, near, far), x)  # near is +0 for -0


@elementwise
def sigmoid(x):
    # e / (1 + e), where e = exp(-|x|), or 1 less that; then what 1 + e lost when it was rounded.
    e = exp(-absolute(x))
    sum_ = e + 1.0
    lost = e - (sum_ - 1.0)
    y = where(x < 0.0, e, 1.0) / sum_
    return fma(-y * lost, where(x < 0.0, 1.0 - y, y), y)


@elementwise
def erf(x):
    t = absolute(x)
    t = where(t > pick(x, ERF_ONE), pick(x, ERF_ONE), t)
    z = x * x
    near = fma(x, polynomial(z, pick(x, ERF)), x)
    far = 1.0 - exp(fma(t, polynomial(t, pick(x, ERFC)), -t))
    return where(t < 1.0, near, copysign(far, x))
