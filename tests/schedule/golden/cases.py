"""What is compared with torch.optim.lr_scheduler: for make_golden_schedules.py and the tests.

A case is our schedule as text, torch's scheduler with its arguments, and how many steps both make.
torch's own stepping is recorded: recursive where it is, so that its closed forms are not needed.
"""

import math
from itertools import combinations, permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILE = Path(__file__).parent / "torch.npz"
LR = 0.3


class Case(NamedTuple):
    ours: str
    scheduler: str
    arguments: dict
    total: int = 120

    def __str__(self):
        given = ",".join(f"{k}={v}" for k, v in self.arguments.items())
        return f"{self.scheduler}({given}):{self.total}".replace(" ", "")


def one_cycle(ours, total=120, **arguments):
    given = {"max_lr": LR, "total_steps": total, **arguments}
    return Case(f"one_cycle({ours})", "OneCycleLR", given, total)


def cyclic(ours, total=120, **arguments):
    # lr = max_lr: that is where our factor is 1.
    return Case(f"cyclic({ours})", "CyclicLR", {"max_lr": LR, **arguments}, total)


def restarts(period, growth, least, total=120):
    return Case(
        f"cosine_restarts(steps({period}), {growth}, {least / LR!r})",
        "CosineAnnealingWarmRestarts",
        {"T_0": period, "T_mult": growth, "eta_min": least},
        total,
    )


def constant(factor, n):
    ours = f"(constant * {factor!r}).then(constant, after=steps({n}))"
    return Case(ours, "ConstantLR", {"factor": factor, "total_iters": n})


def linear(start, end, n):
    given = {"start_factor": start, "end_factor": end, "total_iters": n}
    return Case(f"linear({start}, {end}, steps({n}))", "LinearLR", given)


def averaging(shape, n, end):
    """What torch does to the rate while it averages weights: from the optimizer's to another."""
    if shape == "cos":
        ours = f"cosine(end={end / LR!r}, duration=steps({n}))"
    else:
        ours = f"linear(1.0, {end / LR!r}, steps({n}))"
    return Case(ours, "SWALR", {"swa_lr": end, "anneal_epochs": n, "anneal_strategy": shape})


# Of sequences and chains: ours, and torch's scheduler.
PARTS = (
    ("warmup(steps(20))", "LinearLR", {"start_factor": 1 / 20, "total_iters": 19}),
    ("step(steps(30), 0.5)", "StepLR", {"step_size": 30, "gamma": 0.5}),
    ("exponential(0.97, steps(1))", "ExponentialLR", {"gamma": 0.97}),
)


def sequence(before, after, at):
    given = {"schedulers": (before[1:], after[1:]), "milestones": (at,)}
    return Case(f"{before[0]}.then({after[0]}, after=steps({at}))", "SequentialLR", given)


def chain(before, after):
    given = {"schedulers": (before[1:], after[1:])}
    return Case(f"{before[0]} * {after[0]}", "ChainedScheduler", given)


MOMENTUM = "momentum=(0.85, 0.95)"

