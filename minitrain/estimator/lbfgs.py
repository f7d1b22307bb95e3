"""solver="lbfgs": scipy's L-BFGS-B on the engine's loss and gradient, over all rows at once."""

from typing import Any

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning

from ..kernels.minibatch import Data
from ..model import MLP
from .objective import Whole
from .warning import warn


def fit(estimator: Any, mlp: MLP, data: Data) -> str:
    """Minimise in place, set ``loss_`` and ``n_iter_``, and return why it ended.

    Unlike scikit-learn, whose multi-output squared error gives L-BFGS a loss that is not the one
    of its gradient, both belong together here.
    """
    losses: list[float] = []
    whole = Whole(mlp, data, estimator.alpha)

    def loss_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        mlp.parameters[:] = x
        return whole.loss_and_gradient()

    def after_iteration(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        losses.append(float(intermediate_result.fun))
        if estimator.verbose:
            print(f"Iteration {len(losses)}, loss = {losses[-1]:.8f}")
        estimator.n_iter_ = len(losses)
        kept[:] = intermediate_result.x

    kept = mlp.parameters.astype(float)
    try:
        result = scipy.optimize.minimize(
            loss_and_gradient,
            kept.copy(),
            method="L-BFGS-B",
            jac=True,
            callback=after_iteration,
            options={
                "maxfun": estimator.max_fun,
                "maxiter": estimator.max_iter,
                "gtol": estimator.tol,
            },
        )
        kept[:] = result.x
        reason = _explain(estimator, result)
        estimator.n_iter_ = min(result.nit, estimator.max_iter)
    except KeyboardInterrupt:
        warn("Training interrupted by user.")
        reason = "interrupted"
    mlp.parameters[:] = kept
    estimator.loss_ = np.float64(Whole(mlp, data, estimator.alpha, shown=True).loss())
    estimator.history_ = {"loss": losses}
    return reason


def _explain(estimator: Any, result: scipy.optimize.OptimizeResult) -> str:
    if result.status == 0:
        return f"converged: the gradient is below tol={estimator.tol:g}"
    message = result.message if isinstance(result.message, str) else result.message.decode()
    limited = (
        "\n\nIncrease the number of iterations to improve the convergence "
        f"(max_iter={estimator.max_iter})."
        if result.nit >= estimator.max_iter
        else ""
    )
    warn(
        f"lbfgs failed to converge after {result.nit} iteration(s) (status={result.status}):\n"
        f"{message}{limited}\nYou might also want to scale the data as shown in:\n"
        "    https://scikit-learn.org/stable/modules/preprocessing.html",
        ConvergenceWarning,
    )
    return f"not converged: {message}"
