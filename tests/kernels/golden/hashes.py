"""Trainings that must end in the same bits everywhere, and the hash that each must have.

    python3 tests/kernels/golden/hashes.py             # all of them, on this machine
    python3 tests/kernels/golden/hashes.py --write     # hashes.json, after a change on purpose
    NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES= python3 tests/kernels/golden/hashes.py

A hash is SHA-256 of the final parameters and of the recorded history.  The data are small whole
numbers divided by a power of two, so that no library's random normal numbers come in.
"""

import argparse
import hashlib
import itertools
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minitrain as mt
from minitrain import training
from minitrain.kernels import activations, epoch, losses, panels, simd, vector
from minitrain.kernels._jit import COMPILED

FILE = Path(__file__).with_suffix(".json")


class Case(NamedTuple):
    sizes: tuple
    activation: tuple | str
    loss: str
    dtype: str
    optimizer: str
    hyperparameters: dict
    rows: int
    batch_size: int
    epochs: int


# Sizes beyond a tile, a vector and a share of a thread in every way; each activation in a layer.
DEEP = (37, 50, 33, 29, 21, 20, 19, 10)
ALL = ("relu", "tanh", "gelu", "sigmoid", "leaky_relu", "silu")
# In plain Python a step takes a hundredth of a second in float32, a second in float64.
SMALL = {
    "small-softmax-float32": Case(
        (5, 19, 17, 3), ("tanh", "gelu"), "softmax_cross_entropy", "float32", "adam", {}, 20, 18, 2
    ),
    "small-binary-float32": Case(
        (3, 17, 2), "silu", "binary_cross_entropy", "float32", "nadam", {}, 18, 7, 1
    ),
    "small-squared-float64": Case(
        (3, 9, 2), "sigmoid", "squared_error", "float64", "rmsprop", {"centered": True}, 9, 7, 1
    ),
}
LARGE = {
    "large-softmax-float32": Case(
        DEEP, ALL, "softmax_cross_entropy", "float32", "adamw", {}, 150, 70, 3
    ),
    "large-binary-float64": Case(
        DEEP, ALL[::-1], "binary_cross_entropy", "float64", "nadam", {}, 150, 70, 3
    ),
    # Beyond a block of a product, in each of its three dimensions.
    "wide-softmax-float32": Case(
        (150, 140, 66, 10), "relu", "softmax_cross_entropy", "float32", "adam", {}, 300, 140, 2
    ),
    "wide-squared-float64": Case(
        (135, 70, 130, 40), "tanh", "squared_error", "float64", "momentum", {}, 300, 140, 2
    ),
}
CASES = SMALL | LARGE

# Every combination, on small networks; one hash for all activations and optimizers of a kind.
FIRST = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam")
OPTIMIZERS = [
    *((name, {}) for name in FIRST),
    ("momentum", {"weight_decay": 0.1}),
    ("adam", {"amsgrad": True}),
    ("rmsprop", {"centered": True, "momentum": 0.9}),
]
COMBINATIONS = {
    f"all-{loss}-{dtype}": [
        Case((6, 18, 17, 3), activation, loss, dtype, *optimizer, 40, 19, 2)
        for activation in activations.NAMES
        for optimizer in OPTIMIZERS
    ]
    for loss, dtype in itertools.product(losses.NAMES, ("float32", "float64"))
}

