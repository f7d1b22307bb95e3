"""Dropout, normalisation, smoothed labels and the solver's options, as parameters."""

import importlib
import pickle

import numpy as np
import pytest

import minitrain as mt


def make(**options):
    return mt.MLPClassifier(
        (9, 6), **{"max_iter": 12, "random_state": 0, "learning_rate_init": 0.01, **options}
    )


def same(one, other):
    assert one.loss_curve_ == other.loss_curve_
    for W, V in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(W, V)


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.3},
        {"normalization": "layer"},
        {"normalization": "batch"},
        {"label_smoothing": 0.1},
        {"l1": 0.01},
        {"weight_decay": 0.1},
        {"clip_global_norm": 0.1, "solver": "sgd"},
        {"ema": 0.9},
        {"normalization": "batch", "dropout": 0.1, "label_smoothing": 0.1, "batch_size": 32},
    ],
    ids=str,
)
def test_each_changes_the_fit_and_travels(options, classes, tmp_path):
    X, y = classes
    plain = make(solver=options.get("solver", "adam")).fit(X, y)
    fit = make(**options).fit(X, y)
    assert np.isfinite(fit.loss_curve_).all()
    assert (fit.predict_proba(X) != plain.predict_proba(X)).any()
    same(fit, make(**options).fit(X, y))
    other = pickle.loads(pickle.dumps(fit))
    fit.save(tmp_path / "model")
    for one in (other, mt.MLPClassifier.load(tmp_path / "model")):
        np.testing.assert_array_equal(one.predict_proba(X), fit.predict_proba(X))
        one.partial_fit(X, y)
    # A new fit leaves nothing of the old one behind.
    off = {"solver": "adam", "dropout": 0.0, "normalization": None, "label_smoothing": 0.0,
           "l1": 0.0, "weight_decay": None, "clip_global_norm": None, "ema": None,
           "batch_size": "auto"}  # fmt: skip
    fit.set_params(**off).fit(X, y)
    same(fit, make().fit(X, y))
    assert not hasattr(fit, "norm_scales_")


def test_options_are_those_of_the_optimizer(classes):
    X, y = classes
    given = {"l1": 0.01, "clip_global_norm": 0.5, "ema": 0.9}
    by_parameter = make(solver="nadam", weight_decay=0.1, **given).fit(X, y)
    nadam = mt.optimizers.NAdam(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True, **given)
    same(by_parameter, make(solver=nadam).fit(X, y))


def test_dropout_is_off_in_prediction_and_needs_no_more_random_numbers(classes):
    X, y = classes
    fit = make(dropout=0.5).fit(X, y)
    np.testing.assert_array_equal(fit.predict_proba(X), fit.predict_proba(X))
    first, plain = make(dropout=0.5, max_iter=1), make(max_iter=1)
    assert first.fit(X, y).loss_ != plain.fit(X, y).loss_


@pytest.mark.parametrize("options", [{"dropout": 0.3}, {"normalization": "layer"}], ids=str)
def test_threads_do_not_change_the_result(options, classes):
    X, y = np.tile(classes[0], (20, 1)), np.tile(classes[1], 20)
    same(*(make(threads=n, max_iter=3, **options).fit(X, y) for n in (1, 2)))


def test_batches_of_any_size_are_measured_by_one_thread(classes):
    X, y = classes
    same(*(make(threads=n, normalization="batch", batch_size=89).fit(X, y) for n in (1, 2)))


@pytest.mark.parametrize("normalization", ["layer", "batch"])
def test_the_best_weights_are_restored_with_their_statistics(normalization, classes):
    X, y = classes
    fit = make(
        normalization=normalization, early_stopping=True, scoring="loss", learning_rate_init=0.2,
        n_iter_no_change=3, max_iter=200, batch_size=16,
    ).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])  # fmt: skip
    assert fit.n_iter_ < 200
    log_p = fit.predict_log_proba(X[60:])
    loss = -log_p[np.arange(30), y[60:]].mean()
    assert -loss == pytest.approx(max(fit.validation_scores_), rel=1e-9)


