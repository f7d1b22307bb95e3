"""The optimizer that ``solver`` names, by scikit-learn's conventions where the name is its."""

import math
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from .. import optimizers
from ..kernels import rule as rules
from ..kernels.rule import Rule
from ..optimizer import Optimizer


def _epsilon_hat(t, beta1, beta2, eps):  # type: ignore[no-untyped-def]
    # lr sqrt(1 - β2^t) / (1 - β1^t) · m / (sqrt(v) + eps), as m^ / (sqrt(v^) + eps_t)
    correct_m = 1.0 / (1.0 - beta1**t)
    correct_v = 1.0 / math.sqrt(1.0 - beta2**t)
    return 1.0 - beta1, beta2, 1.0 - beta2, correct_m, correct_v, eps * correct_v


@cache
def _adam() -> Rule:
    """Adam with epsilon added before the correction of v ("epsilon hat", Kingma & Ba §2).

    The only difference to ``optimizers.Adam``; the rule is not registered, so that it appears in
    no list of optimizers.
    """
    return replace(rules.get("adam"), coefficients=_epsilon_hat)


# Kept, since to make one takes as long as a small epoch, and a search makes the same ones often.
@lru_cache(64)
def adam(lr: float, beta_1: float, beta_2: float, epsilon: float) -> Optimizer:
    """scikit-learn's Adam."""
    return Optimizer(_adam(), lr=lr, beta1=beta_1, beta2=beta_2, eps=epsilon)


@lru_cache(64)
def sgd(lr: float, momentum: float, nesterov: bool) -> Optimizer:
    """scikit-learn's SGD, whose Nesterov momentum needs momentum."""
    return optimizers.get("sgd", lr=lr, momentum=momentum, nesterov=nesterov and momentum > 0)


def make_optimizer(estimator: Any) -> Optimizer:
    """What steps an estimator's weights; an optimizer that was given keeps its own rate."""
    optimizer = _named(estimator)
    options: dict[str, Any] = {"l1": estimator.l1} if estimator.l1 else {}
    options |= {
        name: getattr(estimator, name)
        for name in ("clip_global_norm", "ema")
        if getattr(estimator, name) is not None
    }
    if estimator.weight_decay is not None:
        options |= {"weight_decay": estimator.weight_decay, "decoupled_weight_decay": True}
    return optimizer.replace(**options) if options else optimizer


def _named(estimator: Any) -> Optimizer:
    solver, lr = estimator.solver, estimator.learning_rate_init
    if isinstance(solver, Optimizer):
        return solver
    if solver == "adam":
        return adam(lr, estimator.beta_1, estimator.beta_2, estimator.epsilon)
    if solver == "sgd":
        return sgd(lr, estimator.momentum, bool(estimator.nesterovs_momentum))
    return optimizers.get(solver, lr=lr)


class LearningRate:
    """scikit-learn's three ways to change the rate of sgd; the others keep theirs."""

    def __init__(self, estimator: Any, optimizer: Optimizer) -> None:
        self.value = self._first = optimizer.lr
        self._power = estimator.power_t
        self._kind = estimator.learning_rate if estimator.solver == "sgd" else "constant"

    @property
    def changes_every_epoch(self) -> bool:
        return self._kind == "invscaling"

    def after_epoch(self, rows_seen: int) -> None:
        """``rows_seen`` since the first fit."""
        if self._kind == "invscaling":
            self.value = self._first / (rows_seen + 1) ** self._power

    def give_up(self) -> tuple[bool, str]:
        """No more improvement: (whether to stop, what is done), the rate divided by 5 if it may."""
        if self._kind != "adaptive":
            return True, " Stopping."
        if self.value <= 1e-6:
            return True, " Learning rate too small. Stopping."
        self.value /= 5.0
        return False, f" Setting learning rate to {self.value:f}"
