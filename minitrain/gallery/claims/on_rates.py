"""One more that every introduction makes: a rate too large diverges, one too small hardly learns."""

import numpy as np

from ...optimizers import get
from ..style import caption, new_figure, style_of
from ..walks import walk
from . import training
from .finding import CONFIRMED, CONTRADICTED, Finding, Part
from .training import Setting

_SETTING = Setting(epochs=30)


def rates(seeds: int) -> Finding:
    limit = 2 / 50  # of the quadratic with curvatures 1 and 50
    tried = np.array([float(f"{r:.4g}") for r in np.linspace(0.9, 1.1, 41) * limit])
    ends = np.array([walk("quadratic", get("sgd", lr=r), steps=2000).loss[-1] for r in tried])
    grows = ~(ends < 1)
    found = float(tried[grows].min())
    curve = {r: [run.loss[-1] for run in training.runs(_SETTING, get("sgd", lr=r), min(seeds, 3))]
             for r in training.RATES}  # fmt: skip
    u = np.array([np.median(v) for v in curve.values()])
    best = int(np.argmin(u))

    figure, axes = new_figure(10, 3.4, columns=2)
    axes[0, 0].semilogy(tried, np.clip(ends, 1e-30, 1e30), **style_of("sgd").line())
    axes[0, 0].axvline(limit, color="#888888", linestyle=":")
    axes[0, 0].set_xlabel("lr (quadratic, 2000 steps; dotted: 2/λ)", fontsize=8)
    axes[0, 0].set_ylabel("last loss", fontsize=8)
    shown = np.where(np.isfinite(u), u, np.nan)
    axes[0, 1].loglog(list(curve), shown, marker="o", markersize=3, **style_of("sgd").line())
    axes[0, 1].set_xlabel("lr (digits); gaps diverged", fontsize=8)
    axes[0, 1].set_ylabel("training loss", fontsize=8)
    setup = (
        f"Quadratic: SGD, lr 0.9 … 1.1 times 2/50, 2000 steps from (−2, 0.6). {_SETTING.describe()}: "
        f"SGD, each lr of the axis, seeds 0–{min(seeds, 3) - 1}, medians."
    )
    caption(figure, setup)
    at_best = list(curve)[best]
    slow = float(u[0] / u[best])
    return Finding(
        "rates",
        (
            "Too large a learning rate diverges, too small a one hardly learns.",
            "학습률이 너무 크면 발산하고 너무 작으면 거의 배우지 못한다.",
        ),
        (
            Part(
                ("SGD on a quadratic diverges above 2/λ", "이차 함수에서 SGD는 2/λ보다 크면 발산한다"),
                (
                    f"first rate that does not converge: {found:g}, theory {limit:g}, spacing {tried[1] - tried[0]:.2g}",
                    f"처음 수렴하지 않은 학습률: {found:g}, 이론 {limit:g}, 간격 {tried[1] - tried[0]:.2g}",
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
        ),
        figure,
        setup,
    )  # fmt: skip
