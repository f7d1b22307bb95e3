"""What the processor that kernels are compiled for can do."""

import llvmlite.binding
import numba
from numba.core.codegen import get_host_cpu_features

# Processors with 32 registers of 512 bits, by LLVM's names (also NUMBA_CPU_NAME's).
_AVX512 = (
    "avx512",
    "znver4",
    "znver5",
    "icelake",
    "cascadelake",
    "sapphirerapids",
    "graniterapids",
)


def has_avx512():
    """Whether Numba compiles for it: by its options, as it reads them, else by the processor."""
    given = numba.config.CPU_FEATURES
    features = (get_host_cpu_features() if given is None else given).split(",")
    for sign in "+-":
        if f"{sign}avx512f" in features:
            return sign == "+"
    name = numba.config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    return any(known in name for known in _AVX512)
