import importlib
import os

import pytest


def _import(name):
    """A module that only tests need; where CI runs, it must be there."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is missing: pip install -e '.[test]'")
        pytest.skip(f"{name} is not installed (extra test)")


pytest.importorskip_or_fail = _import
