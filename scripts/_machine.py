"""Where and when a measurement was made: what stands beside its figures in JSON and the README."""

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from _environment import ROOT

# Some shells preset these; then OpenBLAS runs at half its speed, and so would its users.
HANDICAPS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def without_handicaps():
    """The environment for a process that is measured."""
    return {name: value for name, value in os.environ.items() if name not in HANDICAPS}


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def about(*packages):
    """Machine, date, commit and versions, as JSON-ready values."""
    return {
        "machine": _processor(),
        "cores": cores(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
        "commit": _commit(),
        "versions": {name: found for name in packages if (found := _version(name))},
    }


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            facts = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines())
        facts = {name.strip(): value.strip() for name, value in facts.items()}
        family, model = facts.get("cpu family", "?"), facts.get("model", "?")
        return f"{facts['model name']} (family {family}, model {model})"
    except (OSError, KeyError, ValueError):
        return platform.processor() or platform.machine()


def _commit():
    def git(*arguments):
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "--short=10", "HEAD")
        code = ("kernels", "minitrain", "scripts")
        return commit + (" and changes" if git("status", "--porcelain", "--", *code) else "")
    except OSError:
        return ""


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None
