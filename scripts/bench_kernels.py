"""How fast are the fused kernels? One optimizer step of every rule, beside what others take.

    python3 scripts/bench_kernels.py                    # every rule, 10³ … 5·10⁷ parameters
    python3 scripts/bench_kernels.py --quick            # three sizes, a few seconds a rule
    python3 scripts/bench_kernels.py --rules adam --sizes 1e4 1e6 --dtype float64
    python3 scripts/bench_kernels.py --json FILE --resume   # in pieces: what FILE has is kept

GB/s counts what a step must move (parameters and slots twice, once the gradient and what a rule
only reads, such as the first weights); the limit beside it is what this machine moves in the same
run, at the same size, with the same mix of reads and writes, on as many cores.  Rules that need
sums (LARS, Prodigy) are held to one pass, too, though they must make two.  The peers: the same rule
in NumPy; torch's loop over tensors, its foreach and, where there is one, its fused kernel; optax
under jit.  All are timed in turn, round by round, and a ratio is the median over the rounds.  Each
warms up for longer than the one before goes on: the threads of torch and optax spin for some
milliseconds, and a core that was idle is slow for ten.
"""

import argparse
import json
import os
import statistics
from functools import cache

from _environment import ensure

ensure(extras=("peers",))

import numpy as np
from _limits import calls_for, mix, seconds, stream, traffic
from _machine import about
from _steps import aligned, check_same_work, optax_steps, ours, torch_steps

import minitrain as mt
from minitrain import sharing

SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 5 * 10**7)
QUICK = (10**3, 10**5, 10**7)
# The bars of the project in float32: at least so many times faster than torch's best, by size;
# never slower than any peer; and at the last size nearly all of the memory's speed.
TIMES_TORCH = {10**3: 10.0, 10**4: 10.0, 10**5: 3.0}
TIMES_ANY, SHARE = 0.97, {5 * 10**7: 0.9}

SIDE_BY_SIDE = 10**7  # parameters up to which all contenders fit into memory at once
WARM_UP = 6  # times as long as it is measured

NAMES = {"numpy": "NumPy", "torch": "torch's best", "optax jit": "optax"}


def main():
    options = parser().parse_args()
    options.sizes = options.sizes or (QUICK if options.quick else SIZES)
    torch, optax = (import_peer(name) if options.peers else None for name in ("torch", "optax"))
    facts = about("numpy", "numba", "torch", "jax", "optax")
    versions = ", ".join(f"{name} {found}" for name, found in facts["versions"].items())
    print(f"{facts['machine']}, {sharing.cores()} cores; {versions}; {options.dtype}\n")
    columns = "".join(f"{'× ' + name:>15}" for name in NAMES.values())
    print(f"{'rule':<20}{'size':>9}{'µs':>10}{'GB/s':>8}{'limit':>8}{'share':>7}{columns}")
    facts["dtype"] = options.dtype
    rows = kept_rows(options, facts)
    done = {(row["rule"], row["size"]): row for row in rows}
    for rule in options.rules:
        for size in options.sizes:
            row = done.get((rule, size))
            if row is None:
                row = measure(rule, size, options, torch, optax)
                rows.append(row)
                if options.json:
                    write(options.json, facts, rows)
            print(line(row), flush=True)
    print()
    missed = report_bars(rows)
    return 1 if missed and options.check else 0


def kept_rows(options, facts):
    """The rows of an earlier piece of this run, if it is to be resumed."""
    if not (options.resume and options.json and os.path.exists(options.json)):
        return []
    with open(options.json, encoding="utf-8") as file:
        earlier = json.load(file)
    for fact in ("machine", "commit", "versions", "dtype"):
        if earlier.get(fact) != facts[fact]:
            raise SystemExit(
                f"--resume: {options.json} has figures of {fact} {earlier.get(fact)!r}, and this "
                f"is {facts[fact]!r}; accepted: a file of the same run, or none"
            )
    return earlier["rows"]


def write(path, facts, rows):
    """All figures so far; a run that is cut off in the middle of it leaves what there was."""
    order = {name: number for number, name in enumerate(mt.optimizers.names())}
    rows = sorted(rows, key=lambda row: (order[row["rule"]], row["size"]))
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        json.dump({**facts, "rows": rows}, file, indent=1)
    os.replace(f"{path}.part", path)


def parser():
    made = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    names = mt.optimizers.names()
    made.add_argument("--rules", nargs="+", choices=names, default=names, metavar="RULE")
    made.add_argument("--sizes", nargs="+", type=lambda s: int(float(s)), metavar="P")
    made.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    made.add_argument("--pairs", type=int, default=7, help="measurements of each contender")
    made.add_argument("--seconds", type=float, default=2e-3, help="how long each takes at least")
    made.add_argument("--quick", action="store_true", help="three sizes")
    made.add_argument("--no-peers", dest="peers", action="store_false", help="NumPy alone")
    made.add_argument("--check", action="store_true", help="exit with 1 where a bar is missed")
    made.add_argument("--json", metavar="FILE", help="write the figures there, too")
    made.add_argument("--resume", action="store_true", help="measure only what FILE lacks")
    return made


