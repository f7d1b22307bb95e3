"""What others compute, and take as defaults, where a docstring says that they differ.

    pip install --no-deps --target FOLDER keras==3.15.1 absl-py namex h5py optree ml-dtypes \\
        packaging rich adabound==0.0.5 dadaptation==3.2 schedulefree==1.4.1 qhoptim==1.1.0 \\
        prodigyopt==1.1.2 pytorch_optimizer==4.1.0
    pip install --no-deps --target OLD pytorch_optimizer==3.9.0
    export PYTHONPATH=FOLDER OLD_PACKAGES=OLD
    python3 tests/kernels/golden/elsewhere/cases.py           # writes elsewhere.json
    python3 tests/kernels/golden/elsewhere/cases.py --check   # compares with it

Needs torch and optax as well; those two are compared live where they are installed.  All starts at
1 and gets the same 20 gradients, four numbers in float64; a case may fall to a hundredth of its
rate half way, and may see the four as a matrix.  The tests need elsewhere.json alone.
"""

import inspect
import json
import os
import sys
import warnings
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILE = Path(__file__).with_name("elsewhere.json")
GRADIENTS = np.random.RandomState(3).standard_normal((20, 4))
CONSTANT, FALLING = [0.01] * 20, [0.1] * 10 + [0.001] * 10
WARMUP = 5  # steps of Schedule-Free's
RHO_IS_5 = 0.8397685748659791  # the beta2 with which RAdam's rho is 5 at the sixth step


class Case(NamedTuple):
    package: str
    title: str
    given: dict = {}
    rates: tuple = tuple(CONSTANT)
    shape: tuple = (4,)

    def __str__(self):
        given = [f"{k}={v}" for k, v in self.given.items()]
        falls = "falling" if self.rates == tuple(FALLING) else f"lr={self.rates[0]}"
        shape = "x".join(map(str, self.shape))
        return " ".join([self.package, self.title, *given, falls, shape])


def falling(package, title, **given):
    return Case(package, title, given, tuple(FALLING))


def constant(package, title, shape=(4,), **given):
    return Case(package, title, given, shape=shape)


CASES = (
    falling("keras", "SGD", momentum=0.9),
    falling("keras", "SGD", momentum=0.9, nesterov=True),
    constant("keras", "Adam", epsilon=1e-2),
    constant("keras", "Adam", epsilon=0.0, beta_1=0.5, beta_2=0.9, amsgrad=True),
    constant("keras", "AdamW", epsilon=0.0, weight_decay=0.5),
    constant("keras", "Adamax", epsilon=0.1),
    constant("keras", "Nadam", epsilon=1e-8),
    constant("keras", "Adagrad", initial_accumulator_value=0.25, epsilon=1e-2),
    constant("keras", "RMSprop", rho=0.9, epsilon=1e-2),
    falling("keras", "RMSprop", rho=0.9, epsilon=1e-8, momentum=0.9),
    Case("keras", "Adadelta", rates=(1e-3,) * 20),
    constant("keras", "Adafactor", (2, 2)),
    constant("keras", "Adafactor"),
    constant("keras", "Muon", (2, 2), weight_decay=0.0),
    falling("optax", "sgd", momentum=0.9),
    falling("optax", "sgd", momentum=0.9, nesterov=True),
    constant("optax", "amsgrad", b1=0.5, b2=0.9, eps=0.0),
    constant("optax", "adamw", eps=0.0, weight_decay=0.5),
    constant("optax", "nadam"),
    constant("optax", "radam", eps=1e-2),
    constant("optax", "radam", eps=0.0, b2=RHO_IS_5),
    constant("optax", "adan"),
    constant("optax", "adagrad", initial_accumulator_value=0.25, eps=1e-2),
    constant("optax", "rmsprop", decay=0.9, eps=1e-2),
    falling("optax", "rmsprop", decay=0.9, eps=1e-8, eps_in_sqrt=False, momentum=0.9),
    constant("optax", "rprop"),
    falling("optax", "lars"),
    constant("optax", "adafactor", (2, 2)),
    constant("optax", "adafactor"),
    Case("optax", "adafactor", rates=(0.5,) * 20),
    constant("optax", "contrib.madgrad"),
    constant("optax", "contrib.muon", (2, 2)),
    Case("optax", "contrib.prodigy", rates=(1.0,) * 20),
    falling("torch.optim", "ASGD", lambd=0.1, t0=5),
    falling("torch.optim", "Rprop"),
    constant("torch.optim", "AdamW", eps=0.0, weight_decay=0.5),
    Case("dadaptation", "DAdaptAdam", {"decouple": True}, (1.0,) * 20),
    constant("schedulefree", "SGDScheduleFree", warmup_steps=WARMUP, foreach=False),
    constant("schedulefree", "AdamWScheduleFree", warmup_steps=WARMUP, foreach=False),
    constant("pytorch_optimizer", "ADOPT"),
    constant("pytorch_optimizer", "Lamb", max_grad_norm=0.0, eps=0.1),
    constant("pytorch_optimizer", "QHAdam", nus=(0.7, 1.0), betas=(0.9, 0.1)),
    constant("old pytorch_optimizer", "QHAdam", nus=(0.7, 1.0), betas=(0.9, 0.1)),
)

