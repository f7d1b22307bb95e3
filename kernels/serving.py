"""Prediction with the few arguments that it needs.

Handing a workspace to a compiled kernel takes longer (4 µs) than one row takes to pass through a
small network (1 µs); each array costs.
"""

from ._jit import jit
from .layers import O_, SIZE, Y_, Passage, layer_product
from .minibatch import into_panels, out_of_panels
from .panels import Panels


@jit
def predict(out, X, theta, numbers, scratch, plan, product, narrow_product, most):
    """Raw outputs z (n, O) for rows X (n, I), ``most`` at a time; the rest are a workspace's.

    Nothing may stand between the layers (between.py).
    """
    work = Passage(numbers, scratch, plan, product, 0, narrow_product, 0)
    n, layers = X.shape[0], plan.shape[0] - 1
    p, q = plan[layers], plan[layers - 1]
    x, y = Panels(numbers, p[Y_], p[SIZE]), Panels(numbers, q[Y_], q[SIZE])
    I, O = X.shape[1], out.shape[1]
    for start in range(0, n, most):
        B = min(most, n - start)
        for r in range(B):
            into_panels(x, r, X, (start + r) * I, I)
        for l in range(layers):
            layer_product(theta, work, l, 0, 0, B, 0, plan[l, O_], 0)
        for r in range(B):
            out_of_panels(out, (start + r) * O, y, r, O)
