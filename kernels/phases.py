"""The optimizer's step in phases, for what needs a whole gradient before any parameter changes.

Without such needs a step is fused with the gradient (epoch.update_weights) and none of this runs.
Here the gradient of a layer, or of the network where a norm over all parameters is asked for, is
completed first; then it is modified, summed over, and the parameters are updated.  All of this
goes in portions of PORTION elements, which threads share; what is added up is added portion by
portion in their order.

A gradient may also be collected before: from several parts of a mini-batch (accumulation), or at
another point (sharpness-aware minimisation, Foret et al. 2021, arXiv 2010.01412).
"""

from collections import namedtuple

import numpy as np

from ._jit import inline, jit
from .fuse import call
from .layers import B_, I_, NB_, O_, W_, bias_gradient, weight_gradient
from .modifiers import add_partials, modify, square_sum
from .panels import panel_width
from .threads import meet, share

# What the phases need, made by minitrain/phases.py.  Addresses: collect and finish (the kernels
# below), tally, settle and look of fuse.py, each NOTHING where it is not needed.  Flags: ``whole``
# (all layers before the first update), ``one_group`` (sums over all parameters).  ``more_terms``
# are of a second round of sums, always block by block.  ``follows``: the slot that holds weights,
# which Lookahead takes along; -1 for none.  Arrays:
# ``portions`` (start, stop, block), ``firsts`` (each block's first portion), ``columns`` (of each
# weight matrix; 0 for a bias), ``partials`` (a row per portion), ``rows`` (coefficients and factors
# of each group), ``kept``, ``spare`` (a second gradient), ``home`` (where SAM comes back to),
# ``slow`` (Lookahead's weights) and ``slow_slot``, ``seen``.
Phased = namedtuple(
    "Phased",
    "collect finish tally settle tally_more settle_more look whole one_group terms more_terms "
    "modifies modifiers sam lookahead lookahead_alpha follows portions firsts columns partials "
    "rows kept spare home slow slow_slot seen",
)
LOSS, RIGHT, NORM = range(3)  # of seen: summed loss, right rows; norm of the unmodified gradient


@inline
def apply_phases(theta, gradient, state, phased, descend, rate, step, first, last, team):
    """Update blocks ``first … last``, whose gradient is complete; False if a thread gave up."""
    begin, end = share(phased.firsts[last] - phased.firsts[first], 1, team.thread, team.threads)
    begin, end = begin + phased.firsts[first], end + phased.firsts[first]
    if phased.modifies and not modify(theta, gradient, phased, first, last, begin, end, step, team):
        return False
    if phased.terms and not sum_up(
        theta, gradient, state, phased, rate, first, last, begin, end, team
    ):
        return False
    descend_portions(theta, gradient, state, phased, descend, rate, step, begin, end)
    return True


@inline
def sum_up(theta, gradient, state, phased, rate, first, last, begin, end, team):
    """Coefficients and factors of the blocks' groups into ``rows``; False if a thread gave up."""
    if team.thread == 0:
        begin_rows(state, phased, first, last)
    if not meet(team.shared, team.threads):
        return False
    tally_portions(phased.tally, phased.one_group, theta, gradient, state, phased, rate, begin, end)
    if not meet(team.shared, team.threads):
        return False
    if team.thread == 0:
        settle_rows(phased, first, last)
    if not meet(team.shared, team.threads):
        return False
    if not phased.more_terms:
        return True
    tally_portions(phased.tally_more, 0, theta, gradient, state, phased, rate, begin, end)
    if not meet(team.shared, team.threads):
        return False
    if team.thread == 0:
        settle_more_rows(phased, first, last)
    return meet(team.shared, team.threads)


@inline
def begin_rows(state, phased, first, last):
    """The coefficients and kept scalars of each group."""
    n, n_kept = state.c.size, phased.kept.shape[1]
    for k in range(0 if phased.one_group else first, 1 if phased.one_group else last):
        for i in range(n):
            phased.rows[k, i] = state.c[i]
        for i in range(n_kept):
            phased.rows[k, n + i] = phased.kept[k, i]


