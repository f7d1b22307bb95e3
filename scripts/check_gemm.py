"""Are the products of a dense layer the same bits as chains of scalar fma, and within bounds?

    python3 scripts/check_gemm.py                         # all M, N, K in 1 … 49, float32
    python3 scripts/check_gemm.py --dtype float64
    python3 scripts/check_gemm.py --budget 60 --seed 3    # as many of them as a minute allows
    python3 scripts/check_gemm.py --fence                 # reading a byte too far ends the process

For each size y = f(x W + b), dx = (dy Wᵀ) · f', dW = xᵀ dy and db, in parts as threads make them,
every activation f in its turn.  Around all operands, between their rows and in what pads their
panels is NaN, which would show in a result; around all results are numbers that must still be there
afterwards.  With --fence everything ends where a page ends and the next one may not be touched.

The last results are in docs/exactness.md.
"""

if __name__ == "__main__":  # the tests import this file
    from _environment import ensure

    ensure()

import argparse
import ctypes
import itertools
import mmap
import sys
import time

import numpy as np
from numba.extending import intrinsic

from minitrain.kernels import activations as f
from minitrain.kernels._jit import COMPILED, jit
from minitrain.kernels.fuse import call
from minitrain.kernels.gemm import DEPTH, column_sums, product_address, weight_product_address
from minitrain.kernels.narrow import (
    FEW,
    narrow_product_address,
    narrow_weight_product_address,
    sums_in_lanes,
)
from minitrain.kernels.panels import DERIVATIVE, MOST_ROWS, PANEL, Epilogue, Matrix, Panels
from minitrain.kernels.rule import code_hash
from minitrain.kernels.simd import LANES, fma
from minitrain.kernels.vector import address, lanes, load, store

CODES = range(len(f.NAMES))
GUARD = 64
UNTOUCHED = 77


def cached(function):
    return jit(function, key=code_hash(function))


# --- the kernels under test, from Python: a place is (start, panel) or (start, row) -----------


@cached
def multiply(product, y, Y, x, X, w, W, b, B, Z, room, transposed, begin, end, left, right, depth):
    call(
        product,
        (
            Panels(address(y), Y[0], Y[1]),
            Panels(address(x), X[0], X[1]),
            Matrix(address(w), W[0], W[1]),
            Matrix(address(b), B[0], B[1]),
            Epilogue(Z[0], Z[1]),
            address(room),
            transposed,
            begin,
            end,
            left,
            right,
            depth,
        ),
    )


@cached
def multiply_weights(product, g, G, x, X, d, D, begin, end, columns, depth):
    call(
        product,
        (
            Matrix(address(g), G[0], G[1]),
            Panels(address(x), X[0], X[1]),
            Panels(address(d), D[0], D[1]),
            begin,
            end,
            columns,
            depth,
        ),
    )


@cached
def sums(y, start, x, X, room, rows, columns):
    column_sums(address(y), start, Panels(address(x), X[0], X[1]), address(room), rows, columns)


# --- what they must equal ---------------------------------------------------------------------

if COMPILED:

    @intrinsic
    def scalar_fma(typingctx, a, b, c):
        return a(a, b, c), lambda context, builder, signature, values: builder.fma(*values)

    @cached
    def accumulate(y, x, W):
        for i in range(y.shape[0]):
            for j in range(y.shape[1]):
                s = y[i, j]
                for k in range(x.shape[1]):
                    s = scalar_fma(x[i, k], W[k, j], s)
                y[i, j] = s

else:

    def accumulate(y, x, W):
        for k in range(x.shape[1]):
            y[:] = fma(np.broadcast_to(x[:, k : k + 1], y.shape), W[k], y)


def chain(start, x, W):
    """start + x W, k = 0, 1, …, one fma after the other: what a product is defined to be here."""
    y = np.array(start)
    accumulate(y, np.ascontiguousarray(x), np.ascontiguousarray(W))
    return y


@cached
def activate(y, z, code):
    """y = f(z) of flat arrays, a vector at a time: the epilogue on its own."""
    for i in range(0, z.size, lanes(z)):
        x = load(z, i, z.size - i)
        if code == f.RELU:
            x = f.relu_forward(x)
        elif code == f.LEAKY_RELU:
            x = f.leaky_relu_forward(x)
        elif code == f.TANH:
            x = f.tanh_forward(x)
        elif code == f.SIGMOID:
            x = f.sigmoid_forward(x)
        elif code == f.GELU:
            x = f.gelu_forward(x)
        elif code == f.SILU:
            x = f.silu_forward(x)
        store(y, i, x, z.size - i)


