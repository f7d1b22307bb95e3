"""The law of imports: which room may use which. Read from the source, inside functions too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Rooms of one row may import the rooms of the rows above it, and no other ...
LAYERS = [
    {"kernels", "datasets"},
    {"inputs", "console", "sharing", "chart", "inquiry"},
    {
        "model",
        "loader",
        "schedule",
        "optimizer_state",
        "optimizer",
        "optimizers",
        "history",
        "crew",
        "catalogue",
        "modifiers",
        "hyperparameters",
        "phases",
        "matrix_optimizer",
        "lbfgs",
        "steps",
    },
    {"course", "stopping"},
    {"full_batch", "training"},
    {"trainer"},
    {"estimator", "finder", "gallery", "lab"},
    {"cli"},
]
# ... except within a row: (who, imports whom).
NEIGHBOURS = {
    ("gallery", "finder"),
    ("optimizer_state", "model"),
    ("optimizer", "model"),
    ("optimizer", "optimizer_state"),
    ("optimizer", "modifiers"),
    ("optimizer", "phases"),
    ("optimizers", "optimizer"),
    ("optimizer", "hyperparameters"),
    ("hyperparameters", "modifiers"),
    ("matrix_optimizer", "hyperparameters"),
    ("matrix_optimizer", "modifiers"),
    ("matrix_optimizer", "model"),
    ("matrix_optimizer", "optimizer"),
    ("matrix_optimizer", "optimizer_state"),
    ("matrix_optimizer", "phases"),
    ("catalogue", "lbfgs"),
    ("lbfgs", "hyperparameters"),
    ("lbfgs", "model"),
    ("lbfgs", "modifiers"),
    ("lbfgs", "optimizer"),
    ("optimizers", "lbfgs"),
    ("optimizers", "matrix_optimizer"),
    ("steps", "matrix_optimizer"),
    ("steps", "optimizer_state"),
    ("phases", "model"),
    ("phases", "modifiers"),
}
# These two rooms are for everybody: they use nothing of minitrain, and of others only
OUTSIDE = {"kernels": {"numpy", "numba", "llvmlite"}, "datasets": {"numpy", "sklearn"}}

CORE = {"numpy", "numba", "llvmlite", "sklearn", "scipy", "joblib", "threadpoolctl", "narwhals"}

FOLDERS = {
    "minitrain": "minitrain",
    "kernels": "minitrain.kernels",
    "datasets": "minitrain.datasets",
}
SOURCES = sorted(
    path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")
)


def module_name(path):
    """kernels/rules/adam.py -> minitrain.kernels.rules.adam (a package keeps its __init__)."""
    folder, *rest = path.with_suffix("").parts
    return ".".join([FOLDERS[folder], *rest])


def imported(source, module):
    """Absolute names of all that a module's source imports, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = module.split(".")[: -node.level] if node.level else []
            start += node.module.split(".") if node.module else []
            # `from minitrain import model` names a room; deeper than that, the start says it.
            if start == ["minitrain"]:
                yield from (f"minitrain.{alias.name}" for alias in node.names)
            else:
                yield ".".join(start)


def room(module):
    """minitrain.kernels.rules.adam -> kernels; minitrain -> __init__, which no room imports."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def layer(name):
    assert any(name in row for row in LAYERS), f"{name!r} has no place in LAYERS: give it one"
    return next(height for height, row in enumerate(LAYERS) if name in row)


def broken_laws(source, module):
    own = room(module)
    for name in imported(source, module):
        top = name.split(".")[0]
        if top in sys.stdlib_module_names:
            continue
        if top == "minitrain":
            used = room(name)
            if used == own or (own, used) in NEIGHBOURS:
                continue
            if used == "__init__" or layer(used) >= layer(own):
                yield f"{module} imports {name}: {own} may not use {used}"
        elif own in OUTSIDE and top not in OUTSIDE[own]:
            yield f"{module} imports {name}: {own} may use {', '.join(sorted(OUTSIDE[own]))} alone"


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_law_of_imports(path):
    module = module_name(path)
    if module in ("minitrain.__init__", "minitrain.__main__"):
        return  # the front doors: they may show every room
    assert not list(broken_laws((ROOT / path).read_text("utf-8"), module))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("minitrain.kernels.gemm", "import scipy"),
        ("minitrain.kernels.gemm", "from minitrain.model import MLP"),
        ("minitrain.kernels.rules.adam", "from ...model import MLP"),
        ("minitrain.kernels.gemm", "from minitrain.datasets import load"),
        ("minitrain.datasets.tables", "import pandas"),
        ("minitrain.datasets.__init__", "def load():\n    from .. import trainer"),
        ("minitrain.model", "from minitrain.trainer import Trainer"),
        ("minitrain.model", "from .loader import MiniBatchLoader"),
        ("minitrain.trainer", "import minitrain"),
        ("minitrain.lab.study", "from ..cli import main"),
    ],
)
def test_law_of_imports_sees(module, line):
    assert list(broken_laws(line, module))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("minitrain.kernels.rules.adam", "from ..rule import rule"),
        ("minitrain.kernels.rules.__init__", "from . import adam"),
        ("minitrain.kernels.gemm", "import numpy as np, math\nfrom numba import types"),
        ("minitrain.datasets.tables", "from sklearn.datasets import load_iris\nimport csv"),
        ("minitrain.model", "from minitrain import kernels\nfrom minitrain.kernels import layers"),
        (
            "minitrain.lab.study",
            "from ..trainer import Trainer\nimport rich\nfrom . import records",
        ),
        ("minitrain.cli", "from .lab.study import Study"),
    ],
)
def test_law_of_imports_allows(module, line):
    assert not list(broken_laws(line, module))


IMPORT_WITH_CORE_ALONE = f"""
import sys

allowed = {CORE | {"minitrain"}!r} | set(sys.stdlib_module_names) | set(sys.modules)
asked_by_us = set()

class NothingElse:
    # Before every finder: what is not core is not there, and whether we asked is remembered.
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in allowed:
            return None
        frame = sys._getframe(1)
        while "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        if frame.f_globals.get("__name__", "").split(".")[0] == "minitrain":
            asked_by_us.add(name)
        raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NothingElse())
import minitrain
print(sorted(asked_by_us))
"""


def test_import_minitrain_needs_core_dependencies_alone():
    command = [sys.executable, "-c", IMPORT_WITH_CORE_ALONE]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
