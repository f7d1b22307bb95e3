"""Vectors and tiles to and from memory: what is inside goes in and out, and nothing else does."""

import numba
import numpy as np
import pytest

from minitrain.kernels import simd, tile, vector
from minitrain.kernels import slots as slots_

DTYPES = [np.float32, np.float64]
T_ID = {"ids": lambda T: T.__name__}


def ramp(n, T):
    return (np.arange(1, n + 1) / 7).astype(T)


def by_both_names(kernel):
    """The kernel with memory named by an array and by its address; both compiled if the JIT is."""
    inner = numba.njit(kernel)

    @numba.njit
    def by_address(*arguments):
        return inner(vector.address(arguments[0]), vector.address(arguments[1]), *arguments[2:])

    return [inner, by_address]


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_n_lanes_are_read_and_written(T):
    L = simd.LANES[T]

    def copy(y, x, i, n, fill):
        vector.store(y, 3, vector.load(x, i, n, fill))
        vector.store(y, 2 * L, vector.load(x, i, n), n)
        vector.store(y, 4 * L, vector.load(x, i))

    for kernel in by_both_names(copy):
        for n in range(-2, L + 3):
            x = ramp(2 * L, T)
            y = np.full(6 * L, 77, T)
            kernel(y, x, 5, n, -3.5)
            m = min(max(n, 0), L)
            wanted = np.full(6 * L, 77, T)
            wanted[3 : 3 + L] = -3.5
            wanted[3 : 3 + m] = x[5 : 5 + m]
            wanted[2 * L : 2 * L + m] = x[5 : 5 + m]
            wanted[4 * L : 5 * L] = x[5 : 5 + L]
            assert y.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_what_goes_across_lanes(T):
    def across(x, y):
        a = vector.load(x, 0)
        return (
            vector.total(a),
            vector.highest(a),
            vector.first(a == vector.highest(a)),
            vector.first(a > 1e30),
        )

    L = simd.LANES[T]
    for kernel in by_both_names(across):
        for seed in range(5):
            x = np.random.RandomState(seed).standard_normal(L).astype(T)
            halves = x.copy()
            while halves.size > 1:
                halves = halves[: halves.size // 2] + halves[halves.size // 2 :]
            total, highest, first, none = kernel(x, x)
            assert (total, highest, first, none) == (halves[0], x.max(), x.argmax(), L)
    assert type(T(total)) is T


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_totals_do_not_lose_nan_and_infinity(T):
    def total(x, y):
        return vector.total(vector.load(x, 0))

    L = simd.LANES[T]
    for kernel in by_both_names(total):
        for lane in range(L):
            for bad in (np.nan, np.inf):
                x = ramp(L, T)
                x[lane] = bad
                assert np.isnan(kernel(x, x)) if np.isnan(bad) else kernel(x, x) == np.inf


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("rows", [1, 4, 8, 16])
@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_a_tile_goes_in_and_out(T, rows, width):
    L = width * simd.LANES[T]

    def through(y, x, i, step):
        C = tile.load_tile(rows, width, x, i, step)
        tile.store_tile(y, i, step, C + tile.splat_tile(rows, width, x, 0.5))

    for kernel in by_both_names(through):
        for step in (L, L + 3):
            x = ramp(rows * (L + 3) + 2, T)
            y, wanted = np.full_like(x, 77), np.full_like(x, 77)
            kernel(y, x, 2, step)
            where = (2 + np.arange(rows)[:, None] * step + np.arange(L)).ravel()
            wanted[where] = x[where] + T(0.5)
            assert y.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("rows", [1, 4, 8])
@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_a_part_of_a_tile_goes_in_and_out(T, rows, width):
    """n lanes of the first m rows; the others are 0, and are not written."""
    L = width * simd.LANES[T]

    def through(y, z, x, i, step, n, m):
        C = tile.load_tile(rows, width, x, i, step, n, m)
        tile.store_tile(y, i, step, C + tile.splat_tile(rows, width, x, 0.5), n, m)
        tile.store_tile(z, 0, width * vector.lanes(x), C)
        D = tile.load_tile(rows, width, x, i, step, n)
        tile.store_tile(z, rows * width * vector.lanes(x), width * vector.lanes(x), D)

    inner = numba.njit(through)

    @numba.njit
    def by_address(y, z, x, i, step, n, m):
        inner(vector.address(y), vector.address(z), vector.address(x), i, step, n, m)

    for kernel in (inner, by_address):
        for step, n, m in (
            (L, L, rows), (L - 1, 3, rows), (L + 1, 0, rows), (L, 1, 2), (L + 2, L + 9, 1),
            (L, L, 0), (L, -1, rows + 3), (L + 1, L - 1, rows - 1),
        ):  # fmt: skip
            x = ramp(rows * (L + 3) + 2, T)
            y, wanted = np.full_like(x, 77), np.full_like(x, 77)
            z = np.full((2, rows, L), 77, T)
            kernel(y, z.ravel(), x, 2, step, n, m)
            N, M = min(max(n, 0), L), min(max(m, 0), rows)
            where = 2 + np.arange(rows)[:, None] * step + np.arange(N)
            wanted[where[:M]] = x[where[:M]] + T(0.5)
            assert y.tobytes() == wanted.tobytes()
            read = np.zeros((2, rows, L), T)
            read[0, :M, :N], read[1, :, :N] = x[where[:M]], x[where]
            assert z.tobytes() == read.tobytes()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_a_row_may_be_repeated(T):
    """A step of 0: how a bias becomes the beginning of a tile."""
    L = simd.LANES[T]

    def repeat(y, x):
        tile.store_tile(
            y, 0, 2 * vector.lanes(x), tile.load_tile(4, 2, x, 1, 0, vector.lanes(x) + 3)
        )

    for kernel in by_both_names(repeat):
        x, y = ramp(L + 4, T), np.full((4, 2 * L), 77, T)
        kernel(y.ravel(), x)
        assert (y[:, : L + 3] == x[1:]).all()
        assert (y[:, L + 3 :] == 0).all()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_an_outer_product_is_added_with_one_rounding(T):
    L = 2 * simd.LANES[T]
    random = np.random.RandomState(0)

    def add(y, x, step):
        C = tile.load_tile(5, 2, x, 0, 2 * vector.lanes(x))
        C = tile.plus_outer(C, x, 3, step, tile.load_tile(1, 2, x, 7, 0))
        tile.store_tile(y, 0, 2 * vector.lanes(x), C)

    for kernel in by_both_names(add):
        for step in (1, 9, 0, -1 + L):
            x, y = random.standard_normal(5 * L + 99).astype(T), np.empty(5 * L, T)
            kernel(y, x, step)
            a, b, C = x[3 + step * np.arange(5)], x[7 : 7 + L], x[: 5 * L].reshape(5, L)
            assert y.tobytes() == simd.fma(a[:, None], b, C).tobytes()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_squares_are_transposed(T):
    L = simd.LANES[T]
    step = L + 5

    def turn(y, x, rows, n):
        a = tile.load_square(x, 1, step, rows, n)
        tile.store_tile(y, 0, vector.lanes(x), tile.transpose(a))
        tile.store_tile(y, vector.lanes(x) ** 2 + 2, step, a, n, rows)

    x = ramp(1 + L * step, T)
    for kernel in by_both_names(turn):
        for rows, n in ((L, L), (3, 2), (L, 1), (1, L), (0, 4), (4, 0), (L + 3, L + 9), (-1, -1)):
            y = np.full(L * L + 2 + L * step, 77, T)
            kernel(y, x, rows, n)
            square = np.zeros((L, L), T)
            R, N = min(max(rows, 0), L), min(max(n, 0), L)
            square[:R, :N] = x[1:].reshape(L, step)[:R, :N]
            assert (y[: L * L].reshape(L, L) == square.T).all()
            wanted = np.full(2 + L * step, 77, T)
            wanted[2:].reshape(L, step)[:R, :N] = square[:R, :N]
            assert y[L * L :].tobytes() == wanted.tobytes()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_a_number_in_all_lanes(T):
    def fill(y, x):
        vector.prefetch(x, 0)  # whose only effect is on the clock
        vector.store(y, 0, vector.splat(x, 1) + vector.splat(x, 0.1))
        return vector.lanes(x)

    for kernel in by_both_names(fill):
        y = np.zeros(simd.LANES[T], T)
        assert kernel(y, y) == y.size == 64 // y.itemsize
        assert (y == T(1) + T(0.1)).all()


@pytest.mark.compiled
def test_memory_of_other_types_is_refused():
    def use(x):
        return vector.total(vector.load(x, 0))

    def of_variable_height(x):
        tile.store_tile(x, 0, 1, tile.splat_tile(x.size, 1, x, 0.0))

    def of_variable_rows(x):
        tile.store_tile(x, 0, 1, tile.load_tile(x.size, 1, x, 0, 0))

    def not_square(x):
        tile.store_tile(x, 0, 1, tile.transpose(tile.splat_tile(2, 1, x, 0.0)))

    with pytest.raises(numba.TypingError):
        numba.njit(use)(np.zeros(16, np.int64))
    for wrong in (of_variable_height, of_variable_rows, not_square):
        with pytest.raises(numba.TypingError):
            numba.njit(wrong)(np.zeros(16, np.float32))


@pytest.mark.parametrize("rows", [1, 4, 8])
@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_totals_of_rows_in_a_column(T, rows):
    L = simd.LANES[T]

    def across(y, x, step):
        tile.store_column(y, 1, step, tile.row_totals(tile.load_tile(rows, 1, x, 0, L)))

    x = np.random.RandomState(rows).standard_normal(rows * L).astype(T)
    for kernel in by_both_names(across):
        for step in (1, 5):
            y, wanted = np.full(5 * rows + 2, 77, T), np.full(5 * rows + 2, 77, T)
            kernel(y, x, step)
            wanted[1 + step * np.arange(rows)] = [vector.total(row) for row in x.reshape(rows, L)]
            assert y.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_a_part_of_a_tile_goes_out_transposed(T, width):
    rows, L = 4, width * simd.LANES[T]

    def transposed(y, x, step, n, m):
        tile.store_transposed(y, 2, step, tile.load_tile(rows, width, x, 0, L), n, m)

    x = ramp(rows * L, T)
    for kernel in by_both_names(transposed):
        for step, n, m in (
            (4, L, 4),
            (4, L + 3, 9),
            (3, 5, 3),
            (7, L - 1, 1),
            (4, 0, 4),
            (4, 3, 0),
        ):
            y, wanted = np.full(7 * L + 9, 77, T), np.full(7 * L + 9, 77, T)
            kernel(y, x, step, n, m)
            for r in range(min(m, rows)):
                for k in range(min(n, L)):
                    wanted[2 + r + step * k] = x[r * L + k]
            assert y.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("T", DTYPES, **T_ID)
def test_vectors_and_numbers_go_into_slots(T):
    """Without the first of a tuple, and without the slot that is left; of a part, n lanes."""
    L = simd.LANES[T]

    @numba.njit
    def through(slots, x, i, n):
        a, b = vector.load(x, 0), vector.load(x, L)
        slots_.store_slots(slots, i, (b, a, b, 0.25, a), 1, 2)
        slots_.store_slots(slots, i + L, (a, b, 0.5), 1, 0, n)

    x = ramp(2 * L, T)
    for n in (0, 1, L - 1, L, L + 5):
        slots, wanted = np.full((4, 3 * L), 77, T), np.full((4, 3 * L), 77, T)
        through(slots[:, 1:], x, 1, n)
        first, then = slice(2, 2 + L), slice(2 + L, 2 + L + min(n, L))
        wanted[0, first], wanted[2, first], wanted[3, first] = x[:L], 0.25, x[:L]
        wanted[0, then], wanted[1, then] = x[L : L + n], 0.5
        np.testing.assert_array_equal(slots, wanted)
