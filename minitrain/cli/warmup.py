"""``minitrain warmup``: compile every kernel into the cache, so that no later run waits for it."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from .. import console
from .arguments import to_json

USAGE = "[--json]"
SUMMARY = "compile everything now, so that no later run waits for it"

DTYPES = ("float32", "float64")
# Options of optimizers that need a kernel of their own in a training; the others share the first's.
MODIFIERS: tuple[dict[str, Any], ...] = (
    {"l1": 1e-3}, {"sam": 0.05}, {"cautious": True}, {"ema": 0.9}, {"swa_start": 1},
)  # fmt: skip
LOSSES = ("softmax_cross_entropy", "binary_cross_entropy", "squared_error", "poisson")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from ..kernels import _jit

    quiet = options.json and not console.is_terminal(sys.stderr)
    tasks = list(_tasks())
    compiled: list[str] = []
    said: list[int] = []
    began = time.perf_counter()
    with console.Progress("part", quiet=quiet) as progress:
        for number, (name, task) in enumerate(tasks, 1):

            def heard(kernel: str, number: int = number, name: str = name) -> None:
                if not said or said[-1] != number:
                    progress.update(number, len(tasks), name)
                said.append(number)
                compiled.append(kernel)

            with _listening(heard):
                task()
    seconds = time.perf_counter() - began
    folder = _jit.cache_folder()
    if options.json:
        found = {"compiled": len(compiled), "kernels": compiled, "seconds": seconds}
        print(to_json({**found, "cache": str(folder) if folder else None}))
        return 0
    if not _jit.COMPILED:
        print("Nothing to compile: NUMBA_DISABLE_JIT is set.")
    elif not compiled:
        print(f"Everything was there ({console.duration(seconds)}): {folder}")
    elif folder is None:
        print(f"Compiled {len(compiled)} kernels in {console.duration(seconds)}, for nothing: "
              "no folder to keep them in can be written; set NUMBA_CACHE_DIR")  # fmt: skip
    else:
        print(f"Compiled {len(compiled)} kernels in {console.duration(seconds)} into {folder}")
    return 0


def _tasks() -> Iterator[tuple[str, Callable[[], Any]]]:
    """What is to be compiled, in parts: names, and functions that use it once.

    Only what is seen by Numba makes a difference to it: dtype, loss and the code of the rule, but
    not sizes, activations or hyperparameters.
    """
    from .. import optimizers
    from ..kernels import rule as rules

    for dtype in DTYPES:
        for loss in LOSSES:
            yield f"training with {loss}, {dtype}", partial(_use_network, loss, dtype)
        yield f"estimators, {dtype}", partial(_use_estimators, dtype)
        yield f"normalization, dropout, smoothed labels, {dtype}", partial(_use_inserted, dtype)
        for given in MODIFIERS:
            yield f"{', '.join(given)}, {dtype}", partial(_use_modifier, given, dtype)
        for name in optimizers.names():
            rule = rules.get(name)
            for flags in rule.variants:
                on = {flag: isinstance(rule.defaults[flag], bool) or 0.5 for flag in flags}
                optimizer = optimizers.get(name, **on)
                what = " + ".join([name, *sorted(flags)])
                yield f"{what}, {dtype}", partial(_use_optimizer, optimizer, dtype)


def _use_network(loss: str, dtype: str) -> None:
    """Train, evaluate, predict and differentiate once: what the library does with a network."""
    from .. import optimizers
    from ..loader import MiniBatchLoader
    from ..model import MLP
    from ..trainer import Trainer

    X, y, yes = _data(dtype)
    targets = y if loss == "softmax_cross_entropy" else yes
    model = MLP([3, 2, 2], loss=loss, dtype=dtype)
    for balanced in (False, True) if targets is y else (False,):
        loader = MiniBatchLoader(X, targets, 2, balanced=balanced)
        loader.order(0)
        Trainer(model, optimizers.get("adam")).fit(loader, 1, validation=(X, targets))
    model.evaluate(X, targets)
    model.predict(X)
    model.loss_and_gradient(X, targets)


def _data(dtype: str) -> tuple[Any, Any, Any]:
    """Rows, their classes, and a yes or no for each class."""
    import numpy as np

    y = np.array([0, 1, 0, 1])
    return np.eye(4, 3, dtype=dtype), y, np.eye(2, dtype=dtype)[y]


def _use_estimators(dtype: str) -> None:
    """Fit with each solver of scikit-learn, with averaged weights, and predict."""
    import warnings

    from ..estimator import MLPClassifier

    X, y, _ = _data(dtype)
    ways: list[dict[str, Any]] = [{"solver": "sgd"}, {"solver": "lbfgs"}, {"ema": 0.9}, {}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fits are too short to converge
        for options in ways:
            MLPClassifier((2,), max_iter=1, **options).fit(X, y).predict(X)


def _use_inserted(dtype: str) -> None:
    """Train with all that may stand between the layers, for each loss that smooths labels."""
    from ..model import MLP
    from ..optimizers import get
    from ..trainer import Trainer

    X, y, yes = _data(dtype)
    options: dict[str, Any] = {"dtype": dtype, "normalization": "layer", "dropout": 0.5}
    for loss, targets in (("softmax_cross_entropy", y), ("binary_cross_entropy", yes)):
        model = MLP([3, 2, 2], loss=loss, label_smoothing=0.1, **options)
        Trainer(model, get("adam"), batch_size=2).fit((X, targets), 1)


def _use_modifier(given: dict[str, Any], dtype: str) -> None:
    from .. import optimizers
    from ..model import MLP
    from ..trainer import Trainer

    X, y, _ = _data(dtype)
    Trainer(MLP([3, 2, 2], dtype=dtype), optimizers.get("adam", **given), 2).fit((X, y), 1)


def _use_optimizer(optimizer: Any, dtype: str) -> None:
    import numpy as np

    parameters = np.zeros(4, dtype)
    optimizer.step(parameters, np.ones_like(parameters), optimizer.init(parameters))


@contextmanager
def _listening(heard: Callable[[str], Any]) -> Iterator[None]:
    """Call ``heard`` with the name of each kernel that is compiled."""
    from ..kernels import _jit

    before, _jit.on_compile = _jit.on_compile, heard
    try:
        yield
    finally:
        _jit.on_compile = before
