"""What an optimizer does besides its rule: clip gradients, average weights, look ahead, …

Every optimizer takes these options; all are off by default.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .inputs import check_count, check_seed
from .kernels import wrappers
from .kernels.rule import Rule, Variant


@dataclass(frozen=True)
class Modifiers:
    """Options of every optimizer; they act in this order, on the mean gradient of a step.

    Parameters
    ----------
    noise, noise_decay, noise_seed
        Add Gaussian noise of variance noise / (1 + step)^noise_decay to each gradient (Neelakantan
        et al. 2015, arXiv 1511.06807, who recommend 0.01, 0.3 or 1 with the decay 0.55).
    centralize
        Subtract from each unit's gradient its mean over the unit's inputs, in weight matrices
        alone (Yong et al. 2020, arXiv 2004.01461).
    clip_value
        Limit each number of the gradient to ±clip_value (torch's clip_grad_value_).
    clip_norm, clip_global_norm
        Multiply a gradient whose Euclidean norm n is larger by clip / (n + 1e-6): of each weight
        matrix and bias vector by itself, or of all parameters together (torch's clip_grad_norm_).
    l1
        Add l1 · sign(w) to the gradients of weights, not of biases: the penalty l1 · Σ|w|.  As
        weight_decay, it comes after clipping and is not in the reported loss.
    cautious
        Make no step where the rule's direction and the gradient disagree in sign, longer ones
        elsewhere (Liang et al. 2024, arXiv 2411.16085).
    lookahead, lookahead_alpha
        Every ``lookahead`` steps move slow weights a part ``lookahead_alpha`` of the way and go on
        from there; the slow weights are the ones that are evaluated, unless something else asks for
        an average (Zhang et al. 2019, arXiv 1907.08610, with 5 or 10 steps and 0.5).
    sam
        Take the gradient where the loss is highest within this distance: sharpness-aware
        minimization (Foret et al. 2021, arXiv 2010.01412, with 0.05); costs a second gradient per
        step.  In a Trainer alone.
    ema
        Evaluate an exponential moving average of the weights with this decay, e.g. 0.999.
    swa_start, swa_every
        Evaluate the equal average of the weights after the steps swa_start, swa_start + swa_every,
        … (stochastic weight averaging, Izmailov et al. 2018, arXiv 1803.05407).
    layer_lr
        A factor of the learning rate for each layer, from inputs to outputs.
    """

    noise: float | None = None
    noise_decay: float = 0.55
    noise_seed: int = 0
    centralize: bool = False
    clip_value: float | None = None
    clip_norm: float | None = None
    clip_global_norm: float | None = None
    l1: float | None = None
    cautious: bool = False
    lookahead: int | None = None
    lookahead_alpha: float = 0.5
    sam: float | None = None
    ema: float | None = None
    swa_start: int | None = None
    swa_every: int = 1
    layer_lr: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("noise", "clip_value", "clip_norm", "clip_global_norm", "sam"):
            _check(name, getattr(self, name), "above 0", lambda x: x > 0)
        _check("l1", self.l1, "at least 0", lambda x: x >= 0)
        _check("noise_decay", self.noise_decay, "at least 0", lambda x: x >= 0)
        _check("lookahead_alpha", self.lookahead_alpha, "above 0, up to 1", lambda x: 0 < x <= 1)
        _check("ema", self.ema, "[0, 1)", lambda x: 0 <= x < 1)
        for name in ("lookahead", "swa_start", "swa_every"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        check_seed(self.noise_seed)
        for name in ("centralize", "cautious"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise ValueError(f"{name}: {getattr(self, name)!r}; accepted: True or False")
        if self.clip_norm is not None and self.clip_global_norm is not None:
            raise ValueError("clip_norm and clip_global_norm: accepted: one of them")
        if self.ema is not None and self.swa_start is not None:
            raise ValueError("ema and swa_start: accepted: one of them")
        if self.layer_lr is not None:
            given: Any = self.layer_lr
            if isinstance(given, str) or not isinstance(given, Sequence):
                raise ValueError(f"layer_lr: {self.layer_lr!r}; accepted: a factor for each layer")
            for value in self.layer_lr:
                _check("layer_lr", value, "factors of at least 0", lambda x: x >= 0)
            object.__setattr__(self, "layer_lr", tuple(float(f) for f in self.layer_lr))

    @property
    def changes_gradient(self) -> bool:
        clips = (self.clip_value, self.clip_norm, self.clip_global_norm)
        changes = self.noise is not None or self.l1 is not None or self.centralize
        return changes or any(c is not None for c in clips)

    @property
    def averages(self) -> bool:
        return self.ema is not None or self.swa_start is not None

    def given(self) -> dict[str, Any]:
        """Those that differ from their defaults."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != f.default
        }

    def wrap(self, rule: Rule, variant: Variant) -> tuple[Rule, Variant]:
        """The rule and its variant with the wrappers that are asked for."""
        if self.cautious:
            rule, variant = wrappers.cautious(rule, variant)
        if self.ema is not None:
            rule, variant = wrappers.averaged(rule, variant, wrappers.exponential, ("ema",))
        if self.swa_start is not None:
            names = ("swa_start", "swa_every")
            rule, variant = wrappers.averaged(rule, variant, wrappers.equal, names)
        return rule, variant


NAMES = tuple(f.name for f in fields(Modifiers))


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], Modifiers]:
    """What of the options is the rule's, and the modifiers among them."""
    own = {name: value for name, value in given.items() if name not in NAMES}
    return own, Modifiers(**{n: given[n] for n in NAMES if n in given})


def _check(name: str, value: Any, accepted: str, holds: Any) -> None:
    if value is None:
        return
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or isinstance(value, bool) or not math.isfinite(value) or not holds(value):
        raise ValueError(f"{name}: {value!r}; accepted: {accepted}")
