"""Square roots of vectors are IEEE's: where that is hardest, at the edges, and of all sizes."""

import llvmlite.binding
import numba
import numpy as np
import pytest

import minitrain as mt
from minitrain.kernels import _jit, processor, simd, square_root
from minitrain.kernels.vector import lanes, load, store

pytestmark = pytest.mark.compiled
each_dtype = pytest.mark.parametrize("T", [np.float32, np.float64], ids=lambda T: T.__name__)
BITS = {np.float32: 24, np.float64: 53}


@numba.njit
def roots(y, x):
    for i in range(0, y.size, lanes(y)):
        store(y, i, simd.sqrt(load(x, i, y.size - i)), y.size - i)


def check(x):
    found = np.empty_like(x)
    roots(found, x)
    with np.errstate(invalid="ignore"):
        expected = np.sqrt(x)  # the processor's own instruction, number by number or not
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), nan)
    assert found[~nan].tobytes() == expected[~nan].tobytes()


def between_two_numbers(T, most=400):
    """The x whose roots are nearest to the middle of two neighbours, M + 1/2 units.

    With X the significand of x, whole, (M + 1/2)² - X 2^k = N + 1/4: for each small even N the
    M with M² + M = N modulo 2^k, two of them, one bit after the other (Hensel).
    """
    p = BITS[T]
    for N in range(-most, most + 1, 2):
        for k in (p - 1, p):  # x in [1, 2), and in [2, 4)
            for M in (0, 1):
                for bit in range(1, k):
                    if (M * M + M - N) % 2 ** (bit + 1):
                        M += 2**bit
                for whole in {M % 2**k + 2 ** (p - 1), M % 2**k} if k == p - 1 else {M % 2**k}:
                    X = (whole * whole + whole - N) >> k
                    if 2 ** (p - 1) <= X < 2**p and 2 ** (p - 1) <= whole < 2**p:
                        yield X * 2.0 ** (k - 2 * (p - 1))


@each_dtype
def test_roots_in_the_middle_of_two_numbers(T):
    x = np.array([*between_two_numbers(T)])
    assert len(x) > 300
    p = BITS[T]
    units = np.sqrt(x.astype(np.longdouble)) * 2.0 ** (p - 1)
    if T is np.float32:  # for which a long double has bits enough to see it
        assert np.abs(units - np.floor(units) - 0.5).max() < 1e-4
    x = x.astype(T)
    largest = np.finfo(T).maxexp - 2
    for scale in range(-largest // 2, largest // 2, 1 if T is np.float32 else 31):
        check(x * T(4) ** T(scale))


def test_all_numbers_of_float32_from_1_to_4():
    check(np.arange(2**24, dtype=np.int32).view(np.float32) + np.float32(0))  # subnormal and small
    first = np.float32(1).view(np.int32)
    check((first + np.arange(2**24, dtype=np.int32)).view(np.float32))


@each_dtype
def test_numbers_of_all_sizes(T):
    random = np.random.default_rng(0)
    check(random.integers(0, 256, (400_000, np.dtype(T).itemsize), np.uint8).view(T).ravel())
    smallest = T(square_root._SMALLEST["float" if T is np.float32 else "double"])
    near = [np.nextafter(smallest, T(side)) for side in (0, 1)]
    limits = np.finfo(T)
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, limits.max, limits.tiny, 4.0, 2.25]
    edges = np.array([*edges, limits.tiny / 2, limits.smallest_subnormal, smallest, *near], T)
    check(edges)
    for lane in range(simd.LANES[T]):  # one of them alone among ordinary numbers
        for edge in edges:
            x = random.random(simd.LANES[T]).astype(T)
            x[lane] = edge
            check(x)


@each_dtype
def test_a_rule_takes_roots_by_multiplying(T, monkeypatch, own_registry):
    monkeypatch.setattr(_jit, "cache_folder", lambda: None)  # cached code cannot be inspected

    @mt.rule("mine", lr=1.0)
    def update(p, g, c):
        return (g / np.sqrt(g * g),)

    _, descend = mt.Optimizer(update).kernels(np.dtype(T)).dispatchers
    (assembly,) = descend.inspect_asm().values()
    assert ("vrsqrt14" in assembly) == processor.has_avx512()

    @mt.rule("busy", lr=1.0)
    def busy(p, g, c):
        u = (g + p) * (g - p) + (p * p + g) * (p * g - p) + (g * g * g + p) * p
        return (u / np.sqrt(u * u),)

    _, descend = mt.Optimizer(busy).kernels(np.dtype(T)).dispatchers
    (assembly,) = descend.inspect_asm().values()
    assert ("vrsqrt14" in assembly) == (processor.has_avx512() and T is np.float64)


HOST = "+sse2,+avx512f,+avx512vl"


@pytest.mark.parametrize(
    "name, features, host, expected",
    [
        (None, None, HOST, True),
        (None, None, "+sse2,-avx512f", False),  # NUMBA_ENABLE_AVX=0 says so, too
        (None, "+avx2", HOST, False),
        (None, "-avx512f", HOST, False),
        ("haswell", "", HOST, False),
        ("skylake-avx512", "", "+sse2", True),
        ("sapphirerapids", "", "+sse2", True),
        ("skylake-avx512", "-avx512f", HOST, False),
        ("generic", "", HOST, False),
        ("haswell", None, HOST, True),  # Numba then adds the features of this processor
    ],
)
def test_what_numba_compiles_for(name, features, host, expected, monkeypatch):
    monkeypatch.setattr(numba.config, "CPU_NAME", name)
    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
    monkeypatch.setattr(processor, "get_host_cpu_features", lambda: host)
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_name", lambda: "haswell")
    assert processor.has_avx512() is expected
