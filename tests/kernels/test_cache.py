"""The disk cache: found by the next process, never in anybody's way."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt
from minitrain.kernels import _jit

# Takes one step and says which kernels were compiled for it.
STEP = """
import json
import numpy as np
import minitrain as mt
from minitrain.kernels import _jit

compiled = []
_jit.on_compile = compiled.append
{rule}
theta = np.ones(3, np.float32)
optimizer = mt.optimizers.get("{name}", lr=0.5)
optimizer.step(theta, np.full(3, 2, np.float32), optimizer.init(theta))
print(json.dumps([compiled, theta.tolist()]))
"""
KERNELS = ["descent.descend", "fuse.advance", "quick.quick_step"]


def start(script, folder):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "PYTHONWARNINGS": "always"}
    environment.pop("NUMBA_DISABLE_JIT", None)
    command = [sys.executable, "-P", str(script)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process):
    """([compiled kernels], parameters, what was written to stderr)"""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return (*json.loads(out), err)


@pytest.fixture
def script(tmp_path):
    def write(name="sgd", rule=""):
        path = tmp_path / "script.py"
        path.write_text(STEP.format(name=name, rule=rule))
        return path

    return write


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def files(folder):
    return sorted((folder / "minitrain").iterdir())


@pytest.mark.compiled
def test_two_processes_at_once_then_hits_then_damage(script, folder):
    """One story, because each process costs seconds."""
    path = script()
    both = [start(path, folder), start(path, folder)]
    by_either = set()
    for process in both:
        compiled, theta, err = finish(process)
        by_either |= set(compiled)  # the slower one may find what the other has compiled
        assert (theta, err) == ([0.0] * 3, "")
    assert by_either == set(KERNELS)
    assert len(files(folder)) == len(KERNELS)  # and no temporary file is left

    compiled, theta, err = finish(start(path, folder))
    assert (compiled, theta, err) == ([], [0.0] * 3, "")

    sound = {file: file.read_bytes() for file in files(folder)}
    damaged = [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: os.urandom(len(b))]
    for file, damage in zip(sound, damaged, strict=True):
        file.write_bytes(damage(sound[file]))
    compiled, theta, err = finish(start(path, folder))
    assert sorted(compiled) == sorted(KERNELS)
    assert (theta, err) == ([0.0] * 3, "")
    assert files(folder) == sorted(sound)
    for file in sound:
        content = file.read_bytes()
        assert hashlib.sha256(content[32:]).digest() == content[:32]


RULE = """
@mt.rule("mine", lr=0.1, beta=0.5)
def update(p, g, v, c):
    (beta,) = c
    v = beta * v + g
    return {direction}, v
"""


@pytest.mark.compiled
def test_a_rule_of_a_script(script, folder):
    """It hits as the library's do; another formula at the same place does not hit."""
    for direction, expected, misses in (
        ("v", [0.0] * 3, KERNELS),
        ("v", [0.0] * 3, []),
        ("g + v", [-1.0] * 3, ["descent.descend"]),
    ):
        path = script("mine", RULE.format(direction=direction))
        compiled, theta, err = finish(start(path, folder))
        assert sorted(compiled) == sorted(misses)
        assert (theta, err) == (expected, "")


@pytest.mark.compiled
def test_without_a_writable_folder_one_warning_and_no_error(script, tmp_path):
    """A path under a regular file: not even root can write there."""
    (tmp_path / "file").write_text("")
    _, theta, err = finish(start(script(), tmp_path / "file" / "cache"))
    assert theta == [0.0] * 3
    assert err.count("RuntimeWarning: minitrain: no writable cache folder") == 1
    assert err.count("Warning") == 1
    assert "set NUMBA_CACHE_DIR" in err


