"""How fast are the matrix products of a layer? GFLOP/s on one core, beside fma on registers alone.

    python3 scripts/bench_products.py                    # a few sizes, half a minute
    python3 scripts/bench_products.py --sizes 32,64,64 128,784,256

For B rows, I inputs and O outputs: y = relu(x W + b), dx = (dy Wᵀ) · relu', dW = xᵀ dy, in float32,
the operands in the cache that they fit into.  The least of several repetitions, in turn with the
roof.
"""

import argparse
import time

from _environment import ensure

ensure()

import numpy as np
from _roof import _fma_loop

from minitrain.kernels._jit import jit
from minitrain.kernels.layers import layer_product, weight_gradient
from minitrain.kernels.memory import aligned_zeros
from minitrain.kernels.rule import code_hash
from minitrain.model import MLP

SIZES = ["32,64,64", "64,64,128", "64,128,64", "128,784,256", "128,256,128", "256,784,1024",
         "256,1024,1024"]  # fmt: skip
PRODUCTS = ("x W + b", "dy Wᵀ", "xᵀ dy")


def _repeat(which, theta, gradient, work, B, I, O, count):
    for _ in range(count):
        if which == 0:
            layer_product(theta, work, 1, 0, 0, B, 0, O, 0)
        elif which == 1:
            layer_product(theta, work, 1, 1, 0, B, 0, I, 0)
        else:
            weight_gradient(gradient, work, 1, 0, I, B)


repeat = jit(_repeat, key=code_hash(_repeat))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="B,I,O")
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    print(f"{'B, I, O':>18}" + "".join(f"{name:>12}" for name in (*PRODUCTS, "the roof")))
    for text in options.sizes:
        B, I, O = (int(n) for n in text.split(","))
        rates, roof = measure(B, I, O, options.repetitions)
        print(f"{text.replace(',', ', '):>18}" + "".join(f"{r:12.0f}" for r in (*rates, roof)))


def measure(B, I, O, repetitions):
    """GFLOP/s of the three products, in the second layer of a network, and of the roof."""
    model = MLP([1, I, O, 2], "relu", seed=0)
    work = model.workspace(B)
    work.numbers[:] = np.random.default_rng(0).standard_normal(work.numbers.size)
    gradient = aligned_zeros(model.n_parameters, model.dtype)
    x, flops = aligned_zeros(256, np.float32), 2 * B * I * O
    count = max(1, int(1e8 / flops))
    tasks = [
        lambda which=which: repeat(which, model.parameters, gradient, work, B, I, O, count)
        for which in range(3)
    ]
    operations = [count * flops] * 3 + [100_000 * 512]
    tasks.append(lambda: _fma_loop(x, 100_000))
    for task in tasks:
        task()
    least = [np.inf] * 4
    for _ in range(repetitions):
        for k, task in enumerate(tasks):
            began = time.perf_counter()
            task()
            least[k] = min(least[k], time.perf_counter() - began)
    *rates, roof = (n / seconds / 1e9 for n, seconds in zip(operations, least, strict=True))
    return rates, roof


if __name__ == "__main__":
    main()
