"""A Dataset is checked, read-only and knows its bytes."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest

from minitrain import datasets
from minitrain.datasets import DataError, Dataset

X = np.arange(12.0).reshape(4, 3)


def make(**changes) -> Dataset:
    return Dataset(**{"name": "tiny", "X": X, "y": [0, 1, 1, 0], **changes})


def test_arrays_have_the_promised_types():
    data = make(X=np.asfortranarray(X), y=np.array([0, 1, 1, 0], dtype=np.uint8))
    assert data.X.dtype == np.float32
    assert data.X.flags.c_contiguous
    assert data.y.dtype == np.int64
    np.testing.assert_array_equal(data.X, X)
    assert (len(data), data.n_rows, data.n_features, data.n_classes) == (4, 4, 3, 2)
    assert data.feature_names == ("x0", "x1", "x2")
    assert data.class_names == ("0", "1")
    assert data.kind == "classification"


def test_nothing_can_be_written_to():
    data = make()
    for part in (data, *make(X=np.eye(6, 3), y=[0, 1] * 3).split(), data.take([0, 1])):
        for array in (part.X, part.y):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"


def test_a_writable_array_is_copied_and_left_writable():
    mine = np.ones((4, 3), dtype=np.float32)
    codes = np.array([0, 1, 1, 0])
    data = make(X=mine, y=codes)
    mine[:], codes[:] = 5.0, 0
    assert data.X.max() == 1.0
    assert data.y.tolist() == [0, 1, 1, 0]


def test_a_read_only_view_of_a_writable_array_is_copied():
    mine = np.ones((4, 3), dtype=np.float32)
    view = mine[:]
    view.flags.writeable = False
    data = make(X=view)
    mine[:] = 5.0
    assert data.X.max() == 1.0


def test_a_read_only_memory_map_is_shared(tmp_path):
    np.ones((4, 3), dtype=np.float32).tofile(tmp_path / "X")
    mapped = np.memmap(tmp_path / "X", dtype=np.float32, mode="r", shape=(4, 3))
    assert np.shares_memory(make(X=mapped).X, mapped)


def test_regression_target():
    data = make(y=[0.5, 1.5, -1.0, 2.0])
    assert data.y.dtype == np.float64
    assert (data.kind, data.class_names, data.n_classes) == ("regression", (), 0)
    assert repr(data) == "<Dataset tiny: 4 rows, 3 features, regression target>"
    train, valid, test = data.split()
    assert sorted(np.concatenate([train.y, valid.y, test.y])) == [-1.0, 0.5, 1.5, 2.0]


def test_repr_is_short():
    assert repr(make()) == "<Dataset tiny: 4 rows, 3 features, 2 classes>"
    assert repr(make().take([1])) == "<Dataset tiny: 1 row, 3 features, 2 classes>"


def test_checksum_is_the_documented_hash():
    data = make()
    expected = hashlib.sha256(b"(4, 3) int64")
    expected.update(X.astype("<f4").tobytes())
    expected.update(np.array([0, 1, 1, 0], dtype="<i8").tobytes())
    assert data.checksum == expected.hexdigest()


def test_checksum_sees_values_shape_and_target():
    wider = make(X=X.reshape(6, 2), y=[0, 1, 1, 0, 1, 0])
    changed = X.copy()
    changed[3, 2] = np.nextafter(np.float32(changed[3, 2]), np.float32(99))
    variants = [make(), make(X=changed), make(y=[0, 1, 1, 1]), make(y=[0.0, 1, 1, 0]), wider]
    assert len({data.checksum for data in variants}) == len(variants)
    assert make(name="other").checksum == make().checksum


def test_take_keeps_everything_else():
    data = datasets.iris()
    part = data.take([149, 0], name="two")
    np.testing.assert_array_equal(part.X, data.X[[149, 0]])
    assert part.y.tolist() == [2, 0]
    assert part.class_names == data.class_names
    assert (part.name, part.source, part.licence) == ("two", data.source, data.licence)
    assert data.take([1]).name == "iris"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": X[0]}, r"X must have shape \(rows, features\).*got shape \(3,\)"),
        ({"X": np.empty((0, 3)), "y": []}, r"at least one of each; got shape \(0, 3\)"),
        ({"X": [["a", "b"]] * 4}, r"X must hold numbers; got an array of <U1"),
        (
            {"X": [[1, 2], [3, np.nan], [5, 6], [np.inf, 0]]},
            r"X must be finite in float32; got nan in row 1, feature 1 \(2 rows affected\)",
        ),
        ({"X": [[1.0, 1e39]] * 4}, r"got 1e\+39 in row 0, feature 1"),
        ({"y": [0, 1, 1]}, r"y must have shape \(4,\).*got \(3,\)"),
        ({"y": ["a", "b", "b", "a"]}, r"y must hold class codes .* got an array of <U1"),
        ({"y": [0, 1, -1, 0]}, r"y must hold class codes in 0..1 .*got -1 in row 2"),
        ({"y": [0, 1, 2, 0], "class_names": ("a", "b")}, r"in 0..1 .*; got 2 in row 2"),
        ({"y": [0.0, 1, 2, np.nan]}, r"y must be finite; got nan in row 3"),
        ({"y": [0.0, 1, 2, 3], "class_names": ("a", "b")}, r"whole-number codes"),
        ({"feature_names": ("a", "b")}, r"name the 3 features of X; got 2 names"),
        ({"feature_names": ("a", "b", "a")}, r"feature_names must be different.*repeated: a"),
        ({"class_names": ("a", "a")}, r"class_names must be different.*repeated: a"),
        ({"class_names": "ab"}, r"class_names must be a sequence of names; got the single text"),
        ({"name": ""}, r"name must be a text that is not empty; got ''"),
    ],
)
def test_what_does_not_hold_together_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        make(**changes)


def test_data_error_is_a_value_error():
    assert issubclass(DataError, ValueError)
