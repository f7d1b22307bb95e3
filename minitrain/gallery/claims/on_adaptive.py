"""Claims 4 and 5: Adagrad's steps shrink for ever, and RMSprop's moving average relieves that."""

import numpy as np

from ...optimizers import get
from ..style import caption, new_figure, style_of
from ..walks import walk
from . import training
from .finding import CONFIRMED, CONTRADICTED, Finding, Part, difference
from .training import Setting

_LONG = Setting(epochs=80)
_STEPS = 400
_LATE = 10  # epochs at the end, over which "still learning" is measured


def adaptive(seeds: int) -> Finding:
    names = ("adagrad", "rmsprop")
    best = {n: training.tuned(_LONG, n) for n in names}
    runs = {n: [training.run(_LONG, o, s) for s in range(seeds)] for n, o in best.items()}
    inside = {
        n: [training.by_steps(_LONG, o, s, _STEPS) for s in range(seeds)] for n, o in best.items()
    }
    t = np.arange(1, _STEPS + 1)
    late = t > 20
    slopes = {
        n: np.array(
            [np.polyfit(np.log(t[late]), np.log(s.effective_rate[late]), 1)[0] for s in found]
        )
        for n, found in inside.items()
    }
    noisy = {
        n: [walk("ravine", get(n, lr=0.1), steps=2000, noise=1.0, seed=s) for s in range(seeds)]
        for n in names
    }
    on_surface = {
        n: np.array([_slope(w.effective_rate[:, 1]) for w in found]) for n, found in noisy.items()
    }
    shrinks = difference(slopes["adagrad"], np.zeros(seeds))
    relieved = difference(np.abs(slopes["rmsprop"]), np.abs(slopes["adagrad"]))
    # Still learning: the loss of the last pass by that of _LATE passes before.
    falls = np.array([r.loss[-1] / r.loss[-1 - _LATE] for r in runs["adagrad"]])
    stops = difference(np.full(seeds, 0.99), falls)  # stopped: less than 1 % in ten passes
    lower = difference([r.loss[-1] for r in runs["rmsprop"]], [r.loss[-1] for r in runs["adagrad"]])

    figure, axes = new_figure(10, 3.6, columns=3)
    for n in names:
        line = {**style_of(n).line(), "label": get(n).rule.title}
        curves = np.array([s.effective_rate for s in inside[n]])
        axes[0, 0].loglog(t, np.median(curves, axis=0), **line)
        ways = np.array([w.effective_rate[:, 1] for w in noisy[n]])
        axes[0, 1].loglog(np.arange(1, 2001), np.nanmedian(ways, axis=0), **line)
        losses = np.array([r.loss for r in runs[n]])
        axes[0, 2].semilogy(np.arange(1, _LONG.epochs + 1), losses.T, color=style_of(n).colour,
                            alpha=0.15)  # fmt: skip
        axes[0, 2].semilogy(np.arange(1, _LONG.epochs + 1), np.median(losses, axis=0), **line)
    axes[0, 0].loglog(t, np.median([s.effective_rate[0] for s in inside["adagrad"]]) / np.sqrt(t),
                      ":", color="#888888", label="∝ 1/√step")  # fmt: skip
    labels = (("step (digits)", "effective rate, median"),
              ("step (noisy ravine, y)", "effective rate"), ("passes (digits)", "training loss"))  # fmt: skip
    for axis, (x, y) in zip(axes[0], labels, strict=True):
        axis.set_xlabel(x, fontsize=8)
        axis.set_ylabel(y, fontsize=8)
    axes[0, 0].legend(fontsize=8, frameon=False)
    setup = (
        f"{_LONG.describe()}; {best['adagrad']!r}, {best['rmsprop']!r}; "
        f"{training.HOW.format('validation')}. Effective rate: |step| / |gradient|, median over the "
        f"parameters, first {_STEPS} steps. Ravine: lr 0.1, set by hand, gradient noise 1, 2000 "
        f"steps. Seeds 0–{seeds - 1}."
    )
    caption(figure, setup)
    return Finding(
        "adaptive",
        (
            "Adagrad shrinks its steps where gradients were large; its sum h only grows, so learning "
            "finally stops. RMSprop's moving average relieves that.",
            "AdaGrad는 기울기가 컸던 곳의 걸음을 줄인다. 합 h는 커지기만 하므로 학습은 결국 멈춘다. "
            "RMSProp은 이동 평균으로 이를 덜어 준다.",
        ),
        (
            Part(
                ("Adagrad's effective rate falls", "AdaGrad의 실효 학습률은 줄어든다"),
                (
                    f"as step^p with p = {slopes['adagrad'].mean():.2f} on digits and "
                    f"{on_surface['adagrad'].mean():.2f} on the noisy ravine (−0.5 where gradients "
                    f"keep their size); 95 % on digits {shrinks.low:.2f} … {shrinks.high:.2f}",
                    f"걸음^p에 비례하고 p는 digits에서 {slopes['adagrad'].mean():.2f}, 잡음 골짜기에서 "
                    f"{on_surface['adagrad'].mean():.2f} (기울기 크기가 그대로면 −0.5); "
                    f"digits의 95 % 구간 {shrinks.low:.2f} … {shrinks.high:.2f}",
                ),
                shrinks.verdict,
                {"digits": float(slopes["adagrad"].mean()),
                 "ravine": float(on_surface["adagrad"].mean())},
            ),
            Part(
                ("So learning finally stops", "그래서 학습은 결국 멈춘다"),
                (
                    f"not within {_LONG.epochs} passes: during the last {_LATE} the training loss "
                    f"falls by {1 - falls.mean():.0%} (stopped would be below 1 %); "
                    f"the falls slow down, they do not end" if stops.verdict != CONFIRMED else
                    f"during the last {_LATE} of {_LONG.epochs} passes the training loss changes by "
                    f"{falls.mean() - 1:+.2%}",
                    f"{_LONG.epochs}번 훑는 동안에는 멈추지 않는다: 마지막 {_LATE}번에서 학습 손실이 "
                    f"{1 - falls.mean():.0%} 줄었다 (1 % 미만이면 멈춘 것으로 본다)"
                    if stops.verdict != CONFIRMED else
                    f"마지막 {_LATE}번에서 학습 손실 변화 {falls.mean() - 1:+.2%}",
                ),
                stops.verdict,
                {"fall": float(1 - falls.mean())},
            ),
            Part(
                ("RMSprop's effective rate does not fall so", "RMSProp의 실효 학습률은 그렇게 줄지 않는다"),
                (
                    f"the power is {slopes['rmsprop'].mean():+.2f} on digits (rising, because gradients "
                    f"get smaller) and {on_surface['rmsprop'].mean():+.2f} on the noisy ravine"
                    if slopes["rmsprop"].mean() > 0 else
                    f"the power is {slopes['rmsprop'].mean():+.2f} on digits and "
                    f"{on_surface['rmsprop'].mean():+.2f} on the noisy ravine",
                    f"지수는 digits에서 {slopes['rmsprop'].mean():+.2f}, 잡음 골짜기에서 "
                    f"{on_surface['rmsprop'].mean():+.2f}",
                ),
                CONFIRMED if slopes["rmsprop"].min() > slopes["adagrad"].max() else
                relieved.verdict if relieved.verdict != CONFIRMED else CONTRADICTED,
                {"digits": float(slopes["rmsprop"].mean()),
                 "ravine": float(on_surface["rmsprop"].mean())},
            ),
            Part(
                ("And so it learns further", "그래서 더 멀리 배운다"),
                (
                    f"training loss after {_LONG.epochs} passes, RMSprop minus Adagrad: {lower}",
                    f"{_LONG.epochs}번 훑은 뒤의 학습 손실, RMSProp − AdaGrad: {lower}",
                ),
                lower.verdict,
                {"difference": lower.mean},
            ),
        ),
        figure,
        setup,
    )  # fmt: skip


def _slope(rates: np.ndarray) -> float:
    t = np.arange(1, rates.size + 1)
    good = (t > rates.size // 4) & np.isfinite(rates) & (rates > 0)
    return float(np.polyfit(np.log(t[good]), np.log(rates[good]), 1)[0])
