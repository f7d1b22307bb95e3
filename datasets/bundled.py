"""Real data that come with minitrain, so that they need no network.

The arrays are scikit-learn's copies, written by scripts/make_bundled.py: importing scikit-learn to
read them takes longer than most of our runs.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from .dataset import Dataset
from .registry import register

UCI_LICENCE = "CC BY 4.0 (UCI Machine Learning Repository)"


@register("flowers of three species from four lengths; two species overlap")
def iris() -> Dataset:
    """150 rows, 4 features, 3 classes (Fisher 1936), as corrected in scikit-learn and R."""
    return _bundled(
        "iris",
        source="R. A. Fisher (1936), The use of multiple measurements; UCI doi:10.24432/C56C76",
    )


@register("wines of three growers from a chemical analysis")
def wine() -> Dataset:
    """178 rows, 13 features on very different scales, 3 classes (Forina et al.)."""
    return _bundled(
        "wine",
        source="M. Forina et al., PARVUS; S. Aeberhard (1992); UCI doi:10.24432/C5PC7J",
    )


@register("tumours, malignant or benign, from measurements of cell nuclei")
def breast_cancer() -> Dataset:
    """569 rows, 30 features, 2 classes (Street, Wolberg, Mangasarian 1993)."""
    return _bundled(
        "breast_cancer",
        source="W. Street, W. Wolberg, O. Mangasarian (1993); UCI doi:10.24432/C5DW2B",
    )


@register("handwritten digits, 8 x 8 pixels of 17 grey levels")
def digits() -> Dataset:
    """1797 rows, 64 features (row by row, 0..16), 10 classes; the test part of UCI's optdigits."""
    return _bundled(
        "digits",
        source="E. Alpaydin, C. Kaynak (1998), optdigits; UCI doi:10.24432/C50P49",
    )


@register("progress of diabetes after one year (regression)")
def diabetes() -> Dataset:
    """442 rows, 10 features in their original units, real target in 25..346."""
    return _bundled(
        "diabetes",
        source="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani (2004), Least Angle Regression",
        licence="not stated by its authors; distributed with scikit-learn",
    )


def _bundled(name: str, source: str, licence: str = UCI_LICENCE) -> Dataset:
    with (
        files(__package__).joinpath("data", f"{name}.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return Dataset(
            name=name,
            X=arrays["X"],
            y=arrays["y"],
            feature_names=tuple(arrays["feature_names"].tolist()),
            class_names=tuple(arrays["class_names"].tolist()),
            source=f"{source}; scikit-learn's copy",
            licence=licence,
        )
