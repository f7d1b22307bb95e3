"""See what an optimizer does: on surfaces, on a real network's loss, and during a training.

>>> walk = mt.gallery.walk("ravine", mt.optimizers.Adam(lr=0.3))
>>> mt.gallery.draw_walks([walk]).savefig("adam.png")

Pictures illustrate; none is a ranking.  That is the lab's business (``minitrain compare``).
"""

from importlib import import_module
from typing import Any

# Loaded when first used: pictures need matplotlib, walks do not.
_ROOM_OF = {
    "Surface": "surfaces",
    "Walk": "walks",
    "animate": "animation",
    "book": "book",
    "claims": "claims",
    "draw_plane": "plane_figures",
    "draw_walks": "figures",
    "examine": "doctor",
    "get": "surfaces",
    "names": "surfaces",
    "pca_plane": "landscape",
    "random_plane": "landscape",
    "save": "style",
    "trajectory": "landscape",
    "tune": "walks",
    "walk": "walks",
    "write_page": "page",
}

__all__ = sorted(_ROOM_OF)


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'minitrain.gallery' has no attribute {name!r}")
    room = import_module(f".{_ROOM_OF[name]}", __name__)
    value = room if name == _ROOM_OF[name] else getattr(room, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
