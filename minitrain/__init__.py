"""minitrain: small neural networks on a CPU, trained by hand-written gradients and fused kernels.

>>> import minitrain as mt
>>> train, valid, test = mt.datasets.load("digits").split(seed=0)
>>> model = mt.MLP([64, 64, 10], seed=0)
>>> history = mt.Trainer(model, mt.optimizers.Adam()).fit(train, epochs=20, validation=valid)
>>> loss, accuracy = model.evaluate(test.X, test.y)
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import datasets, gallery, lab, optimizers, schedule
    from .estimator import MLPClassifier, MLPRegressor, TrainingCurveDisplay
    from .finder import find_learning_rate
    from .history import History
    from .loader import MiniBatchLoader
    from .model import MLP
    from .modifiers import Modifiers
    from .optimizer import Optimizer
    from .optimizers import rule
    from .trainer import DivergenceError, EarlyStopping, Trainer

try:
    __version__ = version("minitrain")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

# Loaded when first used (PEP 562), so that `minitrain --help` does not wait for Numba.
_ROOM_OF = {
    "MLP": "model",
    "MLPClassifier": "estimator",
    "MLPRegressor": "estimator",
    "DivergenceError": "trainer",
    "EarlyStopping": "trainer",
    "History": "history",
    "MiniBatchLoader": "loader",
    "Modifiers": "modifiers",
    "Optimizer": "optimizer",
    "Trainer": "trainer",
    "TrainingCurveDisplay": "estimator",
    "datasets": "datasets",
    "find_learning_rate": "finder",
    "gallery": "gallery",
    "lab": "lab",
    "optimizers": "optimizers",
    "rule": "optimizers",
    "schedule": "schedule",
}

__all__ = [
    "MLP",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "MLPClassifier",
    "MLPRegressor",
    "MiniBatchLoader",
    "Modifiers",
    "Optimizer",
    "Trainer",
    "TrainingCurveDisplay",
    "datasets",
    "find_learning_rate",
    "gallery",
    "lab",
    "optimizers",
    "rule",
    "schedule",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'minitrain' has no attribute {name!r}")
    room = import_module(f".{_ROOM_OF[name]}", __name__)
    value = room if name == _ROOM_OF[name] else getattr(room, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