def import_peer(name):
    """torch on all cores, or optax, with its contrib; None where it is not installed."""
    try:
        if name == "optax":
            import optax
            import optax.contrib

            return optax
        import torch
    except ImportError:
        return None
    torch.set_num_threads(sharing.cores())
    return torch


def measure(rule, size, options, torch, optax):
    """Times of a step, and ratios to the others: each in turn with the fused step."""
    optimizer = mt.optimizers.get(rule)
    start, gradient = drawn(size, options.dtype)
    if size <= 10**5:
        check_same_work(optimizer, start, gradient, torch)

    fused, _ = ours(optimizer, "step", start, gradient)
    moved = traffic(*mix(optimizer), size, options.dtype)
    threads = sharing.cores() if sharing.worth_sharing(moved) else 1

    times, ratios = {"fused": []}, {}
    others = contenders(optimizer, threads, start, gradient, torch, optax)
    for group in [dict(others)] if size <= SIDE_BY_SIDE else ({name: s} for name, s in others):
        found = in_turn({"fused": fused, **group}, options)
        times["fused"] += found.pop("fused")
        for name, values in found.items():
            times[name] = values
            own = times["fused"][-len(values) :]
            ratios[name] = statistics.median(b / a for a, b in zip(own, values, strict=True))
    of_torch = {name: r for name, r in ratios.items() if name.startswith("torch")}
    if of_torch:
        ratios["torch"] = min(of_torch.values())
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        "rule": rule,
        "size": size,
        "threads": threads,
        "seconds": median,
        "least_seconds": {name: min(values) for name, values in times.items()},
        "ratios": {name: r for name, r in ratios.items() if name != "limit"},
        "speed_up": ratios["numpy"],
        "gigabytes_per_second": moved / median["fused"] / 1e9,
        "limit_gigabytes_per_second": moved / median["limit"] / 1e9,
        "share_of_limit": ratios["limit"],
    }


def contenders(optimizer, threads, start, gradient, torch, optax):
    """(name, step) of each, made when its turn comes."""
    yield "limit", stream(*mix(optimizer), start.size, start.dtype, threads)
    yield "numpy", ours(optimizer, "step_reference", start, gradient)[0]
    for name, step, _ in torch_steps(torch, optimizer.rule, start, gradient):
        yield name, step
    for name, step, _ in optax_steps(optax, optimizer.rule, start, gradient):
        yield name, step


@cache
def drawn(size, dtype):
    """Parameters and a gradient; for all rules the same."""
    random = np.random.default_rng(0)
    return [aligned(random.standard_normal(size, dtype=dtype)) for _ in range(2)]


def in_turn(steps, options):
    """The seconds of each step, so many times, one after the other; of slow ones a few times."""
    calls = {name: calls_for(step, options.seconds) for name, step in steps.items()}
    slow = max(seconds(step, 1) for step in steps.values()) > 0.1
    times = {name: [] for name in steps}
    for _ in range(max(3, options.pairs // 3) if slow else options.pairs):
        for name, step in steps.items():
            if calls[name] > 1:
                seconds(step, WARM_UP * calls[name])
            times[name].append(seconds(step, calls[name]))
    return times


def line(row):
    text = f"{row['rule']:<20}{row['size']:>9}{1e6 * row['seconds']['fused']:>10.1f}"
    text += f"{row['gigabytes_per_second']:>8.1f}{row['limit_gigabytes_per_second']:>8.1f}"
    text += f"{row['share_of_limit']:>7.0%}"
    ratios = (row["ratios"].get(name) for name in NAMES)
    return text + "".join(f"{r:>15.1f}" if r else f"{'–':>15}" for r in ratios)


def report_bars(rows):
    """Say which bars are missed, and by how much; return how many."""
    missed = []
    for row in rows:
        for name, ratio in row["ratios"].items():
            bar = TIMES_TORCH.get(row["size"]) if name == "torch" else TIMES_ANY
            if bar and ratio < bar:
                missed.append(f"{row['rule']} at {row['size']}: {ratio:.2f} × {name}, not {bar}")
        bar = SHARE.get(row["size"])
        if bar and row["share_of_limit"] < bar:
            missed.append(
                f"{row['rule']} at {row['size']}: {row['share_of_limit']:.0%} of the limit"
            )
    print("\n".join(["Bars that are missed:", *missed]) if missed else "All bars are cleared")
    return len(missed)


if __name__ == "__main__":
    raise SystemExit(main())
