import importlib
import importlib.util
import os

import pytest

import minitrain.kernels.rules  # noqa: F401 - registers them, before a copy is made
from minitrain.kernels import rule as rules


@pytest.fixture
def own_registry(monkeypatch):
    """A registry that forgets, after the test, the rules which the test registered."""
    monkeypatch.setattr(rules, "_registry", dict(rules._registry))


# Who asks for a comparison: there a package that is missing is a failure.
_ASKED_BY = {"torch": ("CI", "MINITRAIN_LIVE"), "optax": ("MINITRAIN_LIVE_OPTAX",)}


@pytest.fixture(scope="session")
def live():
    """Another library to compare with, by the name of a module; skips where nobody asks for it."""
    return _live


@pytest.fixture(scope="session")
def torch(live):
    return live("torch")


def _live(module):
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        names = _ASKED_BY[package]
        if any(os.environ.get(name, "").lower() in ("1", "true") for name in names):
            pytest.fail(f"{package} is missing, and {' or '.join(names)} asks for the comparison")
        pytest.skip(f"{package} is not installed: no live comparison")
    return importlib.import_module(module)
