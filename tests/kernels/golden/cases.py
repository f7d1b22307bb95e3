"""What is compared with torch.optim: one list for make_golden.py and for the tests.

A case names an optimizer and some of its hyperparameters; the rest are the defaults, torch's and
ours.  Gradients are drawn anew from their seed, so that a golden file holds parameters alone.
"""

from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

FOLDER = Path(__file__).parent
P, STEPS = 11, 300
RECORDED = (1, 2, 10, 100, 300)
DTYPES = ("float64", "float32")


class Case(NamedTuple):
    optimizer: str
    hyperparameters: dict

    def __str__(self):
        given = (f"{k}={v}" for k, v in self.hyperparameters.items())
        return "-".join((self.optimizer, *given)).replace(" ", "")


def combinations(optimizer, *always, **values):
    """A case for every combination of a value of each hyperparameter; None is the default."""
    for chosen in product(*values.values()):
        given = {k: v for k, v in zip(values, chosen, strict=True) if v is not None}
        yield Case(optimizer, given)
    for given in always:
        yield Case(optimizer, given)


DECAY = (None, 1e-2)
ON = (None, True)
# 1 - lr · weight_decay = 1 - 2^-15 has no rounding in float32: see `excused` in test_rules.py.
EXACT = {"lr": 2.0**-8, "weight_decay": 2.0**-7}

CASES = (
    *combinations("sgd", {"lr": 0.3}, momentum=(None, 0.9), weight_decay=DECAY),
    *combinations("sgd", momentum=(0.9,), dampening=(0.3, 1.0), weight_decay=DECAY),
    *combinations("sgd", momentum=(0.5,), nesterov=(True,), weight_decay=DECAY),
    *combinations("momentum", {"momentum": 0.99}, dampening=(None, 0.5), weight_decay=DECAY),
    *combinations("nesterov", {"momentum": 0.5, "lr": 0.03}, weight_decay=DECAY),
    *combinations(
        "adagrad",
        {"eps": 1e-2},
        {"lr": 0.3, "eps": 0.0},
        lr_decay=(None, 1e-2),
        initial_accumulator_value=(None, 0.1),
        weight_decay=DECAY,
    ),
    *combinations(
        "rmsprop",
        {"alpha": 0.9, "eps": 1e-3},
        {"lr": 0.1, "momentum": 0.5},
        {"alpha": 0.5, "eps": 1e-3, "momentum": 0.5, "centered": True},
        momentum=(None, 0.9),
        centered=ON,
        weight_decay=DECAY,
    ),
    *combinations(
        "adam",
        {"betas": (0.5, 0.9)},
        {"betas": (0.0, 0.0), "lr": 1e-2},
        {"betas": (0.95, 0.9), "eps": 1e-2, "amsgrad": True},
        {**EXACT, "decoupled_weight_decay": True},
        {**EXACT, "decoupled_weight_decay": True, "amsgrad": True},
        amsgrad=ON,
        weight_decay=DECAY,
        decoupled_weight_decay=ON,
    ),
    *combinations(
        "adamw",
        {"betas": (0.8, 0.95), "eps": 1e-3, "lr": 3e-2},
        EXACT,
        {**EXACT, "amsgrad": True},
        amsgrad=ON,
        weight_decay=(None, 0.0, 0.3),
    ),
    *combinations(
        "nadam",
        {"betas": (0.5, 0.9), "eps": 1e-2},
        {"momentum_decay": 0.1, "lr": 3e-2},
        {"momentum_decay": 0.0, "betas": (0.95, 0.99)},
        {**EXACT, "decoupled_weight_decay": True},
        weight_decay=DECAY,
        decoupled_weight_decay=ON,
    ),
    *combinations(
        "adamax",
        {"betas": (0.5, 0.9), "eps": 1e-2},
        {"betas": (0.0, 0.0), "lr": 1e-2},
        weight_decay=DECAY,
    ),
    *combinations(
        "radam",
        {
            "betas": (0.5, 0.9),
            "eps": 1e-2,
        },  # rho > 5 from the 9th step on; with beta2 0.999, the 6th
        {"betas": (0.9, 0.5), "lr": 1e-2},  # never
        {**EXACT, "decoupled_weight_decay": True},
        weight_decay=DECAY,
        decoupled_weight_decay=ON,
    ),
    *combinations("adadelta", {"rho": 0.5, "eps": 1e-3}, {"lr": 0.1}, weight_decay=DECAY),
    *combinations(
        "rprop",
        {"lr": 1e-3, "etas": (0.25, 1.5)},
        {"lr": 1e-8, "etas": (0.5, 1.9)},  # below step_size_min: raised at the first step
        {"step_sizes": (5e-3, 2e-2)},
    ),
    *combinations("asgd", {"lambd": 0.1, "alpha": 0.5}, {"lr": 0.3}, weight_decay=DECAY),
)

# Ours that are one class in torch, told apart by hyperparameters.
IN_TORCH = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {}),
    "rmsprop": ("RMSprop", {}),
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {}),
    "nadam": ("NAdam", {}),
    "adamax": ("Adamax", {}),
    "radam": ("RAdam", {}),
    "adadelta": ("Adadelta", {}),
    "rprop": ("Rprop", {}),
    "asgd": ("ASGD", {}),
}


def drawn(dtype):
    """Start (P,) and gradients (STEPS, P) of parameters whose gradients differ in size 1000-fold.

    RandomState and not Generator: its numbers are frozen for all times.
    """
    random = np.random.RandomState(20)
    start = random.standard_normal(P)
    gradients = random.standard_normal((STEPS, P)) * np.logspace(-2, 1, P)
    return start.astype(dtype), gradients.astype(dtype)


@contextmanager
def torch_optimizer(case, dtype):
    """(parameters, step(gradient), optimizer) of the case in torch, as plain loops over tensors."""
    import torch

    before = torch.get_default_dtype()
    # NAdam keeps its product of momenta in the default dtype.
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        start, _ = drawn(dtype)
        theta = torch.from_numpy(start.copy())
        kind, given = IN_TORCH[case.optimizer]
        make = getattr(torch.optim, kind)
        optimizer = make([theta], **{**given, **case.hyperparameters}, foreach=False)

        def step(gradient):
            theta.grad = torch.from_numpy(gradient.copy())
            optimizer.step()

        yield theta.numpy(), step, optimizer
    finally:
        torch.set_default_dtype(before)


def torch_trajectory(case, dtype):
    """torch's parameters (len(RECORDED), P) after the recorded steps."""
    rows = []
    with torch_optimizer(case, dtype) as (theta, step, _):
        for t, gradient in enumerate(drawn(dtype)[1], 1):
            step(gradient)
            if t in RECORDED:
                rows.append(theta.copy())
    return np.array(rows)
