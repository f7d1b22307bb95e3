"""The network: its buffer, its initial weights, its predictions, and what it refuses."""

import copy
import hashlib
import pickle
from itertools import pairwise

import numpy as np
import pytest

import minitrain as mt

# SHA-256 of the initial parameters as little-endian numbers.
WEIGHTS = {
    ("he", "float32"): "cbfcfb022c9330be7aaad139460ed2bfd58c47ffc16ce1a15ef63b5c00527ad9",
    ("he", "float64"): "794a6d56905b827e918812e82639c83cc8bd82ca12c6fff729557dd86ece7abb",
    ("glorot", "float32"): "0c6c528e234be4d230af2ea49f0024218d38332c98e3e0b4831d3af4d337c5d4",
}


def make(sizes=(3, 5, 4, 2), **options):
    return mt.MLP(list(sizes), **options)


class TestBuffer:
    @pytest.mark.parametrize("sizes", [(3, 5, 4, 2), (1, 1), (7, 2), (1, 1, 1, 1), (30, 100, 10)])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_views_cover_the_flat_array_once(self, sizes, dtype):
        model = mt.MLP(sizes, loss="squared_error", dtype=dtype)
        assert model.parameters.shape == (model.n_parameters,)
        assert model.parameters.dtype == dtype
        assert model.parameters.ctypes.data % 64 == 0
        assert model.n_parameters == sum((I + 1) * O for I, O in pairwise(sizes))
        model.parameters[:] = np.arange(model.n_parameters)
        views = [view for pair in zip(model.weights, model.biases, strict=True) for view in pair]
        np.testing.assert_array_equal(
            np.concatenate([view.ravel() for view in views]), model.parameters
        )
        for view, block in zip(views, model.blocks, strict=True):
            assert np.shares_memory(view, model.parameters)
            assert view.shape == block.shape
            assert block.stop - block.start == view.size
            assert block.is_bias == (view.ndim == 1) == block.name.startswith("biases")
        shapes = [W.shape for W in model.weights]
        assert shapes == list(pairwise(sizes))

    def test_writing_to_a_view_changes_the_prediction(self):
        model = make((2, 2))
        model.parameters[:] = 0
        model.weights[0][:] = [[1, 2], [3, 4]]
        model.biases[0][:] = [10, 20]
        np.testing.assert_array_equal(model.decision_function([[1, 1]]), [[14, 26]])

    @pytest.mark.parametrize(
        "copied", [copy.deepcopy, copy.copy, lambda m: pickle.loads(pickle.dumps(m))]
    )
    def test_copies_have_their_own_buffer_with_views(self, copied):
        model = make(seed=3)
        twin = copied(model)
        np.testing.assert_array_equal(twin.parameters, model.parameters)
        assert not np.shares_memory(twin.parameters, model.parameters)
        assert twin.parameters.ctypes.data % 64 == 0
        twin.parameters[:] = 7
        assert all((view == 7).all() for view in (*twin.weights, *twin.biases))
        assert not (model.parameters == 7).any()
        X, y = np.ones((4, 3)), [0, 1, 0, 1]
        mt.Trainer(twin, mt.optimizers.SGD(lr=0.1)).fit((X, y), 1)
        assert twin.sizes == model.sizes


class TestInitialization:
    @pytest.mark.parametrize(
        "key",
        WEIGHTS,
        ids="-".join,
    )
    def test_same_bits_on_every_machine(self, key):
        kind, dtype = key
        model = mt.MLP([17, 33, 5], initialization=kind, seed=42, dtype=dtype)
        little = model.parameters.astype(model.dtype.newbyteorder("<"))
        assert hashlib.sha256(little.tobytes()).hexdigest() == WEIGHTS[key]

    @pytest.mark.parametrize("activation", ["relu", "tanh"])
    def test_glorot_is_the_default(self, activation):
        default = make(activation=activation).parameters
        glorot = make(activation=activation, initialization="glorot").parameters
        np.testing.assert_array_equal(default, glorot)
        assert (default != make(activation=activation, initialization="he").parameters).any()

    @pytest.mark.parametrize("kind", ["he", "glorot"])
    def test_bounds_spread_and_biases(self, kind):
        model = mt.MLP([200, 100, 300], initialization=kind, seed=1, dtype="float64")
        for W, b in zip(model.weights, model.biases, strict=True):
            I, O = W.shape
            bound = np.sqrt(6 / I) if kind == "he" else np.sqrt(6 / (I + O))
            assert np.abs(W).max() <= bound
            assert np.abs(W).max() > 0.999 * bound
            # Uniform: standard deviation bound / sqrt(3), fourth moment bound⁴ / 5; five sigma.
            n, sigma = W.size, bound / np.sqrt(3)
            assert abs(W.mean()) < 5 * sigma / np.sqrt(n)
            assert abs(W.var() / sigma**2 - 1) < 5 * np.sqrt(4 / 5 / n)
            quarters = np.histogram(W, 4, (-bound, bound))[0]
            assert ((quarters - n / 4) ** 2 / (n / 4)).sum() < 26  # 3 degrees, p = 1e-5
            assert (b == 0).all()

    def test_layers_and_seeds_differ(self):
        model = mt.MLP([4, 4, 4, 4], initialization="he")
        a, b, c = (W.ravel() for W in model.weights)
        assert not np.isin(a, b).any()
        assert not np.isin(b, c).any()
        other = mt.MLP([4, 4, 4, 4], initialization="he", seed=1)
        assert not np.isin(a, other.weights[0]).any()
        np.testing.assert_array_equal(
            model.parameters, mt.MLP([4, 4, 4, 4], initialization="he").parameters
        )

    def test_float32_is_the_rounded_float64(self):
        np.testing.assert_array_equal(
            make().parameters, make(dtype="float64").parameters.astype(np.float32)
        )


