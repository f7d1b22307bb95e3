"""The schedules with their defaults: the picture and the table of docs/schedules.md.

python3 scripts/draw_schedules.py             # writes both
python3 scripts/draw_schedules.py FILE.png    # only the picture, somewhere else
"""

from _environment import ROOT, ensure

ensure(extras=("lab",))

import dataclasses
import inspect
import sys

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from minitrain import schedule

DOCS = ROOT / "docs"
EPOCHS, STEPS = 20, 30
COLUMNS = 5


def draw():
    names = schedule.names()
    rows = -(-len(names) // COLUMNS)
    figure = Figure(figsize=(2.1 * COLUMNS, 1.75 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True).ravel()
    total = EPOCHS * STEPS
    steps = np.arange(0, total, 2)
    # What reduce_on_plateau watches here gets better for 4 epochs alone.
    falling = [1.0 / min(epoch, 4) for epoch in range(1, EPOCHS + 1)]
    for panel, name in zip(panels, names, strict=False):
        chosen = schedule.get(name)
        factors = chosen(steps, total, STEPS, schedule.Feedback(loss=falling))
        panel.plot(steps / STEPS, factors.round(4), color="#2a6fb0", linewidth=1.6)
        panel.set_title(name, fontsize=9)
        panel.set(ylim=(-0.05, 1.1), xticks=(0, 10, 20), yticks=(0, 1))
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    figure.supxlabel("epoch", fontsize=9)
    figure.supylabel("factor of the learning rate", fontsize=9)
    return figure


def table():
    lines = ["| schedule and its defaults | what it does | the same elsewhere |", "|---|---|---|"]
    for name in schedule.names():
        kind = type(schedule.get(name))
        arguments = ", ".join(f"{f.name}={short(f.default)}" for f in dataclasses.fields(kind))
        text = f"{name}({arguments})" if arguments else name
        summary = inspect.getdoc(kind).partition("\n")[0].replace("``", "`")
        theirs, equals, ours = kind.torch.partition(" = ")
        same = f"`{theirs}` = `{ours}`" if equals else theirs
        lines.append(f"| `{text}` | {summary} | {same} |")
    return "\n".join(lines)


def short(value):
    # A rounded 0.333 is still a fraction: not "1", which is no duration.
    return repr(float(f"{value:.3g}")) if isinstance(value, float) else repr(value)


def main():
    # The same file every time, and letters as letters.
    matplotlib.rcParams.update({"svg.hashsalt": "minitrain", "svg.fonttype": "none"})
    path = sys.argv[1] if len(sys.argv) > 1 else DOCS / "schedules.svg"
    draw().savefig(path, dpi=110, metadata={"Date": None} if str(path).endswith(".svg") else None)
    if len(sys.argv) > 1:
        return
    begin, end = "<!-- schedules -->\n", "<!-- /schedules -->"
    page = (DOCS / "schedules.md").read_text("utf-8")
    page = page.split(begin)[0] + begin + table() + "\n" + end + page.split(end)[1]
    (DOCS / "schedules.md").write_text(page, "utf-8")


if __name__ == "__main__":
    main()
