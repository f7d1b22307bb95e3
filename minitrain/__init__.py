"""minitrain: small neural networks on a CPU, trained by hand-written gradients and fused kernels.

>>> import minitrain as mt
>>> train, valid, test = mt.datasets.load("digits").split(seed=0)
>>> model = mt.MLP([64, 64, 10], seed=0)
>>> history = mt.Trainer(model, mt.optimizers.Adam()).fit(train, epochs=20, validation=valid)
>>> loss, accuracy = model.evaluate(test.X, test.y)
"""

from importlib.metadata import PackageNotFoundError, version

from . import datasets, lab, optimizers
from .history import History
from .kernels.rule import rule
from .loader import MiniBatchLoader
from .model import MLP
from .optimizer import Optimizer
from .trainer import DivergenceError, EarlyStopping, Trainer

try:
    __version__ = version("minitrain")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "MLP",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "MiniBatchLoader",
    "Optimizer",
    "Trainer",
    "datasets",
    "lab",
    "optimizers",
    "rule",
]
