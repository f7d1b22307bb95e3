"""Search spaces: scrambled Sobol points, the same for everybody, on the range of each rule.

Ranges: docs/comparing.md.  Every hyperparameter has a place of its own among the coordinates, so
all optimizers that have it meet the same values of it.
"""

from collections.abc import Mapping

import numpy as np

from ..optimizer import Optimizer

EDGE = 0.05  # share of the (logarithmic) range at each end that counts as its edge
MOST_EXTENSIONS = 3
_NO_DECAY = 0.25  # share of the trials without weight decay

# 1 - value is log-uniform on these.
_MOMENTUM, _FIRST, _SECOND = (1e-3, 1.0), (1e-3, 0.5), (1e-4, 0.3)
_COMPLEMENTS = {
    "momentum": _MOMENTUM,
    "beta": _MOMENTUM,
    "beta1": _FIRST,
    "beta2": _SECOND,
    "alpha": _SECOND,
    "rho": _SECOND,
}
_LOGARITHMIC = {"eps": (1e-10, 1.0)}
_DECAY = (1e-6, 1e-1)
# The coordinate of each; momentum and beta1 play one part, as do the decays of squares.
_COORDINATES = {
    "lr": 0, "momentum": 1, "beta": 1, "beta1": 1, "beta2": 2, "alpha": 2, "rho": 2, "eps": 3,
    "weight_decay": 4,
}  # fmt: skip
_DIMENSIONS = 5


def unit_points(n: int, seed: int) -> np.ndarray:
    """(n, 5) scrambled Sobol points in the unit cube."""
    from scipy.stats import qmc

    if n == 0:
        return np.empty((0, _DIMENSIONS))
    sobol = qmc.Sobol(_DIMENSIONS, scramble=True, rng=seed)
    return sobol.random_base2(max(n - 1, 0).bit_length())[:n]


def log_uniform(u: float, low: float, high: float) -> float:
    return float(np.exp(np.log(low) + (np.log(high) - np.log(low)) * u))


def trials(
    optimizer: Optimizer, arm: str, rates: tuple[float, float], points: np.ndarray
) -> list[Optimizer]:
    """The optimizer at each of the points (n, 5), with rates from this range.

    The arm "learning_rate" changes that alone; "everything" all that is a matter of tuning.
    """
    return [optimizer.replace(**_values(optimizer, arm, rates, point)) for point in points]


def _values(
    optimizer: Optimizer, arm: str, rates: tuple[float, float], point: np.ndarray
) -> Mapping[str, float]:
    values = {"lr": log_uniform(point[0], *rates)}
    if arm != "everything":
        return values
    for name, own in optimizer.hyperparameters.items():
        if name == "lr" or name not in _COORDINATES or isinstance(own, bool):
            continue
        u = point[_COORDINATES[name]]
        if name in _COMPLEMENTS:
            # Nesterov and others refuse a momentum of exactly zero.
            values[name] = max(1.0 - log_uniform(u, *_COMPLEMENTS[name]), 1e-6)
        elif name in _LOGARITHMIC:
            values[name] = log_uniform(u, *_LOGARITHMIC[name])
        elif u < _NO_DECAY:
            values[name] = 0.0
        else:
            values[name] = log_uniform((u - _NO_DECAY) / (1 - _NO_DECAY), *_DECAY)
    return values


def extended(best: float, rates: tuple[float, float]) -> tuple[float, float] | None:
    """The range a decade longer where the best rate lies at its edge, else None."""
    low, high = rates
    place = np.log(best / low) / np.log(high / low)
    if place < EDGE:
        return low / 10, high
    if place > 1 - EDGE:
        return low, high * 10
    return None
