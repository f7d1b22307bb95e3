"""Claim 7: Adam is not bad anywhere; SGD with momentum still is used; AdamW and NAdam are variants."""

import numpy as np

from ...optimizers import get
from ..style import caption, new_figure, style_of
from . import training
from .finding import CONFIRMED, CONTRADICTED, NOT_SEPARABLE, Finding, Part, difference
from .training import Setting

_DATASETS = ("digits", "wine", "iris", "breast_cancer")
_NAMES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adamw", "nadam")
_BAD = 0.01  # of accuracy: what counts as bad


def defaults(seeds: int) -> Finding:
    settings = {d: Setting(dataset=d, epochs=20 if d == "digits" else 40) for d in _DATASETS}
    best = {(d, n): training.tuned(s, n) for d, s in settings.items() for n in (*_NAMES, "adam")}
    scores = {
        (d, n): np.array([run.accuracy for run in training.runs(settings[d], o, seeds)])
        for (d, n), o in best.items()
    }
    standard = {
        d: np.array([run.accuracy for run in training.runs(s, get("adam"), seeds)])
        for d, s in settings.items()
    }
    gaps = {(d, n): difference(scores[d, n], scores[d, "adam"]) for d in _DATASETS for n in _NAMES}
    untuned = {d: difference(standard[d], scores[d, "adam"]) for d in _DATASETS}

    figure, axes = new_figure(10, 3.4, columns=len(_DATASETS), sharex=True)
    for axis, d in zip(axes[0], _DATASETS, strict=True):
        rows = [(n, gaps[d, n]) for n in _NAMES] + [("adam", untuned[d])]
        for y, (n, gap) in enumerate(rows):
            style = style_of(n)
            axis.plot([100 * gap.low, 100 * gap.high], [y, y], color=style.colour, linewidth=2)
            axis.plot(100 * gap.mean, y, style.marker, color=style.colour, markersize=6)
        titles = [get(n).rule.title for n in _NAMES] + ["Adam, default"]
        axis.set_yticks(
            range(len(rows)), titles if d == _DATASETS[0] else [""] * len(rows), fontsize=8
        )
        axis.axvline(0, color="#888888", linewidth=0.8)
        axis.invert_yaxis()
        axis.set_title(f"{d}, Adam {scores[d, 'adam'].mean():.1%}", fontsize=9, loc="left")
        axis.set_xlabel("test accuracy − Adam's, points", fontsize=8)
    rates = "; ".join(f"{d}: " + ", ".join(f"{n} {best[d, n].lr:g}" for n in (*_NAMES, "adam"))
                      for d in _DATASETS)  # fmt: skip
    setup = (
        f"32 relu, batch 32, 20 epochs (digits) or 40, float32; {training.HOW.format('validation')}. "
        f"Rates: {rates}. Means and 95 % bootstrap intervals of paired differences, seeds "
        f"0–{seeds - 1}. Order of the rows is that of the textbooks: this is no ranking "
        "(minitrain compare makes one)."
    )
    caption(figure, setup)
    lost = max(gap.mean for gap in gaps.values())
    certain = max(gap.low for gap in gaps.values())
    where = max(gaps, key=lambda key: gaps[key].mean)
    momentum = [gaps[d, "momentum"] for d in _DATASETS]
    worse = sum(g.high < 0 for g in momentum)
    variants = [gaps[d, n] for d in _DATASETS for n in ("adamw", "nadam")]
    apart = sum(g.high < 0 or g.low > 0 for g in variants)
    default = min(untuned.values(), key=lambda g: g.mean)
    return Finding(
        "defaults",
        (
            "Adam is not bad anywhere; SGD with momentum is still used; AdamW and NAdam are variants "
            "of Adam.",
            "Adam은 어디서나 나쁘지 않다. SGD + 모멘텀도 여전히 쓰인다. AdamW와 NAdam은 Adam의 변형이다.",
        ),
        (
            Part(
                ("Tuned Adam is nowhere a point worse than any other",
                 "조정한 Adam은 어디서도 다른 것보다 1점 넘게 나쁘지 않다"),
                (
                    f"largest mean deficit over {len(gaps)} pairs: {100 * lost:.2f} points "
                    f"({where[1]} on {where[0]}, {gaps[where].n} seeds)",
                    f"{len(gaps)}쌍 중 가장 큰 평균 손해: {100 * lost:.2f}점 "
                    f"({where[0]}의 {where[1]}, 시드 {gaps[where].n}개)",
                ),
                CONTRADICTED if certain > _BAD else CONFIRMED if max(g.high for g in gaps.values())
                < _BAD else NOT_SEPARABLE,
                {"deficit": lost},
            ),
            Part(
                ("Adam at its default rate 1e-3 is as good as tuned",
                 "기본 학습률 1e-3의 Adam도 조정한 것만큼 좋다"),
                (
                    "default minus tuned, points: "
                    + ", ".join(f"{d} {100 * g.mean:+.1f}" for d, g in untuned.items()),
                    "기본 − 조정, 점: " + ", ".join(f"{d} {100 * g.mean:+.1f}" for d, g in untuned.items()),
                ),
                CONTRADICTED if default.high < -_BAD else
                CONFIRMED if all(g.low > -_BAD for g in untuned.values()) else NOT_SEPARABLE,
                {d: g.mean for d, g in untuned.items()},
            ),
            Part(
                ("SGD with momentum keeps up with Adam", "SGD + 모멘텀은 Adam에 뒤지지 않는다"),
                (
                    f"worse than Adam on {worse} of {len(momentum)} data sets; points: "
                    + ", ".join(f"{d} {100 * gaps[d, 'momentum'].mean:+.1f}" for d in _DATASETS),
                    f"데이터 {len(momentum)}개 중 {worse}개에서 Adam보다 나쁨; 점: "
                    + ", ".join(f"{d} {100 * gaps[d, 'momentum'].mean:+.1f}" for d in _DATASETS),
                ),
                CONTRADICTED if worse else CONFIRMED if all(g.low > -_BAD for g in momentum)
                else NOT_SEPARABLE,
                {d: gaps[d, "momentum"].mean for d in _DATASETS},
            ),
            Part(
                ("AdamW and NAdam differ from Adam here", "여기서 AdamW와 NAdam은 Adam과 다르다"),
                (
                    f"told apart in {apart} of {len(variants)} pairs with {seeds} seeds",
                    f"시드 {seeds}개로 {len(variants)}쌍 중 {apart}쌍에서 구별됨",
                ),
                CONFIRMED if apart > len(variants) / 2 else NOT_SEPARABLE,
                {"apart": float(apart)},
            ),
        ),
        figure,
        setup,
    )  # fmt: skip