@inline
def tally_portions(tally, one_row, theta, gradient, state, phased, rate, begin, end):
    """The sums of each portion, of the first terms or of more; is there one row for all blocks?"""
    block = np.empty(2, np.int64)
    for q in range(begin, end):
        k = phased.portions[q, 2]
        block[0], block[1] = phased.portions[q, 0], phased.portions[q, 1]
        row, out = phased.rows[0 if one_row else k], phased.partials[q]
        call(tally, (theta, gradient, state.slots, block, state.scales[k], row, rate, out))


@inline
def settle_rows(phased, first, last):
    """Add the portions' sums up, and make the factors of them."""
    sums = np.empty(phased.terms)
    for k in range(0 if phased.one_group else first, 1 if phased.one_group else last):
        start, stop = phased.firsts[k], phased.firsts[k + 1]
        if phased.one_group:
            stop = phased.portions.shape[0]
        for i in range(phased.terms):
            sums[i] = add_partials(phased.partials, i, start, stop)
        call(phased.settle, (phased.rows[k], phased.kept[k], sums))
    if phased.more_terms and phased.one_group:
        for other in range(1, phased.rows.shape[0]):
            for i in range(phased.rows.shape[1]):
                phased.rows[other, i] = phased.rows[0, i]


@inline
def settle_more_rows(phased, first, last):
    """The same of a second round of sums."""
    sums = np.empty(phased.more_terms)
    for k in range(first, last):
        for i in range(phased.more_terms):
            sums[i] = add_partials(phased.partials, i, phased.firsts[k], phased.firsts[k + 1])
        call(phased.settle_more, (phased.rows[k], phased.kept[0], sums))


@inline
def descend_portions(theta, gradient, state, phased, descend, rate, step, begin, end):
    """Update the parameters of some portions."""
    block = np.empty(2, np.int64)
    c = state.c
    for q in range(begin, end):
        k = phased.portions[q, 2]
        block[0], block[1] = phased.portions[q, 0], phased.portions[q, 1]
        if phased.terms or phased.more_terms:
            c = phased.rows[0 if phased.rows.shape[0] == 1 else k]
        call(descend, (theta, gradient, state.slots, block, state.scales[k], c, rate))
        if phased.lookahead and (step + 1) % phased.lookahead == 0:
            follow(theta[block[0] : block[1]], phased.slow[block[0] : block[1]], phased)
            if phased.follows >= 0:
                slot = state.slots[phased.follows]
                follow(slot[block[0] : block[1]], phased.slow_slot[block[0] : block[1]], phased)


@inline
def follow(fast, slow, phased):
    """Lookahead (Zhang et al. 2019, arXiv 1907.08610): the slow weights go a part of the way to
    the fast ones, and these go on from there."""
    alpha = fast.dtype.type(phased.lookahead_alpha)
    for i in range(fast.size):
        slow[i] = slow[i] + alpha * (fast[i] - slow[i])
        fast[i] = slow[i]


@inline
def own_rows(work, l, team):
    return share(work.plan[l, I_], panel_width(work.numbers), team.thread, team.threads)


@inline
def layer_gradient(out, work, l, B, team):
    """This thread's part of the gradient of a layer."""
    first, last = own_rows(work, l, team)
    weight_gradient(out, work, l, first, last, B)
    if team.thread == team.threads - 1:
        bias_gradient(out, work, l, B, team.thread)


@jit(by_address=True)
def finish(theta, gradient, work, state, phased, descend, rate, step, B, note, team):
    """The rest of a step after the backward pass: gradients, modifiers, sums, update.

    With ``note`` the norm of the gradient is noted before anything modifies it.
    """
    layers = work.plan.shape[0] - 1
    unit = layers if phased.whole else 1
    leads = team.thread == 0
    if leads and note:
        phased.seen[NORM] = 0.0
    for l0 in range(0, layers, unit):
        if not phased.collect:
            for l in range(l0, l0 + unit):
                layer_gradient(gradient, work, l, B, team)
            if not meet(team.shared, team.threads):
                return
        if leads and note:
            for q in range(phased.firsts[2 * l0], phased.firsts[2 * (l0 + unit)]):
                portion = gradient[phased.portions[q, 0] : phased.portions[q, 1]]
                phased.seen[NORM] += square_sum(portion)
        if note and phased.modifies and not meet(team.shared, team.threads):
            return
        if not apply_phases(
            theta, gradient, state, phased, descend, rate, step, 2 * l0, 2 * (l0 + unit), team
        ):
            return
        if not meet(team.shared, team.threads):
            return
    if leads and note:
        phased.seen[NORM] = np.sqrt(phased.seen[NORM])


