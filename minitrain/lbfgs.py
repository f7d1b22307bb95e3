"""L-BFGS: full batches, a line search with the strong Wolfe conditions, SciPy's implementation."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .inputs import check_count
from .kernels import epoch
from .model import MLP
from .modifiers import Modifiers
from .optimizer import Optimizer

_DEFAULTS = {
    "history_size": 10,
    "tolerance_grad": 1e-7,
    "tolerance_change": 1e-9,
    "max_line_search": 25,
    "weight_decay": 0.0,
    "decay_biases": True,
}

Seen = Callable[[float, np.ndarray], bool]


class LBFGS(Optimizer):
    """Limited-memory BFGS, e.g. ``mt.Trainer(model, mt.optimizers.LBFGS()).fit(train, 100)``.

    Each epoch is one iteration over all rows: there are no mini-batches and no learning rate.  The
    search direction is made of the last ``history_size`` changes of weights and gradients; the
    step along it meets the strong Wolfe conditions (Moré & Thuente 1994).  It ends early when no
    component of the gradient exceeds ``tolerance_grad`` or the loss falls, relatively, by no more
    than ``tolerance_change``.  ``weight_decay`` adds weight_decay / 2 · ‖W‖² to the loss.  Computed
    in float64 whatever the network is in.

    Liu & Nocedal (1989), On the limited memory BFGS method for large scale optimization; by SciPy's
    L-BFGS-B, as in scikit-learn.  torch's LBFGS has other lines searches and makes max_iter
    iterations a step.

    Raises
    ------
    ValueError
        For an unknown option or a value out of its range.
    """

    def __init__(self, **given: Any) -> None:
        for name in given:
            if name not in _DEFAULTS:
                raise ValueError(
                    f"lbfgs: unknown hyperparameter {name!r}. Accepted: {', '.join(_DEFAULTS)}"
                )
        self.hyperparameters = {**_DEFAULTS, **given}
        self.modifiers = Modifiers()
        for name in ("history_size", "max_line_search"):
            check_count(name, self.hyperparameters[name])
        for name in ("tolerance_grad", "tolerance_change", "weight_decay"):
            if not 0 <= self.hyperparameters[name] < np.inf:
                value = self.hyperparameters[name]
                raise ValueError(f"lbfgs: {name}: {value!r}; accepted: finite, at least 0")

    name = "lbfgs"
    lr = 1.0

    def replace(self, **changes: Any) -> "LBFGS":
        return LBFGS(**{**self.hyperparameters, **changes})

    def _no_steps(self, *_: Any, **__: Any) -> Any:
        raise ValueError("lbfgs: evaluates the loss several times for each step; use a Trainer")

    init = step = step_reference = kernels = evaluated = _no_steps

    def minimize(self, model: MLP, train: Any, iterations: int, seen: Seen) -> str:
        """Train ``model`` in place; ``seen(loss, gradient)`` after every iteration, true to stop.

        Returns why it ended.
        """
        from scipy.optimize import minimize

        h = self.hyperparameters
        twin = MLP(model.sizes, model.activation, loss=model.loss, dtype="float64")
        data, rows = twin.as_data(train), np.arange(len(twin.as_data(train).X))
        work, gradient = twin.workspace(len(rows)), np.zeros(twin.n_parameters)
        decay = np.zeros(twin.n_parameters)
        for block in twin.blocks:
            if h["decay_biases"] or not block.is_bias:
                decay[block.start : block.stop] = h["weight_decay"]
        last: dict[str, Any] = {}

        def loss_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
            loss = epoch.loss_gradient(gradient, np.ascontiguousarray(x), work, data, rows)
            last.update(x=x.copy(), loss=loss, gradient=gradient.copy())
            return loss + 0.5 * float(decay @ (x * x)), gradient + decay * x

        def after(x: np.ndarray) -> None:
            if not np.array_equal(x, last["x"]):
                loss_and_gradient(x)
            model.parameters[:] = x
            if seen(last["loss"], last["gradient"]):
                raise _Stop

        start = model.parameters.astype(float)
        try:
            found = minimize(
                loss_and_gradient, start, jac=True, method="L-BFGS-B", callback=after,
                options={
                    "maxcor": int(h["history_size"]), "maxiter": iterations, "maxfun": 10**9,
                    "gtol": h["tolerance_grad"], "ftol": h["tolerance_change"],
                    "maxls": int(h["max_line_search"]),
                },
            )  # fmt: skip
        except _Stop:
            return "stopped"
        return "all epochs done" if found.nit >= iterations else "converged"

    def __reduce__(self) -> tuple:
        return _restore, (self.hyperparameters,)

    def __repr__(self) -> str:
        shown = {k: v for k, v in self.hyperparameters.items() if v != _DEFAULTS[k]}
        return f"LBFGS({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


class _Stop(Exception):
    """The training shall end here."""


def _restore(given: dict[str, Any]) -> LBFGS:
    return LBFGS(**given)
