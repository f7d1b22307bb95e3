"""Arrays that start at a cache line: NumPy's own are aligned to 16 bytes only."""

import contextlib
import math
import mmap

import numpy as np

LINE = 64  # bytes
HUGE = 2 << 20  # a huge page


def aligned_zeros(shape: int | tuple[int, ...], dtype: str | np.dtype) -> np.ndarray:
    """Zeros of this shape, C-contiguous, whose first element stands at a multiple of 64 bytes."""
    # A short training asks for a dozen: no way here takes 2 µs more than it must.
    kind = np.dtype(dtype)
    size = math.prod(shape if isinstance(shape, tuple) else (shape,)) * kind.itemsize
    if not size:
        return np.zeros(shape, kind)
    raw = _huge_pages(size) if size >= HUGE else None
    if raw is None:
        raw = np.zeros(size + LINE, np.uint8)
    return np.ndarray(shape, kind, raw, -raw.ctypes.data % LINE)


def _huge_pages(size: int) -> np.ndarray | None:
    """So many zeros that begin with a huge page, as many as fit in huge pages; None: not here.

    Memory that is touched for the first time costs 0.25 µs a kilobyte in small pages: a training of
    784-1024-1024-10 begins after 11 ms instead of 22.  And products of wide layers, whose blocks
    have a row a page, wait less for addresses.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    try:
        memory = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError):
        return None  # NumPy then says what is too large
    raw = np.frombuffer(memory, np.uint8)
    start = -raw.ctypes.data % HUGE
    with contextlib.suppress(OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE, start, size // HUGE * HUGE)
    return raw[start:]
