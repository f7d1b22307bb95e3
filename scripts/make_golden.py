"""Make the golden files: trajectories of torch.optim that the tests compare ours with.

    python3 scripts/make_golden.py            # writes tests/kernels/golden/*.npz
    python3 scripts/make_golden.py --check    # says whether torch still gives the same

Torch is needed here alone; the cases are listed in tests/kernels/golden/cases.py.
"""

import argparse
import sys

from _environment import ROOT, ensure

ensure(extras=("live",))

import numpy as np

GOLDEN = ROOT / "tests" / "kernels" / "golden"
sys.path.insert(0, str(GOLDEN))

import cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    options = parser.parse_args()

    import torch

    print(f"torch {torch.__version__}: {len(cases.CASES)} cases, {' and '.join(cases.DTYPES)}")
    changed = 0
    for optimizer in cases.IN_TORCH:
        made = {
            f"{case}-{dtype}": cases.torch_trajectory(case, dtype)
            for case in cases.CASES
            if case.optimizer == optimizer
            for dtype in cases.DTYPES
        }
        path = GOLDEN / f"{optimizer}.npz"
        if options.check:
            changed += not same(made, path)
        else:
            np.savez(path, **made)
        print(f"{path.relative_to(ROOT)}: {len(made)} trajectories, {path.stat().st_size} bytes")
    if options.check:
        print(f"{changed} files differ from what torch gives now" if changed else "All the same")
    return 1 if changed else 0


def same(made, path):
    with np.load(path) as golden:
        return set(golden) == set(made) and all(np.array_equal(golden[k], made[k]) for k in made)


if __name__ == "__main__":
    sys.exit(main())
