"""How long something lasts: in steps, in epochs, or as a fraction of the training."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Steps:
    """So many optimizer steps (a whole number)."""

    number: int

    def __post_init__(self) -> None:
        if not _is_number(self.number) or self.number < 0 or self.number != int(self.number):
            raise ValueError(f"steps: {self.number!r}; accepted: whole numbers from 0")
        object.__setattr__(self, "number", int(self.number))

    def __repr__(self) -> str:
        return f"steps({self.number})"


@dataclass(frozen=True)
class Epochs:
    """So many passes over the training data; 0.5 is half of one."""

    number: float

    def __post_init__(self) -> None:
        if not _is_number(self.number) or self.number < 0:
            raise ValueError(f"epochs: {self.number!r}; accepted: numbers from 0")

    def __repr__(self) -> str:
        return f"epochs({self.number!r})"


# A float is a fraction of the training.  A bare whole number could mean steps or epochs, and is
# therefore neither.
Duration = float | Steps | Epochs


@dataclass(frozen=True)
class Span:
    """The stretch of a training that a schedule is asked about: its length, and where it starts.

    ``begin`` counts steps of the training; ``feedback`` is what its finished epochs measured.
    """

    total: float
    steps_per_epoch: int | None = None
    begin: float = 0.0
    feedback: Any = None

    def length(self, duration: Duration) -> float:
        """Steps of a duration: not always a whole number (a tenth of 25 is 2.5)."""
        if isinstance(duration, Steps):
            return float(duration.number)
        if isinstance(duration, Epochs):
            return _whole(duration.number * self.epoch(duration))
        return _whole(duration * self.total)

    def epoch(self, wanted_by: Any) -> int:
        """Steps of an epoch; a ValueError if nobody said."""
        if self.steps_per_epoch is None:
            raise ValueError(
                f"steps_per_epoch: needed for {wanted_by!r}; accepted: a whole number from 1"
            )
        return self.steps_per_epoch

    def rest(self, start: float) -> "Span":
        """What remains from step ``start`` of this span on."""
        return Span(
            max(self.total - start, 0.0), self.steps_per_epoch, self.begin + start, self.feedback
        )


def check_duration(name: str, value: Any, least: bool = False, most: bool = True) -> Duration:
    """``value`` as a duration.

    ``least``: it must be longer than nothing; ``most``: it may be the whole training.
    """
    too_short = least and getattr(value, "number", value) == 0
    if isinstance(value, (Steps, Epochs)) and not too_short:
        return value
    fraction = isinstance(value, float) or (_is_number(value) and value == 0)
    if fraction and not too_short and 0 <= value <= 1 and (most or value < 1):
        return float(value)
    bare = isinstance(value, int) and not isinstance(value, bool) and value > 0
    above = "above 0" if least else "from 0"
    raise ValueError(
        f"{name}: {value!r}; accepted: a fraction {above} {'to 1' if most else 'to below 1'} of "
        "the training, such as 0.1, or "
        + (f"epochs({value}) or steps({value})" if bare else "epochs(n) or steps(n)")
    )


def _is_number(value: Any) -> bool:
    # Of the abstract kind: NumPy's integers and floats are numbers too.
    try:
        return not isinstance(value, (bool, str)) and math.isfinite(value)
    except TypeError:
        return False


def _whole(length: float) -> float:
    """0.1 * 30 = 3.0000000000000004 is meant to be 3."""
    nearest = float(round(length))
    return nearest if abs(length - nearest) <= 1e-9 * max(nearest, 1.0) else length
