"""Arrays that start at a cache line: NumPy's own are aligned to 16 bytes only."""

import mmap

import numpy as np

LINE = 64  # bytes
HUGE = 2 << 20  # a huge page


def aligned_zeros(shape: int | tuple[int, ...], dtype: str | np.dtype) -> np.ndarray:
    """Zeros of this shape, C-contiguous, whose first element stands at a multiple of 64 bytes."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape)) * kind.itemsize
    if size >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        raw, unit = _of_huge_pages(size), HUGE
    else:
        raw, unit = np.zeros(size + LINE, np.uint8), LINE
    start = -raw.ctypes.data % unit
    return raw[start : start + size].view(kind).reshape(shape)


def _of_huge_pages(size: int) -> np.ndarray:
    """Zeros with room for so many bytes from a huge page's start on, as many as fit in huge pages.

    Memory that is touched for the first time costs 0.25 µs a kilobyte in small pages: a training of
    784-1024-1024-10 begins after 11 ms instead of 22.  And products of wide layers, whose blocks
    have a row a page, wait less for addresses.
    """
    memory = mmap.mmap(-1, size + HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    raw = np.frombuffer(memory, np.uint8)
    start = -raw.ctypes.data % HUGE
    memory.madvise(mmap.MADV_HUGEPAGE, start, size // HUGE * HUGE)
    return raw
