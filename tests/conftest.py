import pytest

from minitrain.kernels import rule as rules


@pytest.fixture
def own_registry(monkeypatch):
    """A registry that forgets, after the test, the rules which the test registered."""
    monkeypatch.setattr(rules, "_registry", dict(rules._registry))
