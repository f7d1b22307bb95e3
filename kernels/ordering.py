"""The order of an epoch's rows: a pure function of the seed and the epoch's number."""

from collections import namedtuple

import numpy as np

from ._jit import inline, jit
from .random import shuffle, words

# How an epoch is put together.  kind: IN_ORDER, SHUFFLED, BALANCED or GIVEN; for BALANCED, the rows
# of class k are members[starts[k] : starts[k + 1]]; for GIVEN, members are the orders of epoch 0,
# 1, … one after the other.  ``before``: steps that the optimizer took before step 0.
Sampling = namedtuple("Sampling", "kind seed batch_size steps starts members before")
IN_ORDER, SHUFFLED, BALANCED, GIVEN = range(4)

_ORDER, _FILL = 1, 2  # purposes of random words, so that no two draws share them


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
