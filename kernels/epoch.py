"""The compiled training loop: gather a mini-batch, forward, backward, optimizer step, next.

One call runs any number of steps, across as many epochs as they take, without Python and without
the GIL.  The order of the rows is a pure function of (seed, epoch), so a training may be cut into
calls anywhere and gives the same bits.

Any number of threads may enter the same call, each with its own number; they share the rows of a
mini-batch and then the weights of the layers, part by part, and meet at barriers.  Who computes a
number does not change it, so the result does not depend on how many they are.
"""

from collections import namedtuple
from functools import cache

import numpy as np
from numba import from_dtype, typeof, types

from . import layers
from ._jit import COMPILED, address_of, inline, jit
from .between import CLOCK
from .borrow import borrowed
from .fuse import call
from .layers import (
    B_,
    I_,
    NB_,
    O_,
    STEP,
    W_,
    Y_,
    backward,
    bias_gradient,
    forward,
    output_loss,
    squares,
    transpose_weights,
    weigh_rows,
    weight_gradient,
)
from .phases import LOSS as SEEN_LOSS
from .phases import NORM, RIGHT
from .random import shuffle, words
from .threads import PLACES, ROWS_TAKEN, WEIGHTS_TAKEN, abort, meet, portion, share, take
from .tile import lanes, load, prefetch, store

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
_ROWS = 16  # threads share rows in such portions: the height of a tile
_HOT = 8192  # numbers of W whose gradient is still in the first cache when the optimizer runs


def team(threads=1):
    """One :data:`Team` per thread."""
    shared = np.zeros(PLACES, np.int64)
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
            rows = sampling.members[sampling.starts[k] : sampling.starts[k + 1]].copy()
            words(drawn[: rows.size], sampling.seed, epoch, _FILL + k)
            shuffle(rows, drawn[: rows.size])
            # The classes that get one row more change from epoch to epoch.
            share_of_class = n // K + ((k + epoch) % K < n % K)
            for j in range(share_of_class):
                order[at] = rows[j % rows.size]
                at += 1
    elif sampling.kind == GIVEN:
        order[:] = sampling.members[epoch * n : (epoch + 1) * n]
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
def gather(work, data, rows, begin, end):
    """Copy rows[begin … end] of the data into the workspace."""
    layers = work.plan.shape[0] - 1
    x, y = work.plan[layers], work.plan[layers - 1]
    I, O = data.X.shape[1], data.targets.shape[1]
    for r in range(begin, end):
        copy_row(work.numbers, x[Y_] + r * x[STEP], data.X, rows[r] * I, I)
        if data.labels.size:
            work.labels[r] = data.labels[rows[r]]
        else:
            copy_row(work.targets, r * y[STEP], data.targets, rows[r] * O, O)


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


@jit(by_address=True)
def pass_rows(theta, work, data, rows, begin, end, with_gradient, thread):
    """Gather, forward and loss of rows begin … end of a mini-batch; and dz of all layers."""
    if begin < end:
        gather(work, data, rows, begin, end)
        forward(theta, work, begin, end)
        output_loss(work, begin, end, rows.size, thread)
        weigh(work, data, rows, begin, end)
        if with_gradient:
            backward(theta, work, begin, end)


@inline
def pass_parts(theta, work, data, rows, with_gradient, team):
    """`pass_rows` of all rows: this thread's part of them, with the others."""
    thread, threads, shared = team
    begin, part, mine = 0, 0, take(shared, ROWS_TAKEN, threads, -1)
    while begin < rows.size:
        end = begin + portion(rows.size - begin, _ROWS, threads)
        if part == mine:
            call(work.pass_rows, (theta, work, data, rows, begin, end, with_gradient, thread))
            mine = take(shared, ROWS_TAKEN, threads, mine)
        begin, part = end, part + 1


@cache
def _pass_address(dtype, workspace_type):
    T, integers = from_dtype(dtype), types.int64[::1]
    rows = types.Array(T, 2, "C", readonly=True)
    weights = types.Array(T, 1, "C", readonly=True)
    data = types.NamedTuple(
        (rows, types.Array(types.int64, 1, "C", readonly=True), rows, weights), Data
    )
    arguments = (T[::1], workspace_type, data, integers, *[types.int64] * 4)
    return address_of(pass_rows, types.void(*arguments))


