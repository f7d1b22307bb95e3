"""The learning-rate finder."""

import sys

import numpy as np
import pytest

import minitrain as mt
from minitrain import finder


@pytest.fixture(scope="module")
def digits():
    return mt.datasets.load("digits").split(seed=0)


@pytest.fixture(scope="module")
def found(digits):
    return mt.find_learning_rate([64, 32, 10], digits[0], "adam", steps=150, runs=2)


def test_rates_are_geometric(found):
    assert found.rates.shape == (150,)
    assert found.rates[0] == 1e-5
    assert found.rates[-1] == pytest.approx(1.0)
    np.testing.assert_allclose(found.rates[1:] / found.rates[:-1], 1e5 ** (1 / 149), rtol=1e-12)


def test_losses_are_those_of_the_training(digits):
    """Against a loop in Python over the same mini-batches."""
    train = digits[0]
    sgd = mt.optimizers.Momentum()
    found = mt.find_learning_rate(
        mt.MLP([64, 16, 10], seed=3, dtype="float64"), train, sgd, low=1e-3, high=10.0, steps=40,
        runs=1, batch_size=25, seed=5,
    )  # fmt: skip
    model = mt.MLP([64, 16, 10], seed=3, dtype="float64")
    portions = finder._Portions(train.X, train.y, 40, None, 25, 5)
    state = sgd.init(model.parameters, model.blocks)
    assert found.start[0] == model.evaluate(portions.X[:256], portions.y[:256])[0]
    for step in range(40):
        rows = portions.order(step)[:25]
        _, gradient = model.loss_and_gradient(portions.X[rows], portions.y[rows])
        sgd.replace(lr=found.rates[step]).step(model.parameters, gradient, state)
        loss, _ = model.evaluate(portions.X[:256], portions.y[:256])
        np.testing.assert_allclose(found.losses[0, step], loss, rtol=1e-8)


def test_suggestion_is_as_described(found):
    for curve, suggestion in zip(found.smoothed, found.suggestions, strict=True):
        known = curve[np.isfinite(curve)]
        at = np.flatnonzero(known <= known[0] - 0.95 * (known[0] - known.min()))[0]
        assert suggestion == found.rates[at] / 3
    assert found.suggestion == pytest.approx(np.exp(np.log(found.suggestions).mean()), rel=0.05)
    assert 3e-4 < found.suggestion < 2e-2
    assert found.remark == ""
    assert not found.hopeless


def test_smoothing_starts_at_the_start_and_ends_at_the_explosion():
    smoothed = finder._smooth(np.array([2.0, 2.0, 1.0, 1.0, 5.0, 40.0, 1.0]))
    np.testing.assert_allclose(smoothed[:4], [2.0, 1.8, 1.64, 2.312], rtol=1e-12)
    assert np.isnan(smoothed[4:]).all()
    assert np.isnan(finder._smooth(np.array([1.0, 0.5, np.nan, 0.5]))[1:]).all()


def test_a_better_start_than_a_wrong_default(digits):
    """SGD's default rate learns next to nothing in 5 epochs; the suggested one does."""
    train, valid, _ = digits
    suggested = mt.find_learning_rate([64, 32, 10], train, "sgd").suggestion
    accuracy = {}
    for lr in (1e-3, suggested):
        model = mt.MLP([64, 32, 10], seed=0)
        mt.Trainer(model, mt.optimizers.SGD(lr=lr)).fit(train, 5)
        accuracy[lr] = model.evaluate(valid.X, valid.y)[1]
    assert accuracy[suggested] > 0.9
    assert accuracy[suggested] > accuracy[1e-3] + 0.2


def test_the_model_is_not_touched(digits):
    model = mt.MLP([64, 8, 10], seed=2)
    before = model.parameters.copy()
    optimizer = mt.optimizers.Adam(lr=0.123)
    found = mt.find_learning_rate(model, digits[0], optimizer, steps=20, runs=2)
    np.testing.assert_array_equal(model.parameters, before)
    assert optimizer.lr == 0.123
    assert found.optimizer is optimizer
    assert found.start[0] == pytest.approx(found.start[1], rel=0.2)  # the same weights, other rows


def test_the_same_seed_gives_the_same(digits):
    def find(seed):
        return mt.find_learning_rate([64, 8, 10], digits[0], steps=30, runs=2, seed=seed).losses

    np.testing.assert_array_equal(find(1), find(1))
    assert (find(1) != find(2)).any()
    np.testing.assert_array_equal(find(1)[1], find(2)[0])  # the runs' seeds count up


