"""Are the products of a dense layer the same bits as a chain of scalar fma, and within bounds?

    python3 scripts/check_gemm.py                         # all M, N, K in 1 … 49, float32
    python3 scripts/check_gemm.py --dtype float64
    python3 scripts/check_gemm.py --budget 60 --seed 3    # as many of them as a minute allows
    python3 scripts/check_gemm.py --fence                 # reading a byte too far ends the process

For each size y = f(x W + b), dx = (dy Wᵀ) · f', dW = xᵀ dy and db, in two parts as two threads make
them, every activation f in its turn.  Around all operands, and between their rows, is NaN, which
would show in a result; around all results are numbers that must still be there afterwards.  With
--fence everything ends where a page ends and the next one may not be touched.

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
from minitrain.kernels.gemm import (
    DERIVATIVE,
    Epilogue,
    Matrix,
    column_sums,
    pack_address,
    product_address,
)
from minitrain.kernels.rule import code_hash
from minitrain.kernels.simd import LANES, fma
from minitrain.kernels.tile import address, lanes, load, store

CODES = range(len(f.NAMES))
GUARD = 64
UNTOUCHED = 77


def cached(function):
    return jit(function, key=code_hash(function))


# --- the kernels under test, from Python: a place is (start, row, column) ---------------------


@cached
def multiply(product, y, Y, x, X, w, W, b, B, z, Z, rows, columns, depth):
    call(
        product,
        (
            Matrix(address(y), Y[0], Y[1], Y[2]),
            Matrix(address(x), X[0], X[1], X[2]),
            Matrix(address(w), W[0], W[1], W[2]),
            Matrix(address(b), B[0], B[1], B[2]),
            Epilogue(Z[0], address(z), Z[1], Z[2]),
            rows,
            columns,
            depth,
        ),
    )


@cached
def pack(kernel, p, P, w, W, first, last, rows, columns):
    panels = Matrix(address(p), P[0], P[1], P[2])
    matrix = Matrix(address(w), W[0], W[1], W[2])
    call(kernel, (panels, matrix, first, last, rows, columns))


@cached
def sums(y, start, x, X, rows, columns):
    column_sums(address(y), start, Matrix(address(x), X[0], X[1], X[2]), rows, columns)


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


def separately(kernel, code, *arrays):
    result = np.empty_like(arrays[0])
    kernel(result.reshape(-1), *(a.reshape(-1) for a in arrays), code)
    return result


# --- memory with something around it ----------------------------------------------------------


class Placed:
    """A matrix somewhere in flat ``numbers``, its rows ``step`` apart; ``place`` as above."""

    def __init__(self, shape, T, fill, gap=0, fence=False):
        rows, columns = shape
        step = columns + gap
        inside = max((rows - 1) * step + columns, 0)
        size = GUARD + inside + (0 if fence else GUARD)
        self.numbers = fenced(size, T) if fence else np.empty(size, T)
        self.numbers[:] = fill
        self.place = (GUARD, step, 1)
        i, j = np.indices(shape)
        self._where = GUARD + i * step + j

    @property
    def values(self):
        return self.numbers[self._where]

    def others_are(self, number):
        return (np.delete(self.numbers, self._where.ravel()) == number).all()


def operand(values, random, fence):
    """The values with NaN around them and between their rows."""
    placed = Placed(values.shape, values.dtype, np.nan, random.randint(0, 3), fence)
    placed.numbers[placed._where] = values
    return placed


def result(shape, T, random, fence):
    return Placed(shape, T, UNTOUCHED, random.randint(0, 3), fence)


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


def check(M, N, K, T, random, codes=CODES, fence=False):
    """Every product of this size; an AssertionError says which one differs."""
    L, product = LANES[T], product_address(np.dtype(T))
    x, W, b, dy = (
        random.standard_normal(shape).astype(T) for shape in ((M, K), (K, N), (1, N), (M, N))
    )
    xs, Ws, bs, dys = (operand(values, random, fence) for values in (x, W, b, dy))

    def run(y, Y, X, W, b, z, Z, rows, columns, depth):
        multiply(
            product, y.numbers, Y, X[0].numbers, X[1], W[0].numbers, W[1], b[0].numbers, b[1],
            z.numbers, Z, rows, columns, depth,
        )  # fmt: skip

    def below(placed, i):
        start, row, column = placed.place
        return start + i * row, row, column

    nothing = (xs, (-1, 0, 1))
    z = chain(np.repeat(b, M, 0), x, W)
    panelled = (Ws, (*Ws.place[:2], L))
    for code in codes:
        y = result((M, N), T, random, fence)
        kept = result((M, N), T, random, fence) if code in (f.GELU, f.SILU) else y
        for begin, end in parts(M, 1, random):
            Z = (code, *below(kept, begin)[:2])
            run(y, below(y, begin), (xs, below(xs, begin)), panelled, (bs, bs.place), kept, Z,
                end - begin, N, K)  # fmt: skip
        what = (f.NAMES[code], M, N, K)
        assert same(y.values, separately(activate, code, z)), ("y", *what)
        assert kept is y or same(kept.values, z), ("z", *what)
        assert y.others_are(UNTOUCHED), ("beside y", *what)
        assert kept.others_are(UNTOUCHED), ("beside z", *what)

    wide = -(-N // L) * L * L
    panels = Placed((1, max(-(-K // L) * wide, 1)), T, UNTOUCHED, 0, fence)
    for first, last in parts(K, L, random):
        pack(pack_address(np.dtype(T)), panels.numbers, (GUARD, L, wide), Ws.numbers, Ws.place,
             first, last, K, N)  # fmt: skip
    if K and N:
        up = np.zeros((-(-N // L) * L, -(-K // L) * L), T)
        up[:N, :K] = W.T
        packed = panels.values.reshape(-1, up.shape[0], L)
        assert same(packed, up.reshape(up.shape[0], -1, L).swapaxes(0, 1).copy()), ("Wᵀ", K, N)
    assert panels.others_are(UNTOUCHED), ("beside Wᵀ", K, N)

    da = chain(np.zeros((M, K), T), dy, W.T)
    saved = operand(x, random, fence)
    for code in codes:
        dx = result((M, K), T, random, fence)
        for begin, end in parts(M, 1, random):
            Z = (DERIVATIVE + code, *below(saved, begin)[:2])
            run(dx, below(dx, begin), (dys, below(dys, begin)), (panels, (GUARD, L, wide)),
                nothing, saved, Z, end - begin, K, N)  # fmt: skip
        what = (f.NAMES[code], M, N, K)
        assert same(dx.values, separately(differentiate, code, da, x)), ("dx", *what)
        assert dx.others_are(UNTOUCHED), ("beside dx", *what)

    dW, db = result((K, N), T, random, fence), result((1, N), T, random, fence)
    for first, last in parts(K, L, random):
        X = (xs.place[0] + first, 1, xs.place[1])
        run(dW, below(dW, first), (xs, X), (dys, (*dys.place[:2], L)), nothing, dW,
            (f.IDENTITY, 0, 0), last - first, N, M)  # fmt: skip
    assert same(dW.values, chain(np.zeros((K, N), T), x.T, dy)), ("dW", M, N, K)
    assert dW.others_are(UNTOUCHED), ("beside dW", M, N, K)
    sums(db.numbers, GUARD, dys.numbers, dys.place, M, N)
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
        f"{options.largest}: all products equal the chain of scalar fma"
        + (", no byte beyond an operand was touched" if options.fence else "")
        + f" ({time.monotonic() - began:.0f} s)"
    )


if __name__ == "__main__":
    sys.exit(main())
