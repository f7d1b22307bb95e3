"""The data sets that can be asked for by name. Adding one is one decorated function."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .checks import DataError, did_you_mean, listing
from .dataset import Dataset
from .files import read_csv

Maker = TypeVar("Maker", bound=Callable[..., Dataset])

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Description:
    """One row of `describe()`: what a data set holds at its defaults. classes is 0 if none."""

    name: str
    summary: str
    rows: int
    features: int
    classes: int
    kind: str
    options: tuple[str, ...]
    source: str
    licence: str


_makers: dict[str, tuple[str, Callable[..., Dataset]]] = {}


def register(summary: str) -> Callable[[Maker], Maker]:
    """Register the decorated function, under its own name, with a one-line summary."""

    def keep(make: Maker) -> Maker:
        if make.__name__ in _makers:
            raise DataError(f"a data set named {make.__name__!r} is registered already")
        _makers[make.__name__] = (summary, make)
        return make

    return keep


def names() -> tuple[str, ...]:
    """Every registered name: the bundled sets first, then the synthetic ones."""
    return tuple(_makers)


def describe() -> tuple[Description, ...]:
    """What each registered data set holds, at its default options. Makes every one of them."""
    return tuple(_describe(name) for name in names())


def load(name_or_path: str | os.PathLike[str], **options: Any) -> Dataset:
    """A data set by name, or a user's own CSV file by path.

    `load("moons", n=500, noise=0.1)`: options go to the generator.
    `load("flowers.csv", target="species")`: options go to `read_csv`. A text counts as a path
    when it ends in .csv, .tsv or .txt, or when such a file exists; a registered name comes first.
    Raises DataError for an unknown name or option, naming the nearest and the accepted ones.
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise DataError(f"expected the name of a data set or a path; got {name_or_path!r}")
    if isinstance(name_or_path, str) and name_or_path in _makers:
        make = _makers[name_or_path][1]
        _check_options(name_or_path, make, options)
        return make(**options)
    if not _looks_like_a_path(name_or_path):
        raise DataError(
            f"unknown data set {name_or_path!r}{did_you_mean(str(name_or_path), names())}; "
            f"accepted: {', '.join(names())}, or the path of a CSV file"
        )
    _check_options("a CSV file", read_csv, options, skip=1)
    return read_csv(name_or_path, **options)


def _looks_like_a_path(name_or_path: str | os.PathLike[str]) -> bool:
    if not isinstance(name_or_path, str):
        return True
    path = Path(name_or_path)
    has_folder = path.name != name_or_path
    is_path = has_folder or path.suffix.lower() in TEXT_SUFFIXES or os.path.exists(path)
    return is_path and name_or_path != ""


def _option_names(make: Callable[..., Dataset], skip: int = 0) -> tuple[str, ...]:
    return tuple(inspect.signature(make).parameters)[skip:]


def _check_options(
    whose: str, make: Callable[..., Dataset], options: dict[str, Any], skip: int = 0
) -> None:
    accepted = _option_names(make, skip)
    for option in options:
        if option not in accepted:
            raise DataError(
                f"{whose} has no option {option!r}{did_you_mean(option, accepted)}; "
                f"accepted: {listing(accepted) or 'none'}"
            )


def _describe(name: str) -> Description:
    summary, make = _makers[name]
    data = make()
    return Description(
        name=name,
        summary=summary,
        rows=data.n_rows,
        features=data.n_features,
        classes=data.n_classes,
        kind=data.kind,
        options=_option_names(make),
        source=data.source,
        licence=data.licence,
    )
