"""``MLPClassifier``: scikit-learn's, with more of everything."""

from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target

from .base import BaseMLP, fit_context, has_partial_fit
from .parameters import CLASSIFIER, CONSTRAINTS
from .sharing import Sharing
from .targets import binarizer_of, encode, labels_of, weighted_by_class


class MLPClassifier(ClassifierMixin, Sharing, BaseMLP):
    """A multi-layer perceptron for classification, in place of scikit-learn's.

    All parameters of ``sklearn.neural_network.MLPClassifier`` mean what they mean there, with the
    same defaults, the same initial weights and order of rows for the same ``random_state``, and so
    the same ``loss_curve_`` up to rounding.  Only what is more is described here.

    Parameters
    ----------
    activation
        Of the hidden layers: also leaky_relu, gelu, silu (and sigmoid, which is logistic).
    solver
        lbfgs, sgd and adam are scikit-learn's.  Any other name of ``mt.optimizers.names()`` is
        that optimizer with the rate ``learning_rate_init``; an optimizer such as
        ``mt.optimizers.AdamW(lr=1e-3)`` is used as it is.
    class_weight
        None, "balanced" or {class: weight}; multiplies ``sample_weight``.
    scoring
        What early stopping and ``validation_scores_`` look at: None (accuracy), "loss" (its
        negative), or a scorer's name or function.
    schedule
        Factor of the learning rate for each step: one of ``mt.schedule``, or a function of (array
        of steps, total steps of ``max_iter`` epochs).
    keep_optimizer
        With ``warm_start``: go on with the optimizer's state as well.  (``partial_fit`` does.)
    max_time
        Seconds after which fit ends, at the end of an epoch.
    callbacks
        Called with the estimator after every epoch; a true return value ends the training.
        scikit-learn's own callbacks go through ``set_callbacks`` (scikit-learn 1.9).
    threads
        That share the work of a step; None: as many as pay.  The result is the same.
    n_jobs
        At most so many threads of those that pay, by joblib's counting (-1: all cores).
    dropout
        Share of the hidden units that are left out at each step of the training.
    normalization
        Of the hidden layers, between weights and activation: None, "layer" or "batch", with
        torch's conventions (epsilon 1e-5, a tenth of each batch into the running statistics).
    label_smoothing
        Share of a target that is given to all classes alike (or to no and yes).
    l1
        Adds l1 · sign(w) to the gradient of each weight; unlike alpha it is not divided by the
        rows of the mini-batch, and is not part of the reported loss.
    weight_decay
        Decoupled (as in AdamW): each step takes rate · weight_decay · w off the weights.
    clip_global_norm
        Longer gradients are shortened to this Euclidean norm.
    ema
        Decay of an exponential moving average of the weights, which takes their place.

    Attributes
    ----------
    history_
        Lists with one value per epoch of the last fit: loss, learning_rate, gradient_norm,
        seconds, and validation_loss and validation_score where there is validation data.
    stop_reason_
        Why the last fit ended.
    norm_scales_, norm_shifts_, norm_means_, norm_variances_
        With ``normalization``: an array for each hidden layer; the last two of batches.
    classes_, coefs_, intercepts_, loss_, best_loss_, loss_curve_, validation_scores_, \
best_validation_score_, n_iter_, t_, n_layers_, n_outputs_, out_activation_, n_features_in_, \
feature_names_in_
        As in scikit-learn.  ``coefs_`` and ``intercepts_`` are views of the network: what is
        written into them counts.
    """

    _parameter_constraints: dict = {**CONSTRAINTS, **CLASSIFIER}

    def __init__(
        self,
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
        class_weight: Any = None,
        scoring: Any = None,
        schedule: Any = None,
        keep_optimizer: bool = False,
        max_time: float | None = None,
        callbacks: Any = None,
        threads: int | None = None,
        n_jobs: int | None = None,
        dropout: float = 0.0,
        normalization: str | None = None,
        label_smoothing: float = 0.0,
        l1: float = 0.0,
        weight_decay: float | None = None,
        clip_global_norm: float | None = None,
        ema: float | None = None,
    ) -> None:
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
        self.class_weight = class_weight
        self.scoring = scoring
        self.schedule = schedule
        self.keep_optimizer = keep_optimizer
        self.max_time = max_time
        self.callbacks = callbacks
        self.threads = threads
        self.n_jobs = n_jobs
        self.dropout = dropout
        self.normalization = normalization
        self.label_smoothing = label_smoothing
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
    ) -> "MLPClassifier":
        """Fit to rows X (n, features), dense or sparse, and y (n,), or (n, labels) of 0 and 1.

        With ``X_val`` and ``y_val`` every epoch is scored on them; ``early_stopping=True`` then
        watches them and holds back no rows of X.  Ctrl-C ends the fit and keeps what was learned.
        """
        self._fit(X, y, sample_weight, False, (X_val, y_val, sample_weight_val))
        return self

    @available_if(has_partial_fit)
    @fit_context
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> "MLPClassifier":
        """One epoch over these rows, going on from what is fitted; the first call needs classes."""
        if _check_partial_fit_first_call(self, classes):
            self._label_binarizer = LabelBinarizer()
            multilabel = type_of_target(y).startswith("multilabel")
            self._label_binarizer.fit(y if multilabel else classes)
        self._fit(X, y, sample_weight, True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Classes (n,), or labels (n, labels) of 0 and 1."""
        z = self._raw(X)
        binarizer, classes = self._label_binarizer, self.classes_
        if binarizer.y_type_ == "multiclass":
            return classes.take(z.argmax(axis=1))
        if binarizer.y_type_ == "binary" and len(classes) == 2:
            return classes.take(z[:, 0] > 0.0)
        yes = (z > 0).astype(float)
        return binarizer.inverse_transform(yes[:, 0] if z.shape[1] == 1 else yes)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (n, classes) in the order of ``classes_``, or (n, labels) of a yes."""
        z = self._raw(X)
        if self.out_activation_ == "softmax":
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(axis=1, keepdims=True)
            return z
        yes = expit(z, out=z)
        return np.concatenate((1 - yes, yes), axis=1) if yes.shape[1] == 1 else yes

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of :meth:`predict_proba`."""
        p = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(p, out=p)

    # -- what the base asks for ------------------------------------------------------------

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        X, y = self._validate_rows(X, y, reset)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = binarizer_of(y)
            self.classes_ = self._label_binarizer.classes_
            return X, y
        classes = labels_of(y)
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same "
                    "classes as in the previous call to fit. Previously "
                    f"got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes_}. 'y' has {classes}."
            )
        return X, y

    def _encode(self, y: Any, seen: bool = False) -> np.ndarray:
        if seen:
            unknown = np.setdiff1d(labels_of(y), self.classes_)
            if len(unknown):
                raise ValueError(
                    f"y_val: classes {unknown}, which y has not; accepted: {self.classes_}"
                )
        return encode(self._label_binarizer, y)

    def _n_outputs(self, encoded: np.ndarray) -> int:
        return len(self.classes_) if encoded.ndim == 1 else encoded.shape[1]

    def _out_activation(self) -> str:
        return "softmax" if self._label_binarizer.y_type_ == "multiclass" else "logistic"

    def _row_weights(self, y: Any, sample_weight: Any, incremental: bool) -> Any:
        if self.class_weight is None:
            return sample_weight
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight: 'balanced' needs all of y and is not possible with partial_fit; "
                "accepted: a dict {class: weight}"
            )
        return weighted_by_class(self.class_weight, y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
