"""Vectors: what is compiled for them is the same bits as their NumPy twins, and both are right."""

import math
from fractions import Fraction

import numba
import numpy as np
import pytest

from minitrain.kernels import simd, tile, vector
from minitrain.kernels.vector import load, store

DTYPES = [np.float32, np.float64]
SPECIAL = (0.0, 1.0, 0.5, 2.0, 3.0, np.inf, np.nan, 1e-30, 3e38, 1e-40, 1e-45)
T_ID = {"ids": lambda T: T.__name__}

# In Python outside of kernels NumPy warns of nan and overflow; compiled code never does.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def numbers(T, n=160, seed=0):
    """Special values of both signs, ordinary numbers, and any bits at all; whole vectors."""
    random = np.random.RandomState(seed)
    bits = random.randint(0, 256, (n, np.dtype(T).itemsize), np.uint8).view(T).ravel()
    x = np.concatenate([SPECIAL, np.negative(SPECIAL), random.standard_normal(n), bits]).astype(T)
    return np.resize(x, -(-x.size // 16) * 16)


def across_vectors(function, arity):
    """function(y, *arrays): y = function, a vector at a time, compiled if the JIT is on."""
    if arity == 1:

        def apply(y, a):
            for i in range(0, y.size, vector.lanes(y)):
                store(y, i, function(load(a, i)))
    elif arity == 2:

        def apply(y, a, b):
            for i in range(0, y.size, vector.lanes(y)):
                store(y, i, function(load(a, i), load(b, i)))
    else:

        def apply(y, a, b, c):
            for i in range(0, y.size, vector.lanes(y)):
                store(y, i, function(load(a, i), load(b, i), load(c, i)))

    return numba.njit(apply)


def same(got, wanted):
    """Bit for bit, except that any nan is as good as another."""
    nan = np.isnan(wanted)
    return np.array_equal(np.isnan(got), nan) and got[~nan].tobytes() == wanted[~nan].tobytes()


# Every operator and function of vectors; each is used with a vector and with numbers beside one.
PRIMITIVES = {
    "fma": simd.fma,
    "maximum": simd.maximum,
    "minimum": simd.minimum,
    "absolute": simd.absolute,
    "sqrt": simd.sqrt,
    "copysign": simd.copysign,
    "numbers beside": simd.elementwise(
        lambda x, y: (1.5 - x) * 2.0 + y * 0.1 - simd.fma(0.1, x, 3) + simd.maximum(0.25, y) / 3
    ),
    "divided": simd.elementwise(lambda x, y: x / y - 1.0 / y),
    "negated": simd.elementwise(lambda x: -x),
    "compared": simd.elementwise(
        lambda x, y: (
            simd.where(x < y, 1.0, simd.where(x == y, 2.0 * x, -y))
            + simd.where((x >= 1.0) | (y <= 0.5), 8.0, simd.where(x > 2.0 * y, 16.0, x))
        )
    ),
    "bits": simd.elementwise(lambda x: simd.floats((simd.bits(x) >> 3) << 2)),
    "masked bits": simd.elementwise(
        lambda x: simd.real((simd.bits(x) & 255) + 7 - (simd.bits(x) | 64) * 3)
    ),
    "negated bits": simd.elementwise(lambda x: simd.real(-(simd.bits(x) & 1023))),
    "picked": simd.elementwise(lambda x: x * simd.pick(x, (3.0, 5.0))),
    "polynomial": simd.elementwise(lambda x: simd.polynomial(x, (0.1, 0.2, 0.3))),
}


@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize("name", PRIMITIVES)
def test_primitive_equals_its_twin(name, T):
    function = PRIMITIVES[name]
    arity = function.__code__.co_argcount
    arrays = [np.random.RandomState(s).permutation(numbers(T)) for s in range(arity)]
    y = np.empty_like(arrays[0])
    across_vectors(function, arity)(y, *arrays)
    assert same(y, function(*arrays))


def scalar(T, name, a, b, c):
    """What a primitive does, from Python's own arithmetic."""
    match name:
        case "maximum":
            return a if a > b else b
        case "minimum":
            return a if a < b else b
        case "absolute":
            return math.copysign(a, 1.0)
        case "copysign":
            return math.copysign(a, b)
        case "compared":
            first = T(1) if a < b else T(2) * T(a) if a == b else -T(b)
            second = T(8) if a >= 1 or b <= 0.5 else T(16) if a > T(2) * T(b) else T(a)
            return first + second
        case "picked":
            return T(a) * T(3 if T is np.float32 else 5)


@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize(
    "name", ["maximum", "minimum", "absolute", "copysign", "compared", "picked"]
)
def test_primitive_is_what_its_name_says(name, T):
    a, b = (np.random.RandomState(s).permutation(numbers(T)) for s in range(2))
    function = PRIMITIVES[name]
    arity, y = function.__code__.co_argcount, np.empty_like(a)
    across_vectors(function, arity)(y, *(a, b)[:arity])
    wanted = [scalar(T, name, float(x), float(z), 0.0) for x, z in zip(a, b, strict=True)]
    assert same(y, np.array(wanted, T))


def rounded(T, exact):
    """A fraction as the nearest number of a dtype, ties to even: from the definition of it."""
    p, least, top = (24, -149, 2.0**128) if T is np.float32 else (53, -1074, math.inf)
    if not exact:
        return 0.0
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    if abs(exact) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - p + 1, least)
    whole = round(exact / unit)  # Python's round: ties to even
    try:
        y = float(whole * unit)
    except OverflowError:
        y = math.inf if exact > 0 else -math.inf
    return math.copysign(math.inf, y) if abs(y) >= top else y


def hard_sums(T, n=400):
    """a, b, c whose a · b + c is a tie, nearly a tie, subnormal, cancels or overflows."""
    random = np.random.RandomState(7)
    eps = float(np.finfo(T).eps)
    tiny = float(np.finfo(T).smallest_subnormal)
    top = float(np.finfo(T).max)
    cases = [
        (1 + eps, 1 + eps, -1 - 2 * eps),  # what is left is eps²
        (1 + eps, 1 - eps, -1),
        (1 + eps, eps / 2, 1),  # just above a tie
        (1 - eps, eps / 2, 1),  # just below
        (1, eps / 2, 1),  # a tie, to even
        (1, eps / 2, 1 + eps),
        (1 + eps, eps / 2, -1),
        (tiny, 0.5, 0),
        (tiny, 0.5, tiny),
        (tiny, -0.75, 3 * tiny),
        (tiny * 5, 0.5, 2 * tiny),
        (tiny, tiny, 1),
        (tiny, tiny, -1),
        (tiny, tiny, 0),
        (top, 2, -top),
        (top, 2, 0),
        (top, 1, eps * top / 4),
        (top, 1, eps * top / 8),
        (-top, 2, 0),
    ]
    for _ in range(n):
        a, b = random.standard_normal(2)
        scale = 2.0 ** random.randint(-60, 60)
        c = -a * b * random.choice([0, 1, 1 + 1e-7, 1e-7, 1e7, -1]) + random.choice([0, eps, 1])
        cases.append((a * scale, b / scale, c))
    return np.resize(np.array(cases), (-(-len(cases) // 16) * 16, 3)).astype(T).T.copy()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize("kernel", [across_vectors(simd.fma, 3), None], ids=["kernel", "twin"])
def test_fma_is_rounded_once(kernel, T):
    a, b, c = hard_sums(T)
    y = np.empty_like(a)
    if kernel:
        kernel(y, a, b, c)
    else:
        y[:] = simd.fma(a, b, c)
    fractions = ([Fraction(float(v)) for v in values] for values in (a, b, c))
    exact = [p * q + r for p, q, r in zip(*fractions, strict=True)]
    wanted = np.array([rounded(T, x) for x in exact], T)
    wrong = y != wanted
    assert not wrong.any(), [*zip(a[wrong], b[wrong], c[wrong], y[wrong], strict=True)]
    # or the sums would not be hard: two roundings get some of them wrong
    assert (a * b + c != wanted).any()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_fma_of_what_is_not_finite(T):
    inf, nan = np.inf, np.nan
    cases = [
        (inf, 1, 1, inf), (inf, -1, 1, -inf), (inf, 0, 1, nan), (inf, 1, -inf, nan),
        (1, 1, inf, inf), (1, 1, -inf, -inf), (nan, 1, 1, nan), (1, nan, 1, nan), (1, 1, nan, nan),
        (0, inf, nan, nan), (2, 3, inf, inf), (0, 0, 0, 0), (3e38, 3e38, -inf, -inf),
        (-0.0, 1, -0.0, -0.0), (-0.0, 1, 0.0, 0.0), (1, 1, -1, 0.0),
    ]  # fmt: skip
    a, b, c, wanted = np.array(cases, T).T.copy()
    y = np.empty(16, T)
    across_vectors(simd.fma, 3)(y, a, b, c)
    assert same(y, wanted)
    assert same(simd.fma(a, b, c), wanted)


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_nan_is_on_the_right_side_of_maximum(T):
    """maximum(0, x) keeps the nan of x, as relu needs; as MAXPS does."""
    nan, one = np.full(16, np.nan, T), np.ones(16, T)
    for function in (simd.maximum, simd.minimum):
        y = np.empty(16, T)
        across_vectors(function, 2)(y, one, nan)
        assert np.isnan(y).all()
        across_vectors(function, 2)(y, nan, one)
        assert (y == 1).all()
        assert np.isnan(function(one, nan)).all()


@pytest.mark.compiled
def test_shapes_and_types_that_do_not_go_together_do_not_compile():
    def of_two_lengths(a):
        return vector.total(simd.maximum(load(a, 0), tile.splat_tile(2, 1, a, 0.0)))

    def of_text(a):
        return vector.total(simd.maximum(load(a, 0), "1"))

    for wrong in (of_two_lengths, of_text):
        with pytest.raises(numba.TypingError):
            numba.njit(wrong)(np.zeros(16, np.float32))


def test_a_vector_is_not_a_dictionary_key():
    with pytest.raises(TypeError, match="unhashable"):
        hash(simd.Lanes(None, None, np.float32))
