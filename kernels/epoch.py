"""The compiled training loop: gather a mini-batch, forward, backward, optimizer step, next.

One call runs any number of steps, across as many epochs as they take, without Python and without
the GIL.  The order of the rows is a pure function of (seed, epoch), so a training may be cut into
calls anywhere and gives the same bits.

Any number of threads may enter the same call, each with its own number; they share each layer's
product, then the weights of all layers, part by part, and meet at barriers.  Who computes a number
does not change it, so the result does not depend on how many they are.
"""

from collections import namedtuple

import numpy as np
from numba import from_dtype, typeof, types

from . import layers
from ._jit import COMPILED, address_of, inline, jit
from .between import BACKWARD, CLOCK, FORWARD
from .borrow import borrowed
from .fuse import call
from .gemm import MOST_ROWS, PANEL, Panels, panel_width, place
from .layers import (
    B_,
    HEIGHT,
    I_,
    NB_,
    O_,
    PARTS,
    SIZE,
    W_,
    Y_,
    Passage,
    bias_gradient,
    layer_backward,
    layer_forward,
    output_loss,
    squares,
    weigh_rows,
    weight_gradient,
)
from .phases import LOSS as SEEN_LOSS
from .phases import NORM, RIGHT
from .random import shuffle, words
from .threads import EVEN, ODD, WEIGHTS, abort, give_back, meet, places, share, take
from .tile import address, lanes, load, load_double, prefetch, store

# X (n, I); labels (n,) for softmax, targets (n, O) for the other losses; weights (n,) of the rows
# in the loss, if they differ.  What is not used has no rows.
Data = namedtuple("Data", "X labels targets weights")

# How an epoch is put together.  kind: IN_ORDER, SHUFFLED, BALANCED or GIVEN; for BALANCED, the rows
# of class k are members[starts[k] : starts[k + 1]]; for GIVEN, members are the orders of epoch 0,
# 1, … one after the other.  ``before``: steps that the optimizer took before step 0.
Sampling = namedtuple("Sampling", "kind seed batch_size steps starts members before")
IN_ORDER, SHUFFLED, BALANCED, GIVEN = range(4)

# This thread's number, how many there are, and the array where they meet.
Team = namedtuple("Team", "thread threads shared")

# Hyperparameters that follow a schedule: places (k,) in the optimizer's inputs, values (steps, k).
Moved = namedtuple("Moved", "places values")

# One row per epoch.
LOSS, ACCURACY, GRADIENT_NORM, VALIDATION_LOSS, VALIDATION_ACCURACY = range(5)
COLUMNS = ("loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy")

_ORDER, _FILL = 1, 2  # purposes of random words, so that no two draws share them
_FEW_ROWS = 32  # of a block that a thread takes: as many as pay for copying a block of W


def team(threads=1):
    """One :data:`Team` per thread."""
    shared = np.zeros(places(threads), np.int64)
    return [Team(thread, threads, shared) for thread in range(threads)]


@inline
def draw_order(order, sampling, epoch):
    """The rows of an epoch, in their order.

    BALANCED takes equally many rows of each class (up to one), each class's rows shuffled and,
    where they do not suffice, taken again from the start; then everything is shuffled.
    """
    n = order.size
    drawn = np.empty(n, np.uint64)
    if sampling.kind == BALANCED:
        K = sampling.starts.size - 1
        at = 0
        for k in range(K):
            members = sampling.members[sampling.starts[k] : sampling.starts[k + 1]]
            rows = np.empty(members.size, np.int64)
            for i in range(rows.size):
                rows[i] = members[i]
            words(drawn[: rows.size], sampling.seed, epoch, _FILL + k)
            shuffle(rows, drawn[: rows.size])
            # The classes that get one row more change from epoch to epoch.
            share_of_class = n // K + ((k + epoch) % K < n % K)
            for j in range(share_of_class):
                order[at] = rows[j % rows.size]
                at += 1
    elif sampling.kind == GIVEN:
        for i in range(n):  # assigning a slice takes 2 s to compile: it may have to raise
            order[i] = sampling.members[epoch * n + i]
    else:
        for i in range(n):
            order[i] = i
    if sampling.kind != IN_ORDER and sampling.kind != GIVEN:
        words(drawn, sampling.seed, epoch, _ORDER)
        shuffle(order, drawn)


