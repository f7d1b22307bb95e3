"""A range of numbers in the notation of mathematics: ``"[0, 1)"`` holds 0 and not 1."""

import math
import re
from collections.abc import Mapping

_PATTERN = re.compile(r"(whole )?([\[(])\s*(\S+?)\s*,\s*(\S+?)\s*([\])])")


def range_of(name: str, ranges: "Mapping[str, Interval]") -> "Interval":
    """What the hyperparameter ``name`` may be: as declared, or as usual for such a name."""
    if name in ranges:
        return ranges[name]
    fraction = re.fullmatch(r"beta\d?|alpha|rho", name)
    return Interval("[0, 1)" if fraction else "[0, inf)")


class Interval:
    """What a hyperparameter may be; finite numbers only, whatever the bounds.

    Raises ValueError if ``text`` is not of the form ``"[low, high)"``, with either kind of bracket,
    or ``"whole [low, high)"`` for whole numbers.
    """

    def __init__(self, text: str) -> None:
        match = _PATTERN.fullmatch(text)
        if not match:
            raise ValueError(f"range: {text!r}; accepted: such as '[0, 1)' or '(0, inf)'")
        whole, left, low, high, right = match.groups()
        self.text = text
        self.low, self.high = float(low), float(high)
        self._with_low, self._with_high = left == "[", right == "]"
        self._whole = bool(whole)

    def __contains__(self, x: float) -> bool:
        above = x >= self.low if self._with_low else x > self.low
        below = x <= self.high if self._with_high else x < self.high
        return math.isfinite(x) and above and below and (not self._whole or x == round(x))

    def __str__(self) -> str:
        if math.isfinite(self.high):
            return self.text
        if self._whole:
            return f"whole numbers from {self.low:g}"
        return f"finite, {'at least' if self._with_low else 'above'} {self.low:g}"