CASES = (
    Case("constant", "LambdaLR", {"lr_lambda": "1.0"}),
    Case("constant * 0.5", "LambdaLR", {"lr_lambda": "0.5"}),
    Case("exponential(0.95, steps(1))", "MultiplicativeLR", {"lr_lambda": "0.95"}),
    Case("exponential(1.01, steps(1))", "MultiplicativeLR", {"lr_lambda": "1.01"}),
    Case("step(steps(7), 0.5)", "StepLR", {"step_size": 7, "gamma": 0.5}),
    Case("step(steps(1), 0.97)", "StepLR", {"step_size": 1, "gamma": 0.97}),
    Case("step(steps(200), 0.1)", "StepLR", {"step_size": 200, "gamma": 0.1}),
    Case("step(0.25, 0.1)", "StepLR", {"step_size": 30, "gamma": 0.1}),
    Case("step(steps(40), 1.5)", "StepLR", {"step_size": 40, "gamma": 1.5}),
    Case("step(steps(50), 0.0)", "StepLR", {"step_size": 50, "gamma": 0.0}),
    Case(
        "multistep([steps(10), steps(50), steps(51)], 0.3)",
        "MultiStepLR", {"milestones": [10, 50, 51], "gamma": 0.3},
    ),
    Case(
        "multistep([steps(50), steps(10), steps(10)])",
        "MultiStepLR", {"milestones": [50, 10, 10], "gamma": 0.1},
    ),
    Case("multistep([0.5, 0.75])", "MultiStepLR", {"milestones": [60, 90], "gamma": 0.1}),
    Case("multistep([steps(500)])", "MultiStepLR", {"milestones": [500], "gamma": 0.1}),
    Case("multistep([steps(0), steps(9)], 1.5)",
         "MultiStepLR", {"milestones": [0, 9], "gamma": 1.5}),
    Case("exponential(0.9, steps(1))", "ExponentialLR", {"gamma": 0.9}),
    Case("exponential(1.02, steps(1))", "ExponentialLR", {"gamma": 1.02}),
    Case("exponential(0.999, steps(1))", "ExponentialLR", {"gamma": 0.999}, 400),
    Case("exponential(1.0, steps(1))", "ExponentialLR", {"gamma": 1.0}),
    Case("exponential(0.5, steps(1), staircase=True)", "ExponentialLR", {"gamma": 0.5}),
    Case(
        "linear(1/3, 1.0, steps(5))",
        "LinearLR", {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5},
    ),
    Case(
        "linear(1.0, 0.0)", "LinearLR",
        {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 120},
    ),
    Case(
        "linear(0.2, 0.7, steps(1))",
        "LinearLR", {"start_factor": 0.2, "end_factor": 0.7, "total_iters": 1},
    ),
    *(linear(start, end, n) for start in (0.5, 1.0) for end in (0.0, 0.25, 1.0) for n in (5, 500)),
    Case(
        "warmup(steps(20))",
        "LinearLR", {"start_factor": 1 / 20, "end_factor": 1.0, "total_iters": 19},
    ),
    Case(
        "(constant * 0.25).then(constant, after=steps(5))",
        "ConstantLR", {"factor": 0.25, "total_iters": 5},
    ),
    *(constant(factor, n) for factor in (0.125, 1 / 3, 1.0) for n in (1, 17, 500)),
    Case("polynomial(0.5, duration=steps(200))",
         "PolynomialLR", {"total_iters": 200, "power": 0.5}),
    Case("polynomial(1.0, duration=steps(5))", "PolynomialLR", {"total_iters": 5, "power": 1.0}),
    Case("polynomial()", "PolynomialLR", {"total_iters": 120, "power": 2.0}),
    Case("polynomial(0.9)", "PolynomialLR", {"total_iters": 120, "power": 0.9}),
    Case("polynomial(3.5, duration=0.5)", "PolynomialLR", {"total_iters": 60, "power": 3.5}),
    Case("cosine()", "CosineAnnealingLR", {"T_max": 120}),
    Case("cosine()", "CosineAnnealingLR", {"T_max": 1}, 1),
    Case("cosine()", "CosineAnnealingLR", {"T_max": 3}, 3),
    Case("cosine()", "CosineAnnealingLR", {"T_max": 499}, 499),
    Case(f"cosine(end={0.05 / LR!r})", "CosineAnnealingLR", {"T_max": 120, "eta_min": 0.05}),
    Case(f"cosine(end={0.5 / LR!r})", "CosineAnnealingLR", {"T_max": 120, "eta_min": 0.5}),
    *(averaging(shape, n, end) for shape in ("cos", "linear") for n in (1, 10, 500)
      for end in (0.02, 0.3)),
    *(sequence(*two, at) for two in permutations(PARTS, 2) for at in (25, 60)),
    *(chain(*two) for two in combinations(PARTS, 2)),
    restarts(7, 1, 0.0),
    restarts(1, 1, 0.02),
    restarts(10, 2, 0.01),
    restarts(1, 2, 0.0, 400),
    restarts(3, 3, 0.05, 400),
    restarts(500, 2, 0.0),
    one_cycle(MOMENTUM),
    one_cycle(MOMENTUM, 7),
    one_cycle(MOMENTUM, 399),
    one_cycle(f"0.25, {MOMENTUM}", 10, pct_start=0.25),  # the peak lies between two steps
    one_cycle(f"0.0, {MOMENTUM}", pct_start=0.0),
    one_cycle(f"1.0, {MOMENTUM}", pct_start=1.0),
    one_cycle(
        f"0.45, 0.1, 0.001, {MOMENTUM}",
        pct_start=0.45, div_factor=10.0, final_div_factor=100.0,
    ),
    one_cycle(f"three_phase=True, {MOMENTUM}", three_phase=True),
    one_cycle(f"0.6, three_phase=True, {MOMENTUM}", pct_start=0.6, three_phase=True),
    one_cycle(f"shape='linear', {MOMENTUM}", anneal_strategy="linear"),
    one_cycle(
        "0.4, shape='linear', three_phase=True, momentum=(0.5, 0.99)", 57, pct_start=0.4,
        anneal_strategy="linear", three_phase=True, base_momentum=0.5, max_momentum=0.99,
    ),
    one_cycle("", cycle_momentum=False),
    *(
        one_cycle(
            f"0.3, {1 / div}, {1 / (div * last)!r}, {MOMENTUM}, three_phase={three}, "
            f"shape={shape!r}", 60,
            div_factor=div, final_div_factor=last, three_phase=three,
            anneal_strategy={"cosine": "cos"}.get(shape, shape),
        )
        for div, last in ((2.0, 1.0), (5.0, 1e6))
        for three in (False, True)
        for shape in ("cosine", "linear")
    ),
    cyclic(
        "0.1, steps(20), momentum=(0.8, 0.9)", base_lr=0.1 * LR, step_size_up=20,
    ),
    cyclic(
        "0.0, steps(7), steps(13), momentum=(0.8, 0.9)",
        base_lr=0.0, step_size_up=7, step_size_down=13,
    ),
    cyclic(
        "0.2, steps(1), momentum=(0.3, 0.3)",
        base_lr=0.2 * LR, step_size_up=1, base_momentum=0.3, max_momentum=0.3,
    ),
    cyclic(
        "0.1, steps(9), mode='triangular2', momentum=(0.8, 0.9)",
        base_lr=0.1 * LR, step_size_up=9, mode="triangular2",
    ),
    cyclic(
        "0.1, steps(30), steps(5), 'exp_range', 0.98, momentum=(0.8, 0.9)", 500,
        base_lr=0.1 * LR, step_size_up=30, step_size_down=5, mode="exp_range", gamma=0.98,
    ),
    *(
        cyclic(
            f"0.3, steps(6), steps({down}), {mode!r}, 0.95, (0.6, 0.7)", base_lr=0.3 * LR,
            step_size_up=6, step_size_down=down, mode=mode, gamma=0.95, base_momentum=0.6,
            max_momentum=0.7,
        )
        for mode in ("triangular", "triangular2", "exp_range")
        for down in (6, 15)
    ),
    cyclic("0.1, steps(20)", base_lr=0.1 * LR, step_size_up=20, cycle_momentum=False),
    cyclic(
        "0.5, steps(500), momentum=(0.8, 0.9)", base_lr=0.5 * LR, step_size_up=500,
    ),
)  # fmt: skip


