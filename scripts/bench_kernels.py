"""How fast are the fused kernels? One optimizer step, fused and as plain NumPy, at many sizes.

    python3 scripts/bench_kernels.py                    # every rule, 10³ … 10⁷ parameters
    python3 scripts/bench_kernels.py --quick            # three sizes, a few seconds each
    python3 scripts/bench_kernels.py --rules adam --sizes 1e4 1e6 --dtype float64

GB/s counts what a step must move (the gradient once, parameters and slots twice); the limit beside
it is what this machine moves in the same run, at the same size and with the same mix of reads and
writes.  All on one core.  Where torch is installed its own two steps are measured as well.
"""

import argparse
import json
import os
import platform
import statistics

from _environment import ensure

ensure()
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch; NumPy's element-wise code has one thread

import numpy as np
from _limits import calls_for, seconds, stream, traffic

import minitrain as mt

SIZES = (10**3, 10**4, 10**5, 10**6, 10**7)
QUICK = (10**3, 10**4, 10**6)
# The bars of the project: the least speed-up of Adam over NumPy at a size.
BARS = {("adam", 10**4): 8.0, ("adam", 10**6): 6.0}

# Where it has one, torch's class and the arguments that make it the same optimizer.
IN_TORCH = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
}


def main():
    options = arguments()
    torch = import_torch() if options.torch else None
    print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}, "
          f"{options.dtype}, {options.pairs} interleaved pairs"
          + (f", torch {torch.__version__}" if torch else ""))  # fmt: skip
    print()
    head = f"{'rule':<10}{'size':>10}{'numpy µs':>11}{'fused µs':>11}{'speed-up':>10}"
    head += f"{'GB/s':>8}{'limit':>8}{'share':>8}"
    print(head + (f"{'torch µs':>11}{'its fused':>11}" if torch else ""))
    rows = []
    for rule in options.rules:
        for size in options.sizes:
            rows.append(measure(rule, size, options, torch))
            print(line(rows[-1], torch), flush=True)
    print()
    missed = report_bars(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            machine = {"machine": platform.platform(), "numpy": np.__version__}
            json.dump({**machine, "dtype": options.dtype, "rows": rows}, file, indent=1)
        print(f"Written to {options.json}")
    return 1 if missed and options.check else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    names = mt.optimizers.names()
    parser.add_argument("--rules", nargs="+", choices=names, default=names, metavar="RULE")
    parser.add_argument("--sizes", nargs="+", type=lambda s: int(float(s)), metavar="P")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--pairs", type=int, default=15, help="measurements of each contender")
    parser.add_argument("--quick", action="store_true", help="three sizes, fewer pairs")
    parser.add_argument("--no-torch", dest="torch", action="store_false", help="leave torch out")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bar is missed")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    options.sizes = options.sizes or (QUICK if options.quick else SIZES)
    if options.quick:
        options.pairs = min(options.pairs, 7)
    return options


def import_torch():
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def measure(rule, size, options, torch):
    """Times of a step: the contenders in turn, many times; medians, and ratios pair by pair."""
    optimizer = mt.optimizers.get(rule)
    random = np.random.default_rng(0)
    start = random.standard_normal(size).astype(options.dtype)
    gradient = random.standard_normal(size).astype(options.dtype)
    check_same_work(optimizer, start, gradient)

    contenders = {}
    for name, which in (("fused", optimizer.step), ("numpy", optimizer.step_reference)):
        contenders[name] = stepping(which, start.copy(), gradient, optimizer.init(start))
    slots = len(optimizer.variant.slots)
    contenders["limit"] = stream(slots, size, options.dtype)
    if torch:
        contenders.update(torch_steps(torch, optimizer, start, gradient))
    calls = {name: calls_for(f, 1e-3 if options.quick else 3e-3) for name, f in contenders.items()}

    times = {name: [] for name in contenders}
    for _ in range(options.pairs):
        for name, function in contenders.items():
            times[name].append(seconds(function, calls[name]))
    moved = traffic(slots, size, options.dtype)
    ratios = [n / f for n, f in zip(times["numpy"], times["fused"], strict=True)]
    shares = [s / f for s, f in zip(times["limit"], times["fused"], strict=True)]
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        "rule": rule,
        "size": size,
        "seconds": median,
        "least_seconds": {name: min(values) for name, values in times.items()},
        "speed_up": statistics.median(ratios),
        "gigabytes_per_second": moved / median["fused"] / 1e9,
        "limit_gigabytes_per_second": moved / median["limit"] / 1e9,
        "share_of_limit": statistics.median(shares),
    }


def stepping(step, params, gradient, state):
    return lambda: step(params, gradient, state)


def check_same_work(optimizer, start, gradient):
    """A timing counts only if both give the same bits."""
    fused, unfused = start.copy(), start.copy()
    states = optimizer.init(fused), optimizer.init(unfused)
    for _ in range(3):
        optimizer.step(fused, gradient, states[0])
        optimizer.step_reference(unfused, gradient, states[1])
    assert np.array_equal(fused, unfused), f"{optimizer}: fused and unfused differ"


def torch_steps(torch, optimizer, start, gradient):
    """torch's plain loop over tensors, and its fused kernel where it has one."""
    kind, given = IN_TORCH.get(optimizer.name, (optimizer.rule.title, {}))
    make = getattr(torch.optim, kind, None)
    if make is None:
        return {}
    steps = {}
    for name, how in (("torch", {"foreach": False}), ("torch_fused", {"fused": True})):
        theta = torch.from_numpy(start.copy())
        theta.grad = torch.from_numpy(gradient)
        try:
            steps[name] = make([theta], **given, **how).step
        except TypeError:
            continue  # this one has no fused kernel
    return steps


def line(row, torch):
    micro = {name: f"{1e6 * value:.1f}" for name, value in row["seconds"].items()}
    text = f"{row['rule']:<10}{row['size']:>10}{micro['numpy']:>11}{micro['fused']:>11}"
    text += f"{row['speed_up']:>9.1f}×{row['gigabytes_per_second']:>8.1f}"
    text += f"{row['limit_gigabytes_per_second']:>8.1f}{row['share_of_limit']:>8.0%}"
    if torch:
        text += f"{micro.get('torch', '–'):>11}{micro.get('torch_fused', '–'):>11}"
    return text


def report_bars(rows):
    """Say for each bar whether it is cleared; return how many are not."""
    missed = 0
    for row in rows:
        bar = BARS.get((row["rule"], row["size"]))
        if bar:
            cleared = row["speed_up"] >= bar
            missed += not cleared
            print(f"{row['rule']} at {row['size']}: {row['speed_up']:.1f}× NumPy, the bar is "
                  f"{bar:.0f}×: {'cleared' if cleared else 'MISSED'}")  # fmt: skip
    return missed


if __name__ == "__main__":
    raise SystemExit(main())
