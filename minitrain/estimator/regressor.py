"""``MLPRegressor``: scikit-learn's, with more of everything."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from .base import BaseMLP, fit_context, has_partial_fit
from .parameters import CONSTRAINTS, REGRESSOR
from .sharing import Sharing


class MLPRegressor(RegressorMixin, Sharing, BaseMLP):
    """A multi-layer perceptron for regression, in place of scikit-learn's.

    All parameters of ``sklearn.neural_network.MLPRegressor`` mean what they mean there, with the
    same defaults and the same numbers for the same ``random_state``; what is more is described at
    :class:`MLPClassifier`, except for class_weight, which is its own.  ``scoring=None`` is R².
    """

    _parameter_constraints: dict = {**CONSTRAINTS, **REGRESSOR}

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
        scoring: Any = None,
        schedule: Any = None,
        keep_optimizer: bool = False,
        max_time: float | None = None,
        callbacks: Any = None,
        threads: int | None = None,
        n_jobs: int | None = None,
        dropout: float = 0.0,
        normalization: str | None = None,
        l1: float = 0.0,
        weight_decay: float | None = None,
        clip_global_norm: float | None = None,
        ema: float | None = None,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.scoring = scoring
        self.schedule = schedule
        self.keep_optimizer = keep_optimizer
        self.max_time = max_time
        self.callbacks = callbacks
        self.threads = threads
        self.n_jobs = n_jobs
        self.dropout = dropout
        self.normalization = normalization
        self.l1 = l1
        self.weight_decay = weight_decay
        self.clip_global_norm = clip_global_norm
        self.ema = ema

    @fit_context
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> "MLPRegressor":
        """Fit to rows X (n, features), dense or sparse, and numbers y (n,) or (n, outputs).

        With ``X_val`` and ``y_val`` every epoch is scored on them; ``early_stopping=True`` then
        watches them and holds back no rows of X.  Ctrl-C ends the fit and keeps what was learned.
        """
        self._fit(X, y, sample_weight, False, (X_val, y_val, sample_weight_val))
        return self

    @available_if(has_partial_fit)
    @fit_context
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """One epoch over these rows, going on from what is fitted."""
        self._fit(X, y, sample_weight, True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Numbers (n,), or (n, outputs)."""
        z = self._raw(X)
        if self.out_activation_ == "exp":
            np.exp(z, out=z)
        return z[:, 0] if z.shape[1] == 1 else z

    # -- what the base asks for ------------------------------------------------------------

    def _validate_rows(self, X: Any, y: Any, reset: bool, **options: Any) -> tuple[Any, Any]:
        X, y = super()._validate_rows(X, y, reset, y_numeric=True)
        if self.loss == "poisson" and (y < 0).any():
            raise ValueError(f"y: {y.min()}; accepted with loss='poisson': numbers of at least 0")
        return X, y

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        return self._validate_rows(X, y, reset)

    def _encode(self, y: Any, seen: bool = False) -> np.ndarray:
        if y.dtype.kind not in "biuf":
            raise TypeError(f"y: holds {y.dtype}, not numbers")
        return y.reshape(len(y), -1)

    def _n_outputs(self, encoded: np.ndarray) -> int:
        return encoded.shape[1]

    def _out_activation(self) -> str:
        return "exp" if self.loss == "poisson" else "identity"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags
