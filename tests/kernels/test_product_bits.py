"""Products of every shape: bit for bit the chain of scalar fma, and nothing beyond the operands.

``scripts/check_gemm.py`` says how, and tries all sizes up to 49; here is a sample up to 33.
"""

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minitrain.kernels import activations as f
from minitrain.kernels._jit import COMPILED

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_gemm.py"
DTYPES = [np.float32, np.float64]
T_ID = {"ids": lambda T: T.__name__}
# Nothing; around tiles of 4 and 8 rows; around one and two vectors of 8 and 16.
EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32, 33)
# Around a block of DEPTH terms, and a W too large to be read as it is.
LARGE = [
    (9, 5, 127),
    (3, 40, 128),
    (17, 33, 129),
    (130, 17, 9),
    (257, 9, 8),
    (10, 130, 70),
    (1, 300, 260),
]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("check_gemm", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where a cached kernel looks for what it was made of
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def sizes(T):
    """Each edge at each place, beside random others; all of 0 … 4 cubed; and random ones."""
    random = np.random.RandomState(0)
    small = [*itertools.product(range(5), repeat=3)]
    mixed = [tuple(random.randint(0, 34, 3)) for _ in range(150)]
    for edge, place in itertools.product(EDGES, range(3)):
        size = random.choice(EDGES, 3)
        size[place] = edge
        mixed.append(tuple(size))
    if COMPILED:
        return small + mixed
    return small[::11] + mixed[:3] + mixed[-30::7] if T is np.float32 else [(7, 9, 2), (1, 17, 3)]


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_products_are_the_chain_of_fma(T, script):
    random = np.random.RandomState(1)
    for i, (M, N, K) in enumerate(sizes(T) + LARGE * COMPILED):
        script.check(int(M), int(N), int(K), T, random, [i % len(f.NAMES)])


@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize("code", range(len(f.NAMES)), ids=lambda code: f.NAMES[code])
def test_an_epilogue_is_the_function_applied_afterwards(code, T, script):
    """Forward and backward, in tall, low and single tiles, in full and part vectors."""
    random = np.random.RandomState(2)
    plain = [(21, 18, 3)] if T is np.float32 else [(7, 9, 2)]
    for M, N, K in [(38, 33, 40), (21, 18, 19), (9, 5, 17), (1, 1, 1)] if COMPILED else plain:
        script.check(M, N, K, T, random, [code])


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_the_check_sees_what_it_is_for(T, script, monkeypatch):
    """A wrong bit, a number beside a result, NaN from beyond an operand."""

    def spoiled(y, Y):
        y[Y[0]] = np.nextafter(y[Y[0]], T(9))

    def beside(y, Y):
        y[Y[0] - 1] = 0

    multiply = script.multiply
    for harm, message in ((spoiled, "y"), (beside, "beside y")):

        def harmful(product, y, Y, *others, harm=harm):
            multiply(product, y, Y, *others)
            harm(y, Y)

        monkeypatch.setattr(script, "multiply", harmful)
        with pytest.raises(AssertionError, match=f"'{message}'"):
            script.check(5, 3, 2, T, np.random.RandomState(0))

    def too_deep(*arguments):
        multiply(*arguments[:-1], arguments[-1] + 1)

    monkeypatch.setattr(script, "multiply", too_deep)
    with pytest.raises(AssertionError, match="'y'"):
        script.check(5, 3, 2, T, np.random.RandomState(0))


@pytest.mark.parametrize("T", DTYPES, **T_ID)
@pytest.mark.parametrize("code", range(len(f.NAMES)), ids=lambda code: f.NAMES[code])
def test_nan_is_not_swallowed(code, T, script):
    """One NaN among the inputs, the weights or the biases is NaN in all that depends on it."""
    M, N, K = 21, 18, 5
    kernel = script.product_address(np.dtype(T))
    for where in ("x", "W", "b"):
        x, W, b = np.ones((M, K), T), np.ones((K, N), T), np.ones(N, T)
        {"x": x[3:4, 2], "W": W[1, 7:8], "b": b[4:5]}[where][:] = np.nan
        X = script.in_panels((M, K), T, 0, False).fill(x)
        y = script.in_panels((M, N), T, 0, False, copies=2)
        kept = script.GUARD + (y._inside // 2 if code in (f.GELU, f.SILU) else 0)
        room = np.zeros(script.DEPTH * script.PANEL * script.LANES[T], T)
        script.multiply(
            kernel, y.numbers, y.place, X.numbers, X.place, W.ravel(), (0, N), b, (0, 0),
            (code, kept), room, 0, 0, M, 0, N, K,
        )  # fmt: skip
        wanted = np.isnan(x @ W + b)
        assert wanted.any()
        assert (np.isnan(y.values) == wanted).all()


@pytest.mark.compiled
@pytest.mark.skipif(os.name == "nt", reason="a fence is made with mprotect, which Windows lacks")
def test_not_a_byte_beyond_an_operand_is_touched():
    """In a process of its own: touching one would end it."""
    for dtype in ("float32", "float64"):
        command = [sys.executable, SCRIPT, "--fence", "--budget", "1", "--largest", "40"]
        found = subprocess.run(
            [*command, "--dtype", dtype],
            env={**os.environ, "MINITRAIN_SETUP": "skip"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert found.returncode == 0, (found.returncode, found.stderr)
        assert "no byte beyond" in found.stdout


@pytest.mark.compiled
@pytest.mark.skipif(os.name == "nt", reason="a fence is made with mprotect, which Windows lacks")
def test_the_fence_holds():
    harm = (
        f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import numpy as np, check_gemm, numba\n"
        "from minitrain.kernels.vector import load, total\n"
        "read = numba.njit(lambda a, n: total(load(a, a.size - 16, n)))\n"
        "whole, short = np.zeros(32, 'f4'), check_gemm.fenced(20, 'f4')\n"
        "read(whole, 16), read(short, 16)\n"
        "read2 = numba.njit(lambda a, n: total(load(a, a.size - 15, n)))\n"
        "read2(short, 15); print('still here', flush=True)\n"
        "read2(short, 16); print('gone', flush=True)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", harm], capture_output=True, text=True, timeout=120
    )
    assert found.stdout == "still here\n", found.stderr
    assert found.returncode < 0  # killed by SIGSEGV
