"""The one kind of error for bad data, and the checks that raise it.

Every message names the argument or column, the value received and what is accepted.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


class DataError(ValueError):
    """Data, or a description of data, that cannot be trained on. The message says what to do."""


def check_integer(argument: str, value: Any, minimum: int, maximum: int | None = None) -> int:
    """Return `value` as an int if it is a whole number in [minimum, maximum]; else DataError."""
    in_range = (
        isinstance(value, (int, np.integer))
        and not isinstance(value, bool)
        and value >= minimum
        and (maximum is None or value <= maximum)
    )
    if not in_range:
        upper = "" if maximum is None else f" and at most {maximum}"
        raise DataError(
            f"{argument} must be a whole number of at least {minimum}{upper}; got {value!r}"
        )
    return int(value)


def check_real(argument: str, value: Any, minimum: float, maximum: float = math.inf) -> float:
    """Return `value` as a float if it is a finite number in [minimum, maximum]; else DataError."""
    in_range = (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and minimum <= value <= maximum
    )
    if not in_range:
        upper = "" if maximum == math.inf else f" and at most {maximum:g}"
        raise DataError(
            f"{argument} must be a finite number of at least {minimum:g}{upper}; got {value!r}"
        )
    return float(value)


def check_seed(seed: Any) -> int:
    """Return `seed` as an int in 0..2**32-1, the range of `numpy.random.RandomState`."""
    return check_integer("seed", seed, 0, 2**32 - 1)


def random_state(seed: Any) -> np.random.RandomState:
    """The random stream of a seed. NumPy promises that RandomState's streams never change."""
    return np.random.RandomState(check_seed(seed))


def did_you_mean(word: str, accepted: Iterable[str]) -> str:
    """' (did you mean 'x'?)' for the nearest accepted word, or '' when none is near."""
    by_folded = {name.casefold(): name for name in accepted}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[near[0]]!r}?)" if near else ""


def listing(items: Sequence[Any], limit: int = 20) -> str:
    """'a, b, c', cut after `limit` items with the number left out."""
    shown = ", ".join(str(item) for item in items[:limit])
    left = len(items) - limit
    return f"{shown}, … ({left} more)" if left > 0 else shown


def counted(count: int, noun: str) -> str:
    """'1 row', '3 rows', '2 classes'."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"
