"""Asking for memory ahead of time, where a pass goes over more than any cache has.

The processor does so too, but not across the border of a page of 4 kB; a pass over two arrays then
waits for 15 (SGD) to 25 % (SignSGD) of its time.
"""

from ._jit import inline
from .access import prefetch_slots
from .memory import LINE
from .vector import prefetch

# From so many parameters on; how many numbers at a time, and how many times that ahead
# (scripts/bench_kernels.py --sizes 1e7 5e7).
FAR, AT_A_TIME, _AHEAD = 1 << 22, 64, 12


@inline
def ask_ahead(theta, gradient, slots, first, part, which):
    """Ask for what a pass in parts of so many numbers comes to soon; of the slots, for those whose
    bit is set in ``which``.  That may be behind the end: asking is no access."""
    start = first + _AHEAD * part
    for i in range(start, start + part, LINE // theta.itemsize):
        prefetch(theta, i)
        prefetch(gradient, i)
        prefetch_slots(slots, i, which)
