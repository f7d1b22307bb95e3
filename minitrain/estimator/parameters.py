"""What the constructors accept: scikit-learn's constraints, and those of what is new here."""

import inspect
from functools import cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    Options,
    StrOptions,
    make_constraint,
    validate_parameter_constraints,
)

from .. import optimizers
from ..kernels import activations
from ..optimizer import Optimizer

# scikit-learn's name for our sigmoid; the other names are the same in both.
ENGINE_ACTIVATION = {"logistic": "sigmoid"}

# scikit-learn 1.9.1, neural_network/_multilayer_perceptron.py.
SCIKIT_LEARN: dict[str, list] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "tol": [Interval(Real, 0, None, closed="left")],
    "verbose": ["verbose"],
    "warm_start": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="both")],
    "nesterovs_momentum": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="left")],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "n_iter_no_change": [
        Interval(Integral, 1, None, closed="left"),
        Options(Real, {np.inf}),
    ],
    "max_fun": [Interval(Integral, 1, None, closed="left")],
}

NEW: dict[str, list] = {
    "scoring": [str, callable, None],
    "schedule": [str, callable, None],
    "keep_optimizer": ["boolean"],
    "max_time": [Interval(Real, 0, None, closed="neither"), None],
    "callbacks": [callable, list, tuple, None],
    "threads": [Interval(Integral, 1, None, closed="left"), None],
    "n_jobs": [
        Interval(Integral, 1, None, closed="left"),
        Interval(Integral, None, -1, closed="right"),
        None,
    ],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "normalization": [StrOptions({"layer", "batch"}), None],
    "l1": [Interval(Real, 0, None, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left"), None],
    "clip_global_norm": [Interval(Real, 0, None, closed="neither"), None],
    "ema": [Interval(Real, 0, 1, closed="left"), None],
}

CLASSIFIER: dict[str, list] = {
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "label_smoothing": [Interval(Real, 0, 1, closed="left")],
}
REGRESSOR: dict[str, list] = {"loss": [StrOptions({"squared_error", "poisson"})]}

CONSTRAINTS: dict[str, list] = {
    **SCIKIT_LEARN,
    **NEW,
    "activation": [StrOptions({"logistic", *activations.NAMES})],
}


def check_parameters(estimator: Any) -> None:
    """Raise scikit-learn's InvalidParameterError, a ValueError, for the first that is wrong."""
    if _are_right(estimator):
        return
    # Made now and not above: a user's own rule may have been registered since.
    solvers = StrOptions({"lbfgs", *optimizers.names()})
    validate_parameter_constraints(
        {**estimator._parameter_constraints, "solver": [solvers, Optimizer]},
        estimator.get_params(deep=False),
        caller_name=type(estimator).__name__,
    )


def _are_right(estimator: Any) -> bool:
    """A quick look, since to find out what is wrong takes longer than a small epoch."""
    solver = estimator.solver
    named = isinstance(solver, str) and solver in ("adam", "sgd", "lbfgs")
    if not named and not isinstance(solver, Optimizer):
        return False
    for name, default, constraints in _constraints(estimator.__class__):
        value = getattr(estimator, name)
        if value is not default and not any(c.is_satisfied_by(value) for c in constraints):
            return False
    return True


@cache
def _constraints(kind: Any) -> list[tuple[str, Any, list]]:
    """(name, default, constraints) of the parameters of a class of estimators but the solver."""
    found = []
    for name, parameter in inspect.signature(kind).parameters.items():
        given = kind._parameter_constraints.get(name, "no_validation")
        if given != "no_validation":
            constraints = [make_constraint(one) for one in given]
            right = any(c.is_satisfied_by(parameter.default) for c in constraints)
            found.append((name, parameter.default if right else inspect.Parameter, constraints))
    return found


def hidden_sizes(estimator: Any) -> list:
    """The hidden layers' units as a list, checked as scikit-learn does."""
    sizes = estimator.hidden_layer_sizes
    sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if all(type(size) is int and size > 0 for size in sizes):
        return sizes
    if np.any(np.array(sizes) <= 0):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    if not all(isinstance(size, Integral) for size in sizes):
        raise TypeError(f"hidden_layer_sizes: {sizes}; accepted: whole numbers")
    return sizes


# What of the new parameters means nothing to lbfgs, and where it is off.
_STOCHASTIC: dict[str, Any] = {
    "dropout": 0, "label_smoothing": 0, "l1": 0, "weight_decay": None, "clip_global_norm": None,
    "ema": None, "schedule": None,
}  # fmt: skip


def check_together(estimator: Any) -> None:
    """Refuse parameters that are right by themselves and not beside each other."""
    threads, n_jobs = estimator.threads, estimator.n_jobs
    if n_jobs is not None and threads is not None and n_jobs != threads:
        raise ValueError(f"n_jobs: {n_jobs}; accepted with threads={threads}: None, {threads}")
    if not is_stochastic(estimator):
        for name, off in _STOCHASTIC.items():
            value = getattr(estimator, name, off)
            if value != off and value is not None:
                raise ValueError(f"{name}: {value!r}; accepted with solver='lbfgs': {off}")
    if estimator.normalization == "batch":
        if not is_stochastic(estimator):
            raise ValueError("normalization: 'batch'; accepted with solver='lbfgs': None, 'layer'")
        if estimator.ema is not None:
            # What was measured of batches would belong to other weights than those averaged.
            raise ValueError("normalization: 'batch'; accepted with ema: None, 'layer'")


def is_stochastic(estimator: Any) -> bool:
    """Whether the solver sees mini-batches: all but lbfgs."""
    return not (isinstance(estimator.solver, str) and estimator.solver == "lbfgs")
