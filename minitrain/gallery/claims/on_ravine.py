"""SGD zigzags across a ravine, and momentum takes the zigzag out: chapter 6's and Distill's claim."""

import math

import numpy as np

from ...optimizers import get
from ..figures import draw_path, draw_surface
from ..style import caption, new_figure, style_of
from ..walks import Walk, spelled, tune, walk
from . import training
from .finding import CONFIRMED, CONTRADICTED, Finding, Part, Text, difference
from .training import Setting

_LEAST, _MOST = 1.0, 50.0  # curvatures of the quadratic
_STEPS, _FROM = 500, 300  # between these steps the rate of convergence is measured
_SETTING = Setting(epochs=10)
_BOOK = (0.95, 0.1)  # rates of SGD and momentum in Deep Learning from Scratch, chapter 6


def ravine(seeds: int) -> Finding:
    turns = {lr: _turns(walk("ravine", get("sgd", lr=lr))) for lr in (0.95, 0.5, 0.1)}
    names = ("sgd", "momentum")
    book = {n: _across(walk("ravine", get(n, lr=lr))) for n, lr in zip(names, _BOOK, strict=True)}
    own = {n: tune("ravine", n) for n in names}
    across = {n: _across(way) for n, way in own.items()}
    low, high = math.sqrt(_LEAST), math.sqrt(_MOST)
    # The best that each can do, in closed form: Goh (2017), "The dynamics of momentum".
    best = {
        "sgd": get("sgd", lr=2 / (_LEAST + _MOST)),
        "momentum": get("momentum", lr=(2 / (low + high)) ** 2,
                        momentum=((high - low) / (high + low)) ** 2),
    }  # fmt: skip
    theory = {"sgd": (_MOST - _LEAST) / (_MOST + _LEAST), "momentum": (high - low) / (high + low)}
    ways = {n: walk("quadratic", o, steps=_STEPS) for n, o in best.items()}
    size = {n: np.linalg.norm(w.path, axis=1) for n, w in ways.items()}
    rate = {n: float((s[_STEPS] / s[_FROM]) ** (1 / (_STEPS - _FROM))) for n, s in size.items()}
    off = max(abs(rate[n] / theory[n] - 1) for n in rate)
    tuned = {n: training.tuned(_SETTING, n) for n in best}
    curves = {n: np.array([r.validation for r in training.runs(_SETTING, o, seeds)])
              for n, o in tuned.items()}  # fmt: skip
    faster = difference(curves["momentum"][:, -1], curves["sgd"][:, -1])

    figure, ((left, middle, right),) = new_figure(10, 3.5, columns=3)
    draw_surface(left, ways["sgd"].surface)
    for n, way in ways.items():
        draw_path(left, way, until=60)
        line = {**style_of(n).line(), "label": get(n).rule.title}
        middle.semilogy(np.maximum(size[n], 1e-16)[:301], **line)
        middle.semilogy(size[n][0] * theory[n] ** np.arange(301.0), ":", color="#888888")
        right.plot(range(1, _SETTING.epochs + 1), np.median(curves[n], axis=0), **line)
    middle.set_ylim(1e-16, 1e2)
    middle.set_xlabel("step (quadratic; dotted: theory)", fontsize=8)
    middle.set_ylabel("distance from the minimum", fontsize=8)
    right.set_xlabel("passes (digits)", fontsize=8)
    right.set_ylabel("validation loss", fontsize=8)
    right.legend(fontsize=8, frameon=False)
    setup = (
        f"Ravine x²/20 + y², 30 steps from (−7, 2): lr as said, the book's ({_BOOK[0]:g} SGD, "
        f"{_BOOK[1]:g} momentum 0.9), or {own['sgd'].describe()}, and {spelled(own['momentum'].optimizer)}. Quadratic (x² + 50 y²)/2 from "
        f"(−2, 0.6), {_STEPS} steps: {spelled(best['sgd'])}, {spelled(best['momentum'])}, the best in "
        f"closed form; rate of convergence between steps {_FROM} and {_STEPS}. "
        f"{_SETTING.describe()}: {spelled(tuned['sgd'])}, {spelled(tuned['momentum'])}; "
        f"{training.HOW.format('validation')}; medians of seeds 0–{seeds - 1}."
    )
    caption(figure, setup)
    zigzags = ", ".join(f"lr {lr:g}: {n}" for lr, n in turns.items())
    return Finding(
        "ravine",
        (
            "Across a ravine SGD zigzags; momentum takes the zigzag out and is faster.",
            "골짜기를 가로질러 SGD는 지그재그로 간다. 모멘텀은 지그재그를 없애고 더 빠르다.",
        ),
        (
            Part(
                ("SGD zigzags at the book's rate (ravine)", "책의 학습률에서 SGD는 지그재그로 간다 (골짜기)"),
                (
                    f"sides changed in 30 steps: {zigzags}; it is the rate (2/λ = 1 diverges), not "
                    "the ravine alone",
                    f"30걸음에서 옆을 바꾼 횟수: {zigzags}; 골짜기만이 아니라 학습률 때문이다 "
                    "(2/λ = 1에서 발산)",
                ),
                CONFIRMED if turns[0.95] > 25 else CONTRADICTED,
                {f"lr {lr:g}": float(n) for lr, n in turns.items()},
            ),
            _damps(("Momentum takes it out, the book's rates (ravine)",
                    "모멘텀은 지그재그를 없앤다, 책의 학습률 (골짜기)"), book),
            _damps(("Momentum takes it out, each at its best rate (ravine)",
                    "모멘텀은 지그재그를 없앤다, 각자 가장 좋은 학습률 (골짜기)"), across),
            Part(
                ("At the best rates there are, momentum is faster (quadratic)",
                 "있을 수 있는 가장 좋은 학습률에서 모멘텀이 더 빠르다 (이차 함수)"),
                (
                    f"what is left of the distance after a step: momentum {rate['momentum']:.4f}, "
                    f"SGD {rate['sgd']:.4f}; theory {theory['momentum']:.4f} and {theory['sgd']:.4f}, "
                    f"at most {off:.2%} apart",
                    f"한 걸음 뒤 남는 거리의 비율: 모멘텀 {rate['momentum']:.4f}, SGD {rate['sgd']:.4f}; "
                    f"이론 {theory['momentum']:.4f}, {theory['sgd']:.4f}, 차이는 {off:.2%} 이하",
                ),
                CONFIRMED if rate["momentum"] < rate["sgd"] and off < 0.01 else CONTRADICTED,
                {**rate, "off": off},
            ),
            Part(
                ("It is faster on a network, each at its best rate (digits)",
                 "신경망에서도 더 빠르다, 각자 가장 좋은 학습률 (digits)"),
                (
                    f"validation loss after {_SETTING.epochs} passes, momentum minus SGD: {faster}",
                    f"{_SETTING.epochs}번 훑은 뒤의 검증 손실, 모멘텀 − SGD: {faster}",
                ),
                faster.verdict,
                {"difference": faster.mean},
            ),
        ),
        figure,
        setup,
    )  # fmt: skip


def _damps(statement: Text, across: dict[str, float]) -> Part:
    momentum, sgd = across["momentum"], across["sgd"]
    return Part(
        statement,
        (
            f"way across, along the steep y, in 30 steps: momentum {momentum:.1f}, SGD {sgd:.1f}; "
            "2 would do",
            f"30걸음 동안 가파른 y 방향으로 간 거리: 모멘텀 {momentum:.1f}, SGD {sgd:.1f}; 2면 충분하다",
        ),
        CONFIRMED if momentum < sgd else CONTRADICTED,
        across,
    )


def _across(way: Walk) -> float:
    return float(np.abs(way.velocity[:, 1]).sum())


def _turns(way: Walk) -> int:
    """How often the walk changes sides, along the steep y."""
    return int((np.sign(way.path[1:, 1]) != np.sign(way.path[:-1, 1])).sum())
