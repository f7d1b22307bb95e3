"""``minitrain train``: one network on one data set, from the split to the test accuracy."""

import argparse
from typing import Any

from .. import console
from .arguments import (
    CommandError,
    add_data_options,
    count,
    read_data,
    seed,
    to_json,
)
from .options import add_network_options, add_optimizer_options
from .train_page import report_file, write_report
from .train_report import print_report
from .training import Training

USAGE = "DATASET|FILE.csv [options]"
SUMMARY = "train a network on a data set or on your own CSV file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dataset", metavar="DATASET|FILE.csv", help="a name (see: minitrain datasets) or a file")
    add_data_options(parser)
    add_network_options(parser)
    group = parser.add_argument_group("the training")
    add = group.add_argument
    add_optimizer_options(group)
    add(
        "--schedule", default="constant", metavar="TEXT",
        help="of the learning rate, such as cosine or 'step(every=epochs(10))' "
        "(default: %(default)s; see: minitrain schedules)",
    )  # fmt: skip
    add("--epochs", type=count(1), default=20, metavar="N", help="(default: %(default)s)")
    add("--batch-size", type=count(1), default=32, metavar="N", help="(default: %(default)s)")
    add(
        "--accumulate", type=count(1), default=1, metavar="N",
        help="batches whose gradients make one step, averaged by rows (default: %(default)s)",
    )  # fmt: skip
    add(
        "--patience", type=count(1), metavar="N",
        help="stop after so many epochs without a better validation loss; the best one counts",
    )  # fmt: skip
    add("--balanced", action="store_true", help="let every class come equally often")
    add(
        "--seed", type=seed, default=0, metavar="N",
        help="of split, initial weights and order of the rows (default: %(default)s)",
    )  # fmt: skip
    group = parser.add_argument_group("to see more")
    group.add_argument(
        "--live", action="store_true",
        help="draw loss, accuracy, learning rate and update-to-weight ratio while it trains",
    )  # fmt: skip
    group.add_argument(
        "--report", type=report_file, metavar="FILE.html",
        help="write a page: curves, confusion matrix, mistakes, weights, decision boundary",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from ..trainer import DivergenceError

    (data,) = read_data([options.dataset], options)
    training = Training(data, options)
    if not options.json:
        training.print_plan()
    try:
        history = training.fit()
    except DivergenceError as error:
        raise CommandError(
            f"training diverged: the loss is not finite in epoch {error.epoch} of "
            f"{options.epochs}, step {error.step}, with {training.optimizer!r}; "
            f"try {_advice(training.optimizer)}",
            code=1,
        ) from None
    report = training.report(history)
    if options.report and len(history):
        write_report(training, history, report)
    if history.stop_reason == "interrupted":
        return _interrupted(report, options)
    if options.json:
        print(to_json(report))
    else:
        print_report(report, options)
        if options.report:
            print(f"Written: {options.report}")
    return 0


def _advice(optimizer: Any) -> str:
    if "lr" not in optimizer.hyperparameters:  # L-BFGS
        return "more weight decay, such as --set weight_decay=0.01"
    lr = min(optimizer.lr / 10, optimizer.rule.defaults["lr"])
    return f"a smaller learning rate, such as --lr {lr:g}"


def _interrupted(report: dict[str, Any], options: argparse.Namespace) -> int:
    if options.json:
        print(to_json(report))
    found = ""
    if report["epochs"] and report["kind"] == "classification":
        found = f" with a test accuracy of {console.percent(report['test']['accuracy'])}"
    raise KeyboardInterrupt(
        f"interrupted after {report['epochs']} of {options.epochs} epochs{found}; "
        "nothing was written"
    )