# What follows a rate that changes as ours does: (ours, our hyperparameters, theirs).
CHANGING = (
    ("sgd", {"momentum": 0.9, "dampening": 0.5},
     falling("torch.optim", "SGD", momentum=0.9, dampening=0.5)),
    ("adam", {"amsgrad": True}, falling("torch.optim", "Adam", amsgrad=True)),
    ("adamw", {"weight_decay": 0.5}, falling("torch.optim", "AdamW", weight_decay=0.5)),
    ("nadam", {}, falling("torch.optim", "NAdam")),
    ("radam", {}, falling("torch.optim", "RAdam")),
    ("adamax", {}, falling("torch.optim", "Adamax")),
    ("rmsprop", {"momentum": 0.9, "centered": True},
     falling("torch.optim", "RMSprop", momentum=0.9, centered=True)),
    ("adagrad", {"lr_decay": 0.1}, falling("torch.optim", "Adagrad", lr_decay=0.1)),
    ("adadelta", {}, falling("torch.optim", "Adadelta")),
    ("adafactor", {}, falling("torch.optim", "Adafactor")),
    ("lion", {"weight_decay": 0.1}, falling("optax", "lion", weight_decay=0.1)),
    ("signsgd", {}, falling("optax", "sign_sgd")),
    ("adabelief", {}, falling("optax", "adabelief")),
    ("yogi", {}, falling("optax", "yogi")),
    ("adopt", {}, falling("optax", "contrib.adopt")),
    ("adan", {"betas": (0.9, 0.5, 0.8)},
     falling("optax", "adan", b1=0.9, b2=0.5, b3=0.8, eps_root=0.0)),
    ("ademamix", {}, falling("optax", "contrib.ademamix", weight_decay=0.0)),
    ("lamb", {"weight_decay": 0.1}, falling("optax", "lamb", weight_decay=0.1)),
    ("novograd", {"weight_decay": 0.1}, falling("optax", "novograd", weight_decay=0.1)),
    ("dog", {}, falling("optax", "contrib.dog")),
    ("dadapt_adamw", {}, falling("optax", "contrib.dadapt_adamw")),
    ("prodigy", {"use_bias_correction": True}, falling("optax", "contrib.prodigy")),
    ("adabound", {}, falling("adabound", "AdaBound")),
    ("qhm", {"momentum": 0.9, "nu": 0.5}, falling("qhoptim.pyt", "QHM", momentum=0.9, nu=0.5)),
    ("qhadam", {"nus": (0.7, 0.9)},
     falling("qhoptim.pyt", "QHAdam", nus=(0.7, 0.9), betas=(0.995, 0.999))),
    ("aggmo", {}, falling("pytorch_optimizer", "AggMo")),
)  # fmt: skip
CASES += tuple(case for *_, case in CHANGING)

# Arguments whose defaults a docstring names.
DEFAULTS = (
    *("optax.adabelief eps_root", "optax.adabelief eps"),
    *("optax.adamw weight_decay", "keras.optimizers.AdamW weight_decay"),
    *("optax.lion weight_decay", "keras.optimizers.Lion learning_rate"),
    *("optax.adan eps_root", "optax.contrib.ademamix alpha"),
    *("optax.adagrad initial_accumulator_value",),
    *("keras.optimizers.Adagrad initial_accumulator_value",),
    *("torch.optim.Adagrad initial_accumulator_value",),
    *("keras.optimizers.Adadelta learning_rate", "keras.optimizers.Adadelta rho"),
    *("keras.optimizers.Adadelta epsilon", "torch.optim.Adadelta lr", "torch.optim.Adadelta rho"),
    *("optax.novograd learning_rate", "dadaptation.DAdaptAdam use_bias_correction"),
    *("prodigyopt.Prodigy use_bias_correction",),
    *("qhoptim.pyt.QHAdam betas", "qhoptim.pyt.QHAdam nus"),
    *("torch.optim.LBFGS max_iter", "torch.optim.LBFGS line_search_fn"),
    *("torch.optim.AdamW weight_decay",),
)


