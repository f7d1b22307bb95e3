"""Save and load a fitted estimator without pickle: safetensors for the numbers, JSON for the rest.

The file is what any safetensors reader opens: ``coefs_.0``, ``intercepts_.0``, … and
``classes_`` where they are numbers; under the metadata key ``minitrain`` stands a JSON object with
the format's version, the estimator's name, parameters, fitted attributes and the SHA-256 of the
arrays.  Loading runs no code from the file.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from .. import optimizers
from ..optimizer import Optimizer
from .network import NORMALIZATION

VERSION = 1
_KEY = "minitrain"
# What is kept of a fit, where it is there; arrays and classes are kept apart.
_FITTED = (
    "n_features_in_", "n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_", "loss_",
    "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_", "stop_reason_",
    "history_",
)  # fmt: skip
_INFINITE = {"inf": np.inf, "-inf": -np.inf, "nan": np.nan}


class DamagedFile(ValueError):
    """The file is not one that ``save`` wrote, or not as it was written."""


def save(estimator: Any, path: Any) -> None:
    """Write a fitted estimator: the file at ``path`` is the old one whole or the new one whole.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If a parameter cannot be written as JSON, such as a function: the parameter is named.
    """
    serialize = _safetensors().numpy.save
    check_is_fitted(estimator)
    arrays = {f"coefs_.{i}": W for i, W in enumerate(estimator.coefs_)}
    arrays |= {f"intercepts_.{i}": b for i, b in enumerate(estimator.intercepts_)}
    for name in NORMALIZATION:
        arrays |= {f"{name}.{i}": a for i, a in enumerate(getattr(estimator, name, []))}
    header: dict[str, Any] = {
        "format": VERSION,
        "estimator": type(estimator).__name__,
        "parameters": {
            name: _encode(f"parameter {name}", value)
            for name, value in estimator.get_params(deep=False).items()
        },
        "fitted": {
            name: _encode(name, getattr(estimator, name))
            for name in _FITTED
            if hasattr(estimator, name)
        },
    }
    if hasattr(estimator, "feature_names_in_"):
        header["feature_names"] = estimator.feature_names_in_.tolist()
    if hasattr(estimator, "classes_"):
        binarizer = estimator._label_binarizer
        header["y_type"] = binarizer.y_type_
        header["sparse_y"] = bool(binarizer.sparse_input_)
        classes = estimator.classes_
        if classes.dtype.kind in "biuf":
            arrays["classes_"] = classes
        elif all(isinstance(c, str) for c in classes.tolist()):
            header["classes"] = {"dtype": classes.dtype.str, "values": classes.tolist()}
        else:
            raise TypeError(f"classes_: {classes!r}; accepted: numbers, booleans or strings")
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header["sha256"] = _checksum(arrays)
    _write(Path(path), serialize(arrays, {_KEY: json.dumps(header, allow_nan=False)}))


def load(path: Any) -> Any:
    """The estimator that ``save`` wrote.

    Raises
    ------
    DamagedFile
        If the file is cut short, changed, of another kind or of a newer format; the path and what
        is wrong with it are named.
    """
    path = Path(path)
    safe_open, error = _safetensors().safe_open, _safetensors().SafetensorError
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise
    except (error, ValueError, OSError, TypeError) as problem:
        raise DamagedFile(f"{path}: not a whole safetensors file ({problem})") from None
    if _KEY not in metadata:
        raise DamagedFile(f"{path}: safetensors, but without the header of minitrain")
    try:
        header = json.loads(metadata[_KEY])
        if header["format"] > VERSION:
            raise DamagedFile(
                f"{path}: format {header['format']}; this minitrain reads up to {VERSION}"
            )
        if header["sha256"] != _checksum(arrays):
            raise DamagedFile(f"{path}: the checksum of the arrays is another")
        return _restore(header, arrays)
    except (KeyError, IndexError, TypeError, AttributeError, json.JSONDecodeError) as problem:
        raise DamagedFile(f"{path}: the header is damaged ({problem!r})") from None


def _restore(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    from .classifier import MLPClassifier
    from .regressor import MLPRegressor

    kinds: dict[str, Any] = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
    parameters = {name: _decode(value) for name, value in header["parameters"].items()}
    estimator = kinds[header["estimator"]](**parameters)
    for name, value in header["fitted"].items():
        if name not in _FITTED:
            raise KeyError(name)
        setattr(estimator, name, _decode(value))
    # NumPy's numbers, as fit leaves them; JSON has only Python's.
    for name in ("loss_", "best_loss_"):
        if isinstance(getattr(estimator, name, None), float):
            setattr(estimator, name, np.float64(getattr(estimator, name)))
    if hasattr(estimator, "loss_curve_"):
        estimator.loss_curve_ = list(np.array(estimator.loss_curve_))
    layers = estimator.n_layers_ - 1
    estimator.coefs_ = [arrays[f"coefs_.{i}"] for i in range(layers)]
    estimator.intercepts_ = [arrays[f"intercepts_.{i}"] for i in range(layers)]
    for name in NORMALIZATION:
        if f"{name}.0" in arrays:
            setattr(estimator, name, [arrays[f"{name}.{i}"] for i in range(layers - 1)])
    if "feature_names" in header:
        estimator.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    if "y_type" in header:
        named = header.get("classes")
        classes = np.array(named["values"], named["dtype"]) if named else arrays["classes_"]
        binarizer = estimator._label_binarizer = LabelBinarizer()
        binarizer.classes_, binarizer.y_type_ = classes, header["y_type"]
        binarizer.sparse_input_ = header["sparse_y"]
        estimator.classes_ = classes
    estimator._no_improvement_count = 0
    estimator._optimizer_state = None
    return estimator


def _encode(name: str, value: Any) -> Any:
    """JSON for what parameters and attributes hold."""
    if isinstance(value, Optimizer):
        given = {**value.hyperparameters, **value.modifiers.given()}
        encoded = {option: _encode(f"{name}: {option}", v) for option, v in given.items()}
        return {"optimizer": value.name, "hyperparameters": encoded}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return {"number": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray):
        return _encode(name, value.tolist())
    if isinstance(value, tuple):
        return {"tuple": [_encode(name, v) for v in value]}
    if isinstance(value, list):
        return [_encode(name, v) for v in value]
    if isinstance(value, dict):
        return {"dict": [[_encode(name, k), _encode(name, v)] for k, v in value.items()]}
    raise TypeError(
        f"{name}: {value!r} cannot be saved; accepted: numbers, text, lists and optimizers "
        "(set_params it to None first, if the fitted model is all that is wanted)"
    )


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "optimizer" in value:
        options = {name: _decode(v) for name, v in value["hyperparameters"].items()}
        return optimizers.get(value["optimizer"], **options)
    if "number" in value:
        return _INFINITE[value["number"]]
    if "tuple" in value:
        return tuple(_decode(v) for v in value["tuple"])
    return {_decode(k): _decode(v) for k, v in value["dict"]}


def _checksum(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: a temporary file beside it, synced, then put in its place."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            "safetensors is missing, which models are saved with: pip install 'minitrain[files]'"
        ) from None
    return safetensors
