"""What ``minitrain train`` says after the training."""

import argparse
import shlex
from typing import Any

from .. import console
from .arguments import data_words

_CLASSES_SHOWN = 10


def print_report(report: dict[str, Any], options: argparse.Namespace) -> None:
    test = report["test"]
    print()
    facts = []
    if report["kind"] == "classification":
        within = console.interval(test["low"], test["high"])
        facts += [
            ["test accuracy", console.percent(test["accuracy"]),
             f"95 % interval {within}, from {test['rows']} rows"],
            ["without learning", console.percent(test["baseline"]),
             f"always {test['baseline_class']!r}, the most frequent class"],
        ]  # fmt: skip
    else:
        facts += [
            ["test R²", f"{test['r2']:.3f}",
             f"± {test['r2_standard_error']:.3f} standard error, from {test['rows']} rows"],
            ["typical error", f"{test['rmse']:.4g}",
             f"root mean square; {test['baseline_rmse']:.4g} without learning"],
        ]  # fmt: skip
    speed = report["steps_per_second"]
    facts.append(["training", console.duration(report["seconds"]), f"{speed:,.0f} steps a second"])
    if report["stop_reason"] != "all epochs done":
        facts.append(
            ["stopped", f"after epoch {report['epochs']}",
             f"{report['stop_reason']}; the weights are those of epoch {report['best_epoch']}"]
        )  # fmt: skip
    console.print_facts(facts)
    if report["kind"] == "classification":
        print()
        _print_classes(test["classes"])
    print()
    print(_next_step(report, options))  # not wrapped: it is to be copied


def _print_classes(classes: list[dict[str, Any]]) -> None:
    shown = classes
    if len(classes) > _CLASSES_SHOWN:
        shown = sorted(classes, key=lambda c: c["recall"])[:_CLASSES_SHOWN]
        print(f"The {_CLASSES_SHOWN} of {len(classes)} classes with the least recall:")
    console.print_table(
        ["class", "test rows", "recall", "else taken for"],
        [
            [
                c["name"],
                str(c["rows"]),
                console.percent(c["recall"]),
                ", ".join(f"{name} ({n})" for name, n in list(c["taken_for"].items())[:3]) or "–",
            ]
            for c in shown
        ],
        right=("test rows", "recall"),
    )


def _next_step(report: dict[str, Any], options: argparse.Namespace) -> str:
    test = report["test"]
    if report["kind"] != "classification":
        if options.patience is None:
            again = f"minitrain train {options.dataset} --epochs 200 --patience 20"
            return f"Stop where it is best:  {again}"
        return "Next, try another --optimizer, --lr or --layers."
    if test["low"] <= test["baseline"]:
        return (
            f"That is no better than without learning. Try --epochs {10 * options.epochs}, "
            "another --lr, or other --layers."
        )
    words = ["minitrain", "compare", options.dataset]
    words += data_words(options)
    return f"Is another optimizer better here?  {shlex.join(words)}"