class Plateau(NamedTuple):
    """A case of ReduceLROnPlateau: ours, its arguments, and what it is told every epoch."""

    ours: str
    arguments: dict
    metric: str = "noisy"

    def __str__(self):
        given = ",".join(f"{k}={v}" for k, v in self.arguments.items())
        return f"ReduceLROnPlateau({given}):{self.metric}"


def measured(metric):
    """What 80 epochs measured."""
    epochs = np.arange(80)
    noise = np.random.default_rng(5).normal(size=80)
    return {
        "noisy": 0.2 + np.exp(-epochs / 20) + 0.05 * noise,
        "flat": np.full(80, 0.7),
        "negative": -1.0 + epochs / 1000,
        "falling": 1.0 / (1 + epochs),
        "accuracy": 1 - np.exp(-epochs / 10) + 0.02 * noise,
        "nan": np.where(epochs % 7 == 3, math.nan, 1.0 + 0.01 * noise),
        "infinite at first": np.where(epochs < 5, math.inf, 2.0 - epochs / 100),
    }[metric]


PLATEAUS = (
    Plateau("reduce_on_plateau()", {}),
    Plateau("reduce_on_plateau(0.5, 0)", {"factor": 0.5, "patience": 0}),
    Plateau("reduce_on_plateau(0.5, 3)", {"factor": 0.5, "patience": 3}, "flat"),
    Plateau("reduce_on_plateau()", {}, "falling"),
    Plateau("reduce_on_plateau(patience=2, cooldown=4)", {"patience": 2, "cooldown": 4}),
    Plateau("reduce_on_plateau(patience=0, cooldown=1)", {"patience": 0, "cooldown": 1}, "flat"),
    Plateau(
        f"reduce_on_plateau(patience=1, minimum={0.02 / LR!r})",
        {"patience": 1, "min_lr": 0.02}, "flat",
    ),
    Plateau(
        "reduce_on_plateau(patience=2, threshold=0.05, relative=False)",
        {"patience": 2, "threshold": 0.05, "threshold_mode": "abs"},
    ),
    Plateau("reduce_on_plateau(patience=2, threshold=0.1)", {"patience": 2, "threshold": 0.1}),
    Plateau(
        "reduce_on_plateau(patience=3, monitor='validation_accuracy')",
        {"patience": 3, "mode": "max"}, "accuracy",
    ),
    Plateau(
        "reduce_on_plateau(0.3, 3, 0.01, False, monitor='accuracy')",
        {"factor": 0.3, "patience": 3, "mode": "max", "threshold": 0.01, "threshold_mode": "abs"},
        "accuracy",
    ),
    Plateau("reduce_on_plateau(0.5, 4)", {"factor": 0.5, "patience": 4}, "nan"),
    *(
        Plateau(
            f"reduce_on_plateau({factor}, {patience}, {threshold}, {relative}, {cooldown}, "
            f"{least / LR!r}, {'accuracy' if mode == 'max' else 'loss'!r})",
            {"factor": factor, "patience": patience, "threshold": threshold,
             "threshold_mode": "rel" if relative else "abs", "cooldown": cooldown,
             "min_lr": least, "mode": mode},
            metric,
        )
        for mode, metric in (("min", "noisy"), ("min", "flat"), ("max", "accuracy"))
        for factor, patience in ((0.0, 5), (0.7, 1))
        for threshold, relative in ((0.02, True), (0.02, False))
        for cooldown, least in ((0, 0.0), (3, 0.01))
    ),
    Plateau("reduce_on_plateau(0.5, 3)", {"factor": 0.5, "patience": 3}, "infinite at first"),
)  # fmt: skip


