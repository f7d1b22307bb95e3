"""Rules against their authors' own code in float64: what neither torch nor optax has, and more.

    pip install --no-deps --target FOLDER adabound==0.0.5 qhoptim==1.1.0 schedulefree==1.4.1 \\
        prodigyopt==1.1.2 dadaptation==3.2 lion-pytorch==0.2.5 pytorch_optimizer==4.1.0
    PYTHONPATH=FOLDER python3 tests/kernels/golden/official/cases.py           # writes the file
    PYTHONPATH=FOLDER python3 tests/kernels/golden/official/cases.py --check   # compares with it

and laprop.py of github.com/Z-T-WANG/LaProp-Optimizer (commit 9373f13), which is in no package, in
FOLDER.  All are torch optimizers, so torch is needed, too; the tests need official.npz alone.
Weights are (inputs, outputs) here and (outputs, inputs) there.  torch's own Adafactor and Muon are
compared here as well, Muon without its cast to bfloat16, which would hide all but two digits.
"""

import math
import sys
import warnings
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILE = Path(__file__).with_name("official.npz")
SHAPES = ((4, 4), (4,), (4, 2), (2,))
P = sum(math.prod(shape) for shape in SHAPES)
RECORDED = (1, 2, 10, 100, 300)


class Case(NamedTuple):
    optimizer: str
    given: dict
    package: str
    title: str
    theirs: dict
    only: tuple[int, ...] = (0, 1, 2, 3)  # blocks that are compared
    tolerance: float = 1e-12  # of the norm

    def __str__(self):
        return "-".join((self.optimizer, *(f"{k}={v}" for k, v in self.given.items())))


def alike(optimizer, package, title, given, theirs=None, **more):
    """A case whose hyperparameters have the same names there."""
    return Case(optimizer, given, package, title, {**given, **(theirs or {})}, **more)


