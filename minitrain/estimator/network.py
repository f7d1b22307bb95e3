"""The engine's network behind ``coefs_`` and ``intercepts_``, and fast prediction with it.

``coefs_`` and ``intercepts_`` are the truth, as in scikit-learn: a user may write into them, or
put other arrays in their place.  The network is made from them; as long as they are the very views
of its flat parameters, nothing needs to be copied.
"""

from itertools import pairwise
from operator import is_
from typing import Any

import numpy as np

from .. import inputs
from ..kernels import evaluation, minibatch, serving
from ..kernels.layers import Workspace
from ..model import MLP
from .parameters import ENGINE_ACTIVATION

# The attributes of a network that is normalised, a list of arrays each.
NORMALIZATION = ("norm_scales_", "norm_shifts_", "norm_means_", "norm_variances_")

ROWS = 256  # that pass through the network at a time

LOSS_OF_OUTPUT = {
    "softmax": "softmax_cross_entropy",
    "logistic": "binary_cross_entropy",
    "identity": "squared_error",
    "exp": "poisson",
}


def initial_bounds(sizes: list[int], activation: str) -> list[float]:
    """Glorot & Bengio (2010), with scikit-learn's factor of 2 for the logistic function."""
    factor = 2.0 if activation == "logistic" else 6.0
    return [np.sqrt(factor / (I + O)) for I, O in pairwise(sizes)]


def inserted(estimator: Any) -> dict[str, Any]:
    """What stands between an estimator's layers, as :class:`MLP` takes it."""
    return {
        "normalization": estimator.normalization,
        "dropout": float(estimator.dropout),
        "label_smoothing": float(getattr(estimator, "label_smoothing", 0.0)),
    }


def fitted_normalization(estimator: Any) -> str | None:
    """That of the fitted network, whatever the parameter has been set to since."""
    if not hasattr(estimator, "norm_scales_"):
        return None
    return "batch" if hasattr(estimator, "norm_means_") else "layer"


class _Undrawn(MLP):
    """Without initial weights: scikit-learn draws its own."""

    def _initialize(self) -> None:
        pass


class Network:
    """An :class:`MLP` and workspaces for prediction, which threads do not share."""

    def __init__(
        self, sizes: list[int], activation: str, out: str, dtype: Any, **inserted: Any
    ) -> None:
        self.inserted = inserted
        self.mlp = _Undrawn(
            sizes,
            ENGINE_ACTIVATION.get(activation, activation),
            loss=LOSS_OF_OUTPUT[out],
            dtype=dtype,
            **inserted,
        )
        self._normalization = self._normalized()
        self._free: list[tuple[int, Workspace]] = []
        self._unlabelled = np.empty(0, np.int64)
        self._unlabelled.flags.writeable = False
        self._nothing = np.empty((0, sizes[-1]), self.mlp.dtype)
        self._nothing.flags.writeable = False
        self._unweighted = self._nothing[:, 0]

    @classmethod
    def of(cls, estimator: Any) -> "Network":
        """A network with a copy of the estimator's weights."""
        coefs = estimator.coefs_
        sizes = [len(coefs[0]), *(W.shape[1] for W in coefs)]
        dtype = np.result_type(np.float32, *coefs, *estimator.intercepts_)
        between = {**inserted(estimator), "normalization": fitted_normalization(estimator)}
        network = cls(sizes, estimator.activation, estimator.out_activation_, dtype, **between)
        network.set(coefs, estimator.intercepts_)
        for name, ours in network.normalization().items():
            for to, given in zip(ours, getattr(estimator, name), strict=True):
                to[:] = given
        return network

    def normalization(self) -> dict[str, list[np.ndarray]]:
        """The estimators' attributes of a normalised network, which are views of it."""
        return {name: list(arrays) for name, arrays in self._normalization.items()}

    def _normalized(self) -> dict[str, list[np.ndarray]]:
        mlp = self.mlp
        if mlp.normalization is None:
            return {}
        found = {"norm_scales_": mlp.gains, "norm_shifts_": mlp.shifts}
        if mlp.normalization == "batch":
            found |= {"norm_means_": mlp.means, "norm_variances_": mlp.variances}
        return found

    def initialize(self, activation: str, random: np.random.RandomState) -> None:
        """Draw weights and biases in scikit-learn's order, so that a seed gives the same ones."""
        bounds = initial_bounds(list(self.mlp.sizes), activation)
        for W, b, bound in zip(self.mlp.weights, self.mlp.biases, bounds, strict=True):
            W[:] = random.uniform(-bound, bound, W.shape)
            b[:] = random.uniform(-bound, bound, b.shape)

    def set(self, coefs: list, intercepts: list) -> None:
        for ours, given in zip(
            [*self.mlp.weights, *self.mlp.biases], [*coefs, *intercepts], strict=True
        ):
            ours[:] = given

    def is_that_of(self, estimator: Any) -> bool:
        """Whether the estimator's arrays are this network's: asked at every prediction."""
        mlp, coefs, intercepts = self.mlp, estimator.coefs_, estimator.intercepts_
        if not len(coefs) == len(mlp.weights) == len(intercepts):
            return False
        for given, ours in zip(coefs, mlp.weights):  # noqa: B905 - strict costs a tenth of it
            if given is not ours:
                return False
        for given, ours in zip(intercepts, mlp.biases):  # noqa: B905
            if given is not ours:
                return False
        return (
            all(
                all(map(is_, getattr(estimator, name), ours))
                for name, ours in self._normalization.items()
            )
            if self._normalization
            else True
        )

    def outputs(self, rows: np.ndarray) -> np.ndarray:
        """z (n, O) of checked rows (n, I) in C order and the network's dtype."""
        mlp = self.mlp
        view = rows.view()
        view.setflags(write=False)
        # A workspace is taken from the list and put back: two threads never hold the same.
        n = len(rows)
        most = n if n < ROWS else ROWS
        try:
            size, work = self._free.pop()
            if size < most:
                size, work = most, mlp.workspace(most)
        except IndexError:
            size, work = most, mlp.workspace(most)
        out = np.empty((n, mlp.sizes[-1]), mlp.dtype)
        if not mlp.normalization:
            serving.predict(
                out,
                view,
                mlp.parameters,
                work.numbers,
                work.scratch,
                work.plan,
                work.product,
                work.narrow_product,
                size,
            )
        else:
            data = minibatch.Data(view, self._unlabelled, self._nothing, self._unweighted)
            evaluation.predict(out, mlp.parameters, work, data)
        self._free.append((size, work))
        return out

    def as_rows(self, X: Any) -> np.ndarray:
        """Dense rows for :meth:`outputs`."""
        return inputs._cast(X.toarray() if hasattr(X, "toarray") else X, self.mlp.dtype)
