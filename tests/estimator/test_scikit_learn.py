"""scikit-learn's own checks, none excused; its tools; what goes in and what comes out."""

import importlib
import pickle

import numpy as np
import pytest
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import minitrain as mt

ESTIMATORS = [
    mt.MLPClassifier(),
    mt.MLPClassifier(solver="sgd", learning_rate_init=0.02),
    mt.MLPClassifier((20, 10), "gelu", solver="adamw", learning_rate_init=0.01),
    mt.MLPClassifier((30,), "logistic", solver=mt.optimizers.NAdam(lr=0.02), threads=1),
    mt.MLPClassifier((30,), "silu", solver="rmsprop", learning_rate_init=0.01, schedule="cosine"),
    mt.MLPRegressor(),
    mt.MLPRegressor(solver="adamw", activation="silu", learning_rate_init=0.01),
    mt.MLPRegressor("poisson", learning_rate_init=0.01),
    mt.MLPRegressor(solver="lbfgs", hidden_layer_sizes=(10,), max_iter=80),
    mt.MLPClassifier((10,), "tanh", solver="lbfgs", max_iter=80),
    mt.MLPClassifier((30,), normalization="layer", label_smoothing=0.05, learning_rate_init=0.02),
    mt.MLPRegressor(normalization="layer", learning_rate_init=0.02, l1=1e-5, weight_decay=1e-4),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_check_estimator(estimator, check):
    check(estimator)


@pytest.fixture
def classifier():
    return mt.MLPClassifier((8,), max_iter=30, random_state=0, learning_rate_init=0.02)


def test_in_the_tools_of_scikit_learn(classifier, classes):
    X, y = classes
    pipeline = make_pipeline(StandardScaler(), classifier)
    scores = cross_validate(pipeline, X, y, cv=3)["test_score"]
    assert scores.mean() > 0.7
    search = GridSearchCV(pipeline, {"mlpclassifier__solver": ["adam", "adamw", "sgd"]}, cv=3)
    assert search.fit(X, y).best_score_ > 0.7
    assert CalibratedClassifierCV(classifier, cv=3).fit(X, y).predict_proba(X).shape == (90, 3)
    voting = VotingClassifier([("a", classifier), ("b", clone(classifier))], voting="soft")
    assert voting.fit(X, y).score(X, y) > 0.7


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_fits_in_workers_equal_those_alone(classifier, classes, backend):
    X, y = classes
    alone = [clone(classifier).set_params(random_state=i).fit(X, y) for i in range(4)]
    others = Parallel(n_jobs=2, backend=backend)(
        delayed(clone(classifier).set_params(random_state=i).fit)(X, y) for i in range(4)
    )
    for one, other in zip(alone, others, strict=True):
        assert one.loss_curve_ == other.loss_curve_
        for W, V in zip(one.coefs_, other.coefs_, strict=True):
            np.testing.assert_array_equal(W, V)


def test_pickle_and_clone(classifier, classes):
    X, y = classes
    classifier.fit(X, y)
    other = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(other.predict_proba(X), classifier.predict_proba(X))
    other.partial_fit(X, y)
    assert other.t_ == classifier.t_ + 90
    assert not hasattr(clone(classifier), "coefs_")


def test_coefs_are_the_truth(classifier, classes):
    """In place, element by element, or another array: what stands there is what predicts."""
    X, y = classes
    classifier.fit(X, y)
    hidden = np.maximum(X @ classifier.coefs_[0] + classifier.intercepts_[0], 0)

    def wanted():
        z = hidden @ classifier.coefs_[1] + classifier.intercepts_[1]
        return z.argmax(axis=1)

    classifier.coefs_[1][:, 0] -= 100.0
    np.testing.assert_array_equal(classifier.predict(X), wanted())
    assert 0 not in classifier.predict(X) or (hidden.sum(1) == 0).any()
    classifier.coefs_[1] = np.random.RandomState(0).standard_normal((8, 3))
    np.testing.assert_array_equal(classifier.predict(X), wanted())
    assert classifier.coefs_[1].shape == (8, 3)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_sparse_is_the_same_as_dense(classifier, classes, make):
    X, y = classes
    X = X * (np.abs(X) > 0.5)
    dense = clone(classifier).fit(X, y)
    classifier.fit(make(X), y)
    assert classifier.loss_curve_ == dense.loss_curve_
    np.testing.assert_array_equal(classifier.predict_proba(make(X)), dense.predict_proba(X))


def test_float32_is_kept(classifier, classes):
    X, y = classes
    classifier.fit(X.astype("float32"), y)
    assert {W.dtype for W in classifier.coefs_} == {np.dtype("float32")}
    assert classifier.predict_proba(X.astype("float32")).dtype == np.float32


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_and_feature_names(classifier, classes, library):
    frames = importlib.import_module(library)
    X, y = classes
    names = ["a", "b", "c", "d", "e"]
    frame = frames.DataFrame({name: X[:, i] for i, name in enumerate(names)})
    plain = clone(classifier).fit(X, y)
    classifier.fit(frame, y)
    assert classifier.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(classifier.predict(frame), plain.predict(X))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        classifier.predict(X)


def test_one_row_meets_the_same_errors(classifier, classes):
    """The fast way in lets nothing pass that scikit-learn's checks would stop."""
    X, y = classes
    classifier.fit(X, y)
    assert classifier.predict(X[:1]) == classifier.predict(X)[0]
    for bad, message in [
        (X[0], "Expected 2D array, got 1D array"),
        (X[:1, :4], "X has 4 features, but MLPClassifier is expecting 5 features"),
        (X[:0], "Found array with 0 sample"),
        (np.full((1, 5), np.nan), "Input X contains NaN"),
        (np.full((1, 5), np.inf), "Input X contains infinity"),
        (X[:1] * 1j, "Complex data not supported"),
        ([["a"] * 5], "[Cc]onvert"),
    ]:
        with pytest.raises(ValueError, match=message):
            classifier.predict(bad)
    np.testing.assert_array_equal(
        classifier.predict(np.asfortranarray(X)), classifier.predict(X.tolist())
    )
