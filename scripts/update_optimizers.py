"""Write docs/optimizers.md: every optimizer of the registry, read from its own file.

python3 scripts/update_optimizers.py            # the registry -> docs/optimizers.md
python3 scripts/update_optimizers.py --check    # exit code 1 if the page says something else
"""

import argparse
from pathlib import Path

from _environment import ROOT, ensure

ensure()

from minitrain.catalogue import describe, names, shown_path

PAGE = ROOT / "docs" / "optimizers.md"
HEAD = """\
# The optimizers

Written by `scripts/update_optimizers.py` from the files in `kernels/rules/` and
`kernels/matrices/`; change those instead.

Nearly all of them are fused: one compiled pass over parameters, gradient and state, or two where
sums are needed first. All take `weight_decay`, `decoupled_weight_decay` (added to the step, and not
to the gradient) and `decay_biases`, and the options of `mt.Modifiers`: clipping, averages of the
weights, Lookahead, SAM, …, in any combination. *State* is the numbers kept per parameter, *bytes*
what a step moves per float32 parameter. Your own gets the same treatment:
[your-own-optimizer.md](your-own-optimizer.md).

Muon, Adafactor, Shampoo and SOAP work on whole matrices and L-BFGS on the whole training set, in
NumPy and SciPy (`mt.optimizers.matrix_names()`); their *state* is arrays kept of each.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    options = parser.parse_args()
    text = page(names())
    if not options.check:
        PAGE.write_text(text, "utf-8")
        print(f"{PAGE.relative_to(ROOT)}: {len(names())} optimizers")
        return 0
    current = PAGE.is_file() and PAGE.read_text("utf-8") == text
    print("up to date" if current else f"{PAGE.relative_to(ROOT)} is stale: run without --check")
    return 0 if current else 1


def page(listed):
    """The whole page, for these names."""
    described = [describe(name) for name in listed]
    return "\n".join([HEAD, *overview(described), *[section(d) for d in described]]) + "\n"


def overview(described):
    yield "| optimizer | family | year | state | bytes | also in | what it does |"
    yield "|---|---|--:|--:|--:|---|---|"
    for d in described:
        cells = [
            f"[{d['title']}](#{d['title'].lower()})",
            d["family"],
            str(d["year"] or "–"),
            str(len(d["slots"])),
            str(d["bytes_per_parameter"] or "–"),
            ", ".join(d["elsewhere"]) or "–",
            d["summary"],
        ]
        yield f"| {' | '.join(cells)} |"


def section(d):
    summary, *paragraphs = d["doc"].split("\n\n")
    lines = [
        f"\n## {d['title']}\n",
        f"`mt.optimizers.{d['title']}()` — {' '.join(summary.split())}",
    ]
    for paragraph in paragraphs:
        formula = any(s in paragraph for s in ("<-", " = ")) and not paragraph.endswith(".")
        prose = " ".join(paragraph.split())
        if formula:
            lines.append(f"\n```text\n{paragraph}\n```")
        elif prose.startswith("Elsewhere: "):
            lines.append(f"\n**Elsewhere:** {prose.removeprefix('Elsewhere: ')}")
        else:
            lines.append(f"\n{prose}")
    shown = ", ".join(f"`{n}` {value(v)}" for n, v in d["defaults"].items() if differs(n, v))
    lines.append(f"\n- Defaults ({d['defaults_from']}): {shown}")
    also = ", ".join(f"{library} `{name}`" for library, name in d["elsewhere"].items())
    if also:
        lines.append(f"- Also in: {also}")
    for v in d["variants"]:
        kind = " and ".join(f"`{flag}`" for flag in v["flags"]) or "plain"
        slots = ", ".join(f"`{slot}`" for slot in v["slots"]) or "none"
        moved = v["bytes_per_parameter"]
        lines.append(f"- State, {kind}: {slots}" + (f"; {moved} bytes a step" if moved else ""))
    lines.append(f"- Paper: {d['paper']}")
    path = shown_path(d["file"])
    lines.append(f"- Code: [{Path(path).name}](../{path})")
    return "\n".join(lines)


def differs(name, default):
    """Is this default a rule's own, and not the one that all have for what the framework adds?"""
    common = {"weight_decay": 0.0, "decoupled_weight_decay": False, "decay_biases": True}
    return name not in common or default != common[name]


def value(default):
    return f"{default:g}" if isinstance(default, float) else str(default)


if __name__ == "__main__":
    raise SystemExit(main())
