"""The lab: which optimizer, here?  What to run, what was run, what can be said of it."""

from .result import Result
from .study import Study

__all__ = ["Result", "Study"]