# The other rules, on one network; a rule that is added gets a line of its own here.
RULES = [
    ("adamax", {"weight_decay": 0.1}),
    ("radam", {"beta2": 0.9}),  # divides from its sixth step on
    ("adadelta", {"lr": 0.1}),
    ("rprop", {}),
    ("lion", {"weight_decay": 0.1}),
    ("signsgd", {}),
    ("signum", {}),
    ("adabelief", {}),
    ("yogi", {}),
    ("adopt", {}),
    ("adan", {}),
    ("ademamix", {"alpha_warmup": 5, "beta3_warmup": 5}),
    ("laprop", {}),
    ("qhm", {"nu": 0.7}),
    ("qhadam", {"nu2": 0.9}),
    ("aggmo", {}),
    ("aggmo", {"beta1": 0.5}),
    ("asgd", {}),
    ("asgd", {"average": True, "t0": 2}),
    ("adabound", {}),
    ("madgrad", {"weight_decay": 0.1}),
    ("lars", {"weight_decay": 0.1}),
    ("lamb", {"weight_decay": 0.1}),
    ("novograd", {"weight_decay": 0.1}),
    ("dog", {"reps_rel": 0.01}),
    ("dadapt_adamw", {"d0": 0.01}),
    ("prodigy", {"d0": 0.01}),
    ("schedule_free_sgd", {}),
    ("schedule_free_adamw", {"weight_decay": 0.1}),
    ("adam", {"clip_global_norm": 0.1, "ema": 0.9}),
    ("adam", {"cautious": True, "noise": 0.01, "lookahead": 2}),
    ("adam", {"sam": 0.05, "centralize": True, "clip_norm": 0.1}),
]
COMBINATIONS |= {
    f"{name}-{'-'.join(given) or 'plain'}-{dtype}": [
        Case((6, 18, 17, 3), "tanh", "softmax_cross_entropy", dtype, name, given, 40, 19, 2)
    ]
    for name, given in RULES
    for dtype in ("float32", "float64")
}


def numbers(seed, shape):
    return np.random.RandomState(seed).randint(-128, 128, shape) / 64


def data(case, rows, seed):
    X, O = numbers(seed, (rows, case.sizes[0])), case.sizes[-1]
    if case.loss == "softmax_cross_entropy":
        return X, np.random.RandomState(seed + 1).randint(0, O, rows)
    y = numbers(seed + 1, (rows, O))
    if case.loss == "poisson":
        return X, np.abs(y)
    return X, (y > 0).astype(int) if case.loss == "binary_cross_entropy" else y


def train(case, threads=1):
    """(final parameters, record) of a training by so many threads, however many cores there are."""
    model = mt.MLP(case.sizes, case.activation, loss=case.loss, dtype=case.dtype, seed=1)
    optimizer = mt.optimizers.get(case.optimizer, **{"lr": 0.01, **case.hyperparameters})
    chosen = training.choose_threads
    training.choose_threads = lambda asked, flops: threads
    try:
        history = mt.Trainer(model, optimizer, case.batch_size, seed=2, threads=threads).fit(
            data(case, case.rows, 3), case.epochs, validation=data(case, case.rows // 2, 5)
        )
    finally:
        training.choose_threads = chosen
    record = [getattr(history, column) for column in epoch.COLUMNS]
    return model.parameters, np.array(record)


def hash_of(*cases, threads=1):
    digest = hashlib.sha256()
    for case in cases:
        parameters, record = train(case, threads)
        assert np.isfinite(parameters).all(), case
        digest.update(parameters.astype(parameters.dtype.newbyteorder("<")).tobytes())
        digest.update(np.nan_to_num(record, nan=-1.0).astype("<f8").tobytes())
    return digest.hexdigest()


def instructions():
    """What the compiler makes of a product and a sum here: "zmm fma", "ymm fma", "xmm", …"""
    if not COMPILED:
        return "NumPy"
    import numba

    @numba.njit
    def use(a):
        vector.store(a, 0, simd.fma(vector.load(a, 0), vector.load(a, 16), vector.load(a, 32)))

    use(np.zeros(48, np.float32))
    (assembly,) = use.inspect_asm().values()
    widest = next((r for r in ("zmm", "ymm", "xmm") if f"%{r}" in assembly), "other")
    return widest + (" fma" if "vfmadd" in assembly else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help="note what comes out as right")
    parser.add_argument("--cases", nargs="+", choices=CASES, help="print these as JSON instead")
    options = parser.parse_args()
    if options.cases:
        found = {name: hash_of(CASES[name]) for name in options.cases}
        print(json.dumps({"instructions": instructions(), "rows": panels.ROWS, "hashes": found}))
        return 0
    wanted = {} if options.write else json.loads(FILE.read_text("utf-8"))
    found, different = {}, 0
    print(f"instructions: {instructions()}")
    kinds = {name: [case] for name, case in CASES.items()} | COMBINATIONS
    for name, cases in kinds.items():
        found[name] = hash_of(*cases)
        differs = not options.write and found[name] != wanted.get(name)
        different += differs
        print(f"{name}: {len(cases)} trainings, {found[name][:16]}{' DIFFERS' * differs}")
    if options.write:
        FILE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
