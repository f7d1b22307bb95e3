"""Moving pictures of walks: GIF by pillow, MP4 where ffmpeg is installed."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .figures import draw_surface, inside, small_print
from .style import INK, caption, new_figure, style_of, with_palette
from .walks import Walk

_FRAMES = 90  # of a long walk at most: a GIF holds every one of them


def animate(
    walks: Sequence[Walk], path: str | Path, frames_per_second: int = 15, dpi: int = 80
) -> Path:
    """Write the walks, all on one surface, as a moving picture; .gif or .mp4.

    Raises
    ------
    ValueError
        If the file has another suffix, or there is nothing to show.
    RuntimeError
        If an MP4 is wanted and ffmpeg is not there.
    """
    target = Path(path)
    if target.suffix not in (".gif", ".mp4"):
        raise ValueError(f"path: {target.name!r}; accepted: a file that ends in .gif or .mp4")
    if not walks:
        raise ValueError("walks: none; accepted: at least one")
    if target.suffix == ".mp4" and shutil.which("ffmpeg") is None:
        raise RuntimeError(
            "an MP4 needs the program ffmpeg, which is not installed; a GIF does not"
        )
    frames = list(_frames(walks, frames_per_second, dpi))
    if target.suffix == ".gif":
        indexed = [with_palette(frame) for frame in frames]
        indexed[0].save(
            target, save_all=True, append_images=indexed[1:], loop=0,
            duration=1000 // frames_per_second, optimize=False,
        )  # fmt: skip
        return target
    width, height = (size // 2 * 2 for size in frames[0].size)  # H.264 wants even numbers
    command = [
        "ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
        "-s", f"{width}x{height}", "-r", str(frames_per_second), "-i", "-",
        "-pix_fmt", "yuv420p", str(target),
    ]  # fmt: skip
    raw = b"".join(frame.crop((0, 0, width, height)).tobytes() for frame in frames)
    done = subprocess.run(command, input=raw, stderr=subprocess.PIPE)
    if done.returncode:
        raise RuntimeError(f"ffmpeg: {done.stderr.decode(errors='replace').strip()}")
    return target


def _frames(walks: Sequence[Walk], frames_per_second: int, dpi: int) -> Iterator[Any]:
    """Pictures.  What stands still is drawn once: a whole drawing takes a second, this 5 ms."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure, artists = _stage(walks)
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    axis = figure.axes[0]
    title = axis.text(0.0, 1.01, "", transform=axis.transAxes, fontsize=9, va="bottom", color=INK)
    steps = max(walk.steps for walk in walks)
    # Early steps are where the rules differ: frames are dense there and sparse later.
    at = np.unique(np.round(steps * np.linspace(0, 1, min(steps, _FRAMES) + 1) ** 1.4).astype(int))
    paths = [inside(walk) for walk in walks]
    for step in [*at, *[at[-1]] * frames_per_second]:  # the end stays for a second
        canvas.restore_region(still)
        title.set_text(f"{walks[0].surface.title}, step {step}")
        axis.draw_artist(title)
        for way, (line, head) in zip(paths, artists, strict=True):
            line.set_data(*way[: step + 1].T)
            head.set_data(*way[min(step, len(way) - 1)][:, None])
            axis.draw_artist(line)
            axis.draw_artist(head)
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _stage(walks: Sequence[Walk]) -> tuple[Any, list[tuple[Any, Any]]]:
    """The figure with everything that stands still, and a line and a head per walk."""
    figure, ((axis,),) = new_figure(5.4, 5.2 + 0.1 * len(walks))
    draw_surface(axis, walks[0].surface, points=121)
    axis.set_title(" ", fontsize=9)  # room for the step
    axis.plot(*walks[0].path[0], "o", color="white", markeredgecolor=INK, markersize=7, zorder=8)
    artists = []
    for walk in walks:
        style = style_of(walk.optimizer.name)
        (line,) = axis.plot([], [], linewidth=1.6, label=walk.optimizer.rule.title, zorder=6,
                            **style.line())  # fmt: skip
        (head,) = axis.plot([], [], style.marker, color=style.colour, markersize=8,
                            markeredgecolor="white", zorder=7)  # fmt: skip
        artists.append((line, head))
    axis.legend(fontsize=7, loc="upper right", framealpha=0.9)
    caption(figure, small_print(walks))
    return figure, artists