def workspace(sizes, codes, loss, rows, dtype, threads=1, objective=layers.PLAIN):
    """`layers.workspace`, with the place of pass_rows."""
    work = layers.workspace(sizes, codes, loss, rows, dtype, threads, objective)
    if not COMPILED:
        return work._replace(pass_rows=pass_rows)
    return work._replace(pass_rows=_pass_address(work.numbers.dtype, typeof(work)))


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
        rows = np.arange(start, min(start + most, n))
        pass_parts(theta, work, data, rows, 0, team)
        if not meet(team.shared, team.threads):
            return np.nan, np.nan
        team.shared[ROWS_TAKEN] = 0
        part_loss, part_right = summed(work, rows.size)
        loss += part_loss
        right += part_right
        if not meet(team.shared, team.threads):  # until all have read, before the next rows
            return np.nan, np.nan
    return loss / n, right / n


evaluate = jit(mean_loss)


@inline
def transpose_all(theta, work, team):
    for l in range(1, work.plan.shape[0] - 1):
        first, last = share(work.plan[l, I_], lanes(theta), team.thread, team.threads)
        transpose_weights(theta, work, l, first, last)


@jit
def loss_gradient(gradient, theta, work, data, rows):
    """The objective for these rows; its gradient goes into the flat ``gradient``."""
    B = rows.size
    for l in range(1, work.plan.shape[0] - 1):
        transpose_weights(theta, work, l, 0, work.plan[l, I_])
    call(work.pass_rows, (theta, work, data, rows, 0, B, 1, 0))
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
    x, y = work.plan[layers], work.plan[layers - 1]
    I, O = data.X.shape[1], out.shape[1]
    for start in range(0, n, most):
        B = min(most, n - start)
        for r in range(B):
            copy_row(work.numbers, x[Y_] + r * x[STEP], data.X, (start + r) * I, I)
        forward(theta, work, 0, B)
        for r in range(B):
            copy_row(out, (start + r) * O, work.numbers, y[Y_] + r * y[STEP], O)


@inline
def update_weights(theta, gradient, work, state, descend, rate, B, team, block):
    """Gradient and optimizer step of all weights, a part at a time while it is in the cache."""
    _, threads, shared = team
    part, mine = 0, take(shared, WEIGHTS_TAKEN, threads, -1)
    for l in range(work.plan.shape[0] - 1):
        p = work.plan[l]
        # b stands right behind W, so it takes its step with the last part of W, unless its decay
        # or its rate is another.
        W_scales, b_scales = state.scales[2 * l], state.scales[2 * l + 1]
        alike = (
            W_scales[0] == b_scales[0] and W_scales[1] == b_scales[1] and W_scales[2] == b_scales[2]
        )
        height = max(lanes(theta), _HOT // p[O_] // lanes(theta) * lanes(theta))
        for i in range(0, p[I_], height):
            if part == mine:
                j = min(i + height, p[I_])
                weight_gradient(gradient, work, l, i, j, B)
                block[0], block[1] = p[W_] + i * p[O_], p[W_] + j * p[O_]
                if j == p[I_]:
                    bias_gradient(gradient, work, l, B)
                    if alike:
                        block[1] += p[NB_]
                call(descend, (theta, gradient, state.slots, block, W_scales, state.c, rate))
                transpose_weights(theta, work, l, i, j)
                if j == p[I_] and not alike:
                    block[0], block[1] = p[B_], p[B_] + p[NB_]
                    call(descend, (theta, gradient, state.slots, block, b_scales, state.c, rate))
                mine = take(shared, WEIGHTS_TAKEN, threads, mine)
            part += 1


@inline
def norm(gradient):
    """In float64, by eight sums side by side: one would wait for itself at each addition."""
    sums = np.zeros(8)
    for i in range(0, gradient.size - 7, 8):
        for k in range(8):
            sums[k] += np.float64(gradient[i + k]) * np.float64(gradient[i + k])
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
    theta, evaluated, good, gradient, work, data, validation, order = borrowed(
        (theta, evaluated, good, gradient, work, data, validation, order)
    )
    sampling, state, phased, rates, moved, record, team = borrowed(
        (sampling, state, phased, rates, moved, record, team)
    )
    block = np.empty(2, np.int64)  # (start, stop) of a step's parameters: allocated once
    thread, threads, shared = team
    leads = thread == 0
    if fresh:
        transpose_all(theta, work, team)
        if leads:
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
            shared[WEIGHTS_TAKEN] = 0
        following = order[start + B : min(start + 2 * B, order.size)]
        begin, end = share(following.size, 1, thread, threads)
        announce(data, following, begin, end)
        if phased.collect:
            call(phased.collect, (theta, gradient, work, data, rows, phased, team))
        else:
            pass_parts(theta, work, data, rows, 1, team)
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
            shared[ROWS_TAKEN] = 0
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
            update_weights(theta, gradient, work, state, descend, rates[s], B, team, block)
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
