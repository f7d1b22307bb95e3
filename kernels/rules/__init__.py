"""One optimizer per file; a file in this folder is registered by being here."""

from importlib import import_module
from pkgutil import iter_modules

from ..rule import get, names

# In the order in which introductions teach them; whatever else is here follows by name.
_TAUGHT = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam")

_before = set(names())
for _name in (*_TAUGHT, *sorted({m.name for m in iter_modules(__path__)} - set(_TAUGHT))):
    import_module(f"{__name__}.{_name}")

# The rules of this folder: every process has them.
LIBRARY = {name: get(name) for name in names() if name not in _before}
