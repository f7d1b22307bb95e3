"""Two more that every introduction makes: a rate too large diverges, and AdamW's decay is even."""

import numpy as np

from ...optimizers import get
from ..style import caption, new_figure, style_of
from ..walks import walk
from . import training
from .finding import CONFIRMED, CONTRADICTED, Finding, Part, difference
from .training import Setting

_SETTING = Setting(epochs=30)
_DECAY = 0.1


def rates(seeds: int) -> Finding:
    limit = 2 / 50  # of the quadratic with curvatures 1 and 50
    tried = np.array([float(f"{r:.4g}") for r in np.linspace(0.9, 1.1, 41) * limit])
    ends = np.array([walk("quadratic", get("sgd", lr=r), steps=2000).loss[-1] for r in tried])
    grows = ~(ends < 1)
    found = float(tried[grows].min())
    curve = {r: [training.run(_SETTING, get("sgd", lr=r), s).loss[-1] for s in range(min(seeds, 3))]
             for r in training.RATES}  # fmt: skip
    u = np.array([np.median(v) for v in curve.values()])
    best = int(np.argmin(u))
    shares = {}
    for name in ("adam", "adamw"):
        optimizer = get(name, lr=1e-3, weight_decay=_DECAY)
        shares[name] = np.array([_decay_follows_gradient(optimizer, s) for s in range(seeds)])
    even = difference(np.abs(shares["adamw"]), np.abs(shares["adam"]))

    figure, axes = new_figure(10, 3.4, columns=3)
    axes[0, 0].semilogy(tried, np.clip(ends, 1e-30, 1e30), **style_of("sgd").line())
    axes[0, 0].axvline(limit, color="#888888", linestyle=":")
    axes[0, 0].set_xlabel("lr (quadratic, 2000 steps; dotted: 2/λ)", fontsize=8)
    axes[0, 0].set_ylabel("last loss", fontsize=8)
    shown = np.where(np.isfinite(u), u, np.nan)
    axes[0, 1].loglog(list(curve), shown, marker="o", markersize=3, **style_of("sgd").line())
    axes[0, 1].set_xlabel("lr (digits); gaps diverged", fontsize=8)
    axes[0, 1].set_ylabel("training loss", fontsize=8)
    for i, name in enumerate(shares):
        x = i + np.linspace(-0.15, 0.15, seeds)
        style = style_of(name)
        axes[0, 2].plot(x, shares[name], style.marker, color=style.colour, markersize=5)
    axes[0, 2].set_xticks([0, 1], ["Adam, L2", "AdamW"], fontsize=8)
    axes[0, 2].axhline(0, color="#888888", linewidth=0.6)
    axes[0, 2].set_ylabel("correlation of shrinking and gradient size", fontsize=8)
    setup = (
        f"Quadratic: SGD, lr 0.9 … 1.1 times 2/50, 2000 steps from (−2, 0.6). {_SETTING.describe()}: "
        f"SGD, lr as on the axis, seeds 0–{min(seeds, 3) - 1}. Decay: lr 1e-3, weight_decay {_DECAY:g}, "
        f"rates set by hand, seeds 0–{seeds - 1}; rank correlation, over all weights, of what the "
        "decay took in the last step (by the weight) with √v."
    )
    caption(figure, setup)
    at_best = list(curve)[best]
    slow = float(u[0] / u[best])
    return Finding(
        "rates",
        (
            "Too large a learning rate diverges, too small a one hardly learns; AdamW decays all "
            "weights alike, Adam with L2 does not.",
            "학습률이 너무 크면 발산하고 너무 작으면 거의 배우지 못한다. AdamW는 모든 가중치를 똑같이 줄이고, "
            "L2를 쓴 Adam은 그렇지 않다.",
        ),
        (
            Part(
                ("SGD on a quadratic diverges above 2/λ", "이차 함수에서 SGD는 2/λ보다 크면 발산한다"),
                (
                    f"first rate that grows: {found:g}, theory {limit:g}, spacing {tried[1] - tried[0]:.2g}",
                    f"처음 발산한 학습률: {found:g}, 이론 {limit:g}, 간격 {tried[1] - tried[0]:.2g}",
                ),
                CONFIRMED if abs(found - limit) <= 1.01 * (tried[1] - tried[0]) else CONTRADICTED,
                {"found": found, "theory": limit},
            ),
            Part(
                ("Too small hardly learns, too large is worse (digits)",
                 "너무 작으면 거의 못 배우고, 너무 크면 더 나쁘다 (digits)"),
                (
                    f"training loss {u[best]:.2g} at lr {at_best:g}, {slow:.0f} times that at "
                    f"{training.RATES[0]:g}, {u[-1]:.2g} at {training.RATES[-1]:g}",
                    f"학습 손실은 lr {at_best:g}에서 {u[best]:.2g}, {training.RATES[0]:g}에서 그 {slow:.0f}배, "
                    f"{training.RATES[-1]:g}에서 {u[-1]:.2g}",
                ),
                CONFIRMED if 0 < best < len(u) - 1 and slow > 2 and u[-1] > 2 * u[best]
                else CONTRADICTED,
                {"best": at_best, "slow": slow},
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
        ),
        figure,
        setup,
    )  # fmt: skip


def _decay_follows_gradient(optimizer, seed: int) -> float:  # type: ignore[no-untyped-def]
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
