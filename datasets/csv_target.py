"""Which column is the target, and which classes it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .checks import DataError, did_you_mean, listing
from .csv_columns import Column, as_number, option
from .csv_features import sorted_codes

TARGET_NAMES = ("target", "label", "class", "y")


def choose_target(names: Sequence[str], dropped: Sequence[str], target: str | None) -> str:
    """The target's column name, of all `names`; None: the last one, if it is named like a target.

    Raises DataError, listing the columns, where there is none, or it is `dropped` as well.
    """
    header = [name for name in names if name not in dropped]
    if target in dropped:
        raise DataError(f"column {target!r} cannot be both the target and left out with drop")
    if target is None:
        if header and header[-1].casefold() in TARGET_NAMES:
            return header[-1]
        raise DataError(
            "which column is the target? Name it with --target NAME (in Python: target='NAME'); "
            f"columns: {listing(header)}"
        )
    if target not in header:
        raise DataError(
            f"no column {target!r} to be the target{did_you_mean(str(target), header)}; "
            f"columns: {listing(header)}"
        )
    return target


def class_codes(column: Column, as_text: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """y (n,) int64 and the class names, from a target collected as text.

    Texts are sorted as texts; whole numbers by value, "2" and "2.0" being one class. With
    `as_text` numbers are taken for texts. Raises DataError for a single class, numbers mixed
    with text, and numbers that measure a quantity.
    """
    keys = {} if as_text else {text: _number_key(text) for text in column.levels}
    numeric = [key for key in keys.values() if key is not None]
    if numeric and len(numeric) < len(keys):
        number = next(text for text, key in keys.items() if key is not None)
        other = next(text for text, key in keys.items() if key is None)
        raise DataError(
            f"the target {column.name!r} mixes numbers (as {number!r}) and text (as {other!r}); "
            f"correct the cells, or, if each text is a class: {option('categorical', column.name)}"
        )
    if numeric:
        _refuse_quantity(column, numeric)
        classes = sorted(set(numeric))
        place = {key: i for i, key in enumerate(classes)}
        code_of_level = [place[key] for key in numeric]
        codes = np.array(code_of_level, dtype=np.int64)[column.codes()]
        names = tuple(str(key) for key in classes)
    else:
        codes, names = sorted_codes(column), tuple(sorted(column.levels))
    if len(names) < 2:
        raise DataError(
            f"the target {column.name!r} is {names[0]!r} in every row; "
            "classification needs at least 2 classes"
        )
    return codes, names


def _number_key(text: str) -> int | float | None:
    """Equal for equal numbers: an int, exactly, where the number is whole; None for a text."""
    try:
        return int(text) if "_" not in text else None
    except ValueError:
        number = as_number(text)
    return int(number) if number is not None and number.is_integer() else number


def _refuse_quantity(column: Column, numbers: Sequence[int | float]) -> None:
    """Raise if these distinct numbers look measured rather than counted off as classes."""
    rows, distinct = len(column.codes()), len(set(numbers))
    whole = all(isinstance(number, int) for number in numbers)
    if any(isinstance(number, float) and math.isinf(number) for number in numbers):
        raise DataError(
            f"the target {column.name!r} holds an infinite number; correct it, "
            f"or, if it is the name of a class: {option('categorical', column.name)}"
        )
    is_quantity = (
        distinct > 20 and rows < 10 * distinct if whole else distinct > 20 or rows < 3 * distinct
    )
    if is_quantity:
        raise DataError(
            f"the target {column.name!r} holds {distinct} different numbers, from {min(numbers)} "
            f"to {max(numbers)}, in {rows} rows: a quantity, while classification needs classes; "
            "choose another target, or replace the numbers by classes such as low and high; "
            f"if each number is a class: {option('categorical', column.name)}"
        )
