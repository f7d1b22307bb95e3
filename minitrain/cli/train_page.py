"""``minitrain train --report``: the page of a training."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from .. import console
from .arguments import CommandError, input_errors


def report_file(text: str) -> Path:
    """The kind of an argument: a file that ends in .html, in a folder that is there."""
    path = Path(text)
    if path.suffix not in (".html", ".htm"):
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: a file that ends in .html")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}; the folder {path.parent} is not there")
    return path


def write_report(training: Any, history: Any, report: dict[str, Any]) -> None:
    """Write what ``training`` (a Training) left behind to the file of its options."""
    from ..gallery.training_page import write_training_page
    from ..gallery.walks import spelled

    test = report["test"]
    classes = test.get("classes", ())
    found = (
        (
            "test accuracy",
            f"{console.percent(test['accuracy'])}, 95 % interval "
            f"{console.interval(test['low'], test['high'])} from {test['rows']} rows; without "
            f"learning {console.percent(test['baseline'])}",
        )
        if classes
        else ("test R²", f"{test['r2']:.3f} ± {test['r2_standard_error']:.3f}")
    )
    chosen = "given" if training.options.lr is not None else "the optimizer's default"
    sizes = " → ".join(map(str, report["sizes"]))
    facts = [
        ("training", f"{report['dataset']}, {training.optimizer.rule.title}"),
        ("optimizer", spelled(training.optimizer)),
        ("network", f"{sizes}, {report['activation']}, {report['parameters']} parameters"),
        ("batches", f"of {report['batch_size']}, {report['epochs']} epochs, seed {report['seed']}"),
        ("rate", f"{chosen}, schedule {report['schedule']}"),
        found,
        ("time", console.duration(report["seconds"])),
        ("ended", report["stop_reason"]),
    ]
    words = ["minitrain", *sys.argv[1:]] if sys.argv[1:2] == ["train"] else ["minitrain train"]
    try:
        with input_errors():
            write_training_page(
                training.options.report, training.model, training.parts, history, training.watch,
                facts, shlex.join(words), classes,
            )  # fmt: skip
    except ImportError as error:
        raise CommandError(str(error), code=1) from error