class TestPredictions:
    X = np.random.RandomState(0).standard_normal((9, 3))

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_softmax(self, dtype):
        model = make(dtype=dtype)
        z, p = model.decision_function(self.X), model.predict_proba(self.X)
        assert z.dtype == p.dtype == dtype
        assert z.shape == p.shape == (9, 2)
        e = np.exp(z.astype(float))
        np.testing.assert_allclose(p, e / e.sum(1, keepdims=True), rtol=1e-6)
        np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
        np.testing.assert_array_equal(model.predict(self.X), z.argmax(1))
        assert model.predict(self.X).dtype == np.int64

    @pytest.mark.parametrize("outputs", [1, 4])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_binary(self, outputs, dtype):
        model = make((3, 5, outputs), loss="binary_cross_entropy", dtype=dtype)
        z, p = model.decision_function(self.X), model.predict_proba(self.X)
        assert p.dtype == dtype
        assert p.shape == (9, outputs)
        np.testing.assert_allclose(p, 1 / (1 + np.exp(-z.astype(float))), rtol=1e-6)
        labels = model.predict(self.X)
        assert labels.dtype == np.int64
        assert labels.shape == ((9,) if outputs == 1 else (9, outputs))
        np.testing.assert_array_equal(labels.reshape(9, -1), (p > 0.5))

    @pytest.mark.parametrize("outputs", [1, 4])
    def test_squared_error(self, outputs):
        model = make((3, 5, outputs), loss="squared_error")
        values = model.predict(self.X)
        assert values.shape == ((9,) if outputs == 1 else (9, outputs))
        np.testing.assert_array_equal(values.reshape(9, -1), model.decision_function(self.X))
        with pytest.raises(ValueError, match="predict_proba: squared_error gives no probabilities"):
            model.predict_proba(self.X)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("size", [1e4, -1e4])
    def test_huge_logits_neither_overflow_nor_warn(self, size, dtype):
        for loss, wanted in [
            ("softmax_cross_entropy", [1, 0] if size > 0 else [0, 1]),
            ("binary_cross_entropy", [1, 0] if size > 0 else [0, 1]),
        ]:
            model = mt.MLP([1, 2], loss=loss, dtype=dtype)
            model.parameters[:] = [1, -1, 0, 0]
            np.testing.assert_array_equal(model.predict_proba([[size]]), [wanted])
            loss_value, gradient = model.loss_and_gradient(
                [[size]], [0] if "softmax" in loss else [[0, 0]]
            )
            assert np.isfinite(loss_value)
            assert np.isfinite(gradient).all()

    @pytest.mark.parametrize(
        "loss", ["softmax_cross_entropy", "binary_cross_entropy", "squared_error"]
    )
    def test_no_rows(self, loss):
        model = make(loss=loss)
        assert model.decision_function(np.zeros((0, 3))).shape == (0, 2)
        assert model.predict(np.zeros((0, 3))).shape[0] == 0
        if loss != "squared_error":
            assert model.predict_proba(np.zeros((0, 3))).shape == (0, 2)

    def test_rows_do_not_depend_on_their_company(self):
        """One at a time, in the blocks of 256 that a prediction is made of, and across them."""
        X = np.random.RandomState(1).standard_normal((600, 3))
        model = make(dtype="float64")
        whole = model.decision_function(X)
        alone = np.concatenate([model.decision_function(X[i : i + 1]) for i in range(600)])
        np.testing.assert_allclose(alone, whole, rtol=1e-12)
        loss, accuracy = model.evaluate(X, np.arange(600) % 2)
        mean, _ = model.loss_and_gradient(X, np.arange(600) % 2)
        assert loss == pytest.approx(mean, rel=1e-12)
        assert accuracy == (whole.argmax(1) == np.arange(600) % 2).mean()

    def test_the_smallest_networks(self):
        model = mt.MLP([1, 1], loss="squared_error")
        model.parameters[:] = [2, 3]
        assert model.predict([[5]]).tolist() == [13]
        loss, gradient = model.loss_and_gradient([[5]], [10])
        assert loss == 9
        assert gradient.tolist() == [30, 6]
        model = mt.MLP([1, 1, 1, 1], "relu", loss="squared_error")
        model.parameters[:] = [2, 0, 3, 1, -1, 0.5]
        assert model.predict([[1], [-1]]).tolist() == [-6.5, -0.5]

    def test_predicting_changes_nothing(self):
        model = make()
        before = model.parameters.copy()
        model.predict(self.X)
        model.evaluate(self.X, np.zeros(9))
        model.loss_and_gradient(self.X, np.zeros(9))
        np.testing.assert_array_equal(model.parameters, before)


