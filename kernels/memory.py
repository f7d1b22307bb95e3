"""Arrays that start at a cache line: NumPy's own are aligned to 16 bytes only."""

import numpy as np

LINE = 64  # bytes


def aligned_zeros(shape: int | tuple[int, ...], dtype: str | np.dtype) -> np.ndarray:
    """Zeros of this shape, C-contiguous, whose first element stands at a multiple of 64 bytes."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(kind).reshape(shape)