@cached
def differentiate(dz, da, kept, code):
    """dz = da · f', from what the layer keeps of its activation."""
    for i in range(0, da.size, lanes(da)):
        x, a = load(da, i, da.size - i), load(kept, i, da.size - i)
        if code == f.RELU:
            x = f.relu_backward(x, a)
        elif code == f.LEAKY_RELU:
            x = f.leaky_relu_backward(x, a)
        elif code == f.TANH:
            x = f.tanh_backward(x, a)
        elif code == f.SIGMOID:
            x = f.sigmoid_backward(x, a)
        elif code == f.GELU:
            x = f.gelu_backward(x, a)
        elif code == f.SILU:
            x = f.silu_backward(x, a)
        store(dz, i, x, da.size - i)


def lane_by_lane(start, x, W):
    """start + x W of few outputs: a chain in each lane; then halves are added until one is left."""
    L = LANES[x.dtype.type]
    sums = np.array([chain(np.zeros_like(start), x[:, k::L], W[k::L]) for k in range(L)])
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return sums[0] + start


def separately(kernel, code, *arrays):
    result = np.empty_like(arrays[0])
    kernel(result.reshape(-1), *(a.reshape(-1) for a in arrays), code)
    return result


# --- memory with something around it ----------------------------------------------------------


class Placed:
    """A matrix somewhere in flat ``numbers``; ``place`` as above."""

    def __init__(self, shape, T, fill, where, inside, step, fence):
        size = GUARD + inside + (0 if fence else GUARD)
        self.numbers = fenced(size, T) if fence else np.empty(size, T)
        self.numbers[:] = fill
        self.place = (GUARD, step)
        self._where, self._inside = GUARD + where(*np.indices(shape)), inside

    def fill(self, values):
        self.numbers[self._where] = values
        return self

    @property
    def values(self):
        return self.numbers[self._where]

    def others_are(self, number):
        return (np.delete(self.numbers, self._where.ravel()) == number).all()

    def nothing_outside(self, number):
        """What stands before and behind the panels, whose padding may be written."""
        inside = slice(GUARD, GUARD + self._inside)
        return (np.delete(self.numbers, inside) == number).all()


def in_rows(shape, T, fill, random, fence):
    """Row after row, with a gap in between."""
    rows, columns = shape
    step = columns + random.randint(0, 3)
    inside = max((rows - 1) * step + columns, 0)
    return Placed(shape, T, fill, lambda i, j: i * step + j, inside, step, fence)


