"""exp, log, … within 2 ulp and right where there is no number; and the losses made of them there.

``scripts/check_elementary.py`` tries every float32; here is a sample, against 60 digits.
"""

import importlib.util
import math
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from minitrain.kernels import elementary, losses, simd
from minitrain.kernels._jit import COMPILED
from minitrain.kernels.fuse import call
from minitrain.kernels.panels import PANEL, Panels
from minitrain.kernels.vector import address, lanes, load, store

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_elementary.py"
DTYPES = [np.float32, np.float64]
NAMES = ("exp", "log", "log1p", "tanh", "sigmoid", "erf")
T_ID = {"ids": lambda T: T.__name__}
INF, NAN = math.inf, math.nan


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("check_elementary", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where a cached kernel looks for what it was made of
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def applied(name):
    function = getattr(elementary, name)

    @numba.njit
    def apply(y, x):
        for i in range(0, x.size, lanes(x)):
            store(y, i, function(load(x, i, x.size - i)), x.size - i)

    def whole(x):
        y = np.empty_like(x)
        apply(y, x)
        return y

    return whole


@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize("name", NAMES)
def test_at_most_two_ulp(name, T, script):
    x = script.sample(name, T, 150 if COMPILED else 20, np.random.RandomState(3))
    errors = np.array([script.error(name, a, b) for a, b in zip(x, applied(name)(x), strict=True)])
    assert (errors <= script.MOST).all(), x[~(errors <= script.MOST)]
    assert errors.max() > 0.1  # or the errors are not measured: hardly a result is exact


@pytest.mark.compiled
@pytest.mark.parametrize("name", NAMES)
def test_every_thousandth_float32(name, script):
    """The script's own search: four million inputs, nan and infinity among them, beside libm."""
    worst, where, _, inputs = script.check_float32(name, 997)
    assert inputs > 4e6
    assert 0.5 < worst <= script.MOST, where


@pytest.mark.compiled
@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize("name", NAMES)
def test_compiled_functions_equal_their_twins(name, T, script):
    x = script.sample(name, T, 40, np.random.RandomState(4))
    x = np.concatenate([x, np.array([0.0, -0.0, INF, -INF, NAN, 1e-40, -1e-40, 1e-310], T), -x])
    x = np.resize(x, -(-x.size // 16) * 16)
    y, twin = applied(name)(x), getattr(elementary, name)(x)
    nan = np.isnan(twin)
    assert (np.isnan(y) == nan).all()
    assert y[~nan].tobytes() == twin[~nan].tobytes()


TINY = {np.float32: 1e-40, np.float64: 1e-310}  # subnormal
LEAST = {np.float32: 2.0**-149, np.float64: 2.0**-1074}
HUGE = {np.float32: 3e38, np.float64: 1.7e308}
# name: ((x, value), …), exact to the last bit; "tiny", "least" and "huge" as above.
EDGES = {
    "exp": (
        (INF, INF), (-INF, 0.0), (NAN, NAN), (0.0, 1.0), (-0.0, 1.0), ("tiny", 1.0),
        ("-tiny", 1.0), ("huge", INF), ("-huge", 0.0),
    ),
    "log": (
        (INF, INF), (-INF, NAN), (NAN, NAN), (0.0, -INF), (-0.0, -INF), (1.0, 0.0), (-1.0, NAN),
        ("-tiny", NAN), ("-huge", NAN),
    ),
    "log1p": (
        (INF, INF), (-INF, NAN), (NAN, NAN), (0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-2.0, NAN),
        ("tiny", "tiny"), ("-tiny", "-tiny"), ("least", "least"), ("-huge", NAN),
    ),
    "tanh": (
        (INF, 1.0), (-INF, -1.0), (NAN, NAN), (0.0, 0.0), (-0.0, -0.0), ("tiny", "tiny"),
        ("-least", "-least"), ("huge", 1.0), ("-huge", -1.0), (30.0, 1.0), (-30.0, -1.0),
    ),
    "sigmoid": (
        (INF, 1.0), (-INF, 0.0), (NAN, NAN), (0.0, 0.5), (-0.0, 0.5), ("tiny", 0.5),
        ("-tiny", 0.5), ("huge", 1.0), ("-huge", 0.0), (40.0, 1.0),
    ),
    "erf": (
        (INF, 1.0), (-INF, -1.0), (NAN, NAN), (0.0, 0.0), (-0.0, -0.0), ("huge", 1.0),
        ("-huge", -1.0), (7.0, 1.0),
    ),
}  # fmt: skip


def number(x, T):
    if isinstance(x, str):
        value = {"tiny": TINY, "least": LEAST, "huge": HUGE}[x.removeprefix("-")][T]
        return T(-value if x.startswith("-") else value)
    return T(x)


@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize("name", NAMES)
def test_infinity_nan_zero_and_huge(name, T):
    x = np.array([number(x, T) for x, _ in EDGES[name]], T)
    wanted = np.array([number(y, T) for _, y in EDGES[name]], T)
    y = applied(name)(x)
    nan = np.isnan(wanted)
    assert (np.isnan(y) == nan).all(), x[np.isnan(y) != nan]
    wrong = (y != wanted) & ~nan | (np.signbit(y) != np.signbit(wanted)) & ~nan
    assert not wrong.any(), [*zip(x[wrong], y[wrong], wanted[wrong], strict=True)]


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_subnormal_numbers_in_and_out(T, script):
    """Nothing is flushed to zero: the results are within 2 units of the smallest number."""
    least = LEAST[T]
    cases = {
        "exp": np.linspace(math.log(least) - 2, math.log(least) + 18, 50),
        "sigmoid": np.linspace(math.log(least) - 2, math.log(least) + 18, 50),
        "log": least * np.array([1, 2, 3, 7, 1000, 99999]),
        "erf": least * np.array([1, 2, 3, 7, 1000, 99999, -5]),
        "tanh": least * np.array([1, 2, 3, 7, 1000, 99999, -5]),
    }
    for name, x in cases.items():
        x = x.astype(T)
        y = applied(name)(x)
        for a, b in zip(x, y, strict=True):
            assert script.error(name, a, b) <= script.MOST, (name, a, b)
        assert (y != 0).any()


def test_the_script_sees_a_wrong_function(script, monkeypatch):
    """The same functions with a coefficient a little off are above 2 ulp."""
    assert script.error("exp", np.float32(1), np.float32(math.e) * np.float32(1 + 1e-6)) > 2
    assert script.error("log", np.float64(2), np.float64(math.log(2)) + 3 * 2.0**-53) > 2
    assert script.error("exp", np.float32(100), np.float32(3e38)) == math.inf
    assert script.error("exp", np.float32(100), np.float32(INF)) == 0
    assert script.error("tanh", np.float32(1), np.float32(NAN)) == math.inf
    assert script.error("exp", np.float32(0), np.float32(1)) == 0
    for name, exact in {"exp": math.exp, "erf": math.erf, "tanh": math.tanh, "log": math.log,
                        "log1p": math.log1p}.items():  # fmt: skip
        for x in (0.1, 0.7, 3.0):  # the decimal functions against libm's
            assert script.error(name, np.float64(x), np.float64(exact(x))) < 1.5
    if COMPILED:  # the search over all float32 reports what it should, on a few of them
        search = script.search("sigmoid")
        worst, where, other = search(0xC0C00000, 100000, 1)  # from -6 on
        assert 1 < worst <= 2
        assert -8 < where < -6
        assert 0 < other < 100000
        monkeypatch.setattr(elementary, "tanh", simd.elementwise(lambda x: x * 1.0))
        assert script.search("tanh")(0x3F000000, 1000, 1)[0] > 1e3


# --- losses at logits that no network should have ---------------------------------------------


@numba.njit
def loss_of_rows(kernel, dz, loss, right, z, labels, targets, scratch, panel, O):
    Z, DZ = Panels(address(z), 0, panel), Panels(address(dz), 0, panel)
    T, B = Panels(address(targets), 0, panel), loss.size
    call(kernel, (DZ, loss, right, Z, labels, T, scratch, 0, B, O, B))


def panels(x):
    """The numbers of a matrix (B, O) as kernels keep them: (panels, B, width), padded with 77."""
    (B, O), width = x.shape, PANEL * simd.LANES[x.dtype.type]
    padded = np.full((B, -(-O // width) * width), 77, x.dtype)
    padded[:, :O] = x
    return padded.reshape(B, -1, width).swapaxes(0, 1).ravel()


def losses_of(name, z, labels=None, targets=None):
    """(loss, right, dz) of each row; labels of a softmax, targets of the others."""
    B, O = z.shape
    T, L = z.dtype.type, simd.LANES[z.dtype.type]
    loss, right = np.full(B, 77, T), np.full(B, 77, T)
    labels = np.zeros(B, np.int64) if labels is None else np.asarray(labels, np.int64)
    targets = np.zeros(z.shape) if targets is None else np.asarray(targets)
    kernel = losses.loss_address(name, z.dtype)
    scratch = np.full(-(-O // L) * L * L, 77, T)
    Z, targets, dz = panels(z), panels(targets.astype(T)), np.full_like(panels(z), 77)
    panel = B * PANEL * L
    loss_of_rows(kernel, dz, loss, right, Z, labels, targets, scratch, panel, O)
    return loss, right, dz.reshape(-1, B, PANEL * L).swapaxes(0, 1).reshape(B, -1)[:, :O]


@pytest.mark.parametrize("O", [2, 3, 16, 17, 40] if COMPILED else [2, 9])
@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize("name", losses.NAMES)
def test_nan_and_infinity_are_seen_in_their_row_alone(name, T, O):
    """Whichever output they are in: the loss of that row is no number, others are as without."""
    B = 19
    random = np.random.RandomState(0)
    good = random.standard_normal((B, O)).astype(T)
    labels, targets = random.randint(0, O, B), random.randint(0, 2, (B, O))
    wanted = losses_of(name, good, labels, targets)
    assert np.isfinite(wanted[0]).all()
    for column in {0, 1, O // 2, O - 1}:
        for bad in (np.nan, np.inf, -np.inf):
            z = good.copy()
            rows = [0, 5, 16, 18]
            z[rows, column] = bad
            others = np.delete(np.arange(B), rows)
            loss, right, dz = losses_of(name, z, labels, targets)
            for got, before in zip((loss, right, dz), wanted, strict=True):
                assert got[others].tobytes() == before[others].tobytes()
            for row in rows:
                seen = not np.isfinite(loss[row])
                if name == "softmax_cross_entropy" and bad == -np.inf:
                    # The probability 0 is a fact and no failure, unless it is the right class.
                    assert seen == (labels[row] == column)
                elif name == "binary_cross_entropy" and np.isinf(bad):
                    # As sure as can be: right costs nothing, wrong costs infinitely much.
                    assert seen == ((bad > 0) != (targets[row, column] == 1))
                elif name == "poisson" and bad == -np.inf:
                    # A mean of 0: a count of 0 is what was to come, any other is impossible.
                    assert seen == (targets[row, column] > 0)
                else:
                    assert seen
                if np.isnan(bad):
                    assert np.isnan(dz[row]).any()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_logits_of_ten_thousand(T):
    big = 1e4
    z = np.array([[big, -big, 0], [big, -big, 0], [-big, -big, -big], [big, big, big]], T)
    loss, right, dz = losses_of("softmax_cross_entropy", z, [0, 1, 2, 0])
    np.testing.assert_allclose(loss, [0, 2e4, math.log(3), math.log(3)], rtol=1e-6)
    assert right.tolist() == [1, 0, 0, 1]
    third = 1 / 3
    wanted = [[0, 0, 0], [1, -1, 0], [third, third, third - 1], [third - 1, third, third]]
    np.testing.assert_allclose(4 * dz, wanted, atol=1e-6)

    z = np.array([[big, -big], [big, -big]], T)
    loss, right, dz = losses_of("binary_cross_entropy", z, targets=[[1, 0], [0, 1]])
    np.testing.assert_allclose(loss, [0, big], rtol=1e-6)
    assert right.tolist() == [1, 0]
    np.testing.assert_allclose(4 * dz, [[0, 0], [1, -1]], atol=1e-6)

    loss, right, dz = losses_of("squared_error", z, targets=[[1, 0], [0, -big]])
    np.testing.assert_allclose(loss, [((big - 1) ** 2 + big**2) / 2, big**2 / 2], rtol=1e-6)
    np.testing.assert_allclose(2 * dz, [[big - 1, -big], [big, 0]], rtol=1e-6)
