"""L-BFGS: full batches, a line search with the strong Wolfe conditions, SciPy's implementation."""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import numpy as np

from .hyperparameters import check_value
from .inputs import check_count
from .kernels import evaluation
from .kernels.interval import Interval
from .kernels.matrix import MatrixRule
from .model import MLP
from .modifiers import NAMES as MODIFIERS
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
    """Newton's method without its matrix: curvature is read from the last few steps.

    ``mt.Trainer(model, mt.optimizers.LBFGS()).fit(train, 100)``

    s = w - w_before,  y = g - g_before     (the last history_size pairs)
    H <- (I - r s y') H (I - r y s') + r s s'       r = 1 / y's, from (y's / y'y) I
    w <- w - a * H g                        a meets the strong Wolfe conditions

    Each epoch is one iteration over all rows: there are no mini-batches and no learning rate.  The
    search direction is made of the last ``history_size`` changes of weights and gradients; the
    step along it meets the strong Wolfe conditions (Moré & Thuente 1994).  It ends early when no
    component of the gradient exceeds ``tolerance_grad`` or the loss falls, relatively, by no more
    than ``tolerance_change``.  ``weight_decay`` adds weight_decay / 2 · ‖W‖² to the loss; clipping,
    averages and other modifiers are of single steps, and are refused.  Computed in float64 whatever
    the network is in.

    Elsewhere: SciPy's L-BFGS-B, as in scikit-learn; torch's LBFGS makes max_iter iterations in a
    step, without a line search unless it is asked for.

    Raises
    ------
    ValueError
        For an unknown option or a value out of its range.
    """

    def __init__(self, **given: Any) -> None:
        for name in given:
            if name in MODIFIERS:
                raise ValueError(
                    f"lbfgs: {name}={given[name]!r} changes the gradients or the weights of single "
                    "steps, and a line search then finds no minimum of the loss along them. "
                    f"Accepted: {', '.join(_DEFAULTS)}"
                )
            if name in ("lr", "learning_rate"):
                raise ValueError(
                    f"lbfgs: unknown hyperparameter {name!r}: a line search finds the length of "
                    f"each step. Accepted: {', '.join(_DEFAULTS)}"
                )
            if name not in _DEFAULTS:
                near = get_close_matches(name, _DEFAULTS, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise ValueError(
                    f"lbfgs: unknown hyperparameter {name!r}{hint} Accepted: {', '.join(_DEFAULTS)}"
                )
        self.hyperparameters = {
            name: check_value(ABOUT, name, given.get(name, default), default)
            for name, default in _DEFAULTS.items()
        }
        for name in ("history_size", "max_line_search"):
            number = self.hyperparameters[name]
            whole = int(number) if number == int(number) else number
            check_count(f"lbfgs: {name}", whole)
            self.hyperparameters[name] = whole
        self.modifiers = Modifiers()

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
        twin = _in_float64(model)
        data, rows = twin.as_data(train), np.arange(len(twin.as_data(train).X))
        work, gradient = twin.workspace(len(rows)), np.zeros(twin.n_parameters)
        decay = np.zeros(twin.n_parameters)
        for block in twin.blocks:
            if h["decay_biases"] or not block.is_bias:
                decay[block.start : block.stop] = h["weight_decay"]
        last: dict[str, Any] = {}

        def loss_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
            loss = evaluation.loss_gradient(gradient, np.ascontiguousarray(x), work, data, rows)
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

    def compile(self, model: MLP, train: Any) -> None:
        """What :meth:`minimize` will need, so that a clock sees the training alone."""
        twin = _in_float64(model)
        gradient, row = np.zeros(twin.n_parameters), np.arange(1)
        evaluation.loss_gradient(
            gradient, twin.parameters, twin.workspace(1), twin.as_data(train), row
        )

    def __reduce__(self) -> tuple:
        return _restore, (self.hyperparameters,)

    def __repr__(self) -> str:
        shown = {k: v for k, v in self.hyperparameters.items() if v != _DEFAULTS[k]}
        return f"LBFGS({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


def _in_float64(model: MLP) -> MLP:
    if model.trains_another_network:
        raise ValueError(
            f"model: {model!r}; accepted with lbfgs: no dropout, label_smoothing or "
            "normalization='batch'"
        )
    return MLP(
        model.sizes, model.activation, loss=model.loss, dtype="float64",
        normalization=model.normalization,
    )  # fmt: skip


class _Stop(Exception):
    """The training shall end here."""


# For readers, and for what its values may be.
ABOUT = MatrixRule(
    name="lbfgs",
    title="LBFGS",
    defaults=_DEFAULTS,
    of_matrix=LBFGS.minimize,
    of_vector=LBFGS.minimize,
    rates=(1.0, 1.0),
    paper="Liu & Nocedal (1989), On the limited memory BFGS method for large scale optimization; "
    "line search: Moré & Thuente (1994)",
    doc=(inspect.getdoc(LBFGS) or "").partition("\n\nRaises")[0],
    ranges={
        "history_size": Interval("[1, inf)"),
        "max_line_search": Interval("[1, inf)"),
    },
    elsewhere={"torch": "LBFGS", "optax": "lbfgs", "scikit-learn": "solver='lbfgs'"},
    defaults_from="SciPy; tolerances: torch",
    state={"s, y": "(history_size, parameters)"},
    family="full batch",
)


def _restore(given: dict[str, Any]) -> LBFGS:
    return LBFGS(**given)
