"""Write the tables of the last measurements into the README.

    python3 scripts/update_readme.py            # docs/benchmarks/*.json -> README.md and a page
    python3 scripts/update_readme.py --check    # exit code 1 if these say something else

The figures come from docs/benchmarks/epoch.json, kernels.json, start.json and estimator.json, which
bench_epoch.py, bench_kernels.py, bench_start.py and bench_estimator.py write (--json).  In the
README each table stands between <!-- bench:epoch --> and <!-- /bench:epoch -->; there must be one
for each file.  Of the optimizers the README shows a few; docs/kernels-speed.md has them all.
"""

import argparse
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README, FIGURES = ROOT / "README.md", ROOT / "docs" / "benchmarks"
SPEED_PAGE = ROOT / "docs" / "kernels-speed.md"

PEERS = ("scikit-learn", "torch", "JAX")
STAGES = {"import": "import", "data": "data", "training": "training, with compilation"}
SIZES = (10**3, 10**5, 10**7)  # parameters, in the README
WELL_KNOWN = (
    "sgd", "momentum", "adagrad", "rmsprop", "adadelta", "adam", "adamw", "nadam", "radam", "lion",
    "lamb", "schedule_free_adamw",
)  # fmt: skip


def epoch(result):
    head = ["network, batch", "minitrain", *PEERS, "the best of them takes", "of the limit"]
    rows = []
    for row in result["rows"]:
        micro, best = row["microseconds"], row["best"]
        times = [micro_or_dash(micro.get(best.get(peer))) for peer in PEERS]
        ratio = row["ratio_to_best_peer"]
        name = "-".join(map(str, row["sizes"]))
        own = f"**{micro_or_dash(micro['minitrain auto'])}**"
        best_peer = f"{ratio:.3g} × ({peer_of(row['best_peer'])})" if ratio else "–"
        share = f"{row['share_of_limit']:.0%}".replace("%", " %")
        rows.append([f"{name}, {row['batch']}", own, *times, best_peer, share])
    return [
        "Microseconds of a mini-batch step (ReLU, softmax cross-entropy, Adam, float32), each at "
        "its best setting and number of threads:",
        *markdown(head, rows),
        source(result, "bench_epoch.py"),
    ]


def kernels(result):
    found = {(row["rule"], row["size"]): row for row in result["rows"]}
    rules = [rule for rule in WELL_KNOWN if any(rule == known for known, _ in found)]
    sizes = [size for size in SIZES if any(size == known for _, known in found)]
    most = max(size for _, size in found)
    cells = [
        [
            rule,
            *[beside_peers(found.get((rule, size))) for size in sizes],
            share(found.get((rule, most))),
        ]
        for rule in rules
    ]
    head = [f"{power_of_ten(size)} parameters" for size in sizes]
    return [
        "One fused optimizer step, times faster than torch's best way (optax's under jit where "
        "torch has none), and its share of the memory's speed; all optimizers and sizes: "
        "[docs/kernels-speed.md](docs/kernels-speed.md).",
        *markdown(["", *head, f"of the memory's speed at {power_of_ten(most)}"], cells),
        source(result, "bench_kernels.py"),
    ]


def speed_page(result):
    """The page of all rules and sizes."""
    lines = [
        "# How fast a step of each optimizer is",
        "",
        "Written by `scripts/update_readme.py` from `docs/benchmarks/kernels.json`. One step, "
        f"{result.get('dtype', 'float32')}, on as many cores as it takes. *GB/s* counts the "
        "gradient once, parameters and state twice; *share* is of what this machine moves at that "
        "size with the same mix of reads and writes (sums need a second pass, and are held to "
        "one). "
        "*×* is how many times longer the same step takes in NumPy, in torch (the best of its "
        "loop, foreach and fused) and in optax under jit, timed in turn; torch and optax on all "
        "cores.",
        "",
        source(result, "bench_kernels.py"),
    ]
    for rule in dict.fromkeys(row["rule"] for row in result["rows"]):
        rows = sorted(
            (row for row in result["rows"] if row["rule"] == rule), key=lambda r: r["size"]
        )
        cells = [
            [
                power_of_ten(row["size"]),
                micro_or_dash(1e6 * row["seconds"]["fused"]),
                f"{row['gigabytes_per_second']:.3g}",
                share(row),
                *[
                    ratio_or_dash(row["ratios"].get(peer))
                    for peer in ("numpy", "torch", "optax jit")
                ],
            ]
            for row in rows
        ]
        head = ["parameters", "µs", "GB/s", "share", "× NumPy", "× torch", "× optax"]
        lines += ["", f"## {rule}", *markdown(head, cells)[:-1]]
    return "\n".join(lines) + "\n"


