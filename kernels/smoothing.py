"""Label smoothing (Szegedy et al. 2016, arXiv 1512.00567): what it adds to a loss and to dz.

Targets t become (1 - ε) t + ε / K for K classes, as torch's cross_entropy has it, and
(1 - ε) t + ε / 2 for a yes or no.  Both losses are linear in t, so the difference is all there is
to compute: ε (z_label - mean z), and ε (t - 1/2) z.
"""

import numpy as np

from ._jit import jit
from .between import SMOOTHING
from .layers import DZ_, O_, Y_, at


@jit(by_address=True)
def smooth_classes(work, begin, end, B):
    """After softmax_cross_entropy of rows ``begin … end`` of a mini-batch of B."""
    numbers, T = work.numbers, work.numbers.dtype.type
    p = work.plan[work.plan.shape[0] - 2]
    O, smoothing = p[O_], np.float64(work.running[SMOOTHING])
    for r in range(begin, end):
        label = work.labels[r]
        s = 0.0
        for j in range(O):
            s += np.float64(numbers[at(work, p, p[Y_], r, j)])
            numbers[at(work, p, p[DZ_], r, j)] -= T(smoothing / (O * B))
        numbers[at(work, p, p[DZ_], r, label)] += T(smoothing / B)
        z = np.float64(numbers[at(work, p, p[Y_], r, label)])
        work.loss[r] += T(smoothing * (z - s / O))


@jit(by_address=True)
def smooth_labels(work, begin, end, B):
    """After binary_cross_entropy of rows ``begin … end`` of a mini-batch of B."""
    numbers, T = work.numbers, work.numbers.dtype.type
    p = work.plan[work.plan.shape[0] - 2]
    O, smoothing = p[O_], np.float64(work.running[SMOOTHING])
    for r in range(begin, end):
        s = 0.0
        for j in range(O):
            half = np.float64(work.targets[at(work, p, 0, r, j)]) - 0.5
            s += half * np.float64(numbers[at(work, p, p[Y_], r, j)])
            numbers[at(work, p, p[DZ_], r, j)] += T(smoothing * half / (B * O))
        work.loss[r] += T(smoothing * s / O)


SMOOTHED = {"softmax_cross_entropy": smooth_classes, "binary_cross_entropy": smooth_labels}