fill_order = jit(draw_order)


@inline
def copy_row(out, o, values, v, n):
    """out[o : o + n] = values[v : v + n] of the flat numbers."""
    for k in range(0, n, lanes(out)):
        store(out, o + k, load(values, v + k, n - k), n - k)


@inline
def announce(data, rows, begin, end):
    """Let rows[begin … end] come into the cache while other work is done: the next mini-batch."""
    I = data.X.shape[1]
    for r in range(begin, end):
        for k in range(0, I, lanes(data.X)):
            prefetch(data.X, rows[r] * I + k)


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
        into_panels(x, r, data.X, rows[r] * I, I)
        if data.labels.size:
            work.labels[r] = data.labels[rows[r]]
        else:
            into_panels(targets, r, data.targets, rows[r] * O, O)


@inline
def weight_of(data, rows):
    """The sum of the rows' weights, 1 each if there are none."""
    if not data.weights.size:
        return np.float64(rows.size)
    weight = 0.0
    for i in range(rows.size):
        weight += np.float64(data.weights[rows[i]])
    return weight


@inline
def weigh(work, data, rows, begin, end):
    """Turn the plain mean over the rows into the objective's."""
    shown, scale = work.objective.shown, work.objective.scale
    if data.weights.size or shown != 1.0 or scale != 1.0 or work.objective.cap < np.inf:
        weight = weight_of(data, rows)
        mean = rows.size / weight if weight != 0.0 else 0.0
        weigh_rows(work, begin, end, data.weights, rows, mean * shown, mean * scale)


@inline
def penalty(theta, work, data, rows):
    """(λ, λ / 2 · the squares of all weights) for these rows, λ = l2 / their weight."""
    weight = weight_of(data, rows)
    decay = work.objective.l2 / weight if weight != 0.0 else 0.0
    return decay, 0.5 * decay * squares(theta, work)


@inline
def passage_of(work):
    return Passage(work.numbers, work.scratch, work.plan, work.product, work.weight_product)


@inline
def layer_pass(product, theta, passage, l, B, columns, phase, team):
    """``product`` of a layer for all rows and so many columns, with the other threads.

    They take panels of columns; of a narrow layer, parts of panels.
    """
    thread, threads, shared = team
    if threads == 1:
        product(theta, passage, l, 0, B, 0, columns, 0)
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
            product(theta, passage, l, begin, end, left, min(left + width, columns), thread)
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
        if not layer_pass(layer_forward, theta, passage, l, B, plan[l, O_], phase, team):
            return
        if after and l < layers - 1 and not follow_up(after, theta, work, l, B, team):
            return
        phase = EVEN + ODD - phase
    begin, end = share(B, lanes(theta), thread, threads)
    if begin < end:
        output_loss(work, begin, end, B, thread)
        weigh(work, data, rows, begin, end)
    if not with_gradient or not meet(shared, threads):
        return
    after = plan[layers, BACKWARD]
    for l in range(layers - 1, 0, -1):
        if not layer_pass(layer_backward, theta, passage, l, B, plan[l, I_], phase, team):
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


def workspace(sizes, codes, loss, rows, dtype, threads=1, objective=layers.PLAIN):
    """`layers.workspace`, with the place of pass_batch."""
    objective = layers.Objective(*map(float, objective[:4]), objective.decay)  # one type for all
    work = layers.workspace(sizes, codes, loss, rows, dtype, threads, objective)
    return work._replace(pass_batch=_pass_address(work) if COMPILED else pass_batch)


