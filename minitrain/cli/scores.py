"""How good predictions are on rows that were not learned from, and how sure that is."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_Z = 1.959963984540054  # 95 % of a normal distribution lie within so many deviations


def score_classes(
    predicted: np.ndarray, wanted: np.ndarray, learned: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Accuracy with its uncertainty, beside that of always answering the class that was the
    most frequent in training; per class, how many rows were found, and for what others were taken.

    ``predicted`` and ``wanted`` are (n,) class codes into ``names``; ``learned`` are those of the
    training part.
    """
    n, k = len(wanted), len(names)
    majority = int(np.bincount(learned).argmax())
    confusion = np.bincount(wanted * k + predicted, minlength=k * k).reshape(k, k)
    accuracy = float((predicted == wanted).mean())
    low, high = wilson_interval(accuracy, n)
    rows = confusion.sum(axis=1)
    return {
        "rows": n,
        "accuracy": accuracy,
        "standard_error": math.sqrt(accuracy * (1 - accuracy) / n),
        "low": low,
        "high": high,
        "baseline": float((wanted == majority).mean()),
        "baseline_class": names[majority],
        "classes": [
            {
                "name": name,
                "rows": int(rows[c]),
                "recall": float(confusion[c, c] / rows[c]) if rows[c] else math.nan,
                "taken_for": {
                    names[other]: int(confusion[c, other])
                    for other in np.argsort(-confusion[c], kind="stable")
                    if other != c and confusion[c, other]
                },
            }
            for c, name in enumerate(names)
        ],
    }


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of n rows.  Source: Wilson (1927); unlike share ± 2 standard
    errors it stays within 0 … 1 and does not vanish where all n are right."""
    z2 = _Z * _Z / n
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n)) / (1 + z2)
    return max(0.0, centre - half), min(1.0, centre + half)


def score_numbers(predicted: np.ndarray, wanted: np.ndarray, mean: float) -> dict[str, Any]:
    """R² with its standard error, and the root mean square error beside that of always
    answering ``mean``, the mean of the training part.

    R² = 1 - A / B with the mean squares A of the errors and B of the deviations; its standard
    error is that of a ratio of means, from a first-order expansion.
    """
    errors = (wanted - predicted) ** 2
    deviations = (wanted - wanted.mean()) ** 2
    n, spread = len(wanted), deviations.mean()
    r2 = 1 - errors.mean() / spread if spread else math.nan
    residual = errors - (1 - r2) * deviations
    return {
        "rows": n,
        "r2": float(r2),
        "r2_standard_error": float(residual.std() / spread / math.sqrt(n)) if spread else math.nan,
        "rmse": float(np.sqrt(errors.mean())),
        "baseline_rmse": float(np.sqrt(((wanted - mean) ** 2).mean())),
    }
