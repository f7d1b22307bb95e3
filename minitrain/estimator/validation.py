"""Rows that are held out: split off as scikit-learn does, or the user's own; and their score."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring, r2_score
from sklearn.model_selection import train_test_split

from ..kernels.minibatch import Data
from .network import Network
from .objective import Whole


def split(
    estimator: Any, encoded: np.ndarray, n_outputs: int, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows to train with and of those held out, the same as scikit-learn's."""
    n = len(encoded)
    # Not in multi-label classification; and several classes are several outputs there.
    stratify = encoded if is_classifier(estimator) and n_outputs == 1 else None
    train, held_out = train_test_split(
        np.arange(n),
        random_state=random,
        test_size=estimator.validation_fraction,
        stratify=stratify,
    )
    if len(held_out) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    return train, held_out


def make_scorer(
    estimator: Any, network: Network, data: Data, y: Any, sample_weight: Any
) -> Callable[[], float]:
    """A function that scores the network as it is, on validation data; more is better.

    ``data`` are the rows encoded, ``y`` the targets as they were given.
    """
    scoring = estimator.scoring
    if scoring == "loss":
        whole = Whole(network.mlp, data, shown=True)
        return lambda: -whole.loss()
    if scoring is not None:
        scorer = check_scoring(estimator, scoring)
        options = {} if sample_weight is None else {"sample_weight": sample_weight}
        return lambda: float(scorer(estimator, data.X, y, **options))
    weights = None if sample_weight is None else np.asarray(sample_weight, float)

    def score() -> float:
        z = network.outputs(data.X)
        if not np.isfinite(z).all():
            return float("nan")
        if not is_classifier(estimator):
            mean = np.exp(z) if network.mlp.loss == "poisson" else z
            return float(r2_score(data.targets, mean, sample_weight=weights))
        if data.labels.size:
            right = z.argmax(axis=1) == data.labels
        else:
            right = ((z > 0) == (data.targets > 0.5)).all(axis=1)
        return float(np.average(right, weights=weights))

    return score
