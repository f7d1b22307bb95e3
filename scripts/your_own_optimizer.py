"""A rule of one's own, from five lines to memory bandwidth: docs/your-own-optimizer.md, run.

python3 scripts/your_own_optimizer.py            # prints what the page shows, with figures of here
python3 scripts/your_own_optimizer.py --write    # and writes the figures into the page
python3 scripts/your_own_optimizer.py --quick    # smaller, for a look
"""

import argparse
import re

from _environment import ROOT, ensure

ensure()

import joblib
import numpy as np
from _limits import calls_for, seconds, stream, traffic
from _machine import about

import minitrain as mt
from minitrain import sharing

PAGE = ROOT / "docs" / "your-own-optimizer.md"
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->"
SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 5 * 10**7)


# [rule]
@mt.rule("calm", lr=0.01, beta=0.9)
def calm(p, g, v, c):
    (beta,) = c
    v = beta * v + g
    return np.where(np.sign(v) == np.sign(g), v, g), v


# [/rule]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true", help="write the figures into the page")
    parser.add_argument("--quick", action="store_true", help="up to 10⁶ parameters")
    options = parser.parse_args()

    optimizer = mt.optimizers.get("calm", lr=0.05)
    same_bits(optimizer)
    print("fused and NumPy: the same bits after 100 steps, in float32 and float64")
    print(f"trained here and on worker processes: {on_workers(optimizer)}")
    print(f"in the lab: {in_the_lab()}\n")
    text = figures(optimizer, SIZES[:4] if options.quick else SIZES)
    print(text)
    if options.write:
        page = PAGE.read_text("utf-8")
        pattern = re.escape(BEGIN) + ".*" + re.escape(END)
        PAGE.write_text(re.sub(pattern, lambda _: BEGIN + text + END, page, flags=re.S), "utf-8")
    return 0


def same_bits(optimizer):
    for dtype in (np.float32, np.float64):
        random = np.random.default_rng(0)
        fused = random.standard_normal(1003).astype(dtype)
        unfused = fused.copy()
        states = optimizer.init(fused), optimizer.init(unfused)
        for _ in range(100):
            gradient = random.standard_normal(fused.size).astype(dtype)
            optimizer.step(fused, gradient, states[0])
            optimizer.step_reference(unfused, gradient, states[1])
        assert np.array_equal(fused, unfused)


def train(optimizer, seed):
    data, _, _ = mt.datasets.load("digits").split(seed=0)
    model = mt.MLP([64, 32, 10], seed=seed)
    mt.Trainer(model, optimizer, seed=seed).fit(data, epochs=2)
    return model.parameters


def on_workers(optimizer):
    """The rule travels to processes that have never seen this file."""
    here = [train(optimizer, seed) for seed in range(2)]
    there = joblib.Parallel(n_jobs=2)(joblib.delayed(train)(optimizer, s) for s in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
    return "the same parameters"


def in_the_lab():
    study = mt.lab.Study(["digits"], ["calm", "momentum"], seeds=5, trials=3, epochs=5)
    rows = study.run().summary()
    tuned = [row for row in rows if row["arm"] == "learning_rate"]
    return ", ".join(f"{row['optimizer']} {row['accuracy']:.1%}" for row in tuned)


def figures(optimizer, sizes):
    """A Markdown table: a step, fused and in NumPy, and the limit at the same mix of traffic."""
    facts = about("numpy", "numba")
    lines = [
        "| parameters | fused | GB/s | the memory's limit | share | NumPy takes |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for size in sizes:
        moved = traffic(1, 0, size, "float32")
        threads = sharing.cores() if sharing.worth_sharing(moved) else 1
        fused, limit, unfused = measure(optimizer, size, stream(1, 0, size, "float32", threads))
        fused, limit, unfused = min(fused), min(limit), min(unfused)  # others disturb at times
        lines.append(
            f"| {size:,} | {1e6 * fused:.1f} µs | {moved / fused / 1e9:.1f} "
            f"| {moved / limit / 1e9:.1f} GB/s | {limit / fused:.0%} | {unfused / fused:.1f} × |"
        )
    where = f"{facts['machine']}, {facts['cores']} cores, {facts['date']}, {facts['commit']}"
    how = "the best of 15, `python3 scripts/your_own_optimizer.py --write`"
    return "\n".join([*lines, "", f"{where}; {how}.\n"])


def measure(optimizer, size, limit, rounds=15):
    gradient = np.random.default_rng(0).standard_normal(size).astype(np.float32)
    steps = [limit]
    for which in ("step", "step_reference"):
        params = np.zeros(size, np.float32)
        state = optimizer.init(params)
        steps.append(_stepping(getattr(optimizer, which), params, gradient, state))
    limit, fused, unfused = steps
    contenders = (fused, limit, unfused)
    calls = [calls_for(step, 2e-3) for step in contenders]
    rows = [
        [seconds(step, n) for step, n in zip(contenders, calls, strict=True)] for _ in range(rounds)
    ]
    return list(zip(*rows, strict=True))


def _stepping(step, params, gradient, state):
    return lambda: step(params, gradient, state)


if __name__ == "__main__":
    raise SystemExit(main())
