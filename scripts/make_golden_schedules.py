"""Make the golden file of the schedules: the rates and momenta of torch's, step by step.

    python3 scripts/make_golden_schedules.py            # writes tests/schedule/golden/torch.npz
    python3 scripts/make_golden_schedules.py --check    # says whether torch still gives the same

Torch is needed here alone; the cases are listed in tests/schedule/golden/cases.py.
"""

import argparse
import sys

from _environment import ROOT, ensure

ensure(extras=("live",))

import numpy as np

sys.path.insert(0, str(ROOT / "tests" / "schedule" / "golden"))

import cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    options = parser.parse_args()

    import torch

    wanted = (*cases.CASES, *cases.PLATEAUS, *cases.DIFFERENT)
    made = {str(case): cases.torch_rates(case) for case in wanted}
    print(f"torch {torch.__version__}: {len(made)} schedules")
    if options.check:
        with np.load(cases.FILE) as golden:
            changed = set(golden) ^ set(made)
            changed |= {k for k in made.keys() - changed if not np.array_equal(golden[k], made[k])}
        print("\n".join(sorted(changed)) or "All the same")
        return 1 if changed else 0
    np.savez_compressed(cases.FILE, **made)
    print(f"{cases.FILE.relative_to(ROOT)}: {cases.FILE.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
