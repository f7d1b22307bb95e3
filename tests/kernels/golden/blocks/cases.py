"""Rules with sums and with a point of evaluation against optax, over several blocks, in float64.

    python3 tests/kernels/golden/blocks/cases.py            # writes optax.npz beside this file
    python3 tests/kernels/golden/blocks/cases.py --check    # says whether optax still gives it

Gradients are drawn, with those of a bowl added where a rule estimates a distance and must find one
(not elsewhere: such a loop lets rounding errors grow).  optax is needed here alone.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILE = Path(__file__).with_name("optax.npz")
SHAPES = ((3, 4), (4,), (4, 2), (2,))
P = sum(int(np.prod(shape)) for shape in SHAPES)
RECORDED = (1, 2, 10, 100, 300)


class Case(NamedTuple):
    optimizer: str
    hyperparameters: dict
    optax: str
    theirs: dict
    point: str = ""

    def __str__(self):
        return "-".join((self.optimizer, *(f"{k}={v}" for k, v in self.hyperparameters.items())))


def alike(name, optax, given, also=(), theirs=None, point=""):
    """A case whose hyperparameters have the same names in optax, but for ``lr``."""
    renamed = {("learning_rate" if k == "lr" else k): v for k, v in given.items()}
    return Case(name, {**given, **dict(also)}, optax, {**renamed, **(theirs or {})}, point)


CORRECTED = {"use_bias_correction": True}
CASES = (
    alike("lars", "lars", {"lr": 1.0, "weight_decay": 0.1}),
    alike("lars", "lars", {"lr": 0.1, "nesterov": True, "eps": 1e-3, "trust_coefficient": 0.01}),
    alike("lamb", "lamb", {"lr": 1e-2}),
    alike("lamb", "lamb", {"lr": 1e-2, "weight_decay": 0.1, "eps": 1e-3}),
    alike("novograd", "novograd", {"lr": 1e-2}),
    alike("novograd", "novograd", {"lr": 1e-2, "weight_decay": 0.1}),
    alike("dog", "contrib.dog", {"lr": 1.0}),
    alike("dog", "contrib.dog", {"lr": 1.0, "weight_decay": 0.1}),
    alike("dadapt_adamw", "contrib.dadapt_adamw", {"lr": 1.0}),
    alike("dadapt_adamw", "contrib.dadapt_adamw", {"lr": 0.5, "weight_decay": 0.1}),
    alike("prodigy", "contrib.prodigy", {"lr": 1.0, "weight_decay": 0.1}, CORRECTED),
    alike("prodigy", "contrib.prodigy", {"lr": 0.5, "safeguard_warmup": True}, CORRECTED),
    alike(
        "schedule_free_sgd", "contrib.schedule_free_sgd", {"lr": 0.01},
        point="contrib.schedule_free_eval_params",
    ),
    alike(
        "schedule_free_adamw", "contrib.schedule_free_adamw", {"lr": 0.01, "weight_decay": 0.1},
        point="contrib.schedule_free_eval_params",
    ),
)  # fmt: skip


BOWL = ("dog", "dadapt_adamw", "prodigy")


def drawn():
    """Start (P,) and gradients (300, P); the bowl's p - 1 is added where it is wanted."""
    random = np.random.RandomState(7)
    return random.standard_normal(P), random.standard_normal((300, P)) * np.logspace(-3, 0, P)


def cut(flat):
    ends = np.cumsum([np.prod(shape) for shape in SHAPES])[:-1]
    return [part.reshape(s) for part, s in zip(np.split(flat, ends), SHAPES, strict=True)]


def optax_trajectory(case):
    """The parameters to evaluate (len(RECORDED), P) after the recorded steps."""
    from operator import attrgetter

    import jax
    import optax
    import optax.contrib

    with jax.enable_x64(True):
        chain = attrgetter(case.optax)(optax)(**case.theirs)
        look = attrgetter(case.point)(optax) if case.point else lambda state, params: params
        start, noise = drawn()
        params = [jax.numpy.asarray(part) for part in cut(start)]
        state, update, rows = chain.init(params), jax.jit(chain.update), []
        for t, added in enumerate(noise, 1):
            bowl = 1.0 if case.optimizer in BOWL else 0.0
            gradient = [bowl * (p - 1.0) + n for p, n in zip(params, cut(added), strict=True)]
            steps, state = update(gradient, state, params)
            params = optax.apply_updates(params, steps)
            if t in RECORDED:
                rows.append(np.concatenate([np.ravel(p) for p in look(state, params)]))
        return np.array(rows)


def main():
    made = {str(case): optax_trajectory(case) for case in CASES}
    if "--check" not in sys.argv:
        np.savez(FILE, **made)
        return 0
    with np.load(FILE) as golden:
        same = set(golden) == set(made)
        same = same and all(np.allclose(golden[k], made[k], 1e-12) for k in made)
    print("All the same" if same else "The file differs from what optax gives now")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
