"""Which rows go into which part: stratified, of a size that does not depend on the seed.

scikit-learn's `train_test_split`, applied twice, draws the rounding of small classes at random:
a class of 5 rows is sometimes missing from the validation part. In a study over 30 seeds that
fails at the 17th. Here every part holds every class, whatever the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .checks import DataError, check_real, counted, random_state

PART_NAMES = {2: ("train", "test"), 3: ("train", "valid", "test")}


def check_fractions(fractions: Any) -> tuple[float, ...]:
    """Two (train, test) or three (train, valid, test) positive numbers that sum to 1."""
    if not isinstance(fractions, (tuple, list)) or len(fractions) not in PART_NAMES:
        raise DataError(
            "fractions must be (train, test) or (train, valid, test), such as (0.6, 0.2, 0.2); "
            f"got {fractions!r}"
        )
    checked = tuple(check_real("each of fractions", part, 0.0, 1.0) for part in fractions)
    if min(checked) == 0.0 or abs(sum(checked) - 1.0) > 1e-9:
        raise DataError(f"fractions must all be above 0 and sum to 1; got {fractions!r}")
    return checked


def draw_parts(
    codes: np.ndarray, class_names: Sequence[str], fractions: Sequence[float], seed: int
) -> list[np.ndarray]:
    """Row numbers of each part, shuffled.

    codes (n,) int64 class codes, into class_names; all zero, with no names, for a
    regression target, which is not stratified.
    Returns one int64 array per fraction. Every part has at least one row of each class; apart
    from that, its fraction of all rows to within one row, and of each class to within two.
    Raises DataError naming a class with fewer rows than there are parts.
    """
    counts = np.bincount(codes, minlength=len(class_names))
    if counts.min() < len(fractions):
        small = int(np.argmin(counts))
        whose = f"class {class_names[small]!r} has" if class_names else "the data have"
        raise DataError(
            f"{whose} only {counted(int(counts[small]), 'row')}: too few for {len(fractions)} "
            f"parts ({', '.join(PART_NAMES[len(fractions)])}), which need at least 1 row each"
            + ("; add rows of that class or leave it out" if class_names else "")
        )
    order = random_state(seed).permutation(len(codes))
    by_class = order[np.argsort(codes[order], kind="stable")]
    part_of_row = np.empty(len(codes), dtype=np.int64)
    part_of_row[by_class] = np.concatenate(
        [np.repeat(np.arange(len(fractions)), sizes) for sizes in _sizes(counts, fractions)]
    )
    return [order[part_of_row[order] == part] for part in range(len(fractions))]


def _sizes(counts: np.ndarray, fractions: Sequence[float]) -> np.ndarray:
    """Rows of class c in part p, (classes, parts), each at least 1.

    The cumulative fractions are rounded at the running total over the classes, so the
    rounding errors of the classes cancel instead of adding up.
    """
    running = np.concatenate([[0], np.cumsum(counts)])
    shares = np.concatenate([[0.0], np.cumsum(fractions)])
    shares[-1] = 1.0
    edges = np.floor(np.outer(running, shares) + 0.5).astype(np.int64)
    sizes = np.diff(np.diff(edges, axis=1), axis=0)
    for row in sizes:
        while row.min() < 1:
            row[np.argmin(row)] += 1
            row[np.argmax(row)] -= 1
    return sizes