def test_going_on_needs_the_same_normalization(classes):
    X, y = classes
    fit = make(normalization="layer", warm_start=True).fit(X, y)
    before = [scale.copy() for scale in fit.norm_scales_]
    fit.fit(X, y)
    assert all((a != b).any() for a, b in zip(before, fit.norm_scales_, strict=True))
    fit.set_params(dropout=0.2).fit(X, y)  # may change
    with pytest.raises(ValueError, match="normalization: the fitted network has 'layer'"):
        fit.set_params(normalization=None).fit(X, y)


def test_normalized_attributes_are_the_truth(classes):
    X, y = classes
    fit = make(normalization="layer").fit(X, y)
    before = fit.predict_proba(X)
    fit.norm_scales_[0][:] = 0.0
    assert (fit.predict_proba(X) != before).any()
    fit.norm_scales_[0] = np.ones(9)
    assert fit.predict_proba(X).shape == (90, 3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"normalization": "group"}, "'normalization' parameter .*'batch'"),
        ({"label_smoothing": -0.1}, "'label_smoothing' parameter"),
        ({"l1": -1}, "'l1' parameter"),
        ({"ema": 1.0}, "'ema' parameter"),
        ({"clip_global_norm": 0}, "'clip_global_norm' parameter"),
        ({"weight_decay": -1}, "'weight_decay' parameter"),
        ({"normalization": "batch", "ema": 0.9}, "normalization: 'batch'; accepted with ema"),
        ({"solver": "lbfgs", "dropout": 0.1}, "dropout: 0.1; accepted with solver='lbfgs': 0"),
        ({"solver": "lbfgs", "ema": 0.9}, "ema: 0.9; accepted with solver='lbfgs': None"),
        ({"solver": "lbfgs", "normalization": "batch"}, "accepted with solver='lbfgs'"),
    ],
    ids=str,
)
def test_what_is_refused(options, message, classes):
    with pytest.raises(ValueError, match=message):
        make(**options).fit(*classes)


def test_lbfgs_takes_layer_normalization(classes):
    X, y = classes
    fit = make(solver="lbfgs", normalization="layer", max_iter=60).fit(X, y)
    assert fit.score(X, y) > 0.95
    assert (fit.norm_scales_[0] != 1.0).any()


def test_other_targets(classes, numbers):
    X, y = classes
    options = {"normalization": "batch", "dropout": 0.1, "max_iter": 12, "random_state": 0}
    both = make(label_smoothing=0.2, **options)
    assert both.fit(X, np.eye(3, dtype=int)[y]).predict(X).shape == (90, 3)
    assert both.fit(X, y > 0, np.arange(90.0)).predict(X).shape == (90,)
    assert both.fit(X.astype("float32"), y).norm_means_[0].dtype == np.float32
    X, y = numbers
    fit = mt.MLPRegressor(**options, l1=1e-3).fit(X, y)
    assert np.isfinite(fit.predict(X)).all()


@pytest.mark.parametrize("normalization", ["layer", "batch"])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_exports(normalization, activation, classes, tmp_path):
    X, y = classes
    X = X.astype("float32")
    fit = make(normalization=normalization, activation=activation, dropout=0.2).fit(X, y)
    wanted = fit.predict_proba(X)
    module = {}
    exec(fit.to_numpy(), module)
    np.testing.assert_allclose(module["predict"](X), wanted, rtol=1e-5, atol=1e-6)
    runtime = importlib.import_module("onnxruntime")
    fit.to_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"X": X})[0], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalization", ["layer", "batch"])
def test_torch(normalization, classes, torch):
    nn = torch.nn
    X, y = classes
    fit = make(normalization=normalization).fit(X, y)
    kind = nn.LayerNorm if normalization == "layer" else nn.BatchNorm1d
    model = nn.Sequential(
        nn.Linear(5, 9), kind(9), nn.ReLU(), nn.Linear(9, 6), kind(6), nn.ReLU(), nn.Linear(6, 3),
        nn.Softmax(1),
    ).double().eval()  # fmt: skip
    model.load_state_dict({k: torch.from_numpy(v) for k, v in fit.to_torch().items()})
    with torch.no_grad():
        got = model(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(got, fit.predict_proba(X), rtol=1e-6)
