"""Planes through a network's parameters, against the network itself and against known spectra."""

import json

import numpy as np
import pytest

import minitrain as mt
from minitrain import cli
from minitrain.gallery import landscape, plane_figures


@pytest.fixture(scope="module")
def trained():
    train = mt.datasets.load("iris").split(seed=0)[0]
    model = mt.MLP([4, 8, 3], seed=0)
    way = landscape.trajectory(model, mt.optimizers.Adam(lr=0.01), train, 12)
    return model, train, way


def test_trajectory_begins_and_ends_with_the_training(trained):
    model, _, way = trained
    assert way.shape == (13, model.n_parameters)
    np.testing.assert_array_equal(way[0], mt.MLP([4, 8, 3], seed=0).parameters)
    np.testing.assert_array_equal(way[-1], model.parameters)


def test_random_plane_is_the_loss_of_the_network(trained):
    model, train, _ = trained
    plane = landscape.random_plane(model, train, points=5, reach=0.5, seed=3)
    twin = mt.MLP([4, 8, 3])
    for j in range(5):
        for i in range(5):
            twin.parameters[:] = (
                model.parameters
                + np.float32(plane.a[i]) * plane.u
                + np.float32(plane.b[j]) * plane.v
            )
            loss, accuracy = twin.evaluate(train.X, train.y)
            assert plane.loss[j, i] == pytest.approx(loss, rel=1e-5)
            assert plane.accuracy[j, i] == pytest.approx(accuracy, abs=0.02)
    assert plane.loss[2, 2] == model.evaluate(train.X, train.y)[0]


def test_directions_are_filter_normalised(trained):
    model, train, _ = trained
    plane = landscape.random_plane(model, train, points=3, seed=1)
    for block in model.blocks:
        d = plane.u[block.start : block.stop].reshape(block.shape)
        if block.is_bias:
            assert not d.any()
        else:
            W = model.parameters[block.start : block.stop].reshape(block.shape)
            lengths = np.linalg.norm(W, axis=0)
            np.testing.assert_allclose(np.linalg.norm(d, axis=0), lengths, rtol=1e-5)
    assert abs(plane.u @ plane.v) < 0.5 * np.linalg.norm(plane.u) * np.linalg.norm(plane.v)


def test_pca_agrees_with_sklearn(trained):
    from sklearn.decomposition import PCA

    model, train, way = trained
    plane = landscape.pca_plane(model, train, [way], points=4)
    pca = PCA(2).fit(way.astype(float))
    np.testing.assert_allclose(plane.explained, pca.explained_variance_ratio_, rtol=1e-4)
    ours, theirs = plane.project(way), pca.transform(way.astype(float))
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-4)
    assert plane.a[0] < ours[:, 0].min()
    assert plane.b[-1] > ours[:, 1].max()


def test_null_is_that_of_random_walks():
    """6/π² = 61 % and 15 % for long walks in many dimensions (arXiv 1806.08805)."""
    model, train = mt.MLP([4, 200, 3]), mt.datasets.load("iris").split(seed=0)[0]
    walk = np.random.default_rng(5).standard_normal((60, model.n_parameters)).cumsum(axis=0)
    plane = landscape.pca_plane(model, train, [walk.astype("f4")], points=2)
    for share in (plane.null, plane.explained):
        assert share[0] == pytest.approx(6 / np.pi**2, abs=0.05)
        assert share[1] == pytest.approx(6 / np.pi**2 / 4, abs=0.05)
    (shown,) = plane.null_ways  # a walk draws half a cosine along its first component
    assert shown.shape == (60, 2)
    half = np.cos(np.pi * (np.arange(60) + 0.5) / 60)
    assert abs(np.corrcoef(shown[:, 0], half)[0, 1]) > 0.95
    drawn = plane_figures.draw_plane(plane, {"sgd": walk.astype("f4")})
    assert "null" in drawn.axes[2].get_title(loc="left")


def test_figure_and_command(trained, tmp_path, capsys):
    model, train, way = trained
    plane = landscape.pca_plane(model, train, [way], points=6)
    figure = plane_figures.draw_plane(plane, {"adam": way}, "iris, Adam")
    assert "random walks" in figure.get_supxlabel()
    out = tmp_path / "l.png"
    arguments = ["landscape", "iris", "--points", "5", "--epochs", "3", "--out", str(out)]
    assert cli.main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert np.shape(found["loss"]) == (5, 5)
    assert out.stat().st_size > 5000
    assert cli.main([*arguments, "--plane", "random"]) == 0
    assert "random filter-normalised" not in capsys.readouterr().err
    for wrong, said in (
        (["landscape", "diabetes"], "classes"),
        (["landscape", "iris", "--out", "x.gif"], "--out"),
        (["landscape", "iris", "--optimizers", "adm"], "did you mean adam"),
        (["landscape", "iris", "--optimizers", ","], "at least one"),
    ):
        assert cli.main(wrong) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(ValueError, match="trajectories"):
        landscape.pca_plane(model, train, [way[:1]])