@inline
def summed(work, B):
    """(loss, right rows) of the mini-batch, added in the order of the rows."""
    loss, right = 0.0, 0.0
    for i in range(B):
        loss += np.float64(work.loss[i])
        right += np.float64(work.right[i])
    return loss, right


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
        bias_gradient(gradient, work, l, B)
    loss = summed(work, B)[0] / B
    if work.objective.l2 != 0.0:
        decay, added = penalty(theta, work, data, rows)
        loss += added
        for l in range(work.plan.shape[0] - 1):
            p = work.plan[l]
            for k in range(p[W_], p[B_]):
                gradient[k] += gradient.dtype.type(decay) * theta[k]
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
            layer_forward(theta, work, l, 0, B, 0, work.plan[l, O_], 0)
            if work.plan[layers, FORWARD] and l < layers - 1:
                call(work.plan[layers, FORWARD], (address(theta), work, l, 0, B))
        for r in range(B):
            out_of_panels(out, (start + r) * O, y, r, O)


@inline
def update_weights(theta, gradient, passage, slots, scales, c, descend, rate, B, team, block):
    """Gradient and optimizer step of all weights, a part at a time while it is in the cache."""
    parts = 0
    for l in range(passage.plan.shape[0] - 1):
        parts += passage.plan[l, PARTS]
    had, part = 0, take(team, WEIGHTS, parts, 0)
    while part >= 0:
        l = 0
        while part >= passage.plan[l, PARTS]:
            part -= passage.plan[l, PARTS]
            l += 1
        p = passage.plan[l]
        first = part * p[HEIGHT]
        last = min(first + p[HEIGHT], p[I_])
        weight_gradient(gradient, passage, l, first, last, B)
        # b stands right behind W, so it takes its step with the last part of W, unless its decay
        # or its rate is another.
        W_scales, b_scales = scales[2 * l], scales[2 * l + 1]
        alike = (
            W_scales[0] == b_scales[0] and W_scales[1] == b_scales[1] and W_scales[2] == b_scales[2]
        )
        block[0], block[1] = p[W_] + first * p[O_], p[W_] + last * p[O_]
        if last == p[I_]:
            bias_gradient(gradient, passage, l, B)
            if alike:
                block[1] += p[NB_]
        call(descend, (theta, gradient, slots, block, W_scales, c, rate))
        if last == p[I_] and not alike:
            block[0], block[1] = p[B_], p[B_] + p[NB_]
            call(descend, (theta, gradient, slots, block, b_scales, c, rate))
        had += 1
        part = take(team, WEIGHTS, parts, had)