def start(result):
    rows = [
        [row["name"], f"**{row['total']:.2f}**", *[f"{row[key]:.2f}" for key in STAGES]]
        for row in result["rows"]
    ]
    return [
        "Seconds from the start of a process to digits learned (64-64-10, 20 epochs) and its end:",
        *markdown(["", "in all", *STAGES.values()], rows),
        source(result, "bench_start.py"),
    ]


def estimator(result):
    figures = result["figures"]
    data = list(dict.fromkeys(name.split()[1] for name in figures))
    settings = list(
        dict.fromkeys(name.split(" ", 2)[2] for name in figures if name.startswith("fit "))
    )
    rows = [
        [f"fit, {setting}", *[times(figures[f"fit {name} {setting}"]["ratio"]) for name in data]]
        for setting in settings
    ]
    rows.append(["predict one row", *[times(figures[f"predict {name}"]["ratio"]) for name in data]])
    scores = [figures.get(f"score {name}") for name in data]
    if all(scores):
        cells = [f"{s['ours']:.3f}, {s['theirs']:.3f} (p {s['p']:.2f})" for s in scores]
        rows.append(["score, and scikit-learn's", *cells])
    return [
        "Times faster than scikit-learn at its default parameters, side by side on the same core; "
        "the scores are means over 20 splits:",
        *markdown(["", *data], rows),
        source(result, "bench_estimator.py"),
    ]


def times(ratio):
    return f"{ratio:.3g} ×"


TABLES = {"epoch": epoch, "kernels": kernels, "start": start, "estimator": estimator}


def micro_or_dash(value):
    return "–" if value is None else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def peer_of(contender):
    return next(peer for peer in PEERS if contender.startswith(peer))


def beside_peers(row):
    """Against torch, or optax where torch has no such optimizer."""
    ratios = {} if row is None else row["ratios"]
    if "torch" in ratios:
        return ratio_or_dash(ratios["torch"])
    return f"{ratio_or_dash(ratios['optax jit'])} (optax)" if "optax jit" in ratios else "–"


def ratio_or_dash(ratio):
    return "–" if ratio is None else f"{ratio:.2g} ×" if ratio < 10 else f"{ratio:.0f} ×"


def share(row):
    return "–" if row is None else f"{row['share_of_limit']:.0%}".replace("%", " %")


def power_of_ten(number):
    """10³, 5·10⁷."""
    digits = f"{number:.0e}"
    factor, _, exponent = digits.partition("e")
    power = f"10{superscript(int(exponent))}"
    return power if factor == "1" else f"{factor}·{power}"


def superscript(number):
    return "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(number))


def markdown(head, rows):
    lines = ["", f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def source(result, script):
    versions = [f"{name} {v}" for name, v in result.get("versions", {}).items()
                if name != "minitrain"]  # fmt: skip
    parts = [result["machine"]]
    cores = result.get("cores")
    parts += [f"{cores} core{'s' if cores > 1 else ''}"] if cores else []
    parts += [result["date"]] if "date" in result else []
    parts += [f"commit {result['commit']}"] if result.get("commit") else []
    return f"`python3 scripts/{script}`: {', '.join([*parts, *versions])}."


def updated(readme, figures):
    """The text of the README with the tables of the figures (name -> result) in it."""
    marked = set(re.findall(r"<!-- bench:(\w+) -->", readme))
    if marked != set(figures):
        raise SystemExit(
            f"README.md has markers for {sorted(marked) or 'nothing'}, docs/benchmarks figures of "
            f"{sorted(figures) or 'nothing'}: each figure needs <!-- bench:NAME --> and "
            "<!-- /bench:NAME --> in the README"
        )
    for name, result in figures.items():
        begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if len(pattern.findall(readme)) != 1:
            raise SystemExit(f"README.md: one {begin} and one {end} after it are needed")
        text = "\n".join([begin, *TABLES[name](result), end])
        readme = pattern.sub(lambda match, text=text: text, readme)
    return readme


def read_figures(folder):
    paths = [folder / f"{name}.json" for name in TABLES]
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths if path.exists()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it would change")
    options = parser.parse_args()
    figures = read_figures(FIGURES)
    pages = {README: updated(README.read_text("utf-8"), figures)}
    if "kernels" in figures:
        pages[SPEED_PAGE] = speed_page(figures["kernels"])
    changed = False
    for path, after in pages.items():
        same = path.is_file() and path.read_text("utf-8") == after
        changed |= not same
        if not options.check:
            path.write_text(after, "utf-8")
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
        print(f"{name} is up to date" if same else
              f"{name} is stale: python3 scripts/update_readme.py" if options.check else
              f"{name} written")  # fmt: skip
    return int(options.check and changed)


if __name__ == "__main__":
    raise SystemExit(main())
