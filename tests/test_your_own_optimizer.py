"""docs/your-own-optimizer.md: its code is the script's, and all of it runs."""

import re
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-own-optimizer.md").read_text("utf-8")
SCRIPT = (ROOT / "scripts" / "your_own_optimizer.py").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)

pytestmark = pytest.mark.usefixtures("own_registry")


def test_the_rule_is_the_one_that_was_measured():
    (rule,) = re.findall(r"# \[rule\]\n(.*?)\n*# \[/rule\]", SCRIPT, re.S)
    assert BLOCKS[0].strip() == rule.strip()
    assert len(rule.strip().splitlines()) == 5


def test_the_figures_are_of_the_script():
    assert re.search(r"\| 50,000,000 \| .* µs \|.*\n\n.*`python3 scripts/your_own_opt", PAGE, re.S)


def test_every_block_runs():
    data, _, _ = mt.datasets.load("iris").split(seed=0)
    scope = {"mt": mt, "np": np, "model": mt.MLP([4, 8, 3], seed=0), "train": data}
    for block in BLOCKS:
        # The lab with less: it is the page's call that is tried, not its patience.
        block = block.replace('"adam"])', '"adam"], seeds=2, trials=0, epochs=1)')
        exec(block, scope)
    for name, given in (("calm", {}), ("corrected", {}), ("calm2", {"nesterov": True})):
        optimizer = mt.optimizers.get(name, **given)
        fused, unfused = np.ones(40, np.float32), np.ones(40, np.float32)
        states = optimizer.init(fused), optimizer.init(unfused)
        for seed in range(5):
            gradient = np.random.default_rng(seed).standard_normal(40).astype(np.float32)
            optimizer.step(fused, gradient, states[0])
            optimizer.step_reference(unfused, gradient, states[1])
        np.testing.assert_array_equal(fused, unfused)
    with pytest.raises(ValueError, match=r"calm: beta: 1\.5 is out of range; accepted: \[0, 1\)"):
        mt.optimizers.get("calm", beta=1.5)


def test_calm_by_hand():
    """g = 1, then -1: v = 1, then -0.1, which agrees; then 0.5: v = 0.41."""
    scope = {"mt": mt, "np": np}
    exec(BLOCKS[0], scope)
    theta, calm = np.zeros(1), mt.optimizers.get("calm", lr=1.0)
    state = calm.init(theta)
    for g, expected in ((1.0, -1.0), (-1.0, -0.9), (0.5, -1.31), (-0.1, -1.21)):
        calm.step(theta, np.array([g]), state)
        assert theta[0] == pytest.approx(expected)
