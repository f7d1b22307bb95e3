"""Pass the tests: ``python3 scripts/test.py``. Any arguments go to pytest, which then runs alone.

Without arguments there are two lanes. The first is the whole suite. The second repeats the tests of
kernels/ as plain Python, with Numba's compiler off: there coverage can see inside the kernels, and
the NumPy twins of the vector instructions are tried. Both lanes together must cover kernels/.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _environment import ROOT, ensure

# A file's tests stay in one process, so that what they compile and train once is there for all.
BOTH_CORES = ("-n", "2", "--dist", "loadfile")
LEAST_COVERAGE = 95  # per cent of the lines of kernels/


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", 1)[0], usage="%(prog)s [--live] [pytest arguments]"
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="install torch and compare with it too, not only with the committed golden files "
        "(always so where CI=true)",
    )
    options, arguments = parser.parse_known_args()

    extras = ["lab", "test"]
    if options.live or os.environ.get("CI", "").lower() in ("1", "true"):
        extras += ["live"]
        os.environ["MINITRAIN_LIVE"] = "1"  # what needs torch then fails without it, never skips
    ensure(extras)
    sys.exit(pytest(*arguments) if arguments else both_lanes())


def both_lanes():
    began = time.monotonic()
    failed = {}
    with tempfile.TemporaryDirectory() as folder:
        data = {"COVERAGE_FILE": str(Path(folder, "coverage"))}
        # A cache of its own: the first lane compiles everything, every time alike.
        compiled = {"NUMBA_CACHE_DIR": str(Path(folder, "numba"))}
        plain = {"NUMBA_DISABLE_JIT": "1"}
        measure = ("--cov", "--cov-report=")

        title("Lane 1 of 2: every test")
        failed["lane 1"] = pytest(*measure, *BOTH_CORES, **data, **compiled)

        title("Lane 2 of 2: kernels/ as plain Python (NUMBA_DISABLE_JIT=1)")
        kernels = ("--cov-append", "-m", "not compiled", "tests/kernels")
        failed["lane 2"] = pytest(*measure, *kernels, *BOTH_CORES, **data, **plain)

        title("Lines of kernels/ that neither lane reached")
        report = ("report", "--include=kernels/*", f"--fail-under={LEAST_COVERAGE}")
        failed["coverage"] = python("-m", "coverage", *report, **data)

    causes = [name for name, code in failed.items() if code]
    verdict = f"FAILED: {', '.join(causes)}" if causes else "All is well"
    title(f"{verdict} ({time.monotonic() - began:.0f} s)")
    return 1 if causes else 0


def pytest(*arguments, **environment):
    return python("-m", "pytest", *arguments, **environment)


def python(*arguments, **environment):
    """Run a module as its own command would: -P leaves the current folder out of sys.path."""
    command = [sys.executable, "-P", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the child has heard it too: let it sum up
            child.wait()
            sys.exit(130)


def title(text):
    print(f"\n=== {text} ===", flush=True)


if __name__ == "__main__":
    main()
