"""Targets as the kernels take them: what scikit-learn's LabelBinarizer would say, only sooner."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.preprocessing import LabelBinarizer

from minitrain.estimator.targets import binarizer_of, encode

TARGETS = {
    "two numbers": np.tile([3, -1], 8),
    "bytes": np.tile([0, 1], 8).astype(np.uint8),
    "floats": np.tile([0.0, 2.0], 8),
    "truths": np.tile([True, False], 8),
    "strings": np.tile(["yes", "no"], 8),
    "objects": np.tile(np.array(["yes", "no"], object), 8),
    "a series": pd.Series(["b", "a"] * 8),
    "one class": np.full(16, 7),
    "three numbers": np.tile([5, 1, 9], 6),
    "three strings": np.tile(["r", "g", "b"], 6),
    "a column": np.tile([[3], [-1]], (8, 1)),
    "labels": np.tile([[0, 1, 1], [1, 0, 0]], (8, 1)),
    "sparse labels": sparse.csr_matrix(np.tile([[0, 1, 1], [1, 0, 0]], (8, 1))),
}


@pytest.mark.parametrize("name", TARGETS)
def test_as_the_binarizer(name):
    y = TARGETS[name]
    theirs = LabelBinarizer().fit(y)
    ours = binarizer_of(y)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.y_type_ == theirs.y_type_
    expected = theirs.transform(y)
    expected = expected.toarray() if sparse.issparse(expected) else expected
    found = encode(ours, y)
    found = found.toarray() if sparse.issparse(found) else found
    if ours.y_type_ == "multiclass":
        expected = expected.argmax(axis=1)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == expected.shape


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2]])
def test_a_class_that_was_not_there(classes):
    """It has no 1 anywhere, as with the binarizer."""
    fitted = LabelBinarizer().fit(classes)
    y = np.array([0, 1, 5])
    expected = fitted.transform(y)
    expected = expected.argmax(axis=1) if len(classes) > 2 else expected
    np.testing.assert_array_equal(encode(fitted, y), expected)