def in_panels(shape, T, fill, fence, copies=1):
    """In panels, with room for as many again behind them (for z)."""
    rows, columns = shape
    width, padded = PANEL * LANES[T], -(-rows // MOST_ROWS) * MOST_ROWS
    panel = padded * width
    inside = copies * -(-columns // width) * panel

    def where(i, j):
        return j // width * panel + i * width + j % width

    return Placed(shape, T, fill, where, inside, panel, fence)


def fenced(size, T):
    """An array that ends at the end of a page, and the next page must not be touched."""
    page = mmap.PAGESIZE
    bytes_ = size * np.dtype(T).itemsize
    pages = -(-bytes_ // page)
    memory = mmap.mmap(-1, (pages + 1) * page)
    whole = np.frombuffer(memory, np.uint8)
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    fence = ctypes.c_void_p(whole.ctypes.data + pages * page)
    if protect(fence, ctypes.c_size_t(page), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    return whole[pages * page - bytes_ : pages * page].view(T)


# --- one size ---------------------------------------------------------------------------------


def same(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def parts(n, unit, random):
    """range(n) in two parts that meet at a multiple of ``unit``."""
    middle = min(n, unit * random.randint(0, n // unit + 2))
    return [(0, middle), (middle, n)]


def blocks(rows, columns, T, random):
    """(begin, end, left, right) of the parts of a product."""
    width = PANEL * LANES[T]
    for begin, end in parts(rows, MOST_ROWS, random):
        for left, right in parts(columns, width, random):
            yield begin, end, left, right


def check(M, N, K, T, random, codes=CODES, fence=False):
    """Every product of this size; an AssertionError says which one differs."""
    dtype = np.dtype(T)
    weight_product = (narrow_weight_product_address if 0 < N <= FEW else weight_product_address)(
        dtype
    )
    x, W, b, dy = (
        random.standard_normal(shape).astype(T) for shape in ((M, K), (K, N), (1, N), (M, N))
    )
    xs, dys = (in_panels(values.shape, T, np.nan, fence).fill(values) for values in (x, dy))
    Ws, bs = (in_rows(values.shape, T, np.nan, random, fence).fill(values) for values in (W, b))
    room = np.full(DEPTH * PANEL * LANES[T], np.nan, T)

    def run(product, y, x, b, code, kept, transposed, block, depth):
        multiply(
            product, y.numbers, y.place, x.numbers, x.place, Ws.numbers, Ws.place, bs.numbers, b,
            (code, kept), room, transposed, *block, depth,
        )  # fmt: skip

    for code in codes:
        narrow = N > 0 and code == f.IDENTITY and sums_in_lanes(K, N, LANES[T])
        product = (narrow_product_address if narrow else product_address)(dtype)
        z = (lane_by_lane if narrow else chain)(np.repeat(b, M, 0), x, W)
        y = in_panels((M, N), T, UNTOUCHED, fence, copies=2)
        behind = GUARD + y._inside // 2 if code in (f.GELU, f.SILU) else GUARD
        for block in blocks(M, N, T, random):
            run(product, y, xs, bs.place, code, behind, 0, block, K)
        what = (f.NAMES[code], M, N, K)
        assert same(y.values, separately(activate, code, z)), ("y", *what)
        assert behind == GUARD or same(y.numbers[y._where + behind - GUARD], z), ("z", *what)
        assert y.nothing_outside(UNTOUCHED), ("beside y", *what)

    da = chain(np.zeros((M, K), T), dy, W.T)
    for code in codes:
        dx = in_panels((M, K), T, UNTOUCHED, fence, copies=2)
        behind = GUARD + dx._inside // 2
        dx.numbers[dx._where + behind - GUARD] = x
        for block in blocks(M, K, T, random):
            run(product_address(dtype), dx, dys, (-1, 0), DERIVATIVE + code, behind, 1, block, N)
        what = (f.NAMES[code], M, N, K)
        assert same(dx.values, separately(differentiate, code, da, x)), ("dx", *what)
        assert dx.nothing_outside(UNTOUCHED), ("beside dx", *what)

    dW = in_rows((K, N), T, UNTOUCHED, random, fence)
    db = in_rows((1, N), T, UNTOUCHED, random, fence)
    for first, last in parts(K, PANEL * LANES[T], random):
        multiply_weights(
            weight_product, dW.numbers, dW.place, xs.numbers, xs.place, dys.numbers, dys.place,
            first, last, N, M,
        )  # fmt: skip
    assert same(dW.values, chain(np.zeros((K, N), T), x.T, dy)), ("dW", M, N, K)
    assert dW.others_are(UNTOUCHED), ("beside dW", M, N, K)
    sums(db.numbers, GUARD, dys.numbers, dys.place, room, M, N)
    total = np.zeros(N, T)
    for row in dy:
        total = total + row
    assert same(db.values[0], total), ("db", M, N, K)
    assert db.others_are(UNTOUCHED), ("beside db", M, N, K)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--largest", type=int, default=49, help="of M, N and K (default: 49)")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--budget", type=float, help="seconds: sizes in random order until then")
    parser.add_argument("--seed", type=int, default=0, help="of the numbers and of that order")
    parser.add_argument("--fence", action="store_true", help="stop at any read beyond an operand")
    options = parser.parse_args()
    random, T = np.random.RandomState(options.seed), np.dtype(options.dtype).type
    sizes = list(itertools.product(range(1, options.largest + 1), repeat=3))
    if options.budget:
        random.shuffle(sizes)
    began, done = time.monotonic(), 0
    for M, N, K in sizes:
        check(M, N, K, T, random, [(M + N + K) % len(CODES)], options.fence)
        done += 1
        if options.budget and time.monotonic() - began > options.budget:
            break
    print(
        f"{options.dtype}, seed {options.seed}: {done} of the {len(sizes)} sizes up to "
        f"{options.largest}: all products equal chains of scalar fma"
        + (", no byte beyond an operand was touched" if options.fence else "")
        + f" ({time.monotonic() - began:.0f} s)"
    )


if __name__ == "__main__":
    sys.exit(main())
