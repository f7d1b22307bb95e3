"""How fast is a mini-batch step? minitrain beside scikit-learn, torch and JAX, in one run.

    python3 scripts/bench_epoch.py                            # five networks, about 5 minutes
    python3 scripts/bench_epoch.py --json docs/benchmarks/epoch.json
    python3 scripts/bench_epoch.py --nets 0 1 --rounds 3 --peers scikit-learn
    python3 scripts/bench_epoch.py --grid 300                 # as many sizes as fit in 300 s
    python3 scripts/bench_epoch.py --threads                  # from where does a second one pay?

ReLU, softmax cross-entropy, Adam (1e-3), float32.  Each contender has a process per number of
threads and trains in turn with the others, from the same weights, on the same rows in the same
order.  Before anything is timed all have trained an epoch, and who then has another loss is out.
The times are medians of the rounds, the ratios medians of the ratios in each round: of the best
variant of a peer (median) to minitrain with the number of threads that it chooses itself.

The limit of a step is what its multiplications take in a loop of fma on registers, plus the
optimizer's traffic and the gathered rows in loops that only move them (_roof.py), on as many cores
as minitrain used, in the same rounds.
"""

import argparse
import json
import random
import time

from _environment import ensure

ensure(extras=("peers",))

from _machine import about, cores
from _race import Race

PEERS = ("scikit-learn", "torch", "JAX")
PACKAGES = ("minitrain", "numpy", "numba", "scikit-learn", "torch", "jax", "optax")

# (sizes, batch) -> how many times faster than (the best peer, torch, scikit-learn), and the share
# of the limit: the bars of the project (issue 3).
BARS = {
    ((4, 16, 3), 16): (12, 90, 100, None),
    ((64, 64, 10), 32): (3.5, 28, 30, 0.6),
    ((64, 128, 64, 10), 64): (2.2, 10, 12, 0.7),
    ((784, 256, 128, 10), 128): (1.35, 2.4, 6, 0.75),
    ((784, 1024, 1024, 10), 256): (1.1, 2, 2.6, 0.8),
}
NETS = list(BARS)

# On a grid torch.compile would take most of the time, and it is never the fastest.
GRID_PEERS = {"torch": ["eager", "fused"], "JAX": ["jit", "scan"]}
GRID_BAR = 0.97


def main():
    options = arguments()
    began = time.monotonic()
    facts = about(*PACKAGES)
    print(f"{facts['machine']}, {facts['cores']} cores; "
          + ", ".join(f"{name} {found}" for name, found in facts["versions"].items()))  # fmt: skip
    print()
    if options.threads:
        rows, missed = study_threads(options), 0
    elif options.grid:
        rows, missed = run_grid(options)
    else:
        rows, missed = run_nets(options)
    took = time.monotonic() - began
    print(f"\n{took:.0f} s in all")
    if options.json:
        kind = "threads" if options.threads else "grid" if options.grid else "epoch"
        result = {"benchmark": kind, **facts, "rounds": options.rounds, "seconds": took}
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({**result, "rows": rows}, file, indent=1, ensure_ascii=False)
            file.write("\n")
        print(f"Written to {options.json}")
    return 1 if missed and options.check else 0


