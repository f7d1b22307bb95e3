"""The methods that write a fitted estimator down; the work is done in files.py and export.py."""

from typing import Any

import numpy as np

from . import export, files


class Sharing:
    """Save, load and export."""

    def save(self, path: Any) -> None:
        """Write the fitted model to one safetensors file, without pickle (extra ``files``)."""
        files.save(self, path)

    @classmethod
    def load(cls, path: Any) -> Any:
        """The model that :meth:`save` wrote; a damaged file is named and not loaded."""
        estimator = files.load(path)
        if not isinstance(estimator, cls):
            raise TypeError(f"{path}: holds a {type(estimator).__name__}, not a {cls.__name__}")
        return estimator

    def to_torch(self) -> dict[str, np.ndarray]:
        """Arrays under the names of ``nn.Sequential(Linear, activation, …).state_dict()``."""
        return export.to_torch(self)

    def to_onnx(self, path: Any = None) -> Any:
        """An ONNX model from rows "X" to outputs "Y" (extra ``export``), also written to a path."""
        return export.to_onnx(self, path)

    def to_numpy(self) -> str:
        """Source of a module whose ``predict(X)`` needs NumPy alone."""
        return export.to_numpy(self)

    def to_c(self, name: str = "minitrain") -> str:
        """A self-contained C header with ``NAME_predict(x, y)`` for one row."""
        return export.to_c(self, name)
