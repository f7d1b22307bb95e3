"""The bundled sets are scikit-learn's, and stay what they were."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets

from minitrain import datasets

# name: (rows, features, classes, SHA-256 of the arrays)
PINNED = {
    "iris": (150, 4, 3, "2f190ee80bc997b9aa6f28a02e282ded668f3adab916a44b1d0817c4ed42270a"),
    "wine": (178, 13, 3, "492829a3d6e45dda78c38fddf687516a7cdc70104012e0abe5bf5c63e21ea412"),
    "breast_cancer": (
        *(569, 30, 2),
        "07bb621191af9bdb809adeb44a53d45bc3b92843d743837509b691367c78bfa2",
    ),
    "digits": (1797, 64, 10, "aa665206d2bcd0094a2c2732af5a7942e4100b0ca40dee97dcbf229a599228bd"),
    "diabetes": (442, 10, 0, "6e20f99e007138eb3b60983cfebc0a67565608487ed363ceaa4f033137a8b5cf"),
}


@pytest.mark.parametrize("name", PINNED)
def test_pinned(name):
    data = datasets.load(name)
    assert (data.n_rows, data.n_features, data.n_classes, data.checksum) == PINNED[name]
    assert data.name == name


@pytest.mark.parametrize("name", PINNED)
def test_equal_to_scikit_learn(name):
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(sklearn.datasets, f"load_{name}")(**options)
    data = datasets.load(name)
    np.testing.assert_array_equal(data.X, bunch.data.astype(np.float32))
    np.testing.assert_array_equal(data.y, bunch.target)
    assert data.feature_names == tuple(bunch.feature_names)
    assert data.class_names == tuple(map(str, bunch.get("target_names", ())))


@pytest.mark.parametrize("name", PINNED)
def test_source_and_licence_are_told(name):
    data = datasets.load(name)
    assert "scikit-learn" in data.source
    assert data.licence != "unknown"
