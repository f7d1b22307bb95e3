"""Files and exports compute what the estimator does; what is damaged is not loaded."""

import ctypes
import importlib
import json
import shutil
import subprocess

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import minitrain as mt
from minitrain.estimator import files

ACTIVATIONS = ["relu", "logistic", "tanh", "identity", "leaky_relu", "gelu", "silu"]


def fitted(kind, classes, numbers, dtype="float64", activation="relu", **options):
    X, y = numbers if kind in ("regression", "poisson") else classes
    X = X.astype(dtype)
    options = {"max_iter": 5, "random_state": 0, "activation": activation, **options}
    if kind == "regression":
        return mt.MLPRegressor("squared_error", (7, 4), **options).fit(X, y), X
    if kind == "poisson":
        return mt.MLPRegressor("poisson", (7, 4), **options).fit(X, np.abs(y)), X
    y = {"three": y, "two": y > 0, "labels": np.eye(3, dtype=int)[y], "text": np.array([*"abc"])[y]}
    return mt.MLPClassifier((7, 4), **options).fit(X, y[kind]), X


KINDS = ["three", "two", "labels", "text", "regression", "poisson"]


def output(estimator, X):
    if hasattr(estimator, "predict_proba"):
        p = estimator.predict_proba(X)
        return p[:, 1:] if estimator.n_outputs_ == 1 else p
    return estimator.predict(X).reshape(len(X), -1)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_is_loaded(kind, classes, numbers, tmp_path):
    solver = mt.optimizers.AdamW(lr=0.01, clip_norm=2.0, layer_lr=(1, 0.5, 1))
    estimator, X = fitted(kind, classes, numbers, solver=solver)
    estimator.save(tmp_path / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    other = type(estimator).load(tmp_path / "model")
    np.testing.assert_array_equal(other.predict(X), estimator.predict(X))
    np.testing.assert_array_equal(output(other, X), output(estimator, X))
    assert str(other.get_params()) == str(estimator.get_params())
    for name in files._FITTED:
        if hasattr(estimator, name):
            one, two = getattr(other, name), getattr(estimator, name)
            assert one == two, name
            assert type(one) is type(two), name
    assert type(other.loss_curve_[0]) is np.float64
    y = estimator.predict(X)
    other.partial_fit(X, y)  # it can go on


def test_what_cannot_be_saved_is_named(classes, numbers, tmp_path):
    with pytest.raises(NotFittedError):
        mt.MLPClassifier().save(tmp_path / "model")
    estimator, _ = fitted("three", classes, numbers, callbacks=[print])
    with pytest.raises(TypeError, match=r"parameter callbacks: .* cannot be saved"):
        estimator.save(tmp_path / "model")
    estimator, _ = fitted("regression", classes, numbers)
    estimator.save(tmp_path / "model")
    with pytest.raises(TypeError, match="holds a MLPRegressor, not a MLPClassifier"):
        mt.MLPClassifier.load(tmp_path / "model")
    with pytest.raises(FileNotFoundError):
        mt.MLPClassifier.load(tmp_path / "none")


def test_every_damage_is_seen(classes, numbers, tmp_path):
    """Cut anywhere, or with any bit of any byte flipped: refused, or the same model."""
    estimator, X = fitted("three", classes, numbers)
    path = tmp_path / "model"
    estimator.save(path)
    whole = path.read_bytes()
    random = np.random.RandomState(0)
    refused = 0
    for at in random.randint(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << random.randint(8)
        path.write_bytes(damaged if at % 3 else whole[:at])
        try:
            other = mt.MLPClassifier.load(path)
        except (files.DamagedFile, ValueError, TypeError) as error:
            refused += str(path) in str(error)
        else:  # in a number of the header that is shown only
            np.testing.assert_array_equal(output(other, X), output(estimator, X))
    assert refused > 200


def test_a_newer_format_is_refused(classes, numbers, tmp_path):
    numpy = importlib.import_module("safetensors.numpy")
    header = {"format": files.VERSION + 1}
    path = tmp_path / "model"
    path.write_bytes(numpy.save({"a": np.zeros(1)}, {"minitrain": json.dumps(header)}))
    with pytest.raises(files.DamagedFile, match="reads up to"):
        mt.MLPClassifier.load(path)
    path.write_bytes(numpy.save({"a": np.zeros(1)}))
    with pytest.raises(files.DamagedFile, match="without the header of minitrain"):
        mt.MLPClassifier.load(path)


def test_a_failed_write_leaves_the_old_file(classes, numbers, tmp_path, monkeypatch):
    estimator, _ = fitted("three", classes, numbers)
    path = tmp_path / "model"
    estimator.save(path)
    before = path.read_bytes()

    def fail(handle):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        estimator.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("dtype, rtol, atol", [("float32", 2e-6, 1e-6), ("float64", 1e-9, 1e-12)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_numpy_source(kind, activation, dtype, rtol, atol, classes, numbers):
    estimator, X = fitted(kind, classes, numbers, dtype, activation)
    module = {}
    exec(estimator.to_numpy(), module)
    got = module["predict"](X)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, output(estimator, X), rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype, rtol, atol", [("float32", 2e-6, 1e-6), ("float64", 1e-9, 1e-12)])
def test_c_header(dtype, rtol, atol, classes, numbers, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    T = "float" if dtype == "float32" else "double"
    networks, source = {}, ""
    kinds = [("three", a, n) for a in ACTIVATIONS for n in (None, "layer", "batch")]
    kinds += [(kind, "tanh", "layer") for kind in KINDS]
    for i, (kind, activation, normalization) in enumerate(kinds):
        options = {"activation": activation, "normalization": normalization}
        networks[f"run{i}"] = fitted(kind, classes, numbers, dtype, **options)
        source += networks[f"run{i}"][0].to_c(f"net{i}")
        source += f"void run{i}(const {T} *x, void *y) {{ net{i}_predict(x, y); }}\n"
    (tmp_path / "net.c").write_text(source)
    command = [compiler, "-std=c99", "-Wall", "-Werror", "-shared", "-fPIC", "-O1"]
    subprocess.run([*command, "net.c", "-o", "net.so", "-lm"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "net.so"))
    for (name, (estimator, X)), what in zip(networks.items(), kinds, strict=True):
        got = np.empty_like(output(estimator, X))
        for x, y in zip(np.ascontiguousarray(X), got, strict=True):
            run = getattr(library, name)
            run(x.ctypes.data_as(ctypes.c_void_p), y.ctypes.data_as(ctypes.c_void_p))
        wanted = output(estimator, X)
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol, err_msg=str(what))


def test_a_name_that_c_does_not_take(classes, numbers):
    estimator, _ = fitted("two", classes, numbers)
    with pytest.raises(ValueError, match="name: '2x'"):
        estimator.to_c("2x")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_onnx(kind, activation, dtype, classes, numbers, tmp_path):
    runtime = importlib.import_module("onnxruntime")
    estimator, X = fitted(kind, classes, numbers, dtype, activation)
    estimator.to_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"X": X})
    assert got.dtype == dtype
    np.testing.assert_allclose(got, output(estimator, X), rtol=1e-5, atol=1e-5)


def test_torch(classes, numbers, torch):
    nn = torch.nn
    estimator, X = fitted("three", classes, numbers, activation="gelu")
    model = nn.Sequential(
        nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 4), nn.GELU(), nn.Linear(4, 3), nn.Softmax(1)
    ).double()
    model.load_state_dict({k: torch.from_numpy(v) for k, v in estimator.to_torch().items()})
    with torch.no_grad():
        got = model(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(got, output(estimator, X), rtol=1e-6)
