"""What may be handed in as data, and what is said about everything else."""

import numpy as np
import pytest

import minitrain as mt
from minitrain import inputs

LOSSES = ("softmax_cross_entropy", "binary_cross_entropy", "squared_error")
X = np.arange(24).reshape(8, 3) % 7
Y = {
    "softmax_cross_entropy": np.array([0, 1, 0, 1, 1, 0, 1, 0]),
    "binary_cross_entropy": np.eye(2, dtype=int)[[0, 1, 0, 1, 1, 0, 1, 0]],
    "squared_error": np.arange(16).reshape(8, 2),
}


class PandasLike:
    """Holds numbers, is no array, and says how to make one."""

    def __init__(self, values):
        self._values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self._values.astype(dtype or self._values.dtype)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def every_second(array):
    return np.repeat(array, 2, axis=0)[::2]


FORMS = {
    "integers": lambda a: a,
    "small integers": lambda a: a.astype(np.int8),
    "unsigned": lambda a: a.astype(np.uint64),
    "float32": lambda a: a.astype(np.float32),
    "float64": lambda a: a.astype(np.float64),
    "float16": lambda a: a.astype(np.float16),
    "big-endian": lambda a: a.astype(">f8"),
    "lists": lambda a: a.tolist(),
    "tuples": lambda a: tuple(map(tuple, a.tolist())) if a.ndim == 2 else tuple(a.tolist()),
    "read-only": lambda a: read_only(a.astype(np.float32)),
    "Fortran order": lambda a: np.asfortranarray(a, np.float32),
    "not contiguous": lambda a: every_second(a.astype(np.float32)),
    "backwards": lambda a: a[::-1].copy()[::-1],
    "pandas-like": PandasLike,
    "subclass": lambda a: a.view(np.recarray),
}


def trained(loss, X, y, dtype="float32"):
    model = mt.MLP([3, 4, 2], loss=loss, dtype=dtype, seed=1)
    mt.Trainer(model, mt.optimizers.Adam(lr=0.1), batch_size=3).fit((X, y), 3, validation=(X, y))
    return model


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_bits(form, loss):
    change = FORMS[form]
    plain = trained(loss, X.astype(np.float32), Y[loss])
    model = trained(loss, change(X), change(Y[loss]))
    np.testing.assert_array_equal(model.parameters, plain.parameters)
    np.testing.assert_array_equal(model.predict(change(X)), plain.predict(X))
    assert model.evaluate(change(X), change(Y[loss])) == plain.evaluate(X, Y[loss])
    loader = mt.MiniBatchLoader(change(X), change(Y[loss]), 3)
    again = mt.MLP([3, 4, 2], loss=loss, seed=1)
    mt.Trainer(again, mt.optimizers.Adam(lr=0.1)).fit(loader, 3)
    np.testing.assert_array_equal(again.parameters, plain.parameters)


def test_objects_that_are_numbers_and_yes_or_no():
    model = mt.MLP([3, 2])
    wanted = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X.astype(object)), wanted)
    bits = X > 3
    np.testing.assert_array_equal(model.predict_proba(bits), model.predict_proba(bits * 1.0))
    assert model.evaluate(bits, Y["softmax_cross_entropy"] == 1)


def test_data_are_not_changed():
    given, y = X.astype(np.float32), Y["softmax_cross_entropy"].copy()
    kept, kept_y = given.copy(), y.copy()
    trained("softmax_cross_entropy", given, y)
    np.testing.assert_array_equal(given, kept)
    np.testing.assert_array_equal(y, kept_y)
    assert given.flags.writeable
    assert y.flags.writeable


def test_one_output_takes_a_column_or_a_flat_array():
    for loss in ("binary_cross_entropy", "squared_error"):
        model = mt.MLP([3, 1], loss=loss)
        y = Y["softmax_cross_entropy"]
        assert model.evaluate(X, y) == model.evaluate(X, y.reshape(-1, 1))
        assert model.predict(X).shape == (8,)


class Sparse:
    def tocsr(self):
        raise AssertionError("must not be converted")


NOT_X = {
    "sparse": (Sparse(), TypeError, r"X: a sparse matrix; accepted: dense arrays \(call .toarray"),
    "flat": (X[0], ValueError, r"X: shape \(3,\); accepted: two .* for one row write X.reshape\(1"),
    "cube": (X.reshape(2, 4, 3), ValueError, r"X: shape \(2, 4, 3\); accepted: two dimensions"),
    "scalar": (1.0, ValueError, r"X: shape \(\); accepted: two dimensions"),
    "features": (X[:, :2], ValueError, "X: 2 features, but the network takes 3"),
    "texts": ([["a", "b", "c"]] * 8, TypeError, "X: holds <U1, not numbers"),
    "numbers as texts": (X.astype(str), TypeError, "X: holds <U.*, not numbers"),
    "missing": ([[1, 2, 3], [1, None, 2]], ValueError, "X: nan at row 1, column 1; accepted"),
    "objects": (np.array([[1, 2, "?"]], object), TypeError, "X: holds object, not numbers"),
    "complex": (X * 1j, TypeError, "X: holds complex128, not numbers"),
    "dates": (X.astype("M8[s]"), TypeError, r"X: holds datetime64\[s\], not numbers"),
    "ragged": ([[1, 2, 3], [4, 5]], ValueError, "X: not an array"),
    "empty": (X[:0], ValueError, "X: no rows"),
}


