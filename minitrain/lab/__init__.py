"""The lab: which optimizer, here?  What to run, what was run, what can be said of it.

``Study`` (what to run), ``Result`` (what was found), ``read_runs`` (the records as a DataFrame).
"""

from .folder import StudyFolderError
from .frames import read_runs
from .records import DamagedFile, Run
from .result import Result
from .study import Study

__all__ = ["DamagedFile", "Result", "Run", "Study", "StudyFolderError", "read_runs"]