def arguments(given=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    names = [f"{i}: {label(*net)}" for i, net in enumerate(NETS)]
    add("--nets", nargs="+", type=int, choices=range(len(NETS)), default=list(range(len(NETS))),
        metavar="N", help="only these (" + "; ".join(names) + ")")  # fmt: skip
    add("--rounds", type=int, help="times that each contender trains (default: 11; on a grid 5)")
    add("--seconds", type=float, default=0.12, help="that each trains at a time (%(default)s)")
    add("--peers", nargs="*", choices=PEERS, default=PEERS, metavar="PEER",
        help=f"only these of {', '.join(PEERS)}")  # fmt: skip
    add("--grid", type=float, metavar="SECONDS", help="sizes drawn from a grid, for so long")
    add("--seed", type=int, default=0, help="of the sizes that are drawn")
    add("--threads", action="store_true", help="minitrain alone, with 1 thread and with all cores")
    add("--check", action="store_true", help="exit with 1 where a bar is missed")
    add("--json", metavar="FILE", help="write the figures there, too")
    options = parser.parse_args(given)
    options.rounds = options.rounds or (5 if options.grid else 11)
    return options


def label(sizes, batch):
    return f"{'-'.join(map(str, sizes))}, {batch}"


# --- five networks ----------------------------------------------------------------------------


def run_nets(options):
    rows, missed = [], 0
    with Race(options.peers) as race:
        for number in options.nets:
            net = NETS[number]
            outcome = race.run(*net, options.rounds, options.seconds)
            rows.append(outcome.as_dict(options.peers))
            missed += print_net(rows[-1], BARS[net])
    print_summary(rows)
    return rows, missed


def print_net(row, bars):
    """The contenders of a network, fastest first; returns how many bars are missed."""
    print(label(row["sizes"], row["batch"]))
    own = row["microseconds"]["minitrain auto"]
    for name, micro in sorted(row["microseconds"].items(), key=lambda item: item[1]):
        least = row["least_microseconds"][name]
        note = f"{micro / own:7.2f}×" if not name.startswith("minitrain") else ""
        if name == "minitrain auto":
            note = (
                f"        ({row['threads']} threads)"
                if row["threads"] > 1
                else "        (1 thread)"
            )
        print(f"  {name:26}{micro:11.2f} µs   least {least:10.2f} µs {note}")
    for name, why in row["out"].items():
        print(f"  {name:26}  not measured: {why}")
    limit = row["limits"][str(row["threads"])]
    parts = [f"{part} {1e6 * limit[part]:.2f}" for part in ("products", "optimizer", "gather")]
    rate = limit["flops_per_second"] / 1e9
    print(
        f"  {'limit':26}{1e6 * limit['step']:11.2f} µs   ({'  '.join(parts)}; {rate:.0f} GFLOP/s)"
    )
    found = (
        row["ratio_to_best_peer"],
        row["ratio"].get("torch"),
        row["ratio"].get("scikit-learn"),
        row["share_of_limit"],
    )
    missed = 0
    for what, value, bar in zip(("best peer", "torch", "scikit-learn", "limit"), found, bars,
                                strict=True):  # fmt: skip
        if value is None or bar is None:
            continue
        missed += value < bar
        show = "{:.0%}".format if what == "limit" else "{:.2f}×".format
        verdict = "cleared" if value >= bar else "MISSED"
        print(f"  against {what:18}{show(value):>11}      the bar is {show(bar)}: {verdict}")
    print(flush=True)
    return missed


def print_summary(rows):
    for line in table(rows):
        print(f"{line[0]:>27}" + "".join(f"{cell:>17}" for cell in line[1:]))


def table(rows):
    """Cells of the summary, here and in the README: µs per step, ratios, share of the limit."""
    lines = [["network, batch", "minitrain", "scikit-learn", "torch", "JAX",
              "best peer", "its time / ours", "of the limit"]]  # fmt: skip
    for row in rows:
        times = [_time(row, row["best"].get(peer)) for peer in PEERS]
        own = f"{row['microseconds']['minitrain auto']:.4g}"
        ratio = row["ratio_to_best_peer"]
        lines.append([
            label(row["sizes"], row["batch"]), own, *times, row["best_peer"] or "–",
            f"{ratio:.2f}×" if ratio else "–", f"{row['share_of_limit']:.0%}",
        ])  # fmt: skip
    return lines


def _time(row, name):
    return f"{row['microseconds'][name]:.4g}" if name else "not measured"


# --- the grid ---------------------------------------------------------------------------------


def draw(source):
    """A network of 1 to 4 hidden layers, its width and batch: powers of two and any between."""
    width, batch = 2 ** source.uniform(2, 10), 2 ** source.uniform(3, 9)
    if source.random() < 0.5:
        width, batch = 2 ** round(source.uniform(2, 10)), 2 ** round(source.uniform(3, 9))
    depth = source.randint(1, 4)
    return (*[round(width)] * (depth + 1), 10), round(batch)


def run_grid(options):
    source, rows, slow = random.Random(options.seed), [], []
    until = time.monotonic() + options.grid
    peers = [peer for peer in options.peers if peer in GRID_PEERS] or options.peers
    print(f"{'network, batch':34}{'minitrain µs':>14}{'threads':>9}   best peer")
    with Race(peers, only=GRID_PEERS) as race:
        while time.monotonic() < until:
            net = draw(source)
            outcome = race.run(*net, options.rounds, min(options.seconds, 0.05), within=3)
            row = outcome.as_dict(peers)
            rows.append(row)
            ratio = row["ratio_to_best_peer"]
            flag = ratio is not None and ratio < GRID_BAR
            slow += [row] if flag else []
            print(f"{label(*net):34}{row['microseconds']['minitrain auto']:14.2f}"
                  f"{row['threads']:9}   {row['best_peer'] or '–':20}"
                  + (f"{ratio:6.2f}×" if ratio else "") + ("  SLOWER" if flag else ""),
                  flush=True)  # fmt: skip
            for name, why in row["out"].items():
                print(f"    {name}: not measured: {why}")
    print(f"\n{len(rows)} sizes; slower than {GRID_BAR} of the best peer: {len(slow) or 'none'}")
    return rows, len(slow)


# --- threads ----------------------------------------------------------------------------------

SQUARE = [((w, w, w, 10), b) for w in (16, 32, 64, 128, 256, 512) for b in (16, 32, 64, 128, 256)]


def study_threads(options):
    """From how many floating-point operations a step on do all cores beat one?"""
    rows = []
    print(f"{'network, batch':24}{'Mflop/step':>12}{'1 thread µs':>13}"
          f"{f'{cores()} threads µs':>15}{'gain':>8}")  # fmt: skip
    with Race([]) as race:
        for net in sorted([*SQUARE, *NETS], key=lambda net: net[1] * net[0][0] * net[0][1]):
            outcome = race.run(*net, options.rounds, min(options.seconds, 0.03))
            gain = outcome.ratio("minitrain 1", f"minitrain {cores()}")
            rows.append({"sizes": list(net[0]), "batch": net[1], "flops": outcome.flops,
                         "microseconds": {n: 1e6 * t for n, t in outcome.median.items()},
                         "gain": gain})  # fmt: skip
            print(f"{label(*net):24}{outcome.flops / 1e6:12.3f}"
                  f"{1e6 * outcome.median['minitrain 1']:13.2f}"
                  f"{1e6 * outcome.median[f'minitrain {cores()}']:15.2f}{gain:7.2f}×",
                  flush=True)  # fmt: skip
    rows.sort(key=lambda row: row["flops"])
    paying = next((i for i in range(len(rows)) if all(r["gain"] > 1 for r in rows[i:])), None)
    if paying is None:
        print("\nNot even the largest step gains.")
    else:
        print(f"\nFrom {rows[paying]['flops']:.2g} flop a step on, all gain "
              "(crew.WORTH_SHARING).")  # fmt: skip
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
