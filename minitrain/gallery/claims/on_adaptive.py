"""Claims 4 and 5: Adagrad's steps shrink for ever, and RMSprop's moving average relieves that."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...optimizer import Optimizer
from ...optimizers import get
from ..style import caption, new_figure, style_of
from ..walks import spelled, walk
from . import training
from .finding import CONFIRMED, CONTRADICTED, Finding, Part, difference
from .training import Run, Setting, Steps

_NAMES = ("adagrad", "rmsprop")
_LONG = Setting(epochs=80)
_STEPS = 400
_MEMORY = 100  # steps: 1 / (1 - alpha) of RMSprop, whose average starts at 0 and fills till then
_LATE = 10  # epochs at the end, over which "still learning" is measured
_NOISY = 2000  # steps of the noisy ravine


class _Found(NamedTuple):
    """By optimizer: at its best rate; whole runs, single steps, and the power p of step^p that
    its effective rate follows, per seed, on digits and on the noisy ravine."""

    best: dict[str, Optimizer]
    runs: dict[str, list[Run]]
    steps: dict[str, list[Steps]]
    noisy: dict[str, np.ndarray]
    power: dict[str, np.ndarray]
    power_noisy: dict[str, np.ndarray]


@cache
def _find(seeds: int) -> _Found:
    best = {n: training.tuned(_LONG, n) for n in _NAMES}
    runs = {n: training.runs(_LONG, o, seeds) for n, o in best.items()}
    steps = {n: training.steps_of(_LONG, o, seeds, _STEPS) for n, o in best.items()}
    noisy = {
        n: np.array([walk("ravine", get(n, lr=0.1), (0.0, 0.0), _NOISY, noise=1.0, seed=s)
                     .effective_rate[:, 1] for s in range(seeds)])
        for n in _NAMES
    }  # fmt: skip
    power = {n: np.array([_power(s.effective_rate) for s in found]) for n, found in steps.items()}
    power_noisy = {n: np.array([_power(rates) for rates in found]) for n, found in noisy.items()}
    return _Found(best, runs, steps, noisy, power, power_noisy)


def _power(rates: np.ndarray) -> float:
    t = np.arange(1, rates.size + 1)
    good = (t > _MEMORY) & np.isfinite(rates) & (rates > 0)
    return float(np.polyfit(np.log(t[good]), np.log(rates[good]), 1)[0])


def adagrad(seeds: int) -> Finding:
    found = _find(seeds)
    shrinks = difference(found.power["adagrad"], np.zeros(seeds))
    # On the first step of the book's ravine the gradient is (−0.7, 4).
    first = walk("ravine", get("adagrad", lr=1.5)).effective_rate[0]
    uneven, slopes = float(first[1] / first[0]), 0.7 / 4.0
    falls = max(training.each(lambda s: _falls_of_h(found.best["adagrad"], s), seeds))
    # Still learning: the loss of the last pass by that of _LATE passes before.
    left = np.array([r.loss[-1] / r.loss[-1 - _LATE] for r in found.runs["adagrad"]])
    stops = difference(np.full(seeds, 0.99), left)  # stopped: less than 1 % in ten passes
    setup = _setup(found, seeds)
    return Finding(
        "adagrad",
        (
            "Adagrad shrinks its steps where gradients were large; its sum h only grows, so learning "
            "finally stops.",
            "AdaGrad는 기울기가 컸던 곳의 걸음을 줄인다. 합 h는 커지기만 하므로 학습은 결국 멈춘다.",
        ),
        (
            Part(
                ("Steps shrink where gradients are large (ravine)",
                 "기울기가 큰 곳에서 걸음이 줄어든다 (골짜기)"),
                (
                    f"effective rate along the steep y by that along the flat x, first step from "
                    f"(−7, 2): {uneven:.3f}; the gradients' ratio says {slopes:.3f}, SGD has 1",
                    f"(−7, 2)에서 첫걸음의 실효 학습률, 가파른 y ÷ 완만한 x: {uneven:.3f}; "
                    f"기울기의 비로는 {slopes:.3f}, SGD는 1",
                ),
                CONFIRMED if abs(uneven / slopes - 1) < 1e-6 else CONTRADICTED,
                {"ratio": uneven, "theory": slopes},
            ),
            Part(
                ("h only grows (digits)", "h는 커지기만 한다 (digits)"),
                (
                    f"largest fall of any element of h in the first passes, {_STEPS} steps: {falls:g}",
                    f"{_STEPS}걸음 동안 h의 원소 가운데 가장 크게 줄어든 값: {falls:g}",
                ),
                CONFIRMED if falls <= 0 else CONTRADICTED,
                {"fall": falls},
            ),
            Part(
                ("So the effective rate falls", "그래서 실효 학습률이 줄어든다"),
                (
                    f"as step^p with p = {found.power['adagrad'].mean():.2f} on digits and "
                    f"{found.power_noisy['adagrad'].mean():.2f} on the noisy ravine (−0.5 where "
                    f"gradients keep their size); 95 % on digits {shrinks.low:.2f} … {shrinks.high:.2f}",
                    f"걸음^p에 비례하고 p는 digits에서 {found.power['adagrad'].mean():.2f}, 잡음 골짜기에서 "
                    f"{found.power_noisy['adagrad'].mean():.2f} (기울기 크기가 그대로면 −0.5); "
                    f"digits의 95 % 구간 {shrinks.low:.2f} … {shrinks.high:.2f}",
                ),
                shrinks.verdict,
                {"digits": float(found.power["adagrad"].mean()),
                 "ravine": float(found.power_noisy["adagrad"].mean())},
            ),
            Part(
                ("So learning finally stops (digits)", "그래서 학습은 결국 멈춘다 (digits)"),
                _stopped(left) if stops.verdict == CONFIRMED else _goes_on(left),
                stops.verdict,
                {"fall": float(1 - left.mean())},
            ),
        ),
        _draw(found, _NAMES[:1], setup),
        setup,
    )  # fmt: skip


def _goes_on(left: np.ndarray) -> tuple[str, str]:
    return (
        f"not within {_LONG.epochs} passes: during the last {_LATE} the training loss falls by "
        f"{1 - left.mean():.0%} (stopped would be below 1 %); the falls slow down, they do not end",
        f"{_LONG.epochs}번 훑는 동안에는 멈추지 않는다: 마지막 {_LATE}번에서 학습 손실이 "
        f"{1 - left.mean():.0%} 줄었다 (1 % 미만이면 멈춘 것으로 본다). 느려질 뿐 끝나지 않는다",
    )


def _stopped(left: np.ndarray) -> tuple[str, str]:
    return (
        f"during the last {_LATE} of {_LONG.epochs} passes the training loss changes by "
        f"{left.mean() - 1:+.2%}",
        f"{_LONG.epochs}번 가운데 마지막 {_LATE}번에서 학습 손실 변화 {left.mean() - 1:+.2%}",
    )


def _falls_of_h(optimizer: Optimizer, seed: int) -> float:
    """The largest decrease of an element of h from one step to the next; 0 if it never falls."""
    model, loader = _LONG.model(seed), _LONG.loader(seed)
    state, worst = optimizer.init(model.parameters, model.blocks), 0.0
    before = state.slots["h"].copy()
    for _ in range(_STEPS // len(loader)):
        for X, y in loader:
            _, g = model.loss_and_gradient(X, y)
            optimizer.step(model.parameters, g, state)
            worst = max(worst, float((before - state.slots["h"]).max()))
            before = state.slots["h"].copy()
    return worst


def rmsprop(seeds: int) -> Finding:
    found = _find(seeds)
    power, noisy = found.power["rmsprop"], found.power_noisy["rmsprop"]
    relieved = difference(found.power["adagrad"], power)
    start = np.array(
        [s.effective_rate[0] / s.effective_rate[_MEMORY] for s in found.steps["rmsprop"]]
    )
    lower = difference([r.loss[-1] for r in found.runs["rmsprop"]],
                       [r.loss[-1] for r in found.runs["adagrad"]])  # fmt: skip
    setup = _setup(found, seeds)
    return Finding(
        "rmsprop",
        (
            "RMSprop replaces Adagrad's sum by a moving average, which relieves that.",
            "RMSProp은 AdaGrad의 합을 이동 평균으로 바꾸어 이를 덜어 준다.",
        ),
        (
            Part(
                ("Its effective rate does not keep falling", "실효 학습률이 계속 줄지는 않는다"),
                (
                    f"from step {_MEMORY} on as step^p with p = {power.mean():+.2f} on digits, where "
                    f"gradients get smaller, and {noisy.mean():+.2f} on the noisy ravine; Adagrad "
                    f"{found.power['adagrad'].mean():+.2f} and "
                    f"{found.power_noisy['adagrad'].mean():+.2f}",
                    f"{_MEMORY}번째 걸음부터 걸음^p에 비례하고 p는 기울기가 작아지는 digits에서 "
                    f"{power.mean():+.2f}, 잡음 골짜기에서 {noisy.mean():+.2f}; AdaGrad는 "
                    f"{found.power['adagrad'].mean():+.2f}, {found.power_noisy['adagrad'].mean():+.2f}",
                ),
                relieved.verdict,
                {"digits": float(power.mean()), "ravine": float(noisy.mean())},
            ),
            Part(
                ("It never falls", "실효 학습률은 줄지 않는다"),
                (
                    f"at first it does, because the average starts at 0 and is not corrected: on "
                    f"digits {start.mean():.1f} times as high at step 1 as at step {_MEMORY + 1}",
                    f"처음에는 줄어든다. 이동 평균이 0에서 시작하고 보정이 없기 때문이다: digits에서 첫걸음이 "
                    f"{_MEMORY + 1}번째의 {start.mean():.1f}배",
                ),
                CONTRADICTED if start.min() > 1 else CONFIRMED,
                {"factor": float(start.mean())},
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
        _draw(found, _NAMES, setup),
        setup,
    )  # fmt: skip


def _draw(found: _Found, names: tuple[str, ...], setup: str) -> Any:
    """Effective rate on digits and on the noisy ravine, and the training loss."""
    figure, axes = new_figure(10, 3.6, columns=3)
    t, passes = np.arange(1, _STEPS + 1), np.arange(1, _LONG.epochs + 1)
    for n in names:
        line = {**style_of(n).line(), "label": get(n).rule.title}
        curves = np.array([s.effective_rate for s in found.steps[n]])
        axes[0, 0].loglog(t, np.median(curves, axis=0), **line)
        axes[0, 1].loglog(np.arange(1, _NOISY + 1), np.nanmedian(found.noisy[n], axis=0), **line)
        losses = np.array([r.loss for r in found.runs[n]])
        axes[0, 2].semilogy(passes, losses.T, color=style_of(n).colour, alpha=0.15)
        axes[0, 2].semilogy(passes, np.median(losses, axis=0), **line)
    top = np.median([s.effective_rate[0] for s in found.steps["adagrad"]])
    axes[0, 0].loglog(t, top / np.sqrt(t), ":", color="#888888", label="∝ 1/√step")
    labels = (("step (digits)", "effective rate, median"),
              ("step (noisy ravine, y)", "effective rate"), ("passes (digits)", "training loss"))  # fmt: skip
    for axis, (x, y) in zip(axes[0], labels, strict=True):
        axis.set_xlabel(x, fontsize=8)
        axis.set_ylabel(y, fontsize=8)
    axes[0, 0].legend(fontsize=8, frameon=False)
    caption(figure, setup)
    return figure


def _setup(found: _Found, seeds: int) -> str:
    return (
        f"{_LONG.describe()}; {spelled(found.best['adagrad'])}, {spelled(found.best['rmsprop'])}; "
        f"{training.HOW.format('validation')}. Effective rate: |step| / |gradient|, median over the "
        f"parameters, first {_STEPS} steps. Ravine: lr 0.1, set by hand, gradient noise 1, {_NOISY} "
        f"steps from the minimum, where noise is all there is. Powers are fitted from step {_MEMORY} on. Medians of seeds 0–{seeds - 1}."
    )