def test_every_kind_of_data(digits):
    train = digits[0]
    options = {"steps": 20, "runs": 1, "seed": 4}
    whole = mt.find_learning_rate([64, 8, 10], train, batch_size=16, **options)
    pair = mt.find_learning_rate([64, 8, 10], (train.X, train.y), batch_size=16, **options)
    loader = mt.MiniBatchLoader(train.X, train.y, 16)
    loaded = mt.find_learning_rate([64, 8, 10], loader, **options)
    np.testing.assert_array_equal(whole.losses, pair.losses)
    np.testing.assert_array_equal(whole.losses, loaded.losses)
    balanced = mt.MiniBatchLoader(train.X, train.y, 16, balanced=True)
    assert (mt.find_learning_rate([64, 8, 10], balanced, **options).losses != whole.losses).any()
    tiny = mt.find_learning_rate([64, 8, 10], (train.X[:5], train.y[:5]), **options)
    assert np.isfinite(tiny.losses[0, :5]).all()


def test_regression():
    train, _, _ = mt.datasets.load("diabetes").split(seed=0)
    target = (train.y - train.y.mean()) / train.y.std()
    model = mt.MLP([10, 16, 1], loss="squared_error")
    found = mt.find_learning_rate(model, (train.X, target), "adam", steps=100, runs=1)
    assert 1e-4 < found.suggestion < 0.1


def test_only_as_many_rows_as_the_steps_can_see():
    X, y = np.zeros((100_000, 2)), np.zeros(100_000, int)
    portions = finder._Portions(X, y, 10, None, 32, 0)
    assert len(portions.X) == 320
    assert len(portions) == 1


def test_remarks(digits, found):
    train = digits[0]
    assert found.remark == ""
    low = mt.find_learning_rate([64, 32, 10], train, high=1e-3, steps=60, runs=1)
    assert low.remark == "the loss was still falling at 0.001, the highest rate; try a larger high"
    high = mt.find_learning_rate([64, 32, 10], train, low=100.0, high=1e4, steps=60, runs=1)
    assert high.hopeless
    assert high.remark.startswith("the loss did not fall at any rate from 1e+02 to 1e+04")
    assert "did not fall" in repr(high)
    high.plot()
    apart = finder.RangeTest(
        low.optimizer, 100 * low.rates, low.start, low.losses, np.full((1, 60), 0.1),
        np.array([1e-4, 1e-2]),
    )  # fmt: skip
    assert apart.remark == "the runs' suggestions differ by a factor of 100; try more runs"


def test_what_it_looks_like(found, tmp_path):
    assert repr(found).startswith(f"RangeTest(suggestion={found.suggestion:g}, adam, 2 runs: ")
    plain = found.to_dict()
    assert plain["suggestion"] == found.suggestion
    assert len(plain["rates"]) == len(plain["curve"]) == len(plain["losses"][0]) == 150
    path = tmp_path / "curve.png"
    figure = found.plot(path)
    assert path.read_bytes().startswith(b"\x89PNG")
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "learning rate"


def test_without_matplotlib(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r"plot: needs matplotlib: pip install 'minitrain\[lab\]'"
    ):
        found.plot()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"low": 1.0, "high": 0.1}, ValueError, "low, high: 1.0, 0.1; accepted: rates with 0 <"),
        ({"low": 0.0}, ValueError, "low, high: 0.0, None"),
        ({"high": float("inf")}, ValueError, "low, high: None, inf"),
        ({"steps": 3}, ValueError, "steps: 3 is too small; accepted: whole numbers from 10"),
        ({"runs": 0}, ValueError, "runs: 0 is too small"),
        ({"seed": -9}, ValueError, "seed: -"),
        ({"optimizer": "adm"}, ValueError, "unknown 'adm'; did you mean 'adam'"),
        ({"data": 5}, TypeError, "data: int; accepted: a Dataset"),
        ({"data": (np.zeros((4, 3)), [0, 1, 0, 1])}, ValueError, "3 features, but the network"),
        ({"data": (np.full((4, 64), 3e38), [0, 1, 0, 1])}, ValueError,
         "low: the loss is not finite after a step with 1e-05; accepted: a rate that is far"),
    ],
)  # fmt: skip
def test_wrong_arguments(digits, options, error, message):
    data = options.pop("data", digits[0])
    with pytest.raises(error, match=message):
        mt.find_learning_rate([64, 8, 10], data, **options)


def test_ctrl_c(digits, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("minitrain.training.Training.advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mt.find_learning_rate([64, 8, 10], digits[0], steps=20)
