"""Claim 1: mini-batches learn faster per pass than the full batch, and are noisier."""

import numpy as np

from ...optimizers import get
from ..style import caption, new_figure, style_of
from ..walks import spelled, walk
from . import training
from .finding import Finding, Part, difference
from .training import Setting

_MINI = Setting(epochs=10)
_FULL = Setting(epochs=10, batch_size=10**6)
_STEPS = 200


def mini_batches(seeds: int) -> Finding:
    mini, full = training.tuned(_MINI, "sgd"), training.tuned(_FULL, "sgd")
    runs_mini, runs_full = training.runs(_MINI, mini, seeds), training.runs(_FULL, full, seeds)
    ends = difference([r.validation[-1] for r in runs_mini], [r.validation[-1] for r in runs_full])
    steps_mini = training.steps_of(_MINI, mini, seeds, _STEPS)
    steps_full = training.steps_of(_FULL, full, seeds, _STEPS)
    up_mini = np.array([(s.change > 0).mean() for s in steps_mini])
    up_full = np.array([(s.change > 0).mean() for s in steps_full])
    rises = difference(up_full, up_mini)
    alike = training.steps_of(_FULL, mini, seeds, _STEPS)
    up_alike = np.array([(s.change > 0).mean() for s in alike])
    rises_alike = difference(up_alike, up_mini)

    smooth = walk("ravine", get("sgd", lr=0.1), steps=600)
    rough = [walk("ravine", get("sgd", lr=0.1), steps=600, noise=1.0, seed=s) for s in range(seeds)]
    floor = np.array([w.loss[-100:].mean() for w in rough])
    wander = difference([smooth.loss[-100:].mean()] * seeds, floor)

    figure, ((left, right),) = new_figure(10, 3.4, columns=2)
    passes = np.arange(1, _MINI.epochs + 1)
    for runs, name, dash in ((runs_mini, "batch 32", "-"), (runs_full, "full batch", "--")):
        values = np.array([r.validation for r in runs])
        left.plot(passes, values.T, color=style_of("sgd").colour, linestyle=dash, alpha=0.12)
        left.plot(passes, np.median(values, axis=0), dash, color=style_of("sgd").colour, label=name)
    left.set_xlabel("passes over the data", fontsize=8)
    left.set_ylabel("validation loss", fontsize=8)
    left.legend(fontsize=8, frameon=False)
    a_pass = len(_MINI.loader(0))  # steps of it; a step of the full batch is a whole one
    for found, name, dash, x in (
        (steps_mini[0], "batch 32", "-", np.arange(_STEPS) / a_pass),
        (steps_full[0], "full batch", "--", np.arange(_STEPS)),
    ):
        shown = x <= _STEPS / a_pass
        right.semilogy(x[shown], found.loss[shown], dash, color=style_of("sgd").colour,
                       label=f"{name}, seed 0", marker="." if dash == "--" else None)  # fmt: skip
    right.set_xlabel("passes over the data, every step drawn", fontsize=8)
    right.set_ylabel("loss of all training rows", fontsize=8)
    right.legend(fontsize=8, frameon=False)
    setup = (
        f"{_MINI.describe()} against the full batch; {spelled(mini)} and {spelled(full)}; "
        f"{training.HOW.format('validation')}; seeds 0–{seeds - 1}. Ravine: {spelled(smooth.optimizer)}, "
        "600 steps, gradient noise 0 or 1, rate set by hand."
    )
    caption(figure, setup)
    ratio = np.mean([f.validation[-1] / m.validation[-1] for m, f in
                     zip(runs_mini, runs_full, strict=True)])  # fmt: skip
    return Finding(
        "mini_batches",
        (
            "Mini-batch SGD learns faster per pass than full-batch gradient descent, but is noisier.",
            "미니배치 SGD는 전체 배치 경사하강법보다 데이터를 한 번 훑을 때 더 빨리 배우지만, 잡음이 크다.",
        ),
        (
            Part(
                ("Faster per pass (digits)", "한 번 훑을 때 더 빠르다 (digits)"),
                (
                    f"validation loss after {_MINI.epochs} passes, batch 32 minus full batch: {ends}; "
                    f"that of the full batch is {ratio:.1f} times as high",
                    f"{_MINI.epochs}번 훑은 뒤의 검증 손실, 배치 32 − 전체 배치: {ends}; "
                    f"전체 배치가 {ratio:.1f}배 높다",
                ),
                ends.verdict,
                {"difference": ends.mean, "ratio": float(ratio)},
            ),
            Part(
                (
                    "Noisier, each at its best rate (digits)",
                    "잡음이 더 크다, 각자 가장 좋은 학습률 (digits)",
                ),
                (
                    f"share of the first {_STEPS} steps on which the loss of all training rows rises: "
                    f"{up_mini.mean():.0%} against {up_full.mean():.0%} with the full batch",
                    f"처음 {_STEPS}걸음 가운데 전체 학습 손실이 오르는 비율: "
                    f"{up_mini.mean():.0%}, 전체 배치는 {up_full.mean():.0%}",
                ),
                rises.verdict,
                {"mini": float(up_mini.mean()), "full": float(up_full.mean())},
            ),
            Part(
                (
                    "Noisier, both at the rate of the mini-batches (digits)",
                    "잡음이 더 크다, 둘 다 미니배치의 학습률 (digits)",
                ),
                (
                    f"share of the first {_STEPS} steps on which the loss of all training rows rises: "
                    f"{up_mini.mean():.0%} against {up_alike.mean():.0%} with the full batch",
                    f"처음 {_STEPS}걸음 가운데 전체 학습 손실이 오르는 비율: "
                    f"{up_mini.mean():.0%}, 전체 배치는 {up_alike.mean():.0%}",
                ),
                rises_alike.verdict,
                {"mini": float(up_mini.mean()), "full": float(up_alike.mean())},
            ),
            Part(
                (
                    "Noise keeps it away from the minimum (ravine)",
                    "잡음 때문에 최소점에 닿지 못한다 (골짜기)",
                ),
                (
                    f"mean loss of the last 100 of 600 steps: {floor.mean():.3g} with noise, "
                    f"{smooth.loss[-100:].mean():.2g} without",
                    f"600걸음 중 마지막 100걸음의 평균 손실: 잡음이 있으면 {floor.mean():.3g}, "
                    f"없으면 {smooth.loss[-100:].mean():.2g}",
                ),
                wander.verdict,
                {"noisy": float(floor.mean()), "smooth": float(smooth.loss[-100:].mean())},
            ),
        ),
        figure,
        setup,
    )
