"""What is minimised where it is not the plain mean of the rows' losses: row weights, L2, a cap.

Only a workspace for such an objective has the addresses of these kernels; for others they are not
even compiled.
"""

from collections import namedtuple
from functools import cache

import numpy as np
from numba import from_dtype, typeof, types

from ._jit import COMPILED, address_of, inline, jit
from .layers import DZ_, I_, O_, SIZE, W_
from .panels import Panels, place
from .simd import fma
from .vector import lanes, load, splat, total

# What is minimised: ``scale`` times the (weighted) mean of the rows' losses, plus l2 / 2 times the
# squares of all weights (no biases) over the weight of the mini-batch, as in scikit-learn.
# ``decay`` (L,) is the optimizer's own coupled decay of each layer's weights, to which l2 adds.
# The loss that is reported has the factor ``shown`` in place of ``scale``, and no row's is above
# ``cap``: scikit-learn's takes no probability for smaller than the unit roundoff.
Objective = namedtuple("Objective", "scale shown cap l2 decay")
PLAIN = Objective(1.0, 1.0, np.inf, 0.0, np.empty(0))

# What the L2 penalty adds for a mini-batch: to the decay of all weights, and to the loss.
DECAY, LOSS = range(2)


@inline
def weight_of(rows, weights):
    """The sum of the rows' weights, 1 each if there are none."""
    if not weights.size:
        return np.float64(rows.size)
    weight = 0.0
    for i in range(rows.size):
        weight += np.float64(weights[rows[i]])
    return weight


@jit(by_address=True)
def weigh(numbers, loss, plan, objective, weights, rows, begin, end):
    """Turn the losses and dz of the rows begin … end, those of a plain mean, into the objective's.

    Each row's loss is multiplied by ``shown``, its dz by ``scale``, and both by its weight.
    """
    weight = weight_of(rows, weights)
    mean = rows.size / weight if weight != 0.0 else 0.0
    shown, scale, cap = mean * objective.shown, mean * objective.scale, objective.cap
    if not weights.size and shown == 1.0 and scale == 1.0 and cap == np.inf:
        return
    T = loss.dtype.type
    p = plan[plan.shape[0] - 2]
    dz = Panels(numbers, p[DZ_], p[SIZE])
    for r in range(begin, end):
        weight = np.float64(weights[rows[r]]) if weights.size else 1.0
        if loss[r] > cap:
            loss[r] = T(cap)
        loss[r] *= T(shown * weight)
        w = T(scale * weight)
        if w != T(1):
            for k in range(p[O_]):
                numbers[place(dz, r, k)] *= w


@jit(by_address=True)
def penalize(paid, theta, plan, objective, weights, rows):
    """``paid`` for these rows: λ = l2 / their weight, and λ / 2 · the squares of all weights."""
    weight = weight_of(rows, weights)
    decay = objective.l2 / weight if weight != 0.0 else 0.0
    paid[DECAY], paid[LOSS] = decay, 0.5 * decay * squares(theta, plan)


@inline
def squares(theta, plan):
    """The sum of the squares of all weights, without the biases."""
    all_layers = np.float64(0.0)
    L = lanes(theta)
    for l in range(plan.shape[0] - 1):
        p = plan[l]
        n = p[I_] * p[O_]
        a = b = c = d = splat(theta, 0)  # four sums, since one would wait for itself
        for k in range(0, n, 4 * L):
            w, x = load(theta, p[W_] + k, n - k), load(theta, p[W_] + k + L, n - k - L)
            y = load(theta, p[W_] + k + 2 * L, n - k - 2 * L)
            z = load(theta, p[W_] + k + 3 * L, n - k - 3 * L)
            a, b, c, d = fma(w, w, a), fma(x, x, b), fma(y, y, c), fma(z, z, d)
        all_layers += np.float64(total((a + b) + (c + d)))
    return all_layers


def addresses_for(objective, dtype):
    """(weigh, penalize) where they are compiled, and nothing for what is not asked for."""
    if objective is PLAIN:
        return 0, 0
    if not COMPILED:
        return weigh, penalize
    return _addresses(np.dtype(dtype))


@cache
def _addresses(dtype):
    T, rows, plan = from_dtype(dtype), types.int64[::1], types.int64[:, ::1]
    weights = types.Array(T, 1, "C", readonly=True)
    objective = typeof(of_one_type(PLAIN))
    return (
        address_of(
            weigh,
            types.void(T[::1], T[::1], plan, objective, weights, rows, types.int64, types.int64),
        ),
        address_of(
            penalize, types.void(types.float64[::1], T[::1], plan, objective, weights, rows)
        ),
    )


def of_one_type(objective):
    """The same with floats, as kernels are compiled for."""
    return Objective(*map(float, objective[:4]), objective.decay)
