"""What is compared with optax, in float64: one list for make_golden.py and for the tests.

optax is taken apart: a direction, then decay and learning rate around it, so that decay can be
coupled or not beside any of them.
"""

import importlib.util
from pathlib import Path

import numpy as np

_spec = importlib.util.spec_from_file_location("golden_cases", Path(__file__).with_name("cases.py"))
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)
Case, combinations, DECAY = cases.Case, cases.combinations, cases.DECAY

DECOUPLED = (False, True)

CASES = (
    *combinations("lion", {"lr": 1e-2, "betas": (0.5, 0.9)}, {"weight_decay": 0.1}),
    *combinations("lion", {"weight_decay": 1e-2, "decoupled_weight_decay": False}),
    *combinations("signsgd", {}, {"lr": 0.1}, {"weight_decay": 0.1}),
    *combinations("signum", {}, {"beta": 0.5}, {"weight_decay": 0.1}),
    *combinations(
        "adabelief",
        {"betas": (0.5, 0.9), "eps": 1e-4},
        weight_decay=DECAY,
        decoupled_weight_decay=DECOUPLED,
    ),
    *combinations(
        "yogi",
        {"betas": (0.5, 0.9), "eps": 1e-2},
        {"initial_accumulator_value": 0.1},
        weight_decay=DECAY,
        decoupled_weight_decay=DECOUPLED,
    ),
    *combinations(
        "adopt",
        {"betas": (0.5, 0.9), "eps": 1e-2},
        {"lr": 0.1, "betas": (0.9, 0.0)},
        weight_decay=DECAY,
        decoupled_weight_decay=DECOUPLED,
    ),
    # optax has 1 - beta2 where the paper has beta2: at 0.5 they are the same.
    Case("adan", {"betas": (0.9, 0.5, 0.8), "eps": 1e-2, "lr": 1e-2}),
    Case("adan", {"betas": (0.98, 0.5, 0.99), "weight_decay": 1e-2}),
    *combinations(
        "ademamix",
        {"betas": (0.5, 0.9, 0.99), "eps": 1e-2, "alpha": 8.0},
        {"alpha": 0.0},
        weight_decay=DECAY,
        decoupled_weight_decay=DECOUPLED,
    ),
    # Two that torch has as well; optax adds eps of RAdam elsewhere, so there it is none.
    Case("radam", {"eps": 0.0}),
    Case("radam", {"betas": (0.5, 0.9), "eps": 0.0, "lr": 1e-2}),
    *combinations("adamax", {"betas": (0.5, 0.9), "eps": 1e-2}),
)

# Where optax computes something else, as the rules' docstrings say.
DIFFERENT = (
    Case("adan", {}),
    Case("radam", {"eps": 1e-2}),
    Case("adam", {"amsgrad": True, "betas": (0.5, 0.9)}),
    Case("nadam", {}),
    Case("adagrad", {"initial_accumulator_value": 0.1, "eps": 1e-2}),
    Case("rmsprop", {"eps": 1e-2}),
    Case("rprop", {}),
)


def directions(optax):
    """Ours by name: the transformation of optax, from our hyperparameters."""

    def betas(h):
        return {f"b{name[4:]}": h[name] for name in h if name.startswith("beta")}

    return {
        "lion": lambda h: optax.scale_by_lion(**betas(h)),
        "signsgd": lambda h: optax.scale_by_sign(),
        "signum": lambda h: optax.chain(optax.ema(h["beta"], debias=False), optax.scale_by_sign()),
        "adabelief": lambda h: optax.scale_by_belief(**betas(h), eps=h["eps"], eps_root=h["eps"]),
        "yogi": lambda h: optax.scale_by_yogi(
            **betas(h),
            eps=h["eps"],
            initial_accumulator_value=h["initial_accumulator_value"],
        ),
        "adopt": lambda h: optax.contrib.scale_by_adopt(**betas(h), eps=h["eps"]),
        "adan": lambda h: optax.scale_by_adan(**betas(h), eps=h["eps"], eps_root=0.0),
        "ademamix": lambda h: optax.contrib.scale_by_ademamix(
            b1=h["beta1"], b2=h["beta2"], b3=h["beta3"], alpha=h["alpha"], eps=h["eps"]
        ),
        "radam": lambda h: optax.scale_by_radam(**betas(h), eps=h["eps"]),
        "adamax": lambda h: optax.scale_by_adamax(**betas(h), eps=h["eps"]),
        "adam": lambda h: optax.scale_by_amsgrad(**betas(h), eps=h["eps"]),
        "nadam": lambda h: optax.scale_by_adam(**betas(h), eps=h["eps"], nesterov=True),
        "adagrad": lambda h: optax.scale_by_rss(h["initial_accumulator_value"], h["eps"]),
        "rmsprop": lambda h: optax.scale_by_rms(h["alpha"], h["eps"]),
        # Its steps hold lr already, which the chain multiplies with again.
        "rprop": lambda h: optax.chain(
            optax.scale_by_rprop(h["lr"], h["eta_minus"], h["eta_plus"]), optax.scale(1 / h["lr"])
        ),
    }


def optax_trajectory(case, hyperparameters):
    """optax's parameters (len(RECORDED), P) after the recorded steps; all hyperparameters given."""
    import jax
    import optax
    import optax.contrib

    h = hyperparameters
    with jax.enable_x64(True):
        decay = optax.add_decayed_weights(h["weight_decay"])
        before, after = ([], [decay]) if h["decoupled_weight_decay"] else ([decay], [])
        direction = directions(optax)[case.optimizer](h)
        chain = optax.chain(*before, direction, *after, optax.scale_by_learning_rate(h["lr"]))
        update = jax.jit(chain.update)
        theta, gradients = (jax.numpy.asarray(a) for a in cases.drawn("float64"))
        state = chain.init(theta)
        rows = []
        for t, gradient in enumerate(gradients, 1):
            steps, state = update(gradient, state, theta)
            theta = optax.apply_updates(theta, steps)
            if t in cases.RECORDED:
                rows.append(np.array(theta))
        return np.array(rows)
