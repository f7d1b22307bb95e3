"""Pictures of one training: curves, mistakes, weights, activations, the decision boundary."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..history import History
from ..model import MLP
from .inside import pre_activations
from .style import INK, new_figure

TRAIN, VALIDATION = "#0072B2", "#D55E00"
_CLASSES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#882255", "#000000")


def draw_curves(history: History, ratios: Sequence[float] = ()) -> Any:
    """Loss, accuracy, learning rate, and size of the update by that of the weights, per epoch."""
    figure, axes = new_figure(10, 5, columns=2, rows=2, sharex=True)
    epochs = np.arange(1, len(history) + 1)
    for axis, name in ((axes[0, 0], "loss"), (axes[0, 1], "accuracy")):
        for values, label, colour in (
            (getattr(history, name), "training (during the epoch)", TRAIN),
            (getattr(history, f"validation_{name}"), "validation (after it)", VALIDATION),
        ):
            if np.isfinite(values).any():
                axis.plot(epochs, values, color=colour, label=label)
        axis.set_ylabel(name, fontsize=8)
        if history.best_epoch:
            axis.axvline(history.best_epoch, color="#888888", linestyle=":", label="best epoch")
    axes[0, 0].set_yscale("log")
    axes[0, 0].legend(fontsize=8, frameon=False)
    axes[1, 0].plot(epochs, history.learning_rate, color=INK)
    axes[1, 0].set_ylabel("learning rate", fontsize=8)
    axes[1, 0].set_ylim(bottom=0)  # or a constant rate looks as if it were something to look at
    if len(ratios):
        axes[1, 1].plot(epochs[: len(ratios)], ratios, color=INK)
        axes[1, 1].axhspan(3e-4, 3e-3, color="#009E73", alpha=0.15, label="about 1e-3: usual")
        axes[1, 1].set_yscale("log")
        axes[1, 1].legend(fontsize=8, frameon=False)
    axes[1, 1].set_ylabel("update / weights, a step", fontsize=8)
    for axis in axes[1]:
        axis.set_xlabel("epoch", fontsize=8)
    return figure


def draw_confusion(predicted: np.ndarray, wanted: np.ndarray, names: Sequence[str]) -> Any:
    """How many rows of each class (down) were taken for which (across)."""
    k = len(names)
    counts = np.bincount(wanted * k + predicted, minlength=k * k).reshape(k, k)
    size = min(9.0, 2.5 + 0.42 * k)
    figure, ((axis,),) = new_figure(size + 1, size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(shares, cmap="Greys", vmin=0, vmax=1)
    for i, j in np.argwhere(counts > 0) if k <= 30 else ():
        colour = "white" if shares[i, j] > 0.5 else "#D55E00" if i != j else INK
        axis.text(j, i, counts[i, j], ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(range(k), [str(n)[:12] for n in names], fontsize=7, rotation=90)
    axis.set_yticks(range(k), [str(n)[:12] for n in names], fontsize=7)
    axis.set_xlabel("taken for", fontsize=8)
    axis.set_ylabel("is", fontsize=8)
    return figure


def draw_mistakes(
    images: np.ndarray, predicted: np.ndarray, wanted: np.ndarray, names: Sequence[str],
    sure: np.ndarray, most: int = 24,
) -> Any:  # fmt: skip
    """The pictures (n, h, w) that were taken for another class, the surest mistakes first."""
    wrong = np.flatnonzero(predicted != wanted)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:most]
    columns = 8
    rows = max(1, -(-len(wrong) // columns))
    figure, axes = new_figure(9, 1.35 * rows, columns=columns, rows=rows)
    for axis in axes.flat:
        axis.axis("off")
    for axis, i in zip(axes.flat, wrong, strict=False):
        axis.imshow(images[i], cmap="Greys")
        axis.set_title(f"{names[wanted[i]]} as {names[predicted[i]]}, {sure[i]:.0%}", fontsize=7)
    return figure


def draw_weights(model: MLP, X: np.ndarray) -> Any:
    """Histograms per layer: weights, and what goes into the activations on these rows."""
    layers = len(model.weights)
    figure, axes = new_figure(10, 3.6, columns=layers, rows=2)
    hidden = [*pre_activations(model, X), model.decision_function(X)]
    for l, (W, z) in enumerate(zip(model.weights, hidden, strict=True)):
        axes[0, l].hist(W.ravel(), bins=40, color=TRAIN)
        axes[0, l].set_title(f"weights {l + 1}: {W.shape[0]} → {W.shape[1]}", fontsize=8)
        axes[1, l].hist(z.ravel(), bins=40, color=VALIDATION)
        name = model.activation[l] if l < layers - 1 else "output"
        axes[1, l].set_title(f"into {name}", fontsize=8)
        for axis in axes[:, l]:
            axis.set_yticks([])
    return figure


def boundary_frames(
    model: MLP, snapshots: Sequence[tuple[int, np.ndarray]], X: np.ndarray, y: np.ndarray,
    points: int = 160,
) -> list[Any]:  # fmt: skip
    """Pillow images: the classes that the network says over the plane, per (epoch, parameters)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import to_rgb
    from PIL import Image

    low, high = X.min(axis=0) - 0.5, X.max(axis=0) + 0.5
    xs, ys = np.linspace(low[0], high[0], points), np.linspace(low[1], high[1], points)
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    colours = np.array([to_rgb(_CLASSES[c % len(_CLASSES)]) for c in range(model.sizes[-1])])
    figure, ((axis,),) = new_figure(5, 4.6)
    frame = axis.imshow(np.ones((points, points, 3)), origin="lower", aspect="auto",
                        extent=(low[0], high[0], low[1], high[1]))  # fmt: skip
    axis.scatter(*X.T, c=colours[y], s=12, edgecolors="white", linewidths=0.4)
    canvas = FigureCanvasAgg(figure)
    kept, frames = model.parameters.copy(), []
    try:
        for epoch, parameters in snapshots:
            model.parameters[:] = parameters
            shares = model.predict_proba(grid.astype(model.dtype)) @ colours
            frame.set_data(0.45 * shares.reshape(points, points, 3) + 0.55)
            axis.set_title("before training" if epoch == 0 else f"after epoch {epoch}", fontsize=9)
            canvas.draw()
            picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()
            frames.append(Image.fromarray(picture).quantize(128))  # mixtures of all class colours
    finally:
        model.parameters[:] = kept
    return frames