@pytest.mark.parametrize("what", NOT_X)
def test_wrong_X(what):
    wrong, error, message = NOT_X[what]
    model = mt.MLP([3, 2])
    with pytest.raises(error, match=message):
        model.loss_and_gradient(wrong, Y["softmax_cross_entropy"])
    if what != "empty":  # no rows are fine to predict
        with pytest.raises(error, match=message):
            model.predict(wrong)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_X_names_row_and_column(bad):
    wrong = X.astype(float)
    wrong[5, 2] = wrong[6, 0] = bad
    message = f"X: {bad} at row 5, column 2; accepted: numbers that are finite in float32"
    for call in (mt.MLP([3, 2]).predict, lambda rows: trained(LOSSES[0], rows, Y[LOSSES[0]])):
        with pytest.raises(ValueError, match=message):
            call(wrong)


def test_what_float32_cannot_hold_is_named_and_float64_can():
    wide = X.astype(float)
    wide[1, 0] = 1e39
    with pytest.raises(ValueError, match=r"X: 1e\+39 at row 1, column 0; .* finite in float32"):
        mt.MLP([3, 2]).predict(wide)
    assert mt.MLP([3, 2], dtype="float64").predict(wide).shape == (8,)
    targets = Y["squared_error"].astype(float)
    targets[4, 1] = -1e39
    with pytest.raises(ValueError, match=r"y: -1e\+39 at row 4; .* finite in float32"):
        mt.MLP([3, 2], loss="squared_error").evaluate(X, targets)


labels = Y["softmax_cross_entropy"]
NOT_Y = {
    "too large": (
        "softmax",
        labels + 1,
        ValueError,
        r"y: 2 at row 1; accepted: class codes 0 … 1 ",
    ),
    "negative": ("softmax", labels - 1, ValueError, r"y: -1 at row 0; accepted: class codes"),
    "fraction": ("softmax", labels + 0.5, ValueError, r"y: 0.5 at row 0; accepted: class codes"),
    "nan": ("softmax", np.where(labels, np.nan, 0), ValueError, "y: nan at row 1; accepted: class"),
    "huge": ("softmax", labels * 1e300, ValueError, r"y: 1e\+300 at row 1; accepted: class"),
    "unsigned": ("softmax", labels.astype("u8") << 63, ValueError, "y: 9223372036854775808 at"),
    "names": (
        "softmax",
        labels.astype(str),
        TypeError,
        "y: holds <U.*; encode class names as 0, 1",
    ),
    "objects": ("softmax", labels.astype(object), TypeError, "y: holds object, not numbers"),
    "column": ("softmax", labels[:, None], ValueError, r"y: shape \(8, 1\); accepted: one class"),
    "one-hot": (
        "softmax",
        np.eye(2)[labels],
        ValueError,
        r"y: shape \(8, 2\); accepted: one class",
    ),
    "short": ("softmax", labels[:7], ValueError, "y: 7 for 8 rows of X"),
    "scalar": ("softmax", 1, ValueError, "y: one for 8 rows of X"),
    "ragged": ("softmax", [[1], [2, 3]], ValueError, "y: not an array"),
    "not binary": ("binary", Y["squared_error"], ValueError, "y: .* takes zeros and ones"),
    "half": ("binary", np.full((8, 2), 0.5), ValueError, "y: .* takes zeros and ones"),
    "flat": ("binary", labels, ValueError, r"y: shape \(8,\); accepted: \(8, 2\)$"),
    "wide": ("squared", np.zeros((8, 3)), ValueError, r"y: shape \(8, 3\); accepted: \(8, 2\)$"),
    "inf": ("squared", np.where(np.eye(8, 2), np.inf, 0), ValueError, "y: .*inf.* at row 0"),
}


@pytest.mark.parametrize("what", NOT_Y)
def test_wrong_y(what):
    start, wrong, error, message = NOT_Y[what]
    loss = next(name for name in LOSSES if name.startswith(start))
    model = mt.MLP([3, 2], loss=loss)
    with pytest.raises(error, match=message):
        model.loss_and_gradient(X, wrong)
    with pytest.raises(error, match=message):
        mt.Trainer(model, mt.optimizers.SGD(lr=0.1)).fit((X, wrong), 1)
    with pytest.raises(error, match=message):
        mt.Trainer(model, mt.optimizers.SGD(lr=0.1)).fit((X, Y[loss]), 1, validation=(X, wrong))


def test_one_output_accepts_both_shapes_and_says_so():
    with pytest.raises(ValueError, match=r"y: shape \(8, 2\); accepted: \(8, 1\) or \(8,\)"):
        mt.MLP([3, 1], loss="squared_error").evaluate(X, np.zeros((8, 2)))


@pytest.mark.parametrize("wrong", [None, 3, X, (X,), (X, labels, labels), {"X": X, "y": labels}])
def test_what_is_no_data(wrong):
    with pytest.raises(
        TypeError, match=r"data: .*; accepted: a Dataset, an \(X, y\) pair or a Mini"
    ):
        mt.Trainer(mt.MLP([3, 2]), mt.optimizers.SGD(lr=0.1)).fit(wrong, 1)


def test_checks():
    assert inputs.check_count("n", np.int32(3)) == 3
    assert type(inputs.check_count("n", np.int32(3))) is int
    with pytest.raises(TypeError, match=r"n: np.True_ is not a whole number"):
        inputs.check_count("n", np.True_)
    with pytest.raises(ValueError, match="n: 4 is too small; accepted: whole numbers from 5"):
        inputs.check_count("n", 4, least=5)
    assert inputs.check_choice("c", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match="c: unknown 'A'; accepted: a, b"):
        inputs.check_choice("c", "A", ("a", "b"))
    assert inputs.check_seed(2**63 - 1) == 2**63 - 1
