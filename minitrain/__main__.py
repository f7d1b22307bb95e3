"""``python -m minitrain`` is the command ``minitrain``."""

import sys

from .cli import main

sys.exit(main())
