"""``minitrain claims``: what introductions say of optimizers, tried."""

import argparse
import sys
import time
from pathlib import Path

from .. import console
from .arguments import CommandError, choose, count, input_errors, one_of, to_json

USAGE = "[CLAIM ...] [options]"
SUMMARY = "try what introductions say of optimizers, each claim with a verdict"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("claims", metavar="CLAIM", nargs="*", help="only these, by the names that --list shows")
    add(
        "--seeds", type=count(2, 200), default=10, metavar="N",
        help="runs of everything that is random (default: %(default)s)",
    )  # fmt: skip
    add(
        "--out", type=Path, metavar="FOLDER", help="write claims.html, claims.md and pictures there"
    )
    add("--lang", type=one_of("en", "ko"), default="en", metavar="en|ko",
        help="of the terminal, and of the page at first (default: %(default)s)")  # fmt: skip
    add("--list", action="store_true", help="list the names of the claims")
    add("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from ..gallery import claims

    if options.list:
        print(to_json(claims.names()) if options.json else "\n".join(claims.names()))
        return 0
    keys = [choose("claim", key.casefold(), claims.names()) for key in options.claims]
    keys = list(dict.fromkeys(keys)) or claims.names()
    if options.out and options.out.exists() and not options.out.is_dir():
        raise CommandError(f"--out: {options.out} is a file; accepted: a folder")
    findings, began = [], time.perf_counter()
    quiet = options.json and not console.is_terminal(sys.stderr)
    try:
        with console.Progress("claim", quiet=quiet) as progress:
            for number, finding in enumerate(claims.run(options.seeds, keys), 1):
                findings.append(finding)
                progress.update(number, len(keys), finding.key)
    except ImportError as error:
        raise CommandError(str(error), code=1) from error
    if options.out:
        _write(findings, options)
    if options.json:
        from ..gallery.claims.report import as_json

        print(to_json(as_json(findings)))
        return 0
    _print(findings, 1 if options.lang == "ko" else 0)
    print(f"{options.seeds} seeds, {console.duration(time.perf_counter() - began)}. ", end="")
    print(f"Written: {options.out / 'claims.html'}" if options.out else
          "See the figures:  minitrain claims --out claims")  # fmt: skip
    return 0


def _write(findings: list, options: argparse.Namespace) -> None:
    from ..gallery.claims.report import write

    only = " ".join(options.claims)
    command = " ".join(f"minitrain claims {only} --seeds {options.seeds}".split())
    with input_errors():
        write(findings, options.out, command, options.lang)


def _print(findings: list, language: int) -> None:
    from ..gallery.claims.finding import KOREAN

    for finding in findings:
        console.print_heading(f"{finding.number}. {finding.claim[language]}")
        for part in finding.parts:
            verdict = KOREAN[part.verdict] if language else part.verdict
            print(f"   {verdict.upper()}: {part.statement[language]}")
            console.print_text(f"      {part.measured[language]}")
        print()
