"""Hostile input: the kind of error that scikit-learn raises, or its answer; never anything else."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import neural_network

import minitrain as mt

MANY = settings(
    max_examples=700,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
OPTIONS = {"hidden_layer_sizes": (2,), "max_iter": 2, "random_state": 0}

NUMBERS = st.one_of(
    st.floats(-3, 3),
    st.sampled_from([0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-320, 2.0**70]),
)
DTYPES = st.sampled_from(
    ["float64", "float32", "float16", "int64", "uint8", "bool", "complex128", "object", "U3", ">f8"]
)


@st.composite
def rows(draw, n):
    """Something in the place of X: mostly (n, d) numbers."""
    d = draw(st.integers(0, 3))
    usual = draw(st.booleans())
    one = st.floats(-3, 3) if usual else NUMBERS
    X = np.array(draw(st.lists(one, min_size=n * d, max_size=n * d)), float).reshape(n, d)
    if usual and draw(st.booleans()):
        return X
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        X = X.astype(draw(DTYPES))
    form = draw(
        st.sampled_from(["array", "list", "ragged", "1-D", "3-D", "csr", "Fortran", "None", "text"])
    )
    if form in ("array", "None", "text"):
        return {"array": X, "None": None, "text": "X"}[form]
    if form == "list":
        return X.tolist()
    if form == "ragged":
        return [list(row)[: 1 + i % 2] for i, row in enumerate(X)]
    if form == "csr" and X.dtype.kind in "fiub" and X.dtype.itemsize > 2 and X.dtype.isnative:
        return sparse.csr_matrix(X)
    return {"1-D": X.reshape(-1), "3-D": X[None], "Fortran": np.asfortranarray(X)}.get(form, X)


@st.composite
def wanted(draw, n):
    """Something in the place of y: mostly n classes or numbers."""
    m = draw(st.sampled_from([n, n, n, n, n + 1, max(n - 1, 0), 0]))
    kind = draw(
        st.sampled_from(
            ["codes", "codes", "text", "one", "numbers", "column", "matrix", "labels", "None",
             "huge", "objects", "mixed", "bool", "negative"]
        )
    )  # fmt: skip
    codes = draw(st.lists(st.integers(0, 2), min_size=m, max_size=m))
    codes = np.array(codes, np.int64)
    return {
        "codes": lambda: codes,
        "text": lambda: codes.astype(str),
        "one": lambda: np.zeros(m, int),
        "numbers": lambda: np.array(draw(st.lists(NUMBERS, min_size=m, max_size=m)), float),
        "column": lambda: codes[:, None],
        "matrix": lambda: np.stack([codes, codes + 0.5], 1),
        "labels": lambda: (codes[:, None] == [0, 1]).astype(int),
        "None": lambda: None,
        "huge": lambda: [10**30 + int(c) for c in codes],
        "objects": lambda: np.array([None if c == 2 else int(c) for c in codes], object),
        "mixed": lambda: ["a" if c == 2 else int(c) for c in codes],
        "bool": lambda: codes > 0,
        "negative": lambda: -codes - 1,
    }[kind]()


@st.composite
def weights(draw, n):
    return draw(
        st.sampled_from(
            [None, None, None, 2.0, np.ones(n), np.zeros(n), -np.ones(n), np.arange(n) % 2.0,
             np.ones(n + 1), np.full(n, np.nan), np.ones((n, 2)), "w", [1] * n]
        )
    )  # fmt: skip


@st.composite
def problems(draw):
    n = draw(st.sampled_from([0, 1, 2, 3, 7, 12]))
    options = draw(
        st.sampled_from(
            [{}, {}, {"solver": "sgd"}, {"early_stopping": True}, {"batch_size": 3},
             {"activation": "tanh", "alpha": 10.0}, {"shuffle": False}, {"batch_size": 10**6}]
        )
    )  # fmt: skip
    return draw(rows(n)), draw(wanted(n)), draw(weights(n)), options


def outcome(kind, X, y, w, options):
    """("error", its type) or ("answer", the estimator)."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return kind(**{**OPTIONS, **options}).fit(X, y, w), None
        except Exception as error:
            return None, error


def is_well_behaved(theirs):
    """Whether scikit-learn's answer is one: it goes on after its loss became nan or infinite.

    With rows of float32 and integers as y it computes in float64 what ours has no room for.
    """
    most = 1e100 if theirs.coefs_[0].dtype == np.float64 else 1e30
    return np.isfinite(theirs.loss_curve_).all() and max(map(abs, theirs.loss_curve_)) < most


def compare(ours_kind, their_kind, X, y, w, options):
    theirs, their_error = outcome(their_kind, X, y, w, options)
    ours, our_error = outcome(ours_kind, X, y, w, options)
    if their_error is not None:
        # A weight of zero for a whole mini-batch is a ZeroDivisionError there; here such a
        # mini-batch asks for nothing.
        if isinstance(their_error, ZeroDivisionError) and ours is not None:
            assert np.isfinite(ours.loss_)
            return
        assert our_error is not None, f"no error, but: {their_error!r}"
        assert isinstance(our_error, public_type(their_error)), f"{our_error!r} for {their_error!r}"
        return
    if our_error is not None:
        # The loss overflowed, or cannot be: an error here, a silent one there.
        assert isinstance(our_error, (ValueError, ZeroDivisionError)), repr(our_error)
        assert not is_well_behaved(theirs), repr(our_error)
        return
    if is_well_behaved(theirs) and ours.coefs_[0].dtype == np.float64:
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6, atol=1e-9)
        assert predicted(ours, X) == predicted(theirs, X)


def public_type(error):
    """What a user can catch: NumPy's own kinds of TypeError have no public name."""
    return next(kind for kind in type(error).__mro__ if not kind.__module__.startswith("numpy._"))


def predicted(fitted, X):
    """The shape of what is predicted, or the kind of error: predict takes less than fit does."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return fitted.predict(X).shape
        except Exception as error:
            return type(error)


@pytest.mark.compiled
@MANY
@given(problems())
def test_classifier(problem):
    compare(mt.MLPClassifier, neural_network.MLPClassifier, *problem)


@pytest.mark.compiled
@MANY
@given(problems())
def test_regressor(problem):
    compare(mt.MLPRegressor, neural_network.MLPRegressor, *problem)


@pytest.fixture(scope="module")
def fitted():
    random = np.random.RandomState(0)
    X, y = random.standard_normal((12, 3)), np.arange(12) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [k(**OPTIONS).fit(X, y) for k in (mt.MLPClassifier, neural_network.MLPClassifier)]


@pytest.mark.compiled
@MANY
@given(st.integers(0, 4).flatmap(rows))
def test_predict(fitted, X):
    found = []
    for estimator in fitted:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                found.append(estimator.predict_proba(X))
            except Exception as error:
                found.append(error)
    ours, theirs = found
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), f"{ours!r} for {theirs!r}"
    elif np.isfinite(theirs).all():
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
