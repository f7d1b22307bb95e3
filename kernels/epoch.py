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

from ._jit import inline, jit
from .between import CLOCK
from .borrow import borrowed
from .evaluation import mean_loss
from .fuse import call
from .layers import B_, HEIGHT, I_, NB_, O_, PARTS, W_, bias_gradient, weight_gradient
from .minibatch import copy_row, passage_of, summed
from .objective import DECAY
from .objective import LOSS as PENALTY
from .ordering import draw_order
from .phases import LOSS as SEEN_LOSS
from .phases import NORM, RIGHT
from .subnormal import FLUSHED_EVERY
from .threads import WEIGHTS, give_back, meet, share, take
from .vector import address, lanes, load, load_double, store

# Hyperparameters that follow a schedule: places (k,) in the optimizer's inputs, values (steps, k).
Moved = namedtuple("Moved", "places values")

# Ends a training early: when ``most`` epochs and one more have passed without a loss below the best
# by ``tol``.  ``seen`` (3,): the best loss, the epochs since, and whether it is over; or nothing.
Patience = namedtuple("Patience", "tol most seen")
BEST, SINCE, OVER = range(3)
ENDLESS = Patience(0.0, np.inf, np.empty(0))

# One row per epoch.
LOSS, ACCURACY, GRADIENT_NORM, VALIDATION_LOSS, VALIDATION_ACCURACY = range(5)
COLUMNS = ("loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy")


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
            bias_gradient(gradient, passage, l, B, team.thread)
            if alike:
                block[1] += p[NB_]
        call(descend, (theta, gradient, slots, block, W_scales, c, rate))
        if last == p[I_] and not alike:
            block[0], block[1] = p[B_], p[B_] + p[NB_]
            call(descend, (theta, gradient, slots, block, b_scales, c, rate))
        had += 1
        part = take(team, WEIGHTS, parts, had)


@inline
def note_loss(patience, loss):
    """Take the loss of one more epoch into account."""
    seen = patience.seen
    seen[SINCE] = seen[SINCE] + 1.0 if loss > seen[BEST] - patience.tol else 0.0
    seen[BEST] = min(seen[BEST], loss)
    seen[OVER] = np.float64(seen[SINCE] > patience.most)


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
    state, phased, advance, descend, rates, moved, first, fresh, record, patience, team,
):  # fmt: skip
    """Run steps ``first``, ``first + 1``, … with the learning rates ``rates``; return the next one.

    Steps count from 0 over all epochs.  ``moved`` are values of other hyperparameters per step,
    mostly of none.  ``fresh`` is false if the call before left ``theta``, ``work`` and ``order``
    as they are.  ``record`` (epochs, 5) gets a row per finished epoch; ``validation`` may have no
    rows.  ``state`` must have a block per weight matrix and bias.  ``evaluated`` are the weights
    that are to be used: theta, or an array of their own where the rule has a point of evaluation,
    brought up to date after each epoch.  The epoch with which ``patience`` is over is the last one;
    ENDLESS lets it be.

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
    patience = borrowed(patience)
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
        if phased.collect:
            call(phased.collect, (theta, gradient, work, data, rows, phased, team))
        else:
            call(work.pass_batch, (theta, work, data, rows, 1, team))
        added = 0.0
        if leads and work.objective.l2 != 0.0:
            arguments = (work.paid, theta, work.plan, work.objective, data.weights, rows)
            call(work.penalize, arguments)
            added = work.paid[PENALTY]
            for l in range(work.plan.shape[0] - 1):
                state.scales[2 * l, 1] = work.objective.decay[l] + work.paid[DECAY]
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
            made = sampling.before + step
            if made // FLUSHED_EVERY > max(made - sampling.steps, 0) // FLUSHED_EVERY:
                call(
                    work.flush,
                    (address(theta), address(state.slots), state.slots.shape, begin, end),
                )
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
                if patience.seen.size:
                    note_loss(patience, row[LOSS])
            if not meet(shared, threads):
                return step
            if validation.X.shape[0]:
                loss, right_share = mean_loss(evaluated, work, validation, team)
                if leads:
                    row[VALIDATION_LOSS], row[VALIDATION_ACCURACY] = loss, right_share
            if patience.seen.size and patience.seen[OVER]:
                return step + 1
    return first + rates.size
