"""Write the tables of the last measurements of the lab into docs/comparing.md.

    python3 scripts/update_comparing.py            # docs/benchmarks/*.json -> the page
    python3 scripts/update_comparing.py --check    # exit code 1 if the page says something else

The figures come from study.json (bench_study.py), honesty.json (check_honesty.py) and records.json
(bench_records.py); each table stands between <!-- bench:NAME --> and <!-- /bench:NAME -->.
"""

import argparse
import json
import re

from update_readme import FIGURES, ROOT, markdown, source

PAGE = ROOT / "docs" / "comparing.md"


def study(result):
    from bench_study import table

    names, cells = table(result["rows"])
    cells[0][0] = f"**{cells[0][0]}**"
    bars = "; ".join(
        f"{name}: {it['measured']:.2f} × (wanted: {it['bar']:g})"
        for name, it in result["bars"].items()
    )
    return [
        f"64-64-10 on digits, Adam, {result['epochs']} epochs with validation after each, all "
        "cores unless said otherwise:",
        *markdown(names, cells),
        f"Medians of the ratios of each round. {bars[0].upper()}{bars[1:]}. The machine's load was "
        f"{result['load']} at the end, of which the contender in turn is its share.",
        "",
        source(result, "bench_study.py"),
    ]


def honesty(result):
    rows = [
        [r["dataset"], f"{r['false']} of {result['studies']}", percent(r["rate"]),
         f"{100 * r['low']:.1f} to {percent(r['high'])}"]
        for r in result["rows"]
    ]  # fmt: skip
    worse = [name for name, verdict in result["crippled"].items() if verdict == "worse"]
    return [
        f"{result['studies']} studies of Adam against Adam, {result['seeds']} seeds of its own for "
        f"each; at most {percent(result['stated'])} is stated:",
        *markdown(["data set", "“better” or “worse”", "rate", "95 % interval"], rows),
        f"Adam with a learning rate a thousand times too small came out worse than Adam on "
        f"{len(worse)} of {len(result['crippled'])} data sets.",
        "",
        source(result, "check_honesty.py"),
    ]


def records(result):
    from bench_records import grown, table

    return [
        f"The whole protocol with trainings that are made up, {result['epochs']} epochs each:",
        *markdown(*table(result["rows"])),
        grown(result["rows"]),
        "",
        source(result, "bench_records.py"),
    ]


TABLES = {"study": study, "honesty": honesty, "records": records}


def percent(share):
    return f"{100 * share:.1f} %"


def updated(page, figures):
    """The page with the tables of the figures (name -> result) in it."""
    for name, result in figures.items():
        begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if len(pattern.findall(page)) != 1:
            raise SystemExit(f"{PAGE.name}: one {begin} and one {end} after it are needed")
        text = "\n".join([begin, *TABLES[name](result), end])
        page = pattern.sub(lambda match, text=text: text, page)
    return page


def read_figures(folder=FIGURES):
    paths = [folder / f"{name}.json" for name in TABLES]
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths if path.exists()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it would change")
    options = parser.parse_args()
    before = PAGE.read_text("utf-8")
    after = updated(before, read_figures())
    if not options.check:
        PAGE.write_text(after, "utf-8")
    state = "up to date" if after == before else "stale" if options.check else "written"
    print(f"{PAGE.name} is {state}")
    return int(options.check and after != before)


if __name__ == "__main__":
    raise SystemExit(main())