@inline
def norm(gradient):
    """In float64, by eight sums side by side: one would wait for itself at each addition."""
    sums = np.zeros(8)
    s = load(sums, 0)
    for i in range(0, gradient.size - 7, 8):
        x = load_double(gradient, i)
        s = s + x * x
    store(sums, 0, s)
    total = 0.0
    for i in range(gradient.size // 8 * 8, gradient.size):
        total += np.float64(gradient[i]) * np.float64(gradient[i])
    for k in range(8):
        total += sums[k]
    return np.sqrt(total)


@inline
def look_at(evaluated, theta, state, phased):
    """Bring ``evaluated`` up to date; where it is theta itself, nothing is to be done."""
    if phased.look:
        block = np.array([0, theta.size])
        call(phased.look, (evaluated, theta, state.slots, block, state.c))
    elif phased.slow.size:
        copy_row(evaluated, 0, phased.slow, 0, theta.size)


bring_up_to_date = jit(look_at)


@jit
def train(
    theta, evaluated, good, gradient, work, data, validation, sampling, order,
    state, phased, advance, descend, rates, moved, first, fresh, record, team,
):  # fmt: skip
    """Run steps ``first``, ``first + 1``, … with the learning rates ``rates``; return the next one.

    Steps count from 0 over all epochs.  ``moved`` are values of other hyperparameters per step,
    mostly of none.  ``fresh`` is false if the call before left ``theta``, ``work`` and ``order``
    as they are.  ``record`` (epochs, 5) gets a row per finished epoch; ``validation`` may have no
    rows.  ``state`` must have a block per weight matrix and bias.  ``evaluated`` are the weights
    that are to be used: theta, or an array of their own where the rule has a point of evaluation,
    brought up to date after each epoch.

    If a loss, or the gradient at the end of an epoch, is not finite, the step where that was seen
    is returned, and ``good`` holds the parameters as they were at the start of that epoch.  If it
    is an epoch's first loss, the step before is returned: that one did the harm, and ``good`` are
    only parameters with a finite loss.
    """
    # One by one: a tuple of all of them takes LLVM half a second more.
    theta, evaluated, good = borrowed(theta), borrowed(evaluated), borrowed(good)
    gradient, work, data = borrowed(gradient), borrowed(work), borrowed(data)
    validation, order, sampling = borrowed(validation), borrowed(order), borrowed(sampling)
    state, phased, rates = borrowed(state), borrowed(phased), borrowed(rates)
    moved, record, team = borrowed(moved), borrowed(record), borrowed(team)
    block = np.empty(2, np.int64)  # (start, stop) of a step's parameters: allocated once
    thread, threads, shared = team
    leads, passage = thread == 0, passage_of(work)
    if fresh and leads:
        draw_order(order, sampling, first // sampling.steps)
    for s in range(rates.size):
        step = first + s
        epoch, batch = step // sampling.steps, step % sampling.steps
        row = record[epoch]
        if leads:
            if batch == 0:
                if s > 0 or not fresh:
                    draw_order(order, sampling, epoch)
                for column in range(row.size):
                    row[column] = 0.0
            for k in range(moved.places.size):
                state.hyper[moved.places[k]] = moved.values[s, k]
            t = np.float64(sampling.before + step + 1)
            call(advance, (state.c, state.carry, state.hyper, t, rates[s]))
        if (s == 0 or batch == 0) and not meet(shared, threads):
            return step
        start = batch * sampling.batch_size
        rows = order[start : min(start + sampling.batch_size, order.size)]
        B = rows.size

        if leads:
            give_back(team, WEIGHTS)
        following = order[start + B : min(start + 2 * B, order.size)]
        begin, end = share(following.size, 1, thread, threads)
        announce(data, following, begin, end)
        if phased.collect:
            call(phased.collect, (theta, gradient, work, data, rows, phased, team))
        else:
            call(work.pass_batch, (theta, work, data, rows, 1, team))
        added = 0.0
        if leads and work.objective.l2 != 0.0:
            decay, added = penalty(theta, work, data, rows)
            for l in range(work.plan.shape[0] - 1):
                state.scales[2 * l, 1] = work.objective.decay[l] + decay
        if not meet(shared, threads):
            return step
        if phased.collect:
            loss, right = phased.seen[SEEN_LOSS], phased.seen[RIGHT]
        else:
            loss, right = summed(work, B)
        if not np.isfinite(loss):
            return step - 1 if batch == 0 and step > 0 else step
        if leads:
            work.plan[work.plan.shape[0] - 1, CLOCK] += 1
        if batch == 0:
            begin, end = share(theta.size, lanes(theta), thread, threads)
            copy_row(good, begin, evaluated, begin, end - begin)
            if not meet(shared, threads):
                return step
        if phased.finish:
            note = np.int64(batch == sampling.steps - 1)
            arguments = (state, phased, descend, rates[s], step, B, note, team)
            call(phased.finish, (theta, gradient, work) + arguments)  # noqa: RUF005
        else:
            update_weights(
                theta, gradient, passage, state.slots, state.scales, state.c, descend, rates[s], B,
                team, block,
            )  # fmt: skip
        if not meet(shared, threads):
            return step
        if leads:
            row[LOSS] += loss + added * B
            row[ACCURACY] += right

        if batch == sampling.steps - 1:
            size = phased.seen[NORM] if phased.finish else norm(gradient)
            if not np.isfinite(size):
                return step
            seen = min(order.size, sampling.steps * sampling.batch_size)
            if leads:
                row[LOSS] /= seen
                row[ACCURACY] /= seen
                row[GRADIENT_NORM] = size
            if leads:
                look_at(evaluated, theta, state, phased)
            if not meet(shared, threads):
                return step
            if validation.X.shape[0]:
                loss, right_share = mean_loss(evaluated, work, validation, team)
                if leads:
                    row[VALIDATION_LOSS], row[VALIDATION_ACCURACY] = loss, right_share
    return first + rates.size


def give_up(team):
    """Let the threads that wait for one which never came return."""
    abort(team.shared)