# Where torch's curve is another, as docs/schedules.md says.
DIFFERENT = (
    Case("cosine(duration=steps(20))", "CosineAnnealingLR", {"T_max": 20}, 40),
    Plateau("reduce_on_plateau(patience=0)", {"patience": 0, "eps": 1e-8}, "flat"),
    Plateau("reduce_on_plateau(patience=0, threshold=0.1)", {"patience": 0, "threshold": 0.1},
            "negative"),
)  # fmt: skip


def torch_scheduler(name, arguments, optimizer):
    import torch

    given = dict(arguments)
    if "lr_lambda" in given:
        given["lr_lambda"] = lambda step, factor=float(given["lr_lambda"]): factor
    if "schedulers" in given:
        given["schedulers"] = [torch_scheduler(*part, optimizer) for part in given["schedulers"]]
        given["optimizer"] = optimizer
        if "milestones" in given:
            given["milestones"] = list(given["milestones"])
        return getattr(torch.optim.lr_scheduler, name)(**given)
    made = torch.optim.swa_utils if name == "SWALR" else torch.optim.lr_scheduler
    return getattr(made, name)(optimizer, **given)


def torch_rates(case):
    """What torch gives: (2, total) of learning rate and momentum, or (epochs,) of a plateau."""
    import torch

    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=LR, momentum=0.77)
    if isinstance(case, Plateau):
        # eps: torch does not make reductions smaller than 1e-8; we do.
        given = {"eps": 0.0, **case.arguments}
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **given)
        rates = []
        for value in measured(case.metric):
            rates.append(optimizer.param_groups[0]["lr"])
            scheduler.step(value)
        return np.array(rates)
    scheduler = torch_scheduler(case.scheduler, case.arguments, optimizer)
    found = []
    for step in range(case.total):
        group = optimizer.param_groups[0]
        found.append((group["lr"], group["momentum"]))
        optimizer.step()
        if step < case.total - 1:
            scheduler.step()
    return np.array(found).T
