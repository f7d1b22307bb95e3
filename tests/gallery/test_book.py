"""The book's figures: its ways in closed form, and what the pictures say."""

from pathlib import Path

import numpy as np
from matplotlib.text import Text

import minitrain as mt
from minitrain.gallery import book, claims, surfaces
from minitrain.gallery.claims.training import Setting

DOCS = Path(__file__).parents[2] / "docs" / "gallery"


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def test_zigzag_of_the_book_in_closed_form():
    walk = mt.gallery.walk("ravine", mt.optimizers.SGD(lr=book.RAVINE_RATES["sgd"]))
    t = np.arange(31)
    np.testing.assert_allclose(walk.path[:, 0], -7 * (1 - 0.095) ** t, rtol=1e-12)
    np.testing.assert_allclose(walk.path[:, 1], 2 * (1 - 1.9) ** t, rtol=1e-12)


def test_ravine():
    said = words(book.draw_ravine(starts=3))
    for part in ("SGD, lr 0.95", "Adagrad, lr 1.5", "best of 51", "2 others (seed 0)"):
        assert part in said


def test_training(monkeypatch):
    monkeypatch.setattr(book, "_NETWORK", Setting("iris", (8,), batch_size=32, epochs=2))
    monkeypatch.setattr(book, "_STEPS", 5)
    said = words(book.draw_training(seeds=2))
    for part in ("milliseconds", "test accuracy", "the authors' rates", "best of 17", "seeds 0–1"):
        assert part in said


def test_gallery_in_docs_is_whole():
    """scripts/build_docs.py made it after the last surface, claim or part of one came."""
    index = (DOCS / "README.md").read_text("utf-8")
    for surface in surfaces.SURFACES:
        assert (DOCS / f"{surface.name}.png").exists()
        assert surface.shows in index
    for name in ("claims.md", "claims.ko.md"):
        text = (DOCS / name).read_text("utf-8")
        for key in claims.names():
            assert (DOCS / f"claim_{key}.png").exists()
            assert f"claim_{key}.png" in text
    together = (DOCS / "claims.html").read_text("utf-8")
    assert together.count("<section>") == len(claims.names())
    page = (DOCS / "playground.html").read_text("utf-8")
    assert len(page.encode()) < 400_000
    for script in ("page_walk.js", "page_map.js", "page_chart.js", "page.js", "page.css"):
        assert Path(mt.gallery.__file__).with_name(script).read_text("utf-8") in page
    assert sum(path.stat().st_size for path in DOCS.iterdir()) < 3_000_000
