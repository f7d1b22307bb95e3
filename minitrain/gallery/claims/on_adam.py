"""Claim 6: Adam is momentum and RMSprop in one, and its bias correction matters at first."""

from dataclasses import replace

import numpy as np

from ...kernels.rule import get as get_rule
from ...optimizer import Optimizer
from ...optimizers import get
from ..style import caption, new_figure, style_of
from ..walks import spelled, walk
from . import training
from .finding import CONFIRMED, CONTRADICTED, Finding, Part, difference
from .training import Setting

_STEPS = 50
_SETTING = Setting(epochs=2)  # 68 steps of digits: what is tuned is the start
_AREA = Setting(epochs=20)


def _uncorrected(t, beta1, beta2, eps):  # type: ignore[no-untyped-def]  # compiled
    return 1.0 - beta1, beta2, 1.0 - beta2, 1.0, 1.0, eps


def without_correction() -> Optimizer:
    """Adam whose averages are not corrected for starting at zero; a rule of one's own, which is
    not registered, so that no list shows it."""
    rule = replace(get_rule("adam"), name="uncorrected", title="Adam without correction",
                   coefficients=_uncorrected)  # fmt: skip
    return Optimizer(rule)


def adam(seeds: int) -> Finding:
    with_it, without = get("adam", lr=1e-3), without_correction().replace(lr=1e-3)
    first = {
        k: training.steps_of(_SETTING, o, seeds, _STEPS)
        for k, o in (("on", with_it), ("off", without))
    }
    ratio = {k: np.array([s.update_ratio for s in found]) for k, found in first.items()}
    t = np.arange(1, _STEPS + 1)
    theory = (1 - 0.9**t) / np.sqrt(1 - 0.999**t)
    larger = difference(ratio["on"].max(axis=1), ratio["off"].max(axis=1))
    tuned = {"on": training.tuned(_SETTING, "adam"),
             "off": training.tuned(_SETTING, without_correction())}  # fmt: skip
    best = {
        k: np.array([seen.loss for seen in training.steps_of(_SETTING, o, seeds, _STEPS)])
        for k, o in tuned.items()
    }
    early = difference(best["on"][:, -1], best["off"][:, -1])
    long = {
        k: training.tuned(_AREA, o) for k, o in (("on", get("adam")), ("off", without_correction()))
    }
    ends = {k: [r.validation[-1] for r in training.runs(_AREA, o, seeds)] for k, o in long.items()}
    late = difference(ends["on"], ends["off"])
    gap = _same_as_rmsprop()
    sums = _is_momentum_and_rmsprop()

    figure, axes = new_figure(10, 3.6, columns=3)
    looks = {"on": style_of("adam").line(), "off": {"color": "#555555", "linestyle": "--"}}
    names = {"on": "with correction", "off": "without"}
    for k in ("on", "off"):
        axes[0, 0].plot(t, np.median(ratio[k], axis=0), label=names[k], **looks[k])
        losses = np.array([s.loss for s in first[k]])
        axes[0, 1].plot(t, np.median(losses, axis=0), label=names[k], **looks[k])
        axes[0, 2].plot(t, np.median(best[k], axis=0), label=names[k], **looks[k])
    titles = ("update / weights, lr 1e-3", "training loss, lr 1e-3", "training loss, best rates")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_xlabel("step", fontsize=8)
        axis.set_title(title, fontsize=9, loc="left")
    axes[0, 0].legend(fontsize=8, frameon=False)
    setup = (
        f"{_SETTING.describe()}, first {_STEPS} steps; {spelled(with_it)} and the same without "
        "correction, lr 1e-3 for both, set by hand; best rates "
        f"{tuned['on'].lr:g} with and {tuned['off'].lr:g} without correction, "
        f"{training.HOW.format('validation')}; after {_AREA.epochs} epochs {long['on'].lr:g} and "
        f"{long['off'].lr:g}. Medians of seeds 0–{seeds - 1}."
    )
    caption(figure, setup)
    return Finding(
        "adam",
        (
            "Adam is momentum and RMSprop in one, and bias correction matters in the first steps.",
            "Adam은 모멘텀과 RMSProp을 합친 것이고, 편향 보정은 처음 몇 걸음에서 중요하다.",
        ),
        (
            Part(
                ("Adam with beta1 = 0 and no correction is RMSprop",
                 "beta1 = 0이고 보정이 없는 Adam은 RMSProp이다"),
                (
                    f"largest distance of their ways over Beale, 200 steps: {gap:.1g}",
                    f"Beale 위 200걸음에서 두 경로의 가장 큰 차이: {gap:.1g}",
                ),
                CONFIRMED if gap < 1e-10 else CONTRADICTED,
                {"distance": gap},
            ),
            Part(
                ("Adam is exactly RMSprop with momentum", "Adam은 정확히 모멘텀을 단 RMSProp이다"),
                (
                    "in spirit only: RMSprop's own momentum adds up steps already divided by "
                    f"√v, Adam divides the average gradient; with matched rates their ways part by "
                    f"{sums:.2g} on Beale",
                    "뜻만 그렇다: RMSProp의 모멘텀은 이미 √v로 나눈 걸음을 더하고, Adam은 "
                    f"평균 기울기를 나눈다. 학습률을 맞추어도 Beale에서 {sums:.2g}만큼 벌어진다",
                ),
                CONTRADICTED if sums > 1e-3 else CONFIRMED,
                {"distance": sums},
            ),
            Part(
                ("Without correction the first steps are larger (not smaller)",
                 "보정이 없으면 처음 걸음이 더 크다 (작은 것이 아니다)"),
                (
                    f"largest update in {_STEPS} steps: {(ratio['off'].max(1) / ratio['on'].max(1)).mean():.2f} "
                    f"times that with correction; for a constant gradient the factor is "
                    f"{theory[0]:.2f} at step 1 and at most {theory.max():.2f} (step {theory.argmax() + 1})",
                    f"{_STEPS}걸음 중 가장 큰 갱신: 보정했을 때의 "
                    f"{(ratio['off'].max(1) / ratio['on'].max(1)).mean():.2f}배; 기울기가 일정하면 첫걸음에 "
                    f"{theory[0]:.2f}배, 최대 {theory.max():.2f}배 ({theory.argmax() + 1}번째)",
                ),
                larger.verdict,
                {"factor": float((ratio["off"].max(1) / ratio["on"].max(1)).mean()),
                 "theory": float(theory.max())},
            ),
            Part(
                (f"With correction the loss after {_STEPS} steps is lower, each at its best rate",
                 f"보정하면 {_STEPS}걸음 뒤의 손실이 더 낮다 (각자 가장 좋은 학습률)"),
                (f"training loss with minus without: {early}", f"학습 손실, 보정 − 무보정: {early}"),
                early.verdict,
                {"difference": early.mean},
            ),
            Part(
                (f"With correction the loss after {_AREA.epochs} epochs is lower, each at its best rate",
                 f"보정하면 {_AREA.epochs}번 훑은 뒤의 손실이 더 낮다 (각자 가장 좋은 학습률)"),
                (f"validation loss with minus without: {late}", f"검증 손실, 보정 − 무보정: {late}"),
                late.verdict,
                {"difference": late.mean},
            ),
        ),
        figure,
        setup,
    )  # fmt: skip


def _same_as_rmsprop() -> float:
    ours = walk("beale", without_correction().replace(lr=0.01, beta1=0.0, beta2=0.99), steps=200)
    theirs = walk("beale", get("rmsprop", lr=0.01, alpha=0.99), steps=200)
    return float(np.abs(ours.path - theirs.path).max())


def _is_momentum_and_rmsprop() -> float:
    """RMSprop with momentum 0.9 sums what Adam averages: a tenth of the rate matches them."""
    ours = walk("beale", without_correction().replace(lr=0.01, beta1=0.9, beta2=0.99), steps=200)
    theirs = walk("beale", get("rmsprop", lr=0.001, alpha=0.99, momentum=0.9), steps=200)
    return float(np.abs(ours.path - theirs.path).max())
