"""Data sets by name or path; adding one is one decorated function."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from minitrain import datasets
from minitrain.datasets import DataError

registry = importlib.import_module("minitrain.datasets.registry")


@pytest.fixture
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_makers", dict(registry._makers))


def test_names_are_the_promised_ones():
    assert datasets.names() == (
        *("iris", "wine", "breast_cancer", "digits", "diabetes"),
        *("moons", "circles", "spirals", "xor", "blobs"),
        *("classification", "imbalanced", "noisy_labels", "ill_scaled"),
    )


def test_every_name_is_exported_and_loads():
    for name in datasets.names():
        assert name in datasets.__all__
        assert datasets.load(name).checksum == getattr(datasets, name)().checksum


def test_describe_tells_what_loading_gives():
    rows = datasets.describe()
    assert tuple(row.name for row in rows) == datasets.names()
    for row in rows:
        data = datasets.load(row.name)
        assert (row.rows, row.features, row.classes) == (*data.X.shape, data.n_classes)
        assert (row.kind, row.source, row.licence) == (data.kind, data.source, data.licence)
        assert 10 < len(row.summary) < 80
        assert "\n" not in row.summary
        assert "unknown" not in (row.source, row.licence)
    assert {row.name: row.options for row in rows}["moons"] == ("n", "noise", "seed")


def test_one_decorated_function_is_enough(own_registry):
    @datasets.register("two points")
    def pair(gap: float = 1.0):
        return datasets.Dataset("pair", [[0.0], [gap]], [0, 1])

    assert datasets.names()[-1] == "pair"
    assert datasets.load("pair", gap=3.0).X[1, 0] == 3.0
    assert datasets.describe()[-1].summary == "two points"
    assert "pair" not in datasets.__all__
    with pytest.raises(DataError, match="'pair' is registered already"):
        datasets.register("again")(pair)


@pytest.mark.parametrize(
    ("name", "near"), [("digts", "digits"), ("Iris", "iris"), ("breast-cancer", "breast_cancer")]
)
def test_an_unknown_name_gets_the_nearest_and_the_list(name, near):
    with pytest.raises(DataError) as caught:
        datasets.load(name)
    assert f"unknown data set {name!r} (did you mean {near!r}?)" in str(caught.value)
    assert all(known in str(caught.value) for known in datasets.names())


def test_nothing_near_no_guess():
    with pytest.raises(DataError, match=r"unknown data set 'qqq'; accepted: iris, "):
        datasets.load("qqq")
    with pytest.raises(DataError, match=r"unknown data set ''; accepted"):
        datasets.load("")


def test_neither_name_nor_path():
    with pytest.raises(DataError, match=r"expected the name of a data set or a path; got 3"):
        datasets.load(3)


def test_unknown_options_are_named():
    with pytest.raises(DataError, match=r"moons has no option 'nois' \(did you mean 'noise'\?\)"):
        datasets.load("moons", nois=0.1)
    with pytest.raises(DataError, match=r"iris has no option 'n'; accepted: none"):
        datasets.load("iris", n=10)
    with pytest.raises(DataError, match=r"a CSV file has no option 'path'; accepted: target, "):
        datasets.load("some.csv", path="other")


@pytest.mark.parametrize("name", ["data.csv", "data.TSV", "data.txt", "no_suffix", "data.dat"])
def test_a_path_is_read_as_a_file(write, name, monkeypatch):
    path = write("a,label\n1,x\n2,y\n", name)
    assert datasets.load(path).class_names == ("x", "y")
    assert datasets.load(str(path), target="label").n_rows == 2
    monkeypatch.chdir(path.parent)
    assert datasets.load(name).name == name.partition(".")[0]


def test_a_registered_name_comes_before_a_file(write, monkeypatch):
    monkeypatch.chdir(write("a,label\n1,x\n2,y\n", "iris").parent)
    assert datasets.load("iris").n_rows == 150
    assert datasets.load("./iris").n_rows == 2


def test_a_missing_file_is_not_taken_for_a_name(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        datasets.load(str(tmp_path / "digits.csv"))


def test_options_reach_the_maker():
    data = datasets.load("spirals", n=90, classes=3, seed=1)
    assert np.bincount(data.y).tolist() == [30, 30, 30]
