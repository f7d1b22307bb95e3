"""Try what introductions say of optimizers: ``python3 scripts/claims.py [--out FOLDER]``.

Each claim is an experiment on a surface and on real classification, with a figure and a verdict.
The same as ``minitrain claims``, in the project's own environment.
"""

from _environment import ensure

ensure(extras=("lab",))

import sys

from minitrain.cli import main

arguments = sys.argv[1:]
sys.exit(main(["claims", *(arguments or ["--out", "runs/claims"])]))