# ---- pieces, in this process ----


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A cache folder and a kernel that is cached in it."""
    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path)
    return tmp_path


def make_kernel(key="one"):
    @_jit.jit(key=key)
    def kernel(x):
        return x + x

    return kernel


@pytest.fixture
def compiled(monkeypatch):
    names = []
    monkeypatch.setattr(_jit, "on_compile", names.append)
    return names


@pytest.mark.compiled
def test_one_file_for_each_signature_and_key(here, compiled):
    for key, argument, count in (
        ("one", 1.0, 1),
        ("one", 2.0, 1),
        ("one", 1, 2),
        ("two", 1.0, 3),
        ("one", 3, 3),
    ):
        assert make_kernel(key)(argument) == 2 * argument
        assert len(list(here.iterdir())) == count
        assert compiled == ["test_cache.kernel"] * count


@pytest.mark.compiled
def test_a_disk_that_fails_costs_a_compilation_alone(here, compiled, monkeypatch):
    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(_jit.tempfile, "mkstemp", full)
    assert make_kernel()(1.0) == 2.0
    assert not list(here.iterdir())
    monkeypatch.undo()
    monkeypatch.setattr(_jit, "cache_folder", lambda: here / "vanished")
    assert make_kernel()(1.0) == 2.0


@pytest.mark.compiled
def test_the_cache_can_be_switched_off_and_emptied(here, compiled):
    kernel = make_kernel()
    cache = kernel._cache
    assert cache.cache_path == str(here)
    cache.disable()
    kernel(1.0)
    assert not list(here.iterdir())
    cache.enable()
    kernel(1)
    assert len(list(here.iterdir())) == 1
    other = here / "fuse.step-123.nbc"
    other.touch()
    cache.flush()
    assert list(here.iterdir()) == [other]


@pytest.mark.compiled
def test_old_files_of_older_sources_are_removed(here, compiled):
    stale, young, foreign = (here / name for name in (
        "test_cache.kernel-0123-1.nbc", "test_cache.kernel-0123-2.nbc", "fuse.step-0123-3.nbc"
    ))  # fmt: skip
    for file in (stale, young, foreign):
        file.touch()
    for file in (stale, foreign):
        os.utime(file, (1e9, 1e9))
    make_kernel()(1.0)
    assert not stale.exists()
    assert young.exists()
    assert foreign.exists()
    (ours,) = set(here.iterdir()) - {young, foreign}
    os.utime(ours, (1e9, 1e9))
    make_kernel()(1)
    assert ours.exists()


def test_the_fingerprint_is_that_of_every_source(tmp_path, monkeypatch):
    monkeypatch.setattr(_jit, "_KERNELS", tmp_path)
    (tmp_path / "rules").mkdir()
    found = set()
    for name, text in (("a.py", "1"), ("a.py", "2"), ("rules/b.py", "1"), ("rules/b.py", "2")):
        (tmp_path / name).write_text(text)
        found.add(_jit.fingerprint.__wrapped__())
    assert len(found) == 4
    (tmp_path / "notes.txt").write_text("not a source")
    assert _jit.fingerprint.__wrapped__() in found


def test_where_the_cache_is(tmp_path, monkeypatch):
    folder = _jit.cache_folder.__wrapped__

    monkeypatch.setattr(_jit.numba.config, "CACHE_DIR", str(tmp_path / "given"))
    assert folder() == tmp_path / "given" / "minitrain"

    monkeypatch.setattr(_jit.numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(_jit, "_KERNELS", tmp_path / "kernels")
    assert folder() == tmp_path / "kernels" / "__pycache__"

    (tmp_path / "file").touch()
    monkeypatch.setattr(_jit, "_KERNELS", tmp_path / "file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    if sys.platform == "linux":
        assert folder() == tmp_path / "user" / "minitrain"

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(_jit.numba.config, "CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="no writable cache folder"):
        assert folder() is None


@pytest.mark.compiled
def test_without_a_folder_kernels_work(monkeypatch, compiled):
    monkeypatch.setattr(_jit, "cache_folder", lambda: None)
    assert make_kernel()(1.0) == 2.0


def test_results_do_not_depend_on_who_compiled():
    """A plain function stays one; a kernel runs with and without the JIT."""

    @_jit.inline
    def half(x):
        return x / 2

    @_jit.jit
    def kernel(x):
        return half(x) / 0.0

    assert half(3.0) == 1.5
    if _jit.COMPILED:
        assert np.isinf(kernel(1.0))  # NumPy's error model


def test_the_cache_is_beside_the_sources_that_it_belongs_to():
    assert Path(_jit.__file__).parent == _jit._KERNELS
    assert mt.kernels.__path__[0] == str(_jit._KERNELS)
