"""One optimizer step on several cores: whoever is free takes the next part of the parameters.

A rule of one element at a time has the same bits however the parameters are cut and whoever
computes them.  The parts are several per core, so that a core which is busy elsewhere delays a step
by one part at most, and by nothing if it never comes.
"""

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from .kernels import fuse
from .kernels._jit import COMPILED

WORTH_SHARING = 16e6  # bytes that a step moves: half of them take longer than to wake a thread
PARTS = 4  # per core
_LINE = 64  # parameters; parts begin at whole cache lines


@cache
def cores() -> int:
    """How many cores this process may use."""
    if not COMPILED:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, cores() - 1), thread_name_prefix="minitrain-step")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_pool.cache_clear)


def worth_sharing(moved: float) -> bool:
    """Is a step that moves so many bytes faster on all cores?"""
    return moved > WORTH_SHARING and cores() > 1


def step_shared(
    params: np.ndarray,
    gradient: np.ndarray,
    state: fuse.State,
    rate: float,
    t: int,
    fused: fuse.Fused,
) -> None:
    """``fuse.step`` on all cores."""
    waiting = deque(parts(state, params.size, PARTS * cores()))

    def work() -> None:
        while True:
            try:
                part = waiting.popleft()
            except IndexError:
                return
            fuse.step(params, gradient, *part, rate, t, fused.advance, fused.descend)

    helpers = [_pool().submit(work) for _ in range(cores() - 1)]
    try:
        work()
    finally:
        for helper in helpers:
            if not helper.cancel():  # it has begun, so it may be inside a part
                helper.result()


def parts(state: fuse.State, size: int, count: int) -> list[fuse.State]:
    """The state for each of ``count`` parts of the parameters.

    Each advances the coefficients and the carried scalars for itself, from the same start; those of
    the last part are the state's own.
    """
    edges = np.linspace(0, size, count + 1).astype(np.int64) // _LINE * _LINE
    edges[-1] = size
    blocks = np.clip(state.blocks, edges[:-1, None, None], edges[1:, None, None])
    copies = [
        state._replace(blocks=own, carry=state.carry.copy(), c=np.empty_like(state.c))
        for own in blocks[:-1]
    ]
    return [*copies, state._replace(blocks=blocks[-1])]
