"""Numba's options live in kernels/_jit.py, and two of them are never switched on.

``fastmath`` deletes checks for NaN, and its results differ from machine to machine; ``parallel``
aborts the process when two threads enter it, or after a fork (numba#8563, numba#9327).
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JIT_ROOM = ROOT / "kernels" / "_jit.py"
FOLDERS = ("minitrain", "kernels", "datasets", "scripts")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

NEVER = {"fastmath", "parallel"}
DECORATORS = {"jit", "njit", "vectorize", "guvectorize", "cfunc", "stencil", "jit_module"}


def switched_on(source):
    """Uses of a forbidden option, as ``option=...`` or as a key ``"option"``; ``=False`` may be."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.keyword(arg=option, value=ast.Constant(value=False)) if option in NEVER:
                pass
            case ast.keyword(arg=option) if option in NEVER:
                yield f"line {node.value.lineno}: {option}"
            case ast.Constant(value=str(option)) if option in NEVER:
                yield f"line {node.lineno}: {option!r}"


def decorators(source):
    """Numba's decorators, however they are imported."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "numba":
                names = {alias.name for alias in node.names} & (DECORATORS | {"*"})
                yield from (f"line {node.lineno}: {name}" for name in names)
            case ast.Attribute(value=ast.Name(id="numba" | "nb"), attr=name) if name in DECORATORS:
                yield f"line {node.lineno}: {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_options(path):
    source = path.read_text("utf-8")
    assert not list(switched_on(source))
    if path != JIT_ROOM:
        assert not list(decorators(source)), "use what kernels/_jit.py offers"


@pytest.mark.parametrize(
    "source",
    [
        "njit(fastmath=True)",
        "njit(fastmath={'nnan'})",
        "njit(parallel=True)",
        "options = {'fastmath': True}",
        "options = dict(parallel=wanted)",
    ],
)
def test_a_forbidden_option_is_seen(source):
    assert list(switched_on(source))


@pytest.mark.parametrize(
    "source",
    [
        "from numba import njit",
        "from numba import *",
        "import numba\n@numba.jit\ndef f(): pass",
        "import numba as nb\nnb.vectorize(f)",
    ],
)
def test_a_decorator_is_seen(source):
    assert list(decorators(source))


def test_the_rest_of_numba_is_allowed():
    assert not list(switched_on("njit(fastmath=False, cache=True)"))
    assert not list(
        decorators("from numba.extending import intrinsic\nimport numba\nnumba.typeof(1)")
    )
