"""Clusters in many dimensions, each time with one difficulty that real data have.

All are scikit-learn's `make_classification` (Guyon 2003, the Madelon generator): two Gaussian
clusters per class on the corners of a hypercube; some features carry nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .checks import DataError, check_integer, check_real, random_state
from .dataset import Dataset
from .registry import register


@register("Gaussian clusters in 20 dimensions, 10 of which carry nothing")
def classification(
    n: int = 1000,
    features: int = 20,
    informative: int = 10,
    classes: int = 3,
    separation: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """Equal classes; `separation`: half the side of the hypercube, in cluster deviations."""
    rng = random_state(seed)
    X, y = _clusters(n, features, informative, (1.0,) * _classes(classes), separation, rng)
    return _labelled("classification", X, y, classes)


@register("three classes of 90, 8 and 2 percent")
def imbalanced(
    n: int = 1000,
    features: int = 20,
    informative: int = 10,
    weights: Sequence[float] = (0.90, 0.08, 0.02),
    separation: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """Clusters whose classes have shares in proportion to `weights`, one per class."""
    if not isinstance(weights, (tuple, list)) or len(weights) < 2:
        raise DataError(f"weights must hold a number per class, two or more; got {weights!r}")
    shares = tuple(check_real("each of weights", share, 1e-9) for share in weights)
    rng = random_state(seed)
    X, y = _clusters(n, features, informative, shares, separation, rng)
    return _labelled("imbalanced", X, y, len(shares))


@register("clusters of which one label in five is wrong")
def noisy_labels(
    n: int = 1000,
    features: int = 20,
    informative: int = 10,
    classes: int = 3,
    flipped: float = 0.2,
    separation: float = 2.0,
    seed: int = 0,
) -> Dataset:
    """A share `flipped` of the labels is replaced by another class, drawn uniformly.

    No model can be expected to score above 1 - flipped on any part. Without flips (flipped=0)
    the data are those of `classification` with the same arguments.
    """
    rng = random_state(seed)
    X, y = _clusters(n, features, informative, (1.0,) * _classes(classes), separation, rng)
    wrong = rng.permutation(n)[: round(check_real("flipped", flipped, 0.0, 1.0) * n)]
    y = y.copy()
    y[wrong] = (y[wrong] + rng.randint(1, classes, size=len(wrong))) % classes
    return _labelled("noisy_labels", X, y, classes)


@register("clusters stretched 100 : 1 along slanted axes, which standardising cannot undo")
def ill_scaled(
    n: int = 1000,
    features: int = 20,
    informative: int = 10,
    classes: int = 3,
    decades: float = 2.0,
    rotate: bool = True,
    separation: float = 1.0,
    seed: int = 0,
) -> Dataset:
    """Clusters stretched by factors spread evenly, on a log scale, over `decades` powers of 10.

    With `rotate`, the stretched axes are then turned by a random rotation: every feature mixes
    large and small directions, so that standardising the features leaves the problem
    ill-conditioned, as correlated measurements are. Without it, features merely have different
    units, and standardising gives back `classification`.
    """
    decades = check_real("decades", decades, 0.0, 6.0)
    rng = random_state(seed)
    X, y = _clusters(n, features, informative, (1.0,) * _classes(classes), separation, rng)
    exponents = rng.permutation(np.linspace(-decades / 2, decades / 2, X.shape[1]))
    X = X * 10.0**exponents
    if rotate:
        X = X @ np.linalg.qr(rng.standard_normal((X.shape[1], X.shape[1])))[0]
    return _labelled("ill_scaled", X, y, classes)


def _classes(classes: int) -> int:
    return check_integer("classes", classes, 2)


def _clusters(
    n: int,
    features: int,
    informative: int,
    shares: Sequence[float],
    separation: float,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """X (n, features) float64 and y (n,) class codes, `shares` of the rows per class."""
    from sklearn.datasets import make_classification

    features = check_integer("features", features, 1)
    informative = check_integer("informative", informative, 1, features)
    if 2**informative < 2 * len(shares):
        raise DataError(
            f"informative must be at least {int(np.ceil(np.log2(2 * len(shares))))} for "
            f"{len(shares)} classes of two clusters; got {informative}"
        )
    X, y = make_classification(
        n_samples=check_integer("n", n, 2 * len(shares)),
        n_features=features,
        n_informative=informative,
        n_redundant=0,
        n_classes=len(shares),
        n_clusters_per_class=2,
        weights=[share / sum(shares) for share in shares],
        flip_y=0.0,
        class_sep=check_real("separation", separation, 0.0),
        random_state=rng,
    )
    return X, y


def _labelled(name: str, X: np.ndarray, y: np.ndarray, classes: int) -> Dataset:
    return Dataset(
        name=name,
        X=X,
        y=y,
        class_names=tuple(f"class {i}" for i in range(classes)),
        source="generated by scikit-learn's make_classification (Guyon 2003)",
        licence="CC0",
    )
