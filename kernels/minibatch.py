"""A mini-batch through the network: its rows gathered, forward, loss, backward.

Any number of threads may enter the same pass, each with its own number; they share each layer's
product and meet at barriers.  Who computes a number does not change it, so the result does not
depend on how many they are.
"""

from collections import namedtuple

import numpy as np
from numba import from_dtype, typeof, types

from . import layers
from ._jit import COMPILED, address_of, inline, jit
from .between import BACKWARD, FORWARD
from .fuse import call
from .layers import I_, O_, SIZE, Y_, Passage, layer_product, output_loss
from .objective import PLAIN, addresses_for, of_one_type
from .panels import MOST_ROWS, PANEL, Panels, panel_width, place
from .threads import EVEN, ODD, abort, give_back, meet, places, share, take
from .vector import address, lanes, load, prefetch, store

# X (n, I); labels (n,) for softmax, targets (n, O) for the other losses; weights (n,) of the rows
# in the loss, if they differ.  What is not used has no rows.
Data = namedtuple("Data", "X labels targets weights")

# This thread's number, how many there are, and the array where they meet.
Team = namedtuple("Team", "thread threads shared")

_AHEAD = 4  # rows that are on their way from memory, of a few KiB each at most
_FEW_ROWS = 32  # of a block that a thread takes: as many as pay for copying a block of W


def team(threads=1):
    """One :data:`Team` per thread."""
    shared = np.zeros(places(threads), np.int64)
    return [Team(thread, threads, shared) for thread in range(threads)]


def give_up(team):
    """Let the threads that wait for one which never came return."""
    abort(team.shared)


@inline
def copy_row(out, o, values, v, n):
    """out[o : o + n] = values[v : v + n] of the flat numbers."""
    for k in range(0, n, lanes(out)):
        store(out, o + k, load(values, v + k, n - k), n - k)


@inline
def announce(data, row):
    """Let a row come into the cache while others are copied."""
    I = data.X.shape[1]
    for k in range(0, I, lanes(data.X)):
        prefetch(data.X, row * I + k)


@inline
def into_panels(panels, i, values, v, n):
    """Row i of panels = values[v : v + n] of the flat numbers."""
    width = panel_width(panels.numbers)
    for j in range(0, n, width):
        copy_row(panels.numbers, place(panels, i, j), values, v + j, min(n - j, width))


@inline
def out_of_panels(out, o, panels, i, n):
    """out[o : o + n] = row i of panels."""
    width = panel_width(panels.numbers)
    for j in range(0, n, width):
        copy_row(out, o + j, panels.numbers, place(panels, i, j), min(n - j, width))


@inline
def gather(work, data, rows, begin, end):
    """Copy rows[begin … end] of the data into the workspace."""
    layers = work.plan.shape[0] - 1
    p = work.plan[layers]
    x, targets = Panels(work.numbers, p[Y_], p[SIZE]), Panels(work.targets, 0, p[SIZE])
    I, O = data.X.shape[1], data.targets.shape[1]
    for r in range(begin, end):
        if r + _AHEAD < end:
            announce(data, rows[r + _AHEAD])
        into_panels(x, r, data.X, rows[r] * I, I)
        if data.labels.size:
            work.labels[r] = data.labels[rows[r]]
        else:
            into_panels(targets, r, data.targets, rows[r] * O, O)


@inline
def passage_of(work):
    return Passage(
        work.numbers, work.scratch, work.plan, work.product, work.weight_product,
        work.narrow_product, work.narrow_weight_product,
    )  # fmt: skip


