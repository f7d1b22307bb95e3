"""The command ``minitrain``: one file per command; nothing heavy is imported before it is needed.

A command has a ``USAGE`` and a ``SUMMARY`` line, ``add_arguments(parser)``, and ``run(options)``,
which returns the exit code.

Exit codes: 0 done, 1 failed, 2 bad input, 130 Ctrl-C, 141 the reader of the output has gone.
"""

import io
import os
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TextIO

from .arguments import CommandError, Parser, nearest

COMMANDS = (
    "train", "compare", "report", "find-lr", "optimizers", "schedules", "surfaces", "landscape",
    "claims", "doctor", "datasets", "warmup", "bench",
)  # fmt: skip

WELCOME = """\
minitrain {version}: small neural networks, trained fast on a CPU and compared honestly.

Start here:
  minitrain train digits          train a network to read handwritten digits
  minitrain compare digits wine   which optimizer is better there, and how sure is that?
  minitrain optimizers adam       read an optimizer: its equation, its defaults, its code

Your own data:
  minitrain train FILE.csv --target COLUMN

Commands:
{commands}

Each takes --help, and --json for output that programs read.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    _prepare_streams()
    try:
        with _warnings_in_one_line():
            code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except CommandError as error:
        return _end(error.code, str(error))
    except KeyboardInterrupt as interrupt:
        return _end(130, str(interrupt) or "interrupted; nothing was written")
    except BrokenPipeError:
        _give_up(sys.stdout)
        return 141  # 128 + SIGPIPE, as other programs end
    except MemoryError as error:
        return _end(1, f"not enough memory: {error}" if str(error) else "not enough memory")
    except OSError as error:
        _give_up(sys.stdout)
        return _end(1, f"the output cannot be written: {error.strerror or error}")


def _prepare_streams() -> None:
    """A terminal that knows no "±" shows "?"; what goes to a closed stream goes nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        commands = "\n".join(f"  {name:<12}{_command(name).SUMMARY}" for name in COMMANDS)
        print(WELCOME.format(version=_version(), commands=commands), end="")
        return 0
    name, *rest = arguments
    if name in ("-V", "--version"):
        print(f"minitrain {_version()}")
        return 0
    if name not in COMMANDS:
        raise CommandError(_unknown(name))
    command = _command(name)
    summary = command.SUMMARY[0].upper() + command.SUMMARY[1:] + "."
    prog = f"minitrain {name}"
    parser = Parser(prog=prog, usage=f"{prog} {command.USAGE}", description=summary)
    command.add_arguments(parser)
    try:
        options = parser.parse_args(rest)
    except SystemExit:  # --help was asked for; errors are CommandErrors
        return 0
    with _compilation_said_once(quiet=options.json and not sys.stderr.isatty()):
        return int(command.run(options))


def _unknown(name: str) -> str:
    from .. import datasets

    what = "option" if name.startswith("-") else "command"
    hint = nearest(name, COMMANDS)
    if name in datasets.names() or os.path.isfile(name):
        hint = f" (did you mean: minitrain train {shlex.quote(name)}?)"
    return f"unknown {what} {name!r}{hint}; accepted: {', '.join(COMMANDS)}"


def _command(name: str) -> Any:
    return import_module(f".{name.replace('-', '_')}", __name__)


def _version() -> str:
    try:
        return version("minitrain")
    except PackageNotFoundError:
        return "0+unknown"


def _end(code: int, message: str) -> int:
    """Say in one line why this is the end."""
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        print(f"minitrain: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return code


def _give_up(stream: TextIO) -> None:
    """Let what is still in the stream go nowhere: Python would complain about it when it ends."""
    with suppress(OSError, ValueError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        text = str(message).removeprefix("minitrain: ")
        print(f"minitrain: warning: {text}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def _compilation_said_once(quiet: bool) -> Iterator[None]:
    from ..kernels import _jit

    said = quiet

    def say(kernel: str) -> None:
        nonlocal said
        if not said:
            print("compiling kernels (first run only) …", file=sys.stderr, flush=True)
        said = True

    before, _jit.on_compile = _jit.on_compile, say
    try:
        yield
    finally:
        _jit.on_compile = before
