"""Reading arguments: an argparse whose errors are one line, and the kinds of values."""

import argparse
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NoReturn


class CommandError(Exception):
    """The command cannot go on; the message is one line for its user, ``code`` its exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


class Parser(argparse.ArgumentParser):
    """Options are spelt out, misspelt ones get the nearest, and an error is a CommandError."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            known = sorted(set(re.findall(r"--[a-z][a-z-]*", self.format_help())))
            name = next((a for a in unknown if a.startswith("-")), unknown[0])
            if not name.startswith("-"):
                self.error(f"{name!r} is one argument too many")
            name = name.partition("=")[0]
            self.error(f"unknown option {name}{nearest(name, known)}; accepted: {', '.join(known)}")
        return options

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        raise CommandError(f"{message} (see {self.prog} --help)")


@contextmanager
def input_errors() -> Iterator[None]:
    """What the library says about bad input ends the command with that line."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        raise CommandError(str(error)) from error


def nearest(word: str, accepted: Iterable[str]) -> str:
    """' (did you mean adam?)', or nothing."""
    near = get_close_matches(word.casefold(), list(accepted), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def choose(option: str, value: str, accepted: Sequence[str]) -> str:
    """``value`` if it is accepted; else the error names the nearest and all."""
    if value not in accepted:
        raise CommandError(
            f"{option}: unknown {value!r}{nearest(value, accepted)}; "
            f"accepted: {', '.join(accepted)}"
        )
    return value


def count(least: int, most: int | None = None) -> Callable[[str], int]:
    """The kind of an argument: whole numbers from ``least`` to ``most``."""

    def read(text: str) -> int:
        accepted = f"accepted: whole numbers from {least}{f' to {most}' if most else ''}"
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number; {accepted}"
            ) from None
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is too small; {accepted}")
        if most is not None and number > most:
            raise argparse.ArgumentTypeError(f"{number} is too large; {accepted}")
        return number

    return read


seed = count(0, 2**32 - 1)


def one_of(*accepted: str) -> Callable[[str], str]:
    """The kind of an argument: one of these words."""

    def read(text: str) -> str:
        if text not in accepted:
            raise argparse.ArgumentTypeError(f"{text!r}; accepted: {', '.join(accepted)}")
        return text

    return read


def rate(text: str) -> float:
    """The kind of an argument: a learning rate."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no learning rate; accepted: numbers from 0, such as 1e-3"
        )
    return number


def layers(text: str) -> tuple[int, ...]:
    """The kind of an argument: units of the hidden layers, '64,64'; 'none' for none."""
    if text.strip().casefold() == "none":
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d+", part) and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f"{text!r}; accepted: units of each hidden layer, such as 64,64, or none"
        )
    return tuple(int(part) for part in parts)


def names(text: str) -> list[str]:
    """The kind of an argument: names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


def setting(text: str) -> tuple[str, Any]:
    """The kind of an argument: NAME=VALUE; a number, several (0.9,0.99), true or false."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: NAME=VALUE, such as beta1=0.95")
    flags = {"true": True, "false": False}
    try:
        numbers = [
            int(p) if re.fullmatch(r"\s*[+-]?\d+\s*", p) else float(p) for p in value.split(",")
        ]
    except ValueError:
        return name, flags.get(value.casefold(), value)
    return name, numbers if "," in value else numbers[0]


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """What ``read_data`` needs to know about a CSV file."""
    group = parser.add_argument_group("for a CSV file")
    group.add_argument("--target", metavar="NAME", help="column of the classes to learn")
    group.add_argument(
        "--drop", metavar="NAME", action="append", default=[],
        help="leave out a column; may be given several times",
    )  # fmt: skip
    group.add_argument(
        "--categorical", metavar="NAME", action="append", default=[],
        help="take a column's numbers for names (postcodes); may be given several times",
    )  # fmt: skip


def data_words(options: argparse.Namespace) -> list[str]:
    """The options of a CSV file once more, for a command to be copied."""
    words: list[str] = []
    for option in ("target", "drop", "categorical"):
        value = getattr(options, option)
        for text in [value] if isinstance(value, str) else value or []:
            words += [f"--{option}", text]
    return words


def read_data(names: Sequence[str], options: argparse.Namespace) -> list[Any]:
    """The data sets by name, and the user's own CSV files."""
    from .. import datasets

    about_files = {
        option: value
        for option in ("target", "drop", "categorical")
        if (value := getattr(options, option))
    }
    if about_files and all(name in datasets.names() for name in names):
        raise CommandError(
            f"--{next(iter(about_files))}: only for a CSV file; {', '.join(names)} has its own"
        )
    with input_errors():
        return [
            datasets.load(name, **({} if name in datasets.names() else about_files))
            for name in names
        ]


def to_json(value: Any) -> str:
    """JSON that every program reads: null in place of nan and infinity."""
    return json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
