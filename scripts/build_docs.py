"""Build docs/gallery/ from the library: ``python3 scripts/build_docs.py [--out FOLDER]``.

Pictures of all surfaces, the interactive page, what introductions claim, a network's landscape and
the book's figures.  Everything in the folder is made here, and nothing in it is written by hand.
"""

from _environment import ensure

ensure(extras=("lab",))

import argparse
import json
from pathlib import Path

import minitrain as mt
from minitrain import gallery
from minitrain.gallery.claims import report
from minitrain.gallery.claims.training import HOW, Setting, tuned
from minitrain.gallery.walks import spelled

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("surfaces", "landscapes", "book", "claims")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam")

INDEX = """\
# Gallery: what an optimizer does

Made by `python3 scripts/build_docs.py`; every number comes from this library's own kernels. The
pictures illustrate and rank nobody: [comparing](../comparing.md) says how that is done.

- [What they say of optimizers, and what happens](claims.md) ([한국어](claims.ko.md)): {claims}
  claims in {parts} statements, each an experiment with a verdict;
  [claims.html](claims.html) is the same as one page.
- [playground.html](playground.html): download it, open it, click where to start. It works offline,
  at the screen's own 60 frames a second (`python3 scripts/bench_page.py` measures them).

![Five optimizers in the ravine](ravine.gif)

## The book's two figures, and the same ones done honestly

From 밑바닥부터 시작하는 딥러닝 (Deep Learning from Scratch), chapter 6.

![The four ways over x²/20 + y²](book_ravine.png)

![Four optimizers on a network of five layers](book_training.png)

## A real network's loss

![The plane in which the trainings spread most](landscape_pca.png)

![A plane of two random directions](landscape_random.png)

## Surfaces
{surfaces}
Make them yourself: `minitrain surfaces`, `minitrain landscape`, `minitrain claims`; watch a
training: `minitrain train digits --live --report report.html`; before it:
`minitrain doctor digits`.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery", metavar="FOLDER")
    parser.add_argument("--seeds", type=int, default=10, help="of the claims (default: 10)")
    parser.add_argument("--only", choices=PARTS, metavar="PART",
                        help=f"build this alone, of {', '.join(PARTS)}")  # fmt: skip
    options = parser.parse_args()
    out = options.out
    out.mkdir(parents=True, exist_ok=True)

    wanted = (options.only,) if options.only else PARTS
    if "surfaces" in wanted:
        surfaces(out)
    if "landscapes" in wanted:
        landscapes(out)
    if "book" in wanted:
        say("the book's figures")
        gallery.save(gallery.book.draw_ravine(), out / "book_ravine.png")
        gallery.save(gallery.book.draw_training(), out / "book_training.png")
    if "claims" in wanted:
        say("claims")
        for old in out.glob("claim_*.png"):  # of claims that are no more, too
            old.unlink()
        findings = list(gallery.claims.run(options.seeds))
        report.write(findings, out, f"minitrain claims --seeds {options.seeds}")
    index(out)
    size = sum(path.stat().st_size for path in out.iterdir())
    say(f"{len(list(out.iterdir()))} files, {size / 1e6:.1f} MB in {out}")


def index(out):
    """The page that shows all, once everything is there."""
    if not (out / "claims.json").exists():
        return
    findings = json.loads((out / "claims.json").read_text("utf-8"))
    sections = "".join(
        f"\n### {s.title}\n\n{s.shows} Source: {s.source}.\n\n![{s.title}]({s.name}.png)\n"
        for s in map(gallery.get, gallery.names())
    )
    parts = sum(len(finding["parts"]) for finding in findings)
    (out / "README.md").write_text(
        INDEX.format(claims=len(findings), parts=parts, surfaces=sections), "utf-8"
    )


def surfaces(out):
    """A picture of each surface, the moving one and the page."""
    for name in gallery.names():
        say(f"surface {name}")
        surface = gallery.get(name)
        walks = [gallery.tune(surface, optimizer) for optimizer in OPTIMIZERS]
        gallery.save(gallery.draw_walks(walks), out / f"{name}.png")
    few = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
    gallery.animate([gallery.tune("ravine", name) for name in few], out / "ravine.gif", dpi=70)
    gallery.write_page(out / "playground.html", OPTIMIZERS)


def landscapes(out):
    """Digits: four trainings from the same weights, in their own plane and around one's end."""
    say("landscapes")
    train = mt.datasets.load("digits").split(seed=0)[0]
    setting = Setting(epochs=20)  # that of claim 7: 64-32-10
    movers = [tuned(setting, name) for name in ("sgd", "momentum", "adagrad", "adam")]
    ways, model = {}, None
    for mover in movers:
        model = setting.model(0)
        ways[mover.name] = gallery.trajectory(model, mover, train, epochs=setting.epochs)
    told = f"digits, 64-32-10 relu, batch 32, {setting.epochs} epochs, seed 0; "
    how = f"; {HOW.format('validation')}."
    setup = told + ", ".join(map(spelled, movers)) + how
    plane = gallery.pca_plane(model, train, list(ways.values()))
    gallery.save(gallery.draw_plane(plane, ways, setup), out / "landscape_pca.png", dpi=90)
    plane = gallery.random_plane(model, train)
    end = {"adam": ways["adam"][-1:]}
    around = f"{told}the end of the training with {spelled(movers[-1])}{how}"
    gallery.save(gallery.draw_plane(plane, end, around), out / "landscape_random.png")


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    main()
