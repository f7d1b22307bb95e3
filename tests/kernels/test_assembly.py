"""What the compiler makes of the tile: its loop holds all accumulators in registers.

The loop over k of the wide tile is the inner loop that repeats the most numbers (those of gelu and
tanh have more fma, but none of x to repeat).  It must have an fma for each register of the tile,
and nothing but loads beside them: a store, or a load of what was stored to the stack, is an
accumulator that did not find a register (8 × 3 vectors lost all but 2 % of their speed so).
"""

import os
import platform
import re
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest
from numba.core.caching import NullCache

from minitrain.kernels import gemm
from minitrain.kernels._jit import COMPILED, jit

X86 = platform.machine().lower() in ("x86_64", "amd64")

# What is expected of the loop: the registers' name, and fma for each k (rows × registers of a row).
Tile = namedtuple("Tile", "register fma")
AVX512 = {"float32": Tile("zmm", 8 * 2), "float64": Tile("zmm", 8 * 2)}
AVX2 = {"float32": Tile("ymm", 4 * 2), "float64": Tile("ymm", 4 * 2)}
KERNELS = ("product", "weight_product")


def assembly(name, dtype):
    """Of a kernel, compiled now: what comes from the disk cache has none."""
    cached = getattr(gemm, name)
    fresh = jit(cached.py_func, by_address=True)
    fresh._cache = NullCache()
    setattr(gemm, name, fresh)
    try:
        find = getattr(gemm, f"{name}_address").__wrapped__  # not what was found before
        find(np.dtype(dtype))
    finally:
        setattr(gemm, name, cached)
    (signature,) = fresh.signatures
    return fresh.inspect_asm(signature)


def inner_loops(assembly):
    """Loops without a loop in them, as lists of lines: from a label to a jump back to it."""
    lines, labels, loops = assembly.splitlines(), {}, []
    for i, line in enumerate(lines):
        if label := re.match(r"(\.?\w+):", line):
            labels[label[1]] = i
        elif (jump := re.match(r"\s+j\w+\s+(\.?\w+)\s*$", line)) and jump[1] in labels:
            loops.append((labels[jump[1]], i))
    inner = [a for a in loops if not any(a != b and a[0] <= b[0] and b[1] <= a[1] for b in loops)]
    return [lines[first : last + 1] for first, last in inner]


def fma_of(loop):
    return [line for line in loop if re.match(r"\s+vfn?madd\w+p[sd]\s", line)]


def accumulators_of(loop):
    return {line.split(",")[-1].strip() for line in fma_of(loop)}


def repeats_of(loop):
    """Instructions that read a number and repeat it in all lanes."""
    return [line for line in loop if re.search(r"\svbroadcasts[sd]\s+[^%]|\{1to\d+\}", line)]


def hot_loop(assembly):
    return max(inner_loops(assembly), key=lambda loop: len(repeats_of(loop)), default=[])


def complaints(loop, tile):
    """What is wrong with the loop of a tile; AT&T syntax, the destination comes last."""
    fma, accumulators = fma_of(loop), accumulators_of(loop)
    if not fma or len(fma) % tile.fma:
        yield f"{len(fma)} fma, not {tile.fma} for each k"
    if len(accumulators) != tile.fma:
        yield f"{len(accumulators)} accumulators, not {tile.fma}"
    if not all(re.fullmatch(rf"%{tile.register}\d+", a) for a in accumulators):
        yield f"accumulators {sorted(accumulators)}, not {tile.register}"
    stack = [line.strip() for line in loop if "(%rsp" in line]
    if stack:
        yield f"on the stack: {stack}"
    for line in loop:
        if re.match(r"\s+v\w+\s.*,\s*-?\w*\([^)]*\)(\s*\{.*)?$", line):
            yield f"writes to memory: {line.strip()}"


@pytest.mark.compiled
@pytest.mark.skipif(not X86, reason="there is no x86 code to look at on this processor")
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_tile_of_this_processor_stays_in_registers(dtype, name):
    features = llvmlite.binding.get_host_cpu_features()
    if gemm.WIDTH == 1 and not (features.get("fma") and features.get("avx2")):
        pytest.skip("this processor has no fma instruction: each is a call of libm")
    tile = (AVX512 if gemm.WIDTH == 2 else AVX2)[dtype]
    assert not list(complaints(hot_loop(assembly(name, dtype)), tile))


@pytest.mark.compiled
@pytest.mark.skipif(not X86, reason="there is no x86 code to look at on this processor")
@pytest.mark.parametrize("cpu, tiles", [("haswell", AVX2), ("skylake-avx512", AVX512)])
def test_the_tile_of_another_processor_stays_in_registers(cpu, tiles):
    """Only compiled, not run, in another process: any x86 can do that."""
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('looking', {__file__!r})\n"
        "looking = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(looking)\n"
        "print(*(looking.assembly(k, 'float32') for k in looking.KERNELS), sep='\\n# next\\n')\n"
    )
    environment = {**os.environ, "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 0, found.stderr
    for listing in found.stdout.split("# next"):
        assert not list(complaints(hot_loop(listing), tiles["float32"]))


LOOP = """
.LBB0_1:
	vmovups	(%rax), %zmm2
	vfmadd231ps	(%rcx){1to16}, %zmm2, %zmm0
	vfmadd231ps	4(%rcx){1to16}, %zmm2, %zmm1
	addq	$4, %rcx
	decq	%rdx
	jne	.LBB0_1
	vmovups	%zmm0, (%rsi)
"""


def test_what_is_wrong_with_a_loop_is_seen():
    """The check itself, on loops written by hand."""
    assert not list(complaints(hot_loop(LOOP), Tile("zmm", 2)))
    for tile, change, complaint in [
        (Tile("zmm", 3), ("", ""), "fma, not 3"),
        (Tile("ymm", 2), ("", ""), "not ymm"),
        (Tile("zmm", 2), ("%zmm1", "%zmm0"), "1 accumulators"),
        (Tile("zmm", 2), ("(%rax), %zmm2", "64(%rsp), %zmm2"), "on the stack"),
        (Tile("zmm", 2), ("\taddq", "\tvmovups\t%zmm1, (%rsi)\n\taddq"), "writes to memory"),
        (
            Tile("zmm", 2),
            ("\taddq", "\tvmovups\t%zmm1, 64(%rsi,%rax)\n\taddq"),
            "writes to memory",
        ),
        (Tile("zmm", 2), ("vfmadd231ps", "vaddps"), "0 fma"),
    ]:
        found = " ".join(complaints(hot_loop(LOOP.replace(*change)), tile))
        assert complaint in found, (change, found)
    nested = LOOP.replace("\n.LBB0_1", "\n.LBB0_0:\n.LBB0_1") + "\tjmp\t.LBB0_0\n"
    assert hot_loop(nested) == LOOP.strip().splitlines()[:-1]
    assert hot_loop("\tret\n") == []


def test_assembly_needs_the_compiler():
    """Where the JIT is off there is nothing to look at, and `product` is a plain function."""
    assert hasattr(gemm.product, "py_func") == COMPILED
    assert Path(gemm.__file__).name == "gemm.py"
