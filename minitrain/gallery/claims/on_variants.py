"""What introductions say of Adam's two variants: AdamW's decay is even, NAdam looks ahead."""

from functools import partial

import numpy as np

from ...optimizer import Optimizer
from ...optimizers import get
from ..figures import draw_path, draw_surface
from ..style import caption, new_figure, style_of
from ..walks import Walk, spelled, walk
from . import training
from .finding import CONFIRMED, CONTRADICTED, Finding, Part, difference
from .training import Setting

_SETTING = Setting(epochs=20)
_DECAY = 0.1
_DECAYS = (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def adamw(seeds: int) -> Finding:
    names = ("adam", "adamw")
    strong = {n: get(n, lr=1e-3, weight_decay=_DECAY) for n in names}
    shares = {
        n: np.array(training.each(partial(_decay_follows_gradient, o), seeds))
        for n, o in strong.items()
    }
    even = difference(np.abs(shares["adamw"]), np.abs(shares["adam"]))
    plain = [walk("beale", get(n, lr=0.01, weight_decay=0.0), steps=200).path for n in names]
    apart = float(np.abs(plain[0] - plain[1]).max())
    lr = training.tuned(_SETTING, "adam").lr
    best = {n: _best_decay(get(n, lr=lr)) for n in names}
    scores = {n: np.array([r.accuracy for r in training.runs(_SETTING, o, seeds)])
              for n, o in best.items()}  # fmt: skip
    better = difference(scores["adam"], scores["adamw"])

    figure, ((left, right),) = new_figure(10, 3.2, columns=2)
    for i, n in enumerate(names):
        style = style_of(n)
        x = i + np.linspace(-0.15, 0.15, seeds)
        left.plot(x, shares[n], style.marker, color=style.colour, markersize=5)
        right.plot(x, 100 * scores[n], style.marker, color=style.colour, markersize=5)
        right.plot([i - 0.25, i + 0.25], [100 * scores[n].mean()] * 2, color="#333333")
    for axis in (left, right):
        axis.set_xticks([0, 1], ["Adam, L2", "AdamW"], fontsize=8)
        axis.set_xlim(-0.6, 1.6)
    left.axhline(0, color="#888888", linewidth=0.6)
    left.set_ylabel("correlation of shrinking and gradient size", fontsize=8)
    right.set_ylabel("test accuracy, % (bar: mean)", fontsize=8)
    setup = (
        f"Left: {_SETTING.describe()}, after 2 epochs; {spelled(strong['adam'])} and "
        f"{spelled(strong['adamw'])}, set by hand; rank correlation, over all weights, of what the "
        f"decay takes in one step (by the weight) with √v. Right: {_SETTING.describe()}; lr the best "
        f"of {len(training.RATES)} for Adam without decay, then for each the best weight_decay of "
        f"{', '.join(f'{d:g}' for d in _DECAYS)} by the mean validation loss of seeds "
        f"{training.TUNING_SEEDS[0]}–{training.TUNING_SEEDS[-1]}: {spelled(best['adam'])}, "
        f"{spelled(best['adamw'])}. Seeds 0–{seeds - 1}."
    )
    caption(figure, setup)
    return Finding(
        "adamw",
        (
            "AdamW is Adam whose weight decay leaves the gradient alone, and generalises better.",
            "AdamW는 가중치 감쇠를 기울기에서 떼어 낸 Adam이고, 일반화가 더 좋다.",
        ),
        (
            Part(
                ("Without weight decay AdamW is Adam", "가중치 감쇠가 없으면 AdamW는 Adam이다"),
                (
                    f"largest distance of their ways over Beale, 200 steps: {apart:.1g}",
                    f"Beale 위 200걸음에서 두 경로의 가장 큰 차이: {apart:.1g}",
                ),
                CONFIRMED if apart < 1e-10 else CONTRADICTED,
                {"distance": apart},
            ),
            Part(
                ("AdamW's decay does not depend on the gradient, Adam's L2 does",
                 "AdamW의 감쇠는 기울기와 무관하고, Adam의 L2는 그렇지 않다"),
                (
                    f"rank correlation of shrinking with gradient size: AdamW "
                    f"{shares['adamw'].mean():+.2f}, Adam with L2 {shares['adam'].mean():+.2f}",
                    f"줄어든 정도와 기울기 크기의 순위 상관: AdamW {shares['adamw'].mean():+.2f}, "
                    f"L2를 쓴 Adam {shares['adam'].mean():+.2f}",
                ),
                even.verdict,
                {n: float(v.mean()) for n, v in shares.items()},
            ),
            Part(
                ("AdamW generalises better, each at its best decay (digits)",
                 "AdamW의 일반화가 더 좋다, 각자 가장 좋은 감쇠 (digits)"),
                (
                    f"test accuracy {scores['adamw'].mean():.1%} (weight_decay "
                    f"{best['adamw'].hyperparameters['weight_decay']:g}) against "
                    f"{scores['adam'].mean():.1%} ({best['adam'].hyperparameters['weight_decay']:g}); "
                    f"Adam minus AdamW {better}",
                    f"시험 정확도 {scores['adamw'].mean():.1%} (weight_decay "
                    f"{best['adamw'].hyperparameters['weight_decay']:g}) 대 "
                    f"{scores['adam'].mean():.1%} ({best['adam'].hyperparameters['weight_decay']:g}); "
                    f"Adam − AdamW {better}",
                ),
                better.verdict,
                {n: float(v.mean()) for n, v in scores.items()},
            ),
        ),
        figure,
        setup,
    )  # fmt: skip


def _best_decay(optimizer: Optimizer) -> Optimizer:
    def loss(decay: float) -> float:
        tried = optimizer.replace(weight_decay=decay)
        found = training.runs(_SETTING, tried, training.TUNING_SEEDS)
        return float(np.mean([run.validation[-1] for run in found]))

    return optimizer.replace(weight_decay=min(_DECAYS, key=loss))


def nadam(seeds: int) -> Finding:
    rng = np.random.default_rng(2)
    starts = [tuple(rng.uniform([4, 1], [8, 3]) * rng.choice([-1, 1], 2)) for _ in range(seeds)]
    names = ("adam", "nadam")
    past = {
        n: np.array([_past(walk("ravine", get(n, lr=0.3), start=s, steps=100)) for s in starts])
        for n in names
    }
    swings = difference(past["nadam"], past["adam"])
    short = Setting(epochs=5)
    best = {n: training.tuned(short, n) for n in names}
    ends = {n: np.array([r.validation for r in training.runs(short, o, seeds)])
            for n, o in best.items()}  # fmt: skip
    faster = difference(ends["nadam"][:, -1], ends["adam"][:, -1])

    figure, ((left, middle, right),) = new_figure(10, 3.4, columns=3)
    shown = [walk("ravine", get(n, lr=0.3), steps=100) for n in names]
    draw_surface(left, shown[0].surface)
    for way in shown:
        draw_path(left, way)
        middle.plot(way.path[:, 0] / way.path[0, 0], label=way.optimizer.rule.title,
                    **style_of(way.optimizer.name).line())  # fmt: skip
    middle.axhline(0, color="#888888", linewidth=0.6)
    middle.set_xlabel("step", fontsize=8)
    middle.set_ylabel("x by its start: below 0 is past the minimum", fontsize=8)
    middle.legend(fontsize=8, frameon=False)
    for n in names:
        right.plot(range(1, short.epochs + 1), np.median(ends[n], axis=0), **style_of(n).line())
    right.set_xlabel("passes (digits)", fontsize=8)
    right.set_ylabel("validation loss", fontsize=8)
    setup = (
        f"Ravine x²/20 + y²: {spelled(shown[0].optimizer)}, {spelled(shown[1].optimizer)}, lr set by "
        f"hand, 100 steps; {seeds} starts in 4 … 8 by 1 … 3 and their mirror images (seed 2); drawn "
        f"from (−7, 2). {short.describe()}: {spelled(best['adam'])}, {spelled(best['nadam'])}; "
        f"{training.HOW.format('validation')}; medians of seeds 0–{seeds - 1}."
    )
    caption(figure, setup)
    percent = {n: float(v.mean()) for n, v in past.items()}
    return Finding(
        "nadam",
        (
            "NAdam is Adam with Nesterov's look-ahead, and faster.",
            "NAdam은 Adam에 네스테로프의 미리 보기를 더한 것이고, 더 빠르다.",
        ),
        (
            Part(
                ("It overshoots less than Adam (ravine)", "Adam보다 덜 지나친다 (골짜기)"),
                (
                    f"by {percent['nadam']:.1%} of the way it came, Adam by {percent['adam']:.1%}",
                    f"온 길의 {percent['nadam']:.1%}만큼, Adam은 {percent['adam']:.1%}",
                ),
                swings.verdict,
                percent,
            ),
            Part(
                (f"It is ahead after {short.epochs} passes, each at its best rate (digits)",
                 f"{short.epochs}번 훑은 뒤 앞선다, 각자 가장 좋은 학습률 (digits)"),
                (f"validation loss, NAdam minus Adam: {faster}", f"검증 손실, NAdam − Adam: {faster}"),
                faster.verdict,
                {"difference": faster.mean},
            ),
        ),
        figure,
        setup,
    )  # fmt: skip


def _past(way: Walk) -> float:
    """How far the walk goes past the minimum at 0, as a share of its start, along the flat x."""
    x = way.path[:, 0] / way.path[0, 0]
    return float(max(0.0, -x.min()))


def _decay_follows_gradient(optimizer: Optimizer, seed: int) -> float:
    """Rank correlation of what the decay alone takes from each weight with the size of √v.

    The same training twice in its last step: with the decay and, from the same state, without.
    """
    from scipy.stats import rankdata

    train = _SETTING.parts(seed)[0]
    model, loader = _SETTING.model(seed), _SETTING.loader(seed)
    state = optimizer.init(model.parameters, model.blocks)
    for X, y in [*loader, *loader]:
        _, g = model.loss_and_gradient(X, y)
        optimizer.step(model.parameters, g, state)
    _, g = model.loss_and_gradient(train.X[:32], train.y[:32])
    before = model.parameters.astype(float)
    steps = []
    for decay in (optimizer.hyperparameters["weight_decay"], 0.0):
        twin = optimizer.replace(weight_decay=decay)
        again = twin.init(before.copy(), model.blocks)
        for slot, kept in zip(again.arrays.slots, state.arrays.slots, strict=True):
            slot[:] = kept
        again.t = state.t
        p = before.copy()
        twin.step(p, g.astype(float), again)
        steps.append(p)
    used = state.slots["v"] > 0  # a dead input has no gradient, and nothing to compare
    taken = np.abs(steps[1] - steps[0])[used] / np.maximum(np.abs(before[used]), 1e-12)
    size = np.sqrt(state.slots["v"][used])
    ranks = [rankdata(np.round(v, 9)) for v in (taken, size)]
    if np.ptp(ranks[0]) == 0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])
