"""Loss, gradient and outputs of a network on given rows, outside of a training."""

import numpy as np

from ._jit import inline, jit
from .between import FORWARD
from .fuse import call
from .layers import B_, I_, O_, SIZE, W_, Y_, bias_gradient, layer_product, weight_gradient
from .minibatch import Team, into_panels, out_of_panels, summed
from .objective import DECAY
from .objective import LOSS as PENALTY
from .panels import Panels
from .threads import meet, places
from .vector import address


@inline
def mean_loss(theta, work, data, team):
    """(mean loss, share of right rows) over a whole data set, a workspace at a time.

    All threads return the same; (nan, nan) if one of them has given up.
    """
    n, most = data.X.shape[0], work.labels.size
    loss, right = 0.0, 0.0
    for start in range(0, n, most):
        rows = np.empty(min(most, n - start), np.int64)
        for r in range(rows.size):
            rows[r] = start + r
        call(work.pass_batch, (theta, work, data, rows, 0, team))
        if not meet(team.shared, team.threads):
            return np.nan, np.nan
        part_loss, part_right = summed(work, rows.size)
        loss += part_loss
        right += part_right
        if not meet(team.shared, team.threads):  # until all have read, before the next rows
            return np.nan, np.nan
    return loss / n, right / n


evaluate = jit(mean_loss)


@jit
def loss_gradient(gradient, theta, work, data, rows):
    """The objective for these rows; its gradient goes into the flat ``gradient``."""
    B = rows.size
    alone = Team(0, 1, np.zeros(places(1), np.int64))
    call(work.pass_batch, (theta, work, data, rows, 1, alone))
    for l in range(work.plan.shape[0] - 1):
        weight_gradient(gradient, work, l, 0, work.plan[l, I_], B)
        bias_gradient(gradient, work, l, B, 0)
    loss = summed(work, B)[0] / B
    if work.objective.l2 != 0.0:
        call(work.penalize, (work.paid, theta, work.plan, work.objective, data.weights, rows))
        loss += work.paid[PENALTY]
        for l in range(work.plan.shape[0] - 1):
            p = work.plan[l]
            for k in range(p[W_], p[B_]):
                gradient[k] += gradient.dtype.type(work.paid[DECAY]) * theta[k]
    return loss


@jit
def predict(out, theta, work, data):
    """Raw outputs z (n, O) of the network for all rows of the data, which needs X alone."""
    n, most = data.X.shape[0], work.labels.size
    layers = work.plan.shape[0] - 1
    p, q = work.plan[layers], work.plan[layers - 1]
    x, y = Panels(work.numbers, p[Y_], p[SIZE]), Panels(work.numbers, q[Y_], q[SIZE])
    I, O = data.X.shape[1], out.shape[1]
    for start in range(0, n, most):
        B = min(most, n - start)
        for r in range(B):
            into_panels(x, r, data.X, (start + r) * I, I)
        for l in range(layers):
            layer_product(theta, work, l, 0, 0, B, 0, work.plan[l, O_], 0)
            if work.plan[layers, FORWARD] and l < layers - 1:
                call(work.plan[layers, FORWARD], (address(theta), work, l, 0, B))
        for r in range(B):
            out_of_panels(out, (start + r) * O, y, r, O)
