"""Adding an optimizer is one file: all that follows from it finds it by itself."""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt
from minitrain import cli
from minitrain.kernels import rule as rules

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"

FILE = '''
import numpy as np
from minitrain.kernels.rule import rule


@rule("tiger", title="Tiger", lr=1e-3, beta=0.965, paper="Su (2023), Tiger", family="sign")
def tiger(p, g, m, c):
    """A Lion with one beta: the sign of an average.

    m <- beta * m + (1 - beta) * g
    p <- p - lr * sign(m)

    Elsewhere: nowhere.
    """
    (beta,) = c
    m = beta * m + (g - beta * g)
    return np.sign(m), m
'''


@pytest.fixture
def tiger(tmp_path, monkeypatch, own_registry):
    (tmp_path / "tiger_rule.py").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("tiger_rule").tiger
    del sys.modules["tiger_rule"]


def load(path, monkeypatch):
    monkeypatch.setenv("MINITRAIN_SETUP", "skip")
    monkeypatch.syspath_prepend(SCRIPTS)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_registry(tiger):
    assert mt.optimizers.names()[-1] == "tiger"
    theta = np.zeros(2, np.float32)
    optimizer = mt.optimizers.Tiger(lr=0.5)
    optimizer.step(theta, np.array([3, -4], np.float32), optimizer.init(theta))
    assert theta.tolist() == [-0.5, 0.5]


def test_the_command_line(tiger, capsys):
    assert cli.main(["optimizers"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("tiger"))
    assert line.split()[1:8] == ["sign", "2023", "0.001", "1", "20", "–", "A"]
    assert cli.main(["optimizers", "tiger"]) == 0
    out = capsys.readouterr().out
    assert "m = beta * m + (g - beta * g)" in out
    assert "Its code, tiger_rule.py:" in out
    assert cli.main(["optimizers", "tiger", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["deviations"] == "nowhere."
    assert cli.main(["train", "iris", "--optimizer", "tiger", "--epochs", "1", "--json"]) == 0


def test_the_parametrisation_of_the_tests(tiger, monkeypatch):
    fuse = load(ROOT / "tests" / "kernels" / "test_fuse.py", monkeypatch)
    found = [case for case in fuse.registered() if case.id == "tiger"]
    assert [case.values[0] for case in found] == [tiger]
    rule, given = found[0].values
    fuse.compare(mt.Optimizer(rule, **given, weight_decay=0.1), "float32", 40)


def test_the_benchmark(tiger, monkeypatch):
    assert "tiger" in load(SCRIPTS / "bench_kernels.py", monkeypatch).parser().get_default("rules")


def test_the_docs(tiger, monkeypatch):
    page = load(SCRIPTS / "update_optimizers.py", monkeypatch).page(mt.optimizers.names())
    assert "## Tiger" in page
    assert "| [Tiger](#tiger) | sign | 2023 | 1 | 20 | – | A Lion with one beta" in page


def test_the_lab(tiger):
    study = mt.lab.Study(["iris"], ["tiger", "adam"], seeds=2, trials=0, epochs=1)
    assert [row["optimizer"] for row in study.run().summary()] == ["tiger", "adam"]


def test_a_rule_without_a_file(own_registry, capsys):
    """As in a notebook that was closed: all but its code can be shown."""
    scope = {"mt": mt}
    exec("@mt.rule('lost', lr=0.1)\ndef lost(p, g, c):\n    return (g,)", scope)
    for arguments in (["optimizers"], ["optimizers", "lost"]):
        assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert "Family: your own" in out
    assert "Its code" not in out


def test_docs_are_up_to_date():
    done = subprocess.run(
        [sys.executable, SCRIPTS / "update_optimizers.py", "--check"],
        capture_output=True, text=True, env={**os.environ, "MINITRAIN_SETUP": "skip"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


FAMILIES = {
    "momentum", "adaptive rate", "Adam", "sign", "averaging", "layer-wise", "learning-rate-free",
}  # fmt: skip


def test_names_elsewhere_are_of_libraries_that_are_known():
    for name in mt.optimizers.names():
        rule = rules.get(name)
        assert set(rule.elsewhere) <= {"torch", "optax", "Keras", "scikit-learn"}, name
        assert rule.family in FAMILIES, name
        assert rule.year
        assert rule.defaults_from


@pytest.mark.parametrize("library", ["torch", "optax"])
def test_names_elsewhere_are_there(library, live):
    module = live({"torch": "torch.optim", "optax": "optax"}[library])
    if library == "optax":
        importlib.import_module("optax.contrib")
    for name in mt.optimizers.names():
        said = rules.get(name).elsewhere.get(library)
        if said:
            where = module
            for part in said.partition("(")[0].split("."):
                where = getattr(where, part)
        elif library == "torch":
            assert not hasattr(module, rules.get(name).title)
