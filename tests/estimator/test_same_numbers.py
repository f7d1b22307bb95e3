"""The same random_state gives scikit-learn's own loss curve, weights and predictions."""

import numpy as np
import pytest
from sklearn import datasets, neural_network

import minitrain as mt

DATA = {
    "digits": lambda: [part[:500] for part in datasets.load_digits(return_X_y=True)],
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "moons": lambda: datasets.make_moons(200, noise=0.2, random_state=0),
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
}
CONFIGURATIONS = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 1e-4},
    "sgd, plain momentum, tanh": {
        "solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 1e-4,
        "activation": "tanh",
    },
    "invscaling, logistic": {
        "solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 1e-3,
        "activation": "logistic",
    },
    "two layers, batch 32, alpha": {"hidden_layer_sizes": (20, 10), "batch_size": 32, "alpha": 0.5},
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2},
    "in order, identity": {"shuffle": False, "activation": "identity", "epsilon": 1e-3},
}  # fmt: skip


def pair(name, **options):
    options = {"max_iter": 20, "random_state": 3, "n_iter_no_change": 100, **options}
    kind = "MLPRegressor" if name == "diabetes" else "MLPClassifier"
    return getattr(mt, kind)(**options), getattr(neural_network, kind)(**options)


def assert_same(ours, theirs, X, rtol=1e-6):
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=rtol)
    for one, other in zip(
        [*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("loss_", "best_loss_", "best_validation_score_", "validation_scores_"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert type(one) is type(other), name
        assert one is None or one == pytest.approx(other, rel=1e-6), name
    assert isinstance(ours.loss_curve_, list)
    assert type(ours.loss_curve_[0]) is type(theirs.loss_curve_[0])
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("name", DATA)
def test_loss_curve_of_20_epochs(name, options):
    X, y = DATA[name]()
    ours, theirs = pair(name, **options)
    assert_same(ours.fit(X, y), theirs.fit(X, y), X)
    assert len(ours.loss_curve_) == 20


def test_adaptive_rate_and_the_end(classes):
    X, y = classes
    options = {
        "solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.1, "tol": 1e-2,
        "n_iter_no_change": 2, "max_iter": 300,
    }  # fmt: skip
    ours, theirs = pair("iris", **options)
    assert_same(ours.fit(X, y), theirs.fit(X, y), X)
    assert 10 < ours.n_iter_ < 300
    assert ours.stop_reason_.startswith("converged: Training loss did not improve more than tol")


@pytest.mark.parametrize("patience", [1, 3, np.inf])
def test_it_ends_in_the_same_epoch(classes, patience):
    X, y = classes
    ours, theirs = pair("iris", n_iter_no_change=patience, tol=0.02, max_iter=120)
    assert_same(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("seed", range(3))
def test_sample_weight(classes, seed):
    X, y = classes
    w = np.random.RandomState(seed).uniform(0, 3, len(y))
    ours, theirs = pair("iris", batch_size=16)
    assert_same(ours.fit(X, y, w), theirs.fit(X, y, w), X)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_regression_of_several_outputs(loss, outputs):
    random = np.random.RandomState(0)
    X = random.standard_normal((70, 4))
    y = random.poisson(2.0, (70, outputs)).astype(float)
    y = y[:, 0] if outputs == 1 else y
    w = random.uniform(0.5, 2, 70)
    ours, theirs = pair("diabetes", loss=loss, batch_size=20)
    assert_same(ours.fit(X, y, w), theirs.fit(X, y, w), X)


def test_multilabel():
    X, y = datasets.make_multilabel_classification(80, random_state=0)
    ours, theirs = pair("iris", early_stopping=True)
    assert_same(ours.fit(X, y), theirs.fit(X, y), X)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)


def test_partial_fit_and_warm_start(classes):
    X, y = classes
    ours, theirs = pair("iris")
    for start in (0, 30, 0, 60):
        part = slice(start, start + 30)
        for estimator in (ours, theirs):
            estimator.partial_fit(X[part], y[part], classes=[0, 1, 2])
    assert_same(ours, theirs, X)
    ours, theirs = pair("iris", warm_start=True, max_iter=4)
    for _ in range(3):
        ours.fit(X, y)
        theirs.fit(X, y)
    assert_same(ours, theirs, X)


def test_a_shared_random_state_is_left_as_scikit_learn_leaves_it(classes):
    X, y = classes
    ours, theirs = pair("iris", n_iter_no_change=2, tol=0.05)
    one, other = np.random.RandomState(5), np.random.RandomState(5)
    ours.set_params(random_state=one).fit(X, y)
    theirs.set_params(random_state=other).fit(X, y)
    assert one.randint(2**31) == other.randint(2**31)


@pytest.mark.parametrize("labels", [["a", "b", "c"], [10, 20, 30], [False, True, True]])
def test_labels_of_any_kind(classes, labels):
    X, y = classes
    y = np.array(labels)[y]
    ours, theirs = pair("iris")
    ours.fit(X, y)
    theirs.fit(X, y)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)
    np.testing.assert_allclose(
        ours.predict_log_proba(X), theirs.predict_log_proba(X), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_lbfgs_finds_the_same_minimum(name):
    """A linear model with a penalty has one minimum; the path to it may differ in rounding."""
    X, y = DATA[name]()
    X = (X - X.mean(0)) / X.std(0)
    y = y / 100 if name == "diabetes" else y
    ours, theirs = pair(
        name, solver="lbfgs", hidden_layer_sizes=(), alpha=1.0, tol=1e-8, max_iter=500
    )
    ours.fit(X, y)
    theirs.fit(X, y)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-3)


def test_verbose_says_the_same(classes, capsys):
    X, y = classes
    ours, theirs = pair("iris", verbose=True, early_stopping=True, max_iter=3)
    ours.fit(X, y)
    said = capsys.readouterr().out
    theirs.fit(X, y)
    assert said == capsys.readouterr().out
    assert "Iteration 3, loss = " in said
