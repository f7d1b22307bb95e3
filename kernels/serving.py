"""Prediction with the few arguments that it needs.

Handing a workspace to a compiled kernel takes longer (4 µs) than one row takes to pass through a
small network (1 µs); each array costs.
"""

from collections import namedtuple

from ._jit import jit
from .epoch import copy_row
from .layers import STEP, Y_, forward

# What `forward` asks of a workspace, where nothing stands between the layers (between.py).
Passage = namedtuple("Passage", "numbers plan product")


@jit
def predict(out, X, theta, numbers, plan, product, most):
    """Raw outputs z (n, O) for rows X (n, I), ``most`` at a time; the rest are a workspace's."""
    work = Passage(numbers, plan, product)
    n, layers = X.shape[0], plan.shape[0] - 1
    x, y = plan[layers], plan[layers - 1]
    I, O = X.shape[1], out.shape[1]
    for start in range(0, n, most):
        B = min(most, n - start)
        for r in range(B):
            copy_row(numbers, x[Y_] + r * x[STEP], X, (start + r) * I, I)
        forward(theta, work, 0, B)
        for r in range(B):
            copy_row(out, (start + r) * O, numbers, y[Y_] + r * y[STEP], O)