def test_one_activation_for_all_or_one_for_each():
    assert make(activation="tanh").activation == ("tanh", "tanh")
    assert make(activation=["tanh", "relu"]).activation == ("tanh", "relu")
    assert make(activation=("relu", "gelu")).activation == ("relu", "gelu")
    assert make((3, 2), activation=[]).activation == ()


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float64"), float, "f4", "double"])
def test_dtypes(dtype):
    assert make(dtype=dtype).parameters.dtype == np.dtype(dtype)


def test_array_of_sizes():
    assert mt.MLP(np.array([3, 4, 2])).sizes == (3, 4, 2)


@pytest.mark.parametrize(
    "sizes, options, error, message",
    [
        ([3], {}, ValueError, r"sizes: \[3\]; accepted: at least inputs and outputs"),
        ([], {}, ValueError, r"sizes: \[\]; accepted: at least inputs and outputs"),
        ("34", {}, TypeError, r"sizes: '34'; accepted: a list such as \[64, 128, 10\]"),
        (5, {}, TypeError, "sizes: 5; accepted: a list"),
        ({3, 2}, {}, TypeError, "sizes: .*; accepted: a list"),
        ([3, 0, 2], {}, ValueError, r"sizes\[1\]: 0 is too small; accepted: whole numbers from 1"),
        ([3, -4, 2], {}, ValueError, r"sizes\[1\]: -4 is too small"),
        ([3.0, 2], {}, TypeError, r"sizes\[0\]: 3.0 is not a whole number"),
        ([3, True], {}, TypeError, r"sizes\[1\]: True is not a whole number"),
        ([3, "2"], {}, TypeError, r"sizes\[1\]: '2' is not a whole number"),
        ([3, 1], {}, ValueError, "sizes: softmax_cross_entropy needs at least two outputs"),
        ([3, 2], {"activation": "rely"}, ValueError, "activation: unknown 'rely'; accepted: id"),
        ([3, 2], {"activation": None}, ValueError, "activation: unknown None; accepted: identity"),
        ([3, 4, 2], {"activation": ["tanh", "tanh"]}, ValueError, "activation: 2 names for 1 hid"),
        ([3, 4, 2], {"activation": ["Tanh"]}, ValueError, "activation: unknown 'Tanh'"),
        ([3, 2], {"loss": "mse"}, ValueError, "loss: unknown 'mse'; accepted: softmax"),
        ([3, 2], {"dtype": "float16"}, ValueError, "dtype: 'float16'; accepted: float32, float64"),
        ([3, 2], {"dtype": ">f4"}, ValueError, "dtype: '>f4'; accepted: float32, float64"),
        ([3, 2], {"dtype": "decimal"}, ValueError, "dtype: .*; accepted: float32, float64"),
        ([3, 2], {"dtype": int}, ValueError, "dtype: .*; accepted: float32, float64"),
        ([3, 2], {"initialization": "xavier"}, ValueError, "initialization: unknown 'xavier'"),
        ([3, 2], {"seed": -1}, ValueError, "seed: -1 is too small"),
        ([3, 2], {"seed": 1.5}, TypeError, "seed: 1.5 is not a whole number"),
        ([3, 2], {"seed": 2**64}, ValueError, "seed: 18446744073709551616 is too large"),
    ],
)  # fmt: skip
def test_wrong_arguments(sizes, options, error, message):
    with pytest.raises(error, match=message):
        mt.MLP(sizes, **options)
