"""One training as an HTML page."""

import base64
import io
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..history import History
from ..model import MLP
from . import training_figures as figures
from .inside import idle_units
from .pages import embedded, environment, render

Section = tuple[str, str, str]  # heading, address of the picture, words
_FRAMES = 24


class Watch:
    """A callback that keeps what the page shows of the epochs: update ratios, and, of data with
    two features, the parameters."""

    def __init__(self, model: MLP, trainer: Any = None) -> None:
        self._model = model
        self.trainer = trainer
        self.ratios: list[float] = []
        self.snapshots = [(0, model.parameters.copy())] if model.sizes[0] == 2 else []

    def __call__(self, history: History) -> None:
        if self.trainer is not None:
            self.ratios.append(self.trainer.update_ratio())
        if self.snapshots:
            self.snapshots.append((len(history), self._model.parameters.copy()))
            if len(self.snapshots) > 2 * _FRAMES:  # every other one, but the first stays
                self.snapshots = self.snapshots[::2]


def write_training_page(
    path: str | Path, model: MLP, parts: Sequence[Any], history: History, watch: Watch,
    facts: Sequence[tuple[str, str]], command: str, classes: Sequence[dict[str, Any]] = (),
) -> Path:  # fmt: skip
    """Write the page of a finished training.

    ``parts`` are the train, validation and test Datasets; the first of ``facts`` is the title, the
    others go into the table on top.
    """
    train, _, test = parts
    sections = [_curves(history, watch)]
    if classes:
        sections += _mistakes(model, test)
        if watch.snapshots:
            sections.append(_boundary(model, train, watch))
    sections.append(_weights(model, train))
    shown = [
        {
            "name": c["name"], "rows": c["rows"],
            "recall": f"{c['recall']:.1%}" if c["rows"] else "–",
            "taken_for": ", ".join(f"{n} ({k})" for n, k in c["taken_for"].items()) or "–",
        }
        for c in classes
    ]  # fmt: skip
    text = render(
        files(__package__).joinpath("training.html").read_text("utf-8"),
        title=facts[0][1], facts=facts[1:], sections=sections, classes=shown,
        environment=environment(command),
    )  # fmt: skip
    target = Path(path)
    target.write_text(text, "utf-8")
    return target


def _curves(history: History, watch: Watch) -> Section:
    return (
        "Curves",
        embedded(figures.draw_curves(history, watch.ratios)),
        "Training values are means over the mini-batches while the weights change; validation is "
        "measured after the epoch. Update / weights: what the epoch's last gradient changes in one "
        "step, by the size of all weights; usual is about 1e-3.",
    )


def _mistakes(model: MLP, test: Any) -> list[Section]:
    proba = model.predict_proba(test.X)
    predicted = proba.argmax(axis=1)
    names = list(test.class_names)
    sections = [
        (
            "Confusion matrix",
            embedded(figures.draw_confusion(predicted, test.y, names)),
            f"{len(test.y)} test rows; each row of the matrix is a class, shaded by its shares.",
        )
    ]
    side = math.isqrt(test.X.shape[1])
    wrong = int((predicted != test.y).sum())
    pixels = all(str(name).startswith("pixel") for name in test.feature_names)
    if pixels and side * side == test.X.shape[1] and wrong:
        made = test.standardization  # as they came: standardised, an 8 is no 8 any more
        pixels_shown = test.X if made is None else test.X * made.scale + made.mean
        picture = figures.draw_mistakes(
            pixels_shown.reshape(-1, side, side), predicted, test.y, names, proba.max(axis=1)
        )
        sections.append(
            (
                "Mistakes",
                embedded(picture),
                f"{wrong} of {len(test.y)} test pictures; is, as what it was taken, and how "
                "sure the network was. The surest mistakes first.",
            )
        )
    return sections


def _boundary(model: MLP, train: Any, watch: Watch) -> Section:
    chosen = watch.snapshots[:: max(1, len(watch.snapshots) // _FRAMES)]
    if chosen[-1][0] != watch.snapshots[-1][0]:
        chosen.append(watch.snapshots[-1])
    frames = figures.boundary_frames(model, chosen, train.X, train.y)
    raw = io.BytesIO()
    frames[0].save(raw, "gif", save_all=True, append_images=[*frames[1:], *[frames[-1]] * 8],
                   duration=180, loop=0)  # fmt: skip
    address = "data:image/gif;base64," + base64.b64encode(raw.getvalue()).decode()
    return (
        "Decision boundary",
        address,
        "Training rows (standardised), and the class that the network says, paler where it is less "
        "sure, from before the training to its end.",
    )


def _weights(model: MLP, train: Any) -> Section:
    idle = [f"{int(unit.sum())} of {unit.size}" for unit in idle_units(model, train.X)]
    said = f"Units that pass no gradient on any training row: {', '.join(idle)}." if idle else ""
    rows = np.asarray(train.X)[:512]
    return (
        "Weights and activations",
        embedded(figures.draw_weights(model, rows)),
        f"Above all weights of each layer, below what enters its activation on {len(rows)} "
        f"training rows. {said}",
    )
