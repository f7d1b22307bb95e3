"""Data to learn from: bundled, generated, or the user's own file.

>>> data = load("digits")
>>> data
<Dataset digits: 1797 rows, 64 features, 10 classes>
>>> train, valid, test = data.split(seed=0)
"""

from __future__ import annotations

from .bundled import breast_cancer, diabetes, digits, iris, wine
from .dataset import DataError, Dataset, Standardization
from .files import read_csv
from .registry import Description, describe, load, names, register
from .synthetic import blobs, circles, moons, spirals, xor
from .synthetic_clusters import classification, ill_scaled, imbalanced, noisy_labels

__all__ = [
    "DataError",
    "Dataset",
    "Description",
    "Standardization",
    "blobs",
    "breast_cancer",
    "circles",
    "classification",
    "describe",
    "diabetes",
    "digits",
    "ill_scaled",
    "imbalanced",
    "iris",
    "load",
    "moons",
    "names",
    "noisy_labels",
    "read_csv",
    "register",
    "spirals",
    "wine",
    "xor",
]
