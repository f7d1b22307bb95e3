"""Claims 2 and 3: momentum leaves a saddle where SGD stalls, and overshoots after a steep part."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...optimizers import get
from ..figures import draw_path, draw_surface
from ..style import caption, new_figure, style_of
from ..walks import Walk, spelled, tune, walk
from . import training
from .finding import Finding, Part, difference, spread
from .training import Setting

_SMALL = Setting(hidden=(32, 32), activation="tanh", epochs=6)
_SCALE = 0.05  # of the initial weights: near zero is near a saddle, by symmetry of the units
_RATE = 0.05
_LEFT = 1.0  # |y| of the saddle's surface beyond which it counts as left


def _steps_until(reached: np.ndarray) -> float:
    """The first step that holds; inf if none does."""
    return float(np.argmax(reached)) if reached.any() else np.inf


def _said(steps: np.ndarray) -> str:
    return spread(steps) if np.isfinite(np.median(steps)) else "> 200"


def _leave(optimizer: Any, starts: Sequence[tuple[float, float]]) -> np.ndarray:
    ways = [walk("saddle", optimizer, start=start, steps=400) for start in starts]
    return np.array([_steps_until(np.abs(w.path[:, 1]) > _LEFT) for w in ways])


def _plateau(optimizer: Any, seeds: int) -> np.ndarray:
    runs = training.steps_of(_SMALL, optimizer, seeds, 200, _SCALE)
    return np.array([_steps_until(r.loss < 0.9 * np.log(10)) for r in runs])


def saddle(seeds: int) -> Finding:
    rng = np.random.default_rng(0)
    starts = [(float(rng.uniform(-2, 2)), float(10 ** rng.uniform(-6, -2))) for _ in range(seeds)]
    names = ("sgd", "momentum")
    same = {name: _leave(get(name, lr=_RATE), starts) for name in names}
    best = {name: tune("saddle", name).optimizer for name in names}
    own = {name: _leave(best[name], starts) for name in names}
    net = {name: training.tuned(_SMALL, name) for name in names}
    digits = {name: _plateau(get(name, lr=_RATE), seeds) for name in names}
    digits_own = {name: _plateau(net[name], seeds) for name in names}
    # Velocity sums up to 1 / (1 - 0.9) gradients: SGD with ten times the rate goes as far.
    tenfold = {"momentum": digits["momentum"], "sgd": _plateau(get("sgd", lr=10 * _RATE), seeds)}

    figure, ((left, right),) = new_figure(10, 4.2, columns=2)
    shown = [walk("saddle", get(name, lr=_RATE), steps=60) for name in names]
    draw_surface(left, shown[0].surface)
    for way in shown:
        draw_path(left, way)
    left.legend(fontsize=8)
    left.set_title(f"lr = {_RATE:g} for both, 60 steps", fontsize=9, loc="left")
    groups = (("saddle,\nlr 0.05", same), ("saddle,\nbest rates", own),
              ("digits,\nlr 0.05", digits), ("digits, SGD\nat lr 0.5", tenfold), ("digits,\nbest rates", digits_own))  # fmt: skip
    for i, (_, found) in enumerate(groups):
        for k, name in enumerate(names):
            values = np.minimum(found[name], 400)
            x = i + (k - 0.5) * 0.3 + rng.uniform(-0.05, 0.05, values.size)
            right.plot(x, values, style_of(name).marker, color=style_of(name).colour, markersize=4,
                       alpha=0.7, label=get(name).rule.title if i == 0 else None)  # fmt: skip
    right.set_xticks(range(len(groups)), [label for label, _ in groups], fontsize=8)
    right.set_yscale("log")
    right.set_ylabel("steps to leave", fontsize=8)
    right.legend(fontsize=8, frameon=False)
    setup = (
        f"Saddle: steps until |y| > {_LEFT:g}, {seeds} starts with x in ±2 and y in 1e-6 … 1e-2 (seed "
        f"0), lr {_RATE:g} (SGD also {10 * _RATE:g}), or the best of 51 by mean loss from the standard start: "
        f"{spelled(best['sgd'])}, {spelled(best['momentum'])}. {_SMALL.describe()}, initial weights times {_SCALE:g}:"
        f" steps until the training loss is 10 % below ln 10; {spelled(net['sgd'])}, {spelled(net['momentum'])}, "
        f"{training.HOW.format('validation')} (weights not scaled); seeds 0–{seeds - 1}."
    )
    caption(figure, setup)

    def part(where: tuple[str, str], found: dict[str, np.ndarray]) -> Part:
        gap = difference(found["momentum"], found["sgd"])
        text = (_said(found["momentum"]), _said(found["sgd"]))
        return Part(
            where,
            (
                f"steps to leave, median (quartiles): momentum {text[0]}, SGD {text[1]}; "
                f"momentum first in {gap.wins:g} of {gap.n}",
                f"벗어나기까지의 걸음 수, 중앙값(사분위): 모멘텀 {text[0]}, SGD {text[1]}; "
                f"{gap.n}번 중 {gap.wins:g}번 모멘텀이 먼저",
            ),
            gap.verdict,
            {
                "momentum": float(np.median(found["momentum"])),
                "sgd": float(np.median(found["sgd"])),
            },
        )

    return Finding(
        "saddle",
        (
            "At a saddle point the gradient is almost zero and SGD stalls; momentum carries on.",
            "안장점에서는 기울기가 거의 0이라 SGD는 멈춰 서고, 모멘텀은 계속 나아간다.",
        ),
        (
            part(("Same rate (saddle)", "같은 학습률 (안장)"), same),
            part(("Each at its best rate (saddle)", "각자 가장 좋은 학습률 (안장)"), own),
            part(("Same rate (digits, weights near 0)", "같은 학습률 (digits, 0에 가까운 가중치)"), digits),
            part(("SGD at ten times momentum's rate (digits, weights near 0)",
                  "SGD는 모멘텀의 10배 학습률 (digits, 0에 가까운 가중치)"), tenfold),
            part(("Each at its best rate (digits, weights near 0)",
                  "각자 가장 좋은 학습률 (digits, 0에 가까운 가중치)"), digits_own),
        ),
        figure,
        setup,
    )  # fmt: skip


def _past(way: Walk) -> float:
    """How far the walk goes past the minimum at 0, as a share of its start, along the flat x."""
    x = way.path[:, 0] / way.path[0, 0]
    return float(max(0.0, -x.min()))


def overshoot(seeds: int) -> Finding:
    rng = np.random.default_rng(1)
    starts = [tuple(rng.uniform([4, 1], [8, 3]) * rng.choice([-1, 1], 2)) for _ in range(seeds)]
    names = ("sgd", "momentum", "nesterov")
    past = {
        n: np.array([_past(walk("ravine", get(n, lr=0.1), start=s, steps=100)) for s in starts])
        for n in names
    }
    # λ = 1/10 and lr 0.1: the eigenvalues of Distill's recurrence give the overshoot exactly.
    exact = _exact_overshoot(0.1 * 0.1, 0.9)
    setting = Setting(epochs=4)
    best = {n: training.tuned(setting, n) for n in ("sgd", "momentum")}
    rises = {
        n: np.array(
            [(seen.change > 0).mean() for seen in training.steps_of(setting, o, seeds, 120)]
        )
        for n, o in best.items()
    }
    gap = difference(past["sgd"], past["momentum"])
    against = difference(past["nesterov"], past["momentum"])
    uphill = difference(rises["sgd"], rises["momentum"])

    figure, ((left, right),) = new_figure(10, 3.8, columns=2)
    shown = [walk("ravine", get(n, lr=0.1), steps=100) for n in names]
    draw_surface(left, shown[0].surface)
    for way in shown:
        draw_path(left, way)
        right.plot(way.path[:, 0] / way.path[0, 0], label=way.optimizer.rule.title,
                   **style_of(way.optimizer.name).line())  # fmt: skip
    right.axhline(0, color="#888888", linewidth=0.6)
    right.set_xlabel("step", fontsize=8)
    right.set_ylabel("x by its start: below 0 is past the minimum", fontsize=8)
    right.legend(fontsize=8, frameon=False)
    setup = (
        f"Ravine x²/20 + y²: lr 0.1 for all, set by hand, 100 steps; {seeds} starts in 4 … 8 by 1 … 3 "
        f"and their mirror images (seed 1); drawn from (−7, 2). {setting.describe()}: the first 120 "
        f"steps with {spelled(best['sgd'])} and {spelled(best['momentum'])}; {training.HOW.format('validation')}; "
        f"seeds 0–{seeds - 1}."
    )
    caption(figure, setup)
    percent = {n: float(np.mean(values)) for n, values in past.items()}
    return Finding(
        "overshoot",
        (
            "Momentum overshoots after a steep section; Nesterov's look-ahead brakes earlier.",
            "모멘텀은 가파른 구간을 지나면 지나쳐 간다. 네스테로프는 미리 보고 먼저 줄인다.",
        ),
        (
            Part(
                ("Momentum goes past the minimum (ravine)", "모멘텀은 최소점을 지나친다 (골짜기)"),
                (
                    f"by {percent['momentum']:.1%} of the way it came, SGD by {percent['sgd']:.1%}; "
                    f"the recurrence's eigenvalues say {exact:.1%}",
                    f"온 길의 {percent['momentum']:.1%}만큼, SGD는 {percent['sgd']:.1%}; "
                    f"점화식의 고윳값으로는 {exact:.1%}",
                ),
                gap.verdict,
                {**percent, "exact": exact},
            ),
            Part(
                ("Nesterov overshoots less (ravine)", "네스테로프는 덜 지나친다 (골짜기)"),
                (
                    f"{percent['nesterov']:.1%} against {percent['momentum']:.1%}",
                    f"{percent['nesterov']:.1%} 대 {percent['momentum']:.1%}",
                ),
                against.verdict,
                percent,
            ),
            Part(
                (
                    "Momentum steps uphill more often (digits)",
                    "모멘텀은 더 자주 오르막을 걷는다 (digits)",
                ),
                (
                    f"share of steps on which the loss of all training rows rises: momentum "
                    f"{rises['momentum'].mean():.0%}, SGD {rises['sgd'].mean():.0%}, each at its best "
                    f"rate; SGD minus momentum {uphill}",
                    f"전체 학습 손실이 오르는 걸음의 비율: 모멘텀 {rises['momentum'].mean():.0%}, "
                    f"SGD {rises['sgd'].mean():.0%} (각자 가장 좋은 학습률); SGD − 모멘텀 {uphill}",
                ),
                uphill.verdict,
                {n: float(values.mean()) for n, values in rises.items()},
            ),
        ),
        figure,
        setup,
    )


def _exact_overshoot(curvature: float, beta: float, steps: int = 2000) -> float:
    """Largest excursion past 0, as a share of the start, of x ← x − v, v ← βv + (αλ)x.

    By the closed form of the two-term recurrence x_(t+1) = (1 + β − αλ) x_t − β x_(t−1).
    """
    roots = np.roots([1, -(1 + beta - curvature), beta])
    a, b = np.linalg.solve(np.array([[1, 1], roots]), np.array([1, 1 - curvature]))
    t = np.arange(steps)
    return float(max(0.0, -np.min((a * roots[0] ** t + b * roots[1] ** t).real)))