@inline
def layer_pass(theta, passage, l, backward, B, columns, phase, team):
    """The product of a layer for all rows and so many columns, with the other threads.

    They take panels of columns; of a narrow layer, parts of panels.
    """
    thread, threads, shared = team
    if threads == 1:
        layer_product(theta, passage, l, backward, 0, B, 0, columns, 0)
        return True
    if thread == 0:
        give_back(team, EVEN + ODD - phase)
    width = PANEL * lanes(theta)
    across = (columns + width - 1) // width
    down = min((4 * threads + across - 1) // across, (B + _FEW_ROWS - 1) // _FEW_ROWS)
    had, part = 0, take(team, phase, across * down, 0)
    while part >= 0:
        left = part // down * width
        begin, end = share(B, MOST_ROWS, part % down, down)
        if begin < end:
            right = min(left + width, columns)
            layer_product(theta, passage, l, backward, begin, end, left, right, thread)
        had += 1
        part = take(team, phase, across * down, had)
    return meet(shared, threads)


@inline
def follow_up(kernel, theta, work, l, B, team):
    """What stands behind a layer's product, for this thread's share of the rows."""
    begin, end = share(B, MOST_ROWS, team.thread, team.threads)
    call(kernel, (address(theta), work, l, begin, end))
    return meet(team.shared, team.threads)


@jit(by_address=True)
def pass_batch(theta, work, data, rows, with_gradient, team):
    """Gather, forward and loss of a mini-batch; and dz of all layers.

    Threads that come back from here have to meet before they read what others have computed.
    """
    thread, threads, shared = team
    plan = work.plan
    passage = passage_of(work)
    B, layers = rows.size, plan.shape[0] - 1
    begin, end = share(B, MOST_ROWS, thread, threads)
    gather(work, data, rows, begin, end)
    phase = EVEN
    if thread == 0:
        give_back(team, phase)
    if not meet(shared, threads):
        return
    after = plan[layers, FORWARD]
    for l in range(layers):
        if not layer_pass(theta, passage, l, 0, B, plan[l, O_], phase, team):
            return
        if after and l < layers - 1 and not follow_up(after, theta, work, l, B, team):
            return
        phase = EVEN + ODD - phase
    begin, end = share(B, lanes(theta), thread, threads)
    if begin < end:
        output_loss(work, begin, end, B, thread)
        if work.weigh:
            arguments = (work.numbers, work.loss, plan, work.objective, data.weights, rows)
            call(work.weigh, arguments + (begin, end))  # noqa: RUF005 - no stars in compiled tuples
    if not with_gradient or not meet(shared, threads):
        return
    after = plan[layers, BACKWARD]
    for l in range(layers - 1, 0, -1):
        if not layer_pass(theta, passage, l, 1, B, plan[l, I_], phase, team):
            return
        if after and not follow_up(after, theta, work, l - 1, B, team):
            return
        phase = EVEN + ODD - phase


_pass_addresses: dict = {}  # by dtype: asking Numba for a workspace's type takes 0.1 ms


def _pass_address(work):
    dtype = work.numbers.dtype
    if dtype not in _pass_addresses:
        T, integers = from_dtype(dtype), types.int64[::1]
        rows = types.Array(T, 2, "C", readonly=True)
        weights = types.Array(T, 1, "C", readonly=True)
        labels = types.Array(types.int64, 1, "C", readonly=True)
        data = types.NamedTuple((rows, labels, rows, weights), Data)
        arguments = (T[::1], typeof(work), data, integers, types.int64, typeof(team()[0]))
        _pass_addresses[dtype] = address_of(pass_batch, types.void(*arguments))
    return _pass_addresses[dtype]


def workspace(sizes, codes, loss, rows, dtype, threads=1, objective=PLAIN):
    """`layers.workspace` for an objective.  Only another one than PLAIN knows rows' weights."""
    work = layers.workspace(sizes, codes, loss, rows, dtype, threads)
    weigh, penalize = addresses_for(objective, dtype)
    work = work._replace(weigh=weigh, penalize=penalize, objective=of_one_type(objective))
    return work._replace(pass_batch=_pass_address(work) if COMPILED else pass_batch)


@inline
def summed(work, B):
    """(loss, right rows) of the mini-batch, added in the order of the rows."""
    loss, right = 0.0, 0.0
    for i in range(B):
        loss += np.float64(work.loss[i])
        right += np.float64(work.right[i])
    return loss, right
