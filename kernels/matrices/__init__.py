"""One matrix optimizer per file; a file in this folder is registered by being here."""

from importlib import import_module
from pkgutil import iter_modules

for _name in sorted(m.name for m in iter_modules(__path__)):
    import_module(f"{__name__}.{_name}")
