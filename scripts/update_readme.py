"""Write the tables of the last measurements into the README.

    python3 scripts/update_readme.py            # docs/benchmarks/*.json -> README.md
    python3 scripts/update_readme.py --check    # exit code 1 if the README says something else

The figures come from docs/benchmarks/epoch.json, kernels.json, start.json and estimator.json, which
bench_epoch.py, bench_kernels.py, bench_start.py and bench_estimator.py write (--json).  In the
README each table stands between <!-- bench:epoch --> and <!-- /bench:epoch -->; there must be one
for each file.
"""

import argparse
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README, FIGURES = ROOT / "README.md", ROOT / "docs" / "benchmarks"

PEERS = ("scikit-learn", "torch", "JAX")
STAGES = {"import": "import", "data": "data", "training": "training, with compilation"}
SIZES = (10**3, 10**4, 10**5, 10**6, 10**7)


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
    rules = list(dict.fromkeys(row["rule"] for row in result["rows"]))
    sizes = [s for s in SIZES if any(row["size"] == s for row in result["rows"])]
    found = {(row["rule"], row["size"]): row for row in result["rows"]}
    cells = [[rule, *[speed_up(found.get((rule, size))) for size in sizes]] for rule in rules]
    return [
        "One fused optimizer step beside the same step in NumPy, times faster (and its share of "
        "the memory's speed):",
        *markdown(["parameters", *[f"10{superscript(len(str(s)) - 1)}" for s in sizes]], cells),
        source(result, "bench_kernels.py"),
    ]


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


def speed_up(row):
    if row is None:
        return "–"
    return f"{row['speed_up']:.3g} × ({row['share_of_limit']:.0%})".replace("%", " %")


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
    before = README.read_text("utf-8")
    after = updated(before, read_figures(FIGURES))
    if not options.check:
        README.write_text(after, "utf-8")
    print("README.md is up to date" if after == before else
          "README.md is stale: python3 scripts/update_readme.py" if options.check else
          "README.md written")  # fmt: skip
    return int(options.check and after != before)


if __name__ == "__main__":
    raise SystemExit(main())
