"""Make the golden files: trajectories of torch.optim and optax that the tests compare ours with.

    python3 scripts/make_golden.py            # writes tests/kernels/golden/*.npz
    python3 scripts/make_golden.py --check    # says whether torch and optax still give the same

Both are needed here alone; the cases are listed in tests/kernels/golden/cases.py, of which torch
is compared in both dtypes, and optax_cases.py, in float64.
"""

import argparse
import sys

from _environment import ROOT, ensure

ensure(extras=("live", "peers"))

import numpy as np

GOLDEN = ROOT / "tests" / "kernels" / "golden"
sys.path.insert(0, str(GOLDEN))

import cases
import optax_cases

from minitrain import optimizers


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    options = parser.parse_args()

    changed = 0
    for path, made in (*from_torch(), *from_optax()):
        if options.check:
            changed += not same(made, path)
        else:
            np.savez(path, **made)
        print(f"{path.relative_to(ROOT)}: {len(made)} trajectories, {path.stat().st_size} bytes")
    if options.check:
        print(f"{changed} files differ from what they give now" if changed else "All the same")
    return 1 if changed else 0


def from_torch():
    import torch

    print(f"torch {torch.__version__}: {len(cases.CASES)} cases, {' and '.join(cases.DTYPES)}")
    for optimizer in cases.IN_TORCH:
        yield (
            GOLDEN / f"{optimizer}.npz",
            {
                f"{case}-{dtype}": cases.torch_trajectory(case, dtype)
                for case in cases.CASES
                if case.optimizer == optimizer
                for dtype in cases.DTYPES
            },
        )


def from_optax():
    import optax

    all_cases = optax_cases.CASES + optax_cases.DIFFERENT
    print(f"optax {optax.__version__}: {len(all_cases)} cases, float64")
    for optimizer in dict.fromkeys(case.optimizer for case in all_cases):
        made = {}
        for case in all_cases:
            if case.optimizer == optimizer:
                chosen = optimizers.get(optimizer, **case.hyperparameters).hyperparameters
                made[str(case)] = optax_cases.optax_trajectory(case, chosen)
        yield GOLDEN / f"optax-{optimizer}.npz", made


def same(made, path):
    with np.load(path) as golden:
        return set(golden) == set(made) and all(np.array_equal(golden[k], made[k]) for k in made)


if __name__ == "__main__":
    sys.exit(main())