@inline
def gather_gradient(gradient, theta, work, data, rows, phased, team):
    """Mean gradient over the rows, a workspace at a time, weighted by rows; loss into ``seen``."""
    B, most, T = rows.size, work.labels.size, theta.dtype.type
    loss, right = 0.0, 0.0
    for start in range(0, B, most):
        part = rows[start : min(start + most, B)]
        b = part.size
        call(work.pass_batch, (theta, work, data, part, 1, team))
        if not meet(team.shared, team.threads):
            return False
        for i in range(b):
            loss += np.float64(work.loss[i])
            right += np.float64(work.right[i])
        weight = T(b / B)
        for l in range(work.plan.shape[0] - 1):
            p = work.plan[l]
            layer_gradient(phased.spare, work, l, b, team)
            first, last = own_rows(work, l, team)
            add_part(gradient, phased.spare, p[W_] + first * p[O_], p[W_] + last * p[O_], weight,
                     start == 0)  # fmt: skip
            if team.thread == team.threads - 1:
                add_part(gradient, phased.spare, p[B_], p[B_] + p[NB_], weight, start == 0)
        if not meet(team.shared, team.threads):  # the next part overwrites the workspace
            return False
    if team.thread == 0:
        phased.seen[LOSS], phased.seen[RIGHT] = loss, right
    return True


@inline
def add_part(total, part, start, stop, weight, first):
    into, new = total[start:stop], part[start:stop]
    if first:
        for i in range(into.size):
            into[i] = weight * new[i]
    else:
        for i in range(into.size):
            into[i] += weight * new[i]


@jit(by_address=True)
def collect(theta, gradient, work, data, rows, phased, team):
    """The gradient over the rows, in as many parts as the workspace needs; with ``sam`` where the
    loss is highest near by: at p + sam · g / ‖g‖."""
    if not gather_gradient(gradient, theta, work, data, rows, phased, team) or phased.sam == 0.0:
        return
    loss, right = phased.seen[LOSS], phased.seen[RIGHT]
    portions, partials = phased.portions, phased.partials
    begin, end = share(portions.shape[0], 1, team.thread, team.threads)
    if not meet(team.shared, team.threads):
        return
    for q in range(begin, end):
        partials[q, 0] = square_sum(gradient[portions[q, 0] : portions[q, 1]])
    if not meet(team.shared, team.threads):
        return
    norm = np.sqrt(add_partials(partials, 0, 0, portions.shape[0]))
    factor = theta.dtype.type(phased.sam / (norm + 1e-12))
    for q in range(begin, end):
        p = theta[portions[q, 0] : portions[q, 1]]
        g = gradient[portions[q, 0] : portions[q, 1]]
        home = phased.home[portions[q, 0] : portions[q, 1]]
        for i in range(p.size):
            home[i] = p[i]
            p[i] += factor * g[i]
    if not meet(team.shared, team.threads):
        return
    if not gather_gradient(gradient, theta, work, data, rows, phased, team):
        return
    for q in range(begin, end):
        home = phased.home[portions[q, 0] : portions[q, 1]]
        p = theta[portions[q, 0] : portions[q, 1]]
        for i in range(p.size):
            p[i] = home[i]
    if team.thread == 0:
        phased.seen[LOSS], phased.seen[RIGHT] = loss, right


@jit(by_address=True)
def step_in_phases(theta, gradient, state, phased, rate, t, advance, descend, team):
    """One step on all blocks, on a given gradient, which is not changed."""
    if phased.modifies:
        for i in range(gradient.size):
            phased.spare[i] = gradient[i]
        gradient = phased.spare
    call(advance, (state.c, state.carry, state.hyper, np.float64(t), rate))
    blocks = state.blocks.shape[0]
    apply_phases(theta, gradient, state, phased, descend, rate, t - 1, 0, blocks, team)
