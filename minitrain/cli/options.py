"""Options that several commands share: of the network and of the optimizer."""

import argparse
from typing import Any

from .arguments import layers, one_of, rate, setting


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """--layers, --activation, --dtype."""
    group = parser.add_argument_group("the network")
    group.add_argument(
        "--layers", type=layers, default=(64, 64), metavar="N,N",
        help="units of the hidden layers (default: 64,64); none for a linear model",
    )  # fmt: skip
    group.add_argument(
        "--activation", default="relu", metavar="NAME",
        help="of the hidden layers: identity, relu, leaky_relu, tanh, sigmoid, gelu, silu "
        "(default: %(default)s)",
    )  # fmt: skip
    group.add_argument(
        "--dtype",
        type=one_of("float32", "float64"),
        default="float32",
        metavar="NAME",
        help="float32 or float64 (default: %(default)s)",
    )


def add_optimizer_options(group: Any, with_rate: bool = True) -> None:
    """--optimizer, --lr, --set, into a group of options."""
    add = group.add_argument
    add("--optimizer", default="adam", metavar="NAME",
        help="(default: %(default)s; see: minitrain optimizers)")  # fmt: skip
    if with_rate:
        add("--lr", type=rate, metavar="RATE", help="learning rate (default: the optimizer's)")
    add(
        "--set", type=setting, action="append", default=[], metavar="NAME=VALUE",
        help="another hyperparameter (beta1=0.95, weight_decay=0.01), or what any optimizer may do "
        "besides (clip_norm=1, ema=0.99, lookahead=5); may be given several times",
    )  # fmt: skip
