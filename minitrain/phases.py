"""Arrays and addresses for steps in phases (see kernels/phases.py)."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numba import float64, int64, typeof, types

from .kernels import fuse, minibatch, quick
from .kernels import phases as kernels
from .kernels._jit import COMPILED, address_of
from .kernels.layers import Workspace
from .kernels.memory import aligned_zeros
from .kernels.modifiers import OFF
from .kernels.rule import Sums
from .kernels.sums import PORTION
from .model import Block
from .modifiers import Modifiers

Phased = kernels.Phased


def prepare(
    params: np.ndarray,
    blocks: Sequence[Block],
    sums: Sums | None,
    counts: fuse.Counts,
    kept: Sequence[float],
    modifiers: Modifiers,
    compiled: fuse.Fused,
    follows: int = -1,
) -> Phased:
    """What steps in phases need; large arrays only where something needs them.

    ``follows`` is the slot that holds weights as ``params`` do, and starts as they do.
    """
    m, whole = modifiers, sums is not None and sums.whole
    portions, firsts = _portions(blocks)
    n_groups = 0 if sums is None else 1 if whole else len(blocks)
    n_rows = len(blocks) if counts.more_terms else n_groups
    inf = np.inf
    modifies, modifying = m.changes_gradient, OFF
    if modifies:
        modifying = OFF._replace(
            clip_value=inf if m.clip_value is None else float(m.clip_value),
            clip_norm=inf if m.clip_norm is None else float(m.clip_norm),
            clip_global_norm=inf if m.clip_global_norm is None else float(m.clip_global_norm),
            centralize=int(m.centralize),
            noise=0.0 if m.noise is None else float(m.noise),
            noise_decay=float(m.noise_decay),
            seed=m.noise_seed,
            l1=0.0 if m.l1 is None else float(m.l1),
        )
    slow = aligned_zeros(params.size if m.lookahead else 0, params.dtype)
    slow[:] = params[: slow.size]
    slow_slot = aligned_zeros(params.size if m.lookahead and follows >= 0 else 0, params.dtype)
    slow_slot[:] = params[: slow_slot.size]
    return Phased(
        collect=fuse.NOTHING,
        finish=fuse.NOTHING,
        tally=compiled.tally,
        settle=compiled.settle,
        tally_more=compiled.tally_more,
        settle_more=compiled.settle_more,
        look=compiled.look,
        whole=int(whole or m.clip_global_norm is not None),
        one_group=int(whole),
        terms=counts.terms,
        more_terms=counts.more_terms,
        modifies=int(modifies),
        modifiers=modifying,
        sam=0.0 if m.sam is None else float(m.sam),
        lookahead=m.lookahead or 0,
        lookahead_alpha=float(m.lookahead_alpha),
        follows=follows,
        portions=portions,
        firsts=firsts,
        columns=np.array([_columns(b) for b in blocks], np.int64),
        partials=np.zeros((len(portions), max(counts.terms, counts.more_terms, 1))),
        rows=np.zeros((n_rows, counts.c + max(counts.kept, counts.factors + counts.more_factors))),
        kept=np.array([kept] * n_groups, float).reshape(n_groups, len(kept)),
        spare=aligned_zeros(params.size if modifies else 0, params.dtype),
        home=aligned_zeros(params.size if m.sam is not None else 0, params.dtype),
        slow=slow,
        slow_slot=slow_slot,
        seen=np.zeros(3),
    )


def _portions(blocks: Sequence[Block]) -> tuple[np.ndarray, np.ndarray]:
    """(start, stop, block) of each portion, and the number of each block's first one."""
    rows, firsts = [], [0]
    for k, block in enumerate(blocks):
        for start in range(block.start, block.stop, PORTION):
            rows.append((start, min(start + PORTION, block.stop), k))
        firsts.append(len(rows))
    return np.array(rows, np.int64).reshape(-1, 3), np.array(firsts, np.int64)


def _columns(block: Block) -> int:
    return block.shape[1] if len(block.shape) == 2 and block.stop > block.start else 0


def step(
    params: np.ndarray,
    gradient: np.ndarray,
    arrays: fuse.State,
    phased: Phased,
    rate: float,
    t: int,
    compiled: fuse.Fused,
) -> None:
    """One step on given gradients, without the JIT."""
    kernels.step_in_phases(
        params, gradient, arrays, phased, rate, t, compiled.advance, compiled.descend,
        minibatch.team()[0],
    )  # fmt: skip


def quick_way(
    params: np.ndarray, arrays: fuse.State, phased: Phased
) -> tuple[Any, Any, int, tuple[Phased, minibatch.Team]]:
    """The kernel for quick steps in phases, and what its plan says of them."""
    given = phased, minibatch.team()[0]
    kinds = typeof(given)
    numbers = typeof(params)
    address = _address(
        "step_in_phases", numbers, numbers, typeof(arrays), kinds[0], float64, int64, int64, int64,
        kinds[1],
    )  # fmt: skip
    kernel, taker = quick.quick_phases(kinds)
    return kernel, taker, address, given


def for_training(
    phased: Phased,
    theta: np.ndarray,
    gradient: np.ndarray,
    work: Workspace,
    data: minibatch.Data,
    arrays: fuse.State,
    accumulates: bool,
) -> Phased:
    """``phased`` with the addresses of the kernels that the training loop then calls."""
    collects = accumulates or phased.sam
    if not (phased.terms or phased.modifies or phased.lookahead or collects):
        return phased
    if collects:
        phased = phased._replace(spare=aligned_zeros(theta.size, theta.dtype))
    if not COMPILED:
        return phased._replace(
            finish=kernels.finish, collect=kernels.collect if collects else fuse.NOTHING
        )
    team = typeof(minibatch.team()[0])
    arrays_of = [typeof(a) for a in (theta, gradient, work)]
    kind = typeof(phased)
    finish = _address(
        "finish", *arrays_of, typeof(arrays), kind, int64, float64, int64, int64, int64, team
    )
    collect = fuse.NOTHING
    if collects:
        collect = _address("collect", *arrays_of, typeof(data), int64[::1], kind, team)
    return phased._replace(finish=finish, collect=collect)


@cache
def _address(name: str, *arguments: Any) -> Any:
    return address_of(getattr(kernels, name), types.void(*arguments))
