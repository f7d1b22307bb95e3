"""``minitrain landscape``: a real network's loss, with trainings drawn on it."""

import argparse
from pathlib import Path
from typing import Any

from .. import console
from .arguments import (
    CommandError,
    add_data_options,
    choose,
    count,
    input_errors,
    layers,
    names,
    one_of,
    rate,
    read_data,
    seed,
    to_json,
)

USAGE = "DATASET|FILE.csv [options]"
SUMMARY = "draw a real network's loss, and optimizers on it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dataset", metavar="DATASET|FILE.csv", help="a name (see: minitrain datasets) or a file")
    add_data_options(parser)
    add(
        "--plane", type=one_of("pca", "random"), default="pca", metavar="pca|random",
        help="where the trainings spread most, or two random directions around the first "
        "optimizer's end (default: %(default)s)",
    )  # fmt: skip
    add("--optimizers", type=names, default=["sgd", "momentum", "adam"], metavar="NAME,NAME",
        help="(default: sgd,momentum,adam)")  # fmt: skip
    add("--lr", type=rate, metavar="RATE", help="learning rate of all (default: each one's own)")
    add("--layers", type=layers, default=(32,), metavar="N,N", help="(default: 32)")
    add("--epochs", type=count(1), default=20, metavar="N", help="(default: %(default)s)")
    add("--points", type=count(2, 501), default=51, metavar="N",
        help="of the grid, per direction (default: %(default)s)")  # fmt: skip
    add("--seed", type=seed, default=0, metavar="N", help="(default: %(default)s)")
    add("--out", type=Path, default=Path("landscape.png"), metavar="FILE",
        help="picture: .png, .svg, .pdf (default: %(default)s)")  # fmt: skip
    add("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    from .. import optimizers
    from ..gallery import landscape, plane_figures, style
    from ..gallery.walks import spelled
    from ..model import MLP

    if options.out.suffix not in (".png", ".svg", ".pdf"):
        raise CommandError(f"--out: {options.out.name!r}; accepted: .png, .svg, .pdf")
    chosen = [choose("--optimizers", n.casefold(), optimizers.names()) for n in options.optimizers]
    if not chosen:
        raise CommandError("--optimizers: none; accepted: at least one")
    (data,) = read_data([options.dataset], options)
    if not data.class_names:
        raise CommandError(f"{data.name}: numbers to predict; accepted: a data set with classes")
    given = {} if options.lr is None else {"lr": options.lr}
    movers = [optimizers.get(name, **given) for name in dict.fromkeys(chosen)]
    if options.plane == "random":  # it lies around the end of one training
        movers = movers[:1]
    with input_errors():
        train = data.split(seed=options.seed)[0]

    def network() -> MLP:
        return MLP([data.n_features, *options.layers, data.n_classes], seed=options.seed)

    ways, first = {}, None
    for mover in movers:
        model = network()
        ways[mover.name] = landscape.trajectory(
            model, mover, train, options.epochs, seed=options.seed
        )
        first = first or model
    assert first is not None
    if options.plane == "pca":
        plane = landscape.pca_plane(first, train, list(ways.values()), options.points)
    else:
        plane = landscape.random_plane(first, train, options.points, seed=options.seed)
        ways = {movers[0].name: ways[movers[0].name][-1:]}
    sizes = "-".join(map(str, first.sizes))
    rates = "given" if given else "each one's default"
    setup = (
        f"{data.name}, {sizes} relu, batch 32, {options.epochs} epochs, seed {options.seed}; "
        f"{'; '.join(map(spelled, movers))}; rates: {rates}."
    )
    try:
        with input_errors():
            style.save(plane_figures.draw_plane(plane, ways, setup), options.out)
    except ImportError as error:
        raise CommandError(str(error), code=1) from error
    if options.json:
        print(to_json(_as_json(plane, options)))
        return 0
    console.print_text(setup)
    if plane.explained and plane.null:
        shares = " and ".join(console.percent(share) for share in plane.explained)
        null = " and ".join(console.percent(share) for share in plane.null)
        console.print_text(
            f"The plane holds {shares} of the trainings' variance; random walks have {null}."
        )
    print(f"Written: {options.out}")
    return 0


def _as_json(plane: Any, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "plane": plane.how, "explained": plane.explained, "null": plane.null,
        "a": plane.a.tolist(), "b": plane.b.tolist(), "loss": plane.loss.tolist(),
        "accuracy": plane.accuracy.tolist(), "out": str(options.out),
    }  # fmt: skip
