"""The cube root of rules: right to 1 ulp, at its edges, and with the same bits in a kernel."""

import numpy as np
import pytest

from minitrain.kernels._jit import jit
from minitrain.kernels.roots import cube_root

EDGES = [0.0, -0.0, np.inf, np.nan, -1.0, -np.inf, 1.0, 8.0, 27.0]
each_dtype = pytest.mark.parametrize("dtype, integer", [("float32", "i4"), ("float64", "i8")])


def drawn(dtype, integer, count):
    """Numbers of all sizes, also those that are not normal, by their bits."""
    largest = int(np.array(np.inf, dtype).view(integer))
    numbers = np.random.default_rng(0).integers(1, largest, count).astype(integer).view(dtype)
    least = [np.nextafter(np.array(0, dtype), np.array(1, dtype)), np.finfo(dtype).tiny]
    return np.concatenate([np.array(EDGES, dtype), least, numbers])


@each_dtype
def test_within_an_ulp(dtype, integer):
    x = drawn(dtype, integer, 200_000)[len(EDGES) :]
    exact = np.cbrt(x.astype(np.longdouble))
    off = np.abs(cube_root(x) - exact) / np.spacing(exact.astype(dtype))
    assert off.max() < 1.0


@each_dtype
def test_edges(dtype, integer):
    with np.errstate(all="ignore"):
        found = cube_root(np.array(EDGES, dtype))
    expected = np.array([0, 0, np.inf, np.nan, np.nan, np.nan, 1, 2, 3], dtype)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == dtype


@each_dtype
def test_the_same_bits_of_one_number_and_in_a_kernel(dtype, integer):
    @jit(key="roots of an array")
    def roots(out, x):
        for i in range(x.size):
            out[i] = cube_root(x[i])

    x = drawn(dtype, integer, 2000)
    out = np.empty_like(x)
    with np.errstate(all="ignore"):
        roots(out, x)
        expected = cube_root(x)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(out), ~number)
    np.testing.assert_array_equal(out[number].view(integer), expected[number].view(integer))
