"""``minitrain surfaces``: watch optimizers walk over functions of two numbers."""

import argparse
from pathlib import Path
from typing import Any

from .. import console
from .arguments import CommandError, choose, count, input_errors, names, rate, seed, to_json

USAGE = "[SURFACE] [options]"
SUMMARY = "watch optimizers walk: pictures, animations, an interactive page"

SUFFIXES = (".png", ".svg", ".pdf", ".gif", ".mp4", ".html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("surface", metavar="SURFACE", nargs="?", help="its name; without one they are listed")
    add(
        "--optimizers", type=names, metavar="NAME,NAME",
        help="(default: the eight of introductions; see: minitrain optimizers)",
    )  # fmt: skip
    add(
        "--lr", type=rate, metavar="RATE",
        help="learning rate of all (default: for each the one with the lowest mean loss)",
    )  # fmt: skip
    add("--start", type=point, metavar="X,Y", help="(default: the surface's); write --start=-1,2")
    add("--steps", type=count(1, 100_000), metavar="N", help="(default: the surface's)")
    add(
        "--noise", type=rate, default=0.0, metavar="DEVIATION",
        help="added to each coordinate of the gradient, as mini-batches do (default: none)",
    )  # fmt: skip
    add("--seed", type=seed, default=0, metavar="N", help="of the noise (default: %(default)s)")
    add(
        "--out", type=Path, metavar="FILE",
        help="draw it: .png, .svg, .pdf, a moving .gif or .mp4, or the interactive .html page",
    )  # fmt: skip
    add("--json", action="store_true", help="print JSON")


def point(text: str) -> tuple[float, float]:
    """The kind of an argument: two numbers."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}; accepted: two numbers, such as --start=-1.5,2"
        ) from None
    return x, y


def run(options: argparse.Namespace) -> int:
    from .. import optimizers
    from ..gallery import style, surfaces

    if options.out and options.out.suffix not in SUFFIXES:
        raise CommandError(f"--out: {options.out.name!r}; accepted: {', '.join(SUFFIXES)}")
    known = optimizers.names()
    chosen = [
        choose("--optimizers", name.casefold(), known)
        for name in options.optimizers or style.STYLES
    ]
    if options.surface is None:
        return _list(options, chosen)
    with input_errors():
        surface = surfaces.get(choose("surface", options.surface.casefold(), surfaces.names()))
    walks = [_walk(surface, name, options) for name in dict.fromkeys(chosen)]
    if options.out:
        _draw(walks, options.out)
    if options.json:
        print(to_json(_as_json(surface, walks, options)))
        return 0
    _print(surface, walks)
    if options.out:
        print(f"\nWritten: {options.out}")
    else:
        print(f"\nSee it:  minitrain surfaces {surface.name} --out {surface.name}.gif")
        print(f"Touch it:  minitrain surfaces {surface.name} --out {surface.name}.html")
    return 0


def _walk(surface: Any, name: str, options: argparse.Namespace) -> Any:
    from ..gallery import walks

    where = {"start": options.start, "steps": options.steps}
    noise = {"noise": options.noise, "seed": options.seed}
    with input_errors():
        if options.lr is None:
            return walks.tune(surface, name, **where, **noise)
        optimizer = walks.get_optimizer(name, lr=options.lr)
        return walks.walk(surface, optimizer, **where, **noise)


def _draw(walks: list[Any], out: Path) -> None:
    from ..gallery import animation, figures, page, style

    with input_errors():
        try:
            if out.suffix == ".html":
                page.write_page(
                    out, [w.optimizer for w in walks], walks[0].surface, walks[0].path[0]
                )
            elif out.suffix in (".gif", ".mp4"):
                animation.animate(walks, out)
            else:
                style.save(figures.draw_walks(walks), out)
        except (ImportError, RuntimeError) as error:
            raise CommandError(str(error), code=1) from error


def _list(options: argparse.Namespace, chosen: list[str]) -> int:
    from ..gallery import surfaces

    if options.json:
        print(to_json([_about(surface) for surface in surfaces.SURFACES]))
        return 0
    if options.out:
        raise CommandError("surface: needed for --out; see: minitrain surfaces")
    console.print_table(
        ["name", "formula", "what can be seen"],
        [[s.name, s.formula, s.shows] for s in surfaces.SURFACES],
    )
    print("\nWalk on one:  minitrain surfaces ravine --optimizers sgd,momentum,adam")
    print("Touch them all:  minitrain surfaces ravine --out surfaces.html")
    return 0


def _about(surface: Any) -> dict[str, Any]:
    return {
        "name": surface.name, "formula": surface.formula, "start": surface.start,
        "window": surface.window, "steps": surface.steps, "minima": surface.minima,
        "shows": surface.shows, "source": surface.source,
    }  # fmt: skip


def _as_json(surface: Any, walks: list[Any], options: argparse.Namespace) -> dict[str, Any]:
    return {
        **_about(surface),
        "noise": options.noise,
        "seed": options.seed,
        "walks": [
            {
                "optimizer": walk.optimizer.name,
                "hyperparameters": walk.optimizer.hyperparameters,
                "chosen": walk.chosen,
                "path": walk.path.tolist(),
                "loss": walk.loss.tolist(),
            }
            for walk in walks
        ],
    }


def _print(surface: Any, walks: list[Any]) -> None:
    from ..gallery import figures

    console.print_heading(f"{surface.title}:  {surface.formula}")
    console.print_text(f"{surface.shows} ({surface.source})")
    print()
    console.print_table(
        ["optimizer", "lr", "first loss", "last loss", "ends at", "from a minimum"],
        [
            [
                walk.optimizer.name,
                f"{walk.optimizer.lr:.3g}",
                f"{walk.loss[0]:.4g}",
                f"{walk.loss[-1]:.4g}",
                f"({walk.path[-1][0]:.3g}, {walk.path[-1][1]:.3g})",
                f"{walk.distance()[-1]:.2g}",
            ]
            for walk in walks
        ],
        right=("lr", "first loss", "last loss", "from a minimum"),
    )
    print()
    console.print_text(figures.how_made(walks))
