"""Write datasets/data/*.npz: scikit-learn's bundled data sets as arrays.

    python scripts/make_bundled.py

Importing scikit-learn to read digits takes longer than training on them. A test compares the files
with scikit-learn's loaders.
"""

from pathlib import Path

import numpy as np
from sklearn import datasets

FOLDER = Path(__file__).parents[1] / "datasets" / "data"
OPTIONS = {"diabetes": {"scaled": False}}


def main():
    FOLDER.mkdir(exist_ok=True)
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        bunch = getattr(datasets, f"load_{name}")(**OPTIONS.get(name, {}))
        X, y = smallest(bunch.data), smallest(bunch.target)
        classes = [str(label) for label in bunch.get("target_names", ())]
        path = FOLDER / f"{name}.npz"
        np.savez_compressed(
            path, X=X, y=y, feature_names=list(bunch.feature_names), class_names=classes
        )
        print(f"{path.name:20} X {X.shape} {X.dtype}, y {y.dtype}, {path.stat().st_size:7} bytes")


def smallest(values):
    """In one byte each where that loses nothing."""
    small = values.astype(np.uint8)
    return small if np.array_equal(small, values) else values


if __name__ == "__main__":
    main()
