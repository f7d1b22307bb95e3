"""Rules against their authors' own code: golden files made by golden/official/cases.py."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from minitrain import optimizers
from minitrain.model import Block

_spec = importlib.util.spec_from_file_location(
    "official_cases", Path(__file__).parent / "golden" / "official" / "cases.py"
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

ENDS = np.cumsum([np.prod(shape) for shape in cases.SHAPES]).tolist()
BLOCKS = [
    Block(f"b{k}", start, stop, shape)
    for k, (start, stop, shape) in enumerate(zip([0, *ENDS], ENDS, cases.SHAPES, strict=False))
]


@pytest.mark.parametrize("which", ["step", "step_reference"])
@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_golden(case, which):
    optimizer = optimizers.get(case.optimizer, **case.given)
    theta, noise = cases.drawn()
    state, rows = optimizer.init(theta, BLOCKS), []
    for added in noise:
        getattr(optimizer, which)(theta, cases.gradient_at(case, theta, added), state)
        if state.t in cases.RECORDED:
            rows.append(optimizer.evaluated(theta, state))
    with np.load(cases.FILE) as file:
        expected = file[str(case)]
    assert np.shape(rows) == expected.shape == (len(cases.RECORDED), cases.P)
    kept = np.concatenate([np.arange(BLOCKS[k].start, BLOCKS[k].stop) for k in case.only])
    rows, expected = np.array(rows)[:, kept], expected[:, kept]
    error = np.linalg.norm(rows - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error.max() <= case.tolerance
    assert np.linalg.norm(expected[-1] - expected[0]) > 1e-3  # it went somewhere


def test_the_file_is_complete():
    with np.load(cases.FILE) as file:
        assert set(file) == {str(case) for case in cases.CASES}
    assert cases.FILE.stat().st_size < 50_000
