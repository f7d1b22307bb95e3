"""Same seed, same bits: whatever the number of threads and the processor it is compiled for.

``golden/hashes.json`` holds what must come out; ``golden/hashes.py`` says of what, and has more
combinations than there is time for here.
"""

import importlib.util
import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest

from minitrain.kernels._jit import COMPILED

SCRIPT = Path(__file__).parent / "golden" / "hashes.py"
GOLDEN = json.loads(SCRIPT.with_suffix(".json").read_text("utf-8"))
X86 = platform.machine().lower() in ("x86_64", "amd64")

# What it is compiled for: (what a processor must have to run it, instructions, rows of a tile,
# trainings).  Compiling takes 10 s a dtype, hence not every dtype for each; hashes.py does all.
# Numba adds this processor's own instructions to those of a named one, unless told "none more".
SINGLE, DOUBLE = ("small-softmax-float32", "large-softmax-float32"), ("large-binary-float64",)
TARGETS = {
    "generic": ((), "xmm", 4, SINGLE + DOUBLE),
    "haswell": (("avx2", "fma"), "ymm fma", 4, SINGLE),
    "skylake-avx512": (("avx512f", "avx512dq", "avx512bw", "avx512vl"), "zmm fma", 8, DOUBLE),
}


def load_hashes():
    spec = importlib.util.spec_from_file_location("hashes", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hashes = load_hashes()


def in_another_process(cases, folder, **environment):
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    surroundings |= {"NUMBA_CACHE_DIR": str(folder), **environment}
    found = subprocess.run(
        [sys.executable, "-P", "-W", "error", SCRIPT, "--cases", *cases],
        env=surroundings, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """elsewhere(target): what a process says that compiles for it; all of them start at once."""
    has = llvmlite.binding.get_host_cpu_features() if X86 else {}
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if X86 else 1) as pool:
        futures = {
            target: pool.submit(
                in_another_process, cases, tmp_path_factory.mktemp(target),
                NUMBA_CPU_NAME=target, NUMBA_CPU_FEATURES="",
            )
            for target, (needs, _, _, cases) in TARGETS.items()
            if X86 and all(has.get(feature) for feature in needs)
        }  # fmt: skip
        yield lambda target: futures[target].result() if target in futures else None


@pytest.mark.parametrize("threads", [1, 2, 4] if COMPILED else [1])
@pytest.mark.parametrize("name", hashes.CASES if COMPILED else hashes.SMALL)
def test_hash_of_the_final_parameters(name, threads):
    """By any number of threads, more than there are cores too, or rows to share."""
    assert hashes.hash_of(hashes.CASES[name], threads=threads) == GOLDEN[name]


@pytest.mark.compiled
@pytest.mark.parametrize("name", [f"{n}-{'-'.join(g) or 'plain'}-float32" for n, g in hashes.RULES])
def test_hash_with_each_rule(name):
    assert hashes.hash_of(*hashes.COMBINATIONS[name], threads=2) == GOLDEN[name]


def test_every_rule_has_a_hash():
    known = {*hashes.FIRST, *(name for name, _ in hashes.RULES)}
    assert known == set(hashes.mt.optimizers.names())


@pytest.mark.compiled
@pytest.mark.parametrize("target", TARGETS)
def test_hash_compiled_for_another_processor(target, elsewhere):
    _, instructions, rows, cases = TARGETS[target]
    found = elsewhere(target)
    if found is None:
        pytest.skip(f"this processor ({platform.machine()}) cannot run code for {target}")
    assert (found["instructions"], found["rows"]) == (instructions, rows)
    assert found["hashes"] == {name: GOLDEN[name] for name in cases}


@pytest.mark.compiled
def test_hash_without_a_compiler(tmp_path):
    found = in_another_process(hashes.SMALL, tmp_path, NUMBA_DISABLE_JIT="1")
    assert found["instructions"] == "NumPy"
    assert found["hashes"] == {name: GOLDEN[name] for name in hashes.SMALL}


def test_golden_hashes_are_those_of_the_cases():
    assert set(GOLDEN) == {*hashes.CASES, *hashes.COMBINATIONS}
    assert len(set(GOLDEN.values())) == len(GOLDEN)


def test_a_hash_notices_one_bit():
    case = hashes.SMALL["small-softmax-float32"]
    parameters, _ = hashes.train(case)
    assert parameters.dtype == case.dtype
    again, _ = hashes.train(case)
    assert parameters.tobytes() == again.tobytes()
    again[-1] = np.nextafter(again[-1], np.float32(1))
    assert parameters.tobytes() != again.tobytes()
    other = hashes.hash_of(case._replace(hyperparameters={"lr": 0.010001}))
    assert other != hashes.hash_of(case)
