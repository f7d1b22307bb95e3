"""What both estimators share: fitting, the network behind the attributes, prediction."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from . import glance, lbfgs
from .callbacks import CallbackSupportMixin, Hooks
from .network import NORMALIZATION, ROWS, Network, inserted
from .parameters import (
    CONSTRAINTS,
    check_parameters,
    check_together,
    hidden_sizes,
    is_stochastic,
)
from .randomness import random_of
from .stochastic import Fit
from .targets import as_data

# Attributes that are made anew from the others.
_TRANSIENT = ("_network", "_trusted")


class BaseMLP(CallbackSupportMixin, BaseEstimator):
    """Fit, predict and keep; the subclasses say what y is and what comes out."""

    _parameter_constraints: dict = CONSTRAINTS

    def _validate_params(self) -> None:
        check_parameters(self)

    # -- fitting ---------------------------------------------------------------------------

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        incremental: bool,
        validation: tuple[Any, Any, Any] = (None, None, None),
    ) -> "BaseMLP":
        hidden = hidden_sizes(self)
        check_together(self)
        first_pass = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        given = X, y
        X, y = self._validate_input(X, y, incremental, reset=first_pass)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
            if not sample_weight.any():
                raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        weights = self._row_weights(y, sample_weight, incremental)
        encoded = self._encode(y)
        self.n_outputs_ = self._n_outputs(encoded)
        sizes = [X.shape[1], *hidden, self.n_outputs_]
        with random_of(self.random_state) as random:
            network = self._start(sizes, X.dtype, random) if first_pass else self._going_on(sizes)
            data = as_data(X, encoded, weights, network.mlp.dtype)
            held_out = self._validation_data(*validation, network)
            self.history_: dict[str, list] = {
                "loss": [], "learning_rate": [], "gradient_norm": [], "seconds": []
            }  # fmt: skip
            hooks = Hooks(self, *given, sample_weight, 1 if incremental else self.max_iter)
            if is_stochastic(self):
                run = Fit(self, network, data, y, held_out, random, incremental, hooks)
                self._trusted = run.validation_rows
                try:
                    self.stop_reason_ = run.run()
                finally:
                    del self._trusted
            else:
                self.stop_reason_ = lbfgs.fit(self, network.mlp, data)
            hooks.end()
        if not np.isfinite(network.mlp.parameters).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may"
                " contain large values and need to be preprocessed."
            )
        return self

    def _start(self, sizes: list[int], dtype: Any, random: np.random.RandomState) -> Network:
        """Draw initial weights and clear what an earlier fit left."""
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._out_activation()
        for name in NORMALIZATION:
            self.__dict__.pop(name, None)
        network = Network(sizes, self.activation, self.out_activation_, dtype, **inserted(self))
        network.initialize(self.activation, random)
        self._adopt(network)
        self._optimizer_state: Any = None
        if is_stochastic(self):
            self.loss_curve_: list[float] = []
            self._no_improvement_count = 0
            self.validation_scores_: list[float] | None = [] if self.early_stopping else None
            self.best_validation_score_ = -np.inf if self.early_stopping else None
            self.best_loss_ = None if self.early_stopping else np.inf
        return network

    def _validate_rows(self, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Any]:
        """X and y, checked by scikit-learn where a glance does not do."""
        if (
            glance.is_plain(X)
            and glance.is_plain_target(y, len(X))
            and (
                glance.knows_columns(self, X) or (reset and not hasattr(self, "feature_names_in_"))
            )
        ):
            self.n_features_in_ = X.shape[1]
            return X, y
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=(np.float64, np.float32),
            reset=reset,
            **options,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _row_weights(self, y: Any, sample_weight: Any, incremental: bool) -> Any:
        return sample_weight

    def _validation_data(self, X: Any, y: Any, weights: Any, network: Network) -> Any:
        """The user's own validation rows, encoded; None if there are none."""
        if X is None and y is None and weights is None:
            return None
        if X is None or y is None:
            raise ValueError("X_val, y_val: accepted: both or neither of them")
        if not is_stochastic(self):
            raise ValueError("X_val: solver='lbfgs' has no use for validation data")
        X, y = self._validate_rows(X, y, reset=False)
        if weights is not None:
            weights = _check_sample_weight(weights, X)
        return as_data(X, self._encode(y, seen=True), weights, network.mlp.dtype), y, weights

    # -- the network behind the attributes -------------------------------------------------

    def _adopt(self, network: Network) -> None:
        self._network = network
        self.coefs_, self.intercepts_ = list(network.mlp.weights), list(network.mlp.biases)
        for name, arrays in network.normalization().items():
            setattr(self, name, arrays)

    def _going_on(self, sizes: list[int]) -> Network:
        """The fitted network, to train on with what stands between its layers now."""
        network, wanted = self._current_network(), inserted(self)
        if list(network.mlp.sizes) != sizes:
            raise ValueError(
                f"hidden_layer_sizes: the fitted network has layers {network.mlp.sizes}, asked "
                f"for are {tuple(sizes)}; accepted with warm_start and partial_fit: the same"
            )
        fitted = network.inserted["normalization"]
        if fitted != wanted["normalization"]:
            raise ValueError(
                f"normalization: the fitted network has {fitted!r}, asked for is "
                f"{self.normalization!r}; accepted with warm_start and partial_fit: the same"
            )
        if network.inserted != wanted:
            network = Network.of(self)
            self._adopt(network)
        return network

    def _current_network(self) -> Network:
        network = self.__dict__.get("_network")
        if network is None or not network.is_that_of(self):
            network = Network.of(self)
            if all(W.dtype == network.mlp.dtype for W in self.coefs_):
                self._adopt(network)
        return network

    def _fitted_attributes(self) -> dict[str, Any]:
        """For callbacks that want the estimator as if fit had ended now."""
        found: dict[str, Any] = {"loss_curve_": list(self.loss_curve_)}
        for name in ("coefs_", "intercepts_", *NORMALIZATION):
            if hasattr(self, name):
                found[name] = [array.copy() for array in getattr(self, name)]
        return found

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key not in _TRANSIENT}

    # -- prediction ------------------------------------------------------------------------

    def _rows(self, X: Any) -> np.ndarray:
        """Checked rows, dense or sparse."""
        if glance.knows_columns(self, X) and glance.is_plain(X):
            return X
        trusted = self.__dict__.get("_trusted")
        if trusted is not None and X is trusted:
            return trusted
        return validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)

    def _raw(self, X: Any) -> np.ndarray:
        """z (n, O), the last layer before its activation."""
        if "coefs_" not in self.__dict__:
            check_is_fitted(self)
        network = self._current_network()
        rows = self._rows(X)
        if not hasattr(rows, "tocsr"):
            return network.outputs(network.as_rows(rows))
        # Sparse rows become dense a portion at a time.
        rows = rows.tocsr()
        portions = range(0, rows.shape[0], 16 * ROWS)
        return np.concatenate(
            [network.outputs(network.as_rows(rows[i : i + 16 * ROWS])) for i in portions]
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


fit_context = _fit_context(prefer_skip_nested_validation=True)


def has_partial_fit(estimator: Any) -> bool:
    """For ``available_if``: an AttributeError says why not."""
    if not is_stochastic(estimator):
        raise AttributeError(
            "partial_fit is only available for stochastic"
            f" optimizers. {estimator.solver} is not stochastic."
        )
    return True