COUPLED = {"weight_decouple": False}
CASES = (
    alike("adabound", "adabound", "AdaBound", {"lr": 0.01, "final_lr": 0.05, "gamma": 0.01}),
    alike("adabound", "adabound", "AdaBound", {"amsbound": True, "weight_decay": 0.1}),
    Case("qhm", {"lr": 0.1, "momentum": 0.9, "nu": 0.5, "weight_decay": 0.1}, "qhoptim.pyt", "QHM",
         {"lr": 0.1, "momentum": 0.9, "nu": 0.5, "weight_decay": 0.1}),
    alike("qhadam", "qhoptim.pyt", "QHAdam",
          {"lr": 0.01, "betas": (0.995, 0.999), "nus": (0.7, 0.9), "eps": 1e-3}),
    alike("qhadam", "qhoptim.pyt", "QHAdam",
          {"betas": (0.5, 0.9), "nus": (0.9, 0.3), "weight_decay": 0.1}),
    alike("schedule_free_sgd", "schedulefree", "SGDScheduleFree",
          {"lr": 0.01, "weight_decay": 0.1, "r": 1.0}, {"foreach": False}),
    alike("schedule_free_adamw", "schedulefree", "AdamWScheduleFree",
          {"lr": 0.01, "weight_decay": 0.1, "r": 0.5, "weight_lr_power": 1.0}, {"foreach": False}),
    alike("prodigy", "prodigyopt", "Prodigy", {"lr": 1.0, "weight_decay": 0.1},
          tolerance=2e-11),  # the estimate of d feeds rounding back
    alike("prodigy", "prodigyopt", "Prodigy",
          {"lr": 1.0, "use_bias_correction": True, "safeguard_warmup": True, "d_coef": 2.0}),
    alike("dadapt_adamw", "dadaptation", "DAdaptAdam", {"lr": 1.0, "weight_decay": 0.1},
          {"decouple": True, "use_bias_correction": True}),
    alike("lion", "lion_pytorch", "Lion", {"lr": 1e-3, "betas": (0.5, 0.9)}),
    alike("aggmo", "pytorch_optimizer", "AggMo", {"lr": 0.01, "betas": (0.0, 0.9, 0.99)}),
    alike("aggmo", "pytorch_optimizer", "AggMo", {"lr": 0.01, "weight_decay": 0.1}, COUPLED),
    alike("adafactor", "torch.optim", "Adafactor", {"lr": 0.05}, {"foreach": False}),
    alike("adafactor", "torch.optim", "Adafactor",
          {"lr": 0.5, "weight_decay": 0.1, "beta2_decay": -0.5, "d": 2.0}, {"foreach": False}),
    alike("muon", "torch.optim", "Muon", {"lr": 0.02}, only=(0, 2)),
    Case("muon", {"lr": 0.02, "nesterov": False, "match_rms_adamw": True, "weight_decay": 0.0},
         "torch.optim", "Muon",
         {"lr": 0.02, "nesterov": False, "adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.0},
         only=(0, 2)),
    alike("soap", "pytorch_optimizer", "SOAP", {"lr": 0.01, "weight_decay": 0.0}, only=(0,),
          tolerance=1e-6),  # its eigenvectors are of float32
    alike("shampoo", "pytorch_optimizer", "Shampoo", {"lr": 0.1}, {"matrix_eps": 1e-4}),
    Case("shampoo", {"lr": 0.05, "eps": 1e-2, "weight_decay": 0.1,
                     "decoupled_weight_decay": False}, "pytorch_optimizer", "Shampoo",
         {"lr": 0.05, "matrix_eps": 1e-2, "weight_decay": 0.1}),
    alike("laprop", "laprop", "LaProp", {"lr": 0.01}),
    alike("laprop", "laprop", "LaProp", {"lr": 0.02, "betas": (0.5, 0.99), "eps": 1e-3}),
)  # fmt: skip

BOWL = ("dadapt_adamw", "prodigy")  # which estimate a distance, and must find one


def drawn():
    """Start (P,) and gradients (300, P); the bowl's p - 1 is added where it is wanted."""
    random = np.random.RandomState(11)
    return random.standard_normal(P), random.standard_normal((300, P)) * np.logspace(-2, 0, P)


def gradient_at(case, theta, added):
    return (theta - 1.0 if case.optimizer in BOWL else 0.0) + added


def cut(flat):
    ends = np.cumsum([math.prod(shape) for shape in SHAPES])[:-1]
    return [part.reshape(s) for part, s in zip(np.split(flat, ends), SHAPES, strict=True)]


def joined(parts):
    return np.concatenate([np.ravel(part) for part in parts])


def official_trajectory(case):
    """Their parameters to evaluate (len(RECORDED), P) after the recorded steps."""
    from importlib import import_module

    import torch

    torch.set_default_dtype(torch.float64)
    start, noise = drawn()
    torch.Tensor.bfloat16 = lambda self: self.clone()
    tensors = [torch.nn.Parameter(torch.from_numpy(part.T.copy())) for part in cut(start)]
    make = attrgetter(case.title)(import_module(case.package))
    optimizer = make([tensors[k] for k in case.only], **case.theirs)
    switch = {mode: getattr(optimizer, mode, None) for mode in ("train", "eval")}
    rows = []
    for t, added in enumerate(noise, 1):
        if switch["train"]:
            switch["train"]()
        theta = joined([p.detach().numpy().T for p in tensors])
        for p, g in zip(tensors, cut(gradient_at(case, theta, added)), strict=True):
            p.grad = torch.from_numpy(g.T.copy())
        optimizer.step()
        if t in RECORDED:
            if switch["eval"]:
                switch["eval"]()
            rows.append(joined([p.detach().numpy().T for p in tensors]))
    return np.array(rows)


def main():
    warnings.simplefilter("ignore")  # old signatures of torch
    made = {str(case): official_trajectory(case) for case in CASES}
    if "--check" not in sys.argv:
        np.savez_compressed(FILE, **made)
        return 0
    with np.load(FILE) as golden:
        same = set(golden) == set(made)
        same = same and all(np.allclose(golden[k], made[k], 1e-12) for k in made)
    print("All the same" if same else "The file differs from what they give now")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