def from_torch(case):
    """The parameters at the end; of Schedule-Free those that eval() shows, of ASGD p and then a."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of ASGD's eta
    try:
        theta = torch.nn.Parameter(torch.ones(case.shape))
        optimizer = named(case)([theta], **{**case.given, "lr": case.rates[0]})
        for rate, gradient in zip(case.rates, GRADIENTS, strict=True):
            if hasattr(optimizer, "train"):
                optimizer.train()
            optimizer.param_groups[0]["lr"] = rate
            theta.grad = torch.from_numpy(gradient.reshape(case.shape).copy())
            optimizer.step()
        if hasattr(optimizer, "eval"):
            optimizer.eval()
        found = [theta.detach().numpy()]
        if case.title == "ASGD":
            found.append(optimizer.state[theta]["ax"].numpy())
        return np.ravel(found)
    finally:
        torch.set_default_dtype(before)


def from_optax(case):
    import jax

    rates = case.rates
    changing = (lambda count: jax.numpy.asarray(rates)[count]) if len(set(rates)) > 1 else rates[0]
    with jax.enable_x64(True):
        chain = named(case)(learning_rate=changing, **case.given)
        theta = jax.numpy.ones(case.shape)
        state, update = chain.init(theta), jax.jit(chain.update)
        for gradient in GRADIENTS:
            steps, state = update(jax.numpy.asarray(gradient.reshape(case.shape)), state, theta)
            theta = theta + steps
        return np.ravel(theta)


def from_keras(case):
    import keras

    keras.config.set_floatx("float64")
    theta = keras.Variable(np.ones(case.shape))
    optimizer = getattr(keras.optimizers, case.title)(learning_rate=case.rates[0], **case.given)
    for rate, gradient in zip(case.rates, GRADIENTS, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(gradient.reshape(case.shape))], [theta])
    return np.ravel(keras.ops.convert_to_numpy(theta))


def named(case):
    from importlib import import_module

    old = case.package.startswith("old ")
    if old:
        sys.path.insert(0, os.environ["OLD_PACKAGES"])
    hidden = {n: sys.modules.pop(n) for n in list(sys.modules) if n.startswith("pytorch_optimizer")}
    package = case.package.removeprefix("old ")
    import_module(f"{package}.{case.title}".rpartition(".")[0])
    found = attrgetter(case.title)(import_module(package))
    if old:
        del sys.path[0]
        for name in [n for n in sys.modules if n.startswith("pytorch_optimizer")]:
            del sys.modules[name]  # two versions, one after the other
    sys.modules.update(hidden)
    return found


def final(case):
    """Their parameters after the last step."""
    make = {"keras": from_keras, "optax": from_optax}.get(case.package, from_torch)
    return make(case)


def default(argument):
    """The default of "package.function argument", "none" where there is none."""
    from importlib import import_module

    where, name = argument.split()
    package = where.partition(".")[0]
    import_module(where.rpartition(".")[0])
    function = attrgetter(where.partition(".")[2])(import_module(package))
    value = inspect.signature(function).parameters[name].default
    return "none" if value is inspect.Parameter.empty else value


def main():
    os.environ["KERAS_BACKEND"] = "torch"
    warnings.simplefilter("ignore")
    made = {
        "final": {str(case): final(case).tolist() for case in CASES},
        "defaults": {argument: default(argument) for argument in DEFAULTS},
    }
    made = json.loads(json.dumps(made))
    if "--check" not in sys.argv:
        FILE.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
        return 0
    golden = json.loads(FILE.read_text("utf-8"))
    same = golden["defaults"] == made["defaults"] and set(golden["final"]) == set(made["final"])
    same = same and all(np.allclose(v, made["final"][k], 1e-12) for k, v in golden["final"].items())
    print("All the same" if same else "The file differs from what they give now")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
