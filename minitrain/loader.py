"""Mini-batches: which rows, in which order.  The compiled loop and Python see the same ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .inputs import check_count, check_seed
from .kernels import ordering
from .kernels.ordering import Sampling


class MiniBatchLoader:
    """Cut the rows of ``X`` and ``y`` into mini-batches, in a new order every epoch.

    Parameters
    ----------
    X, y
        Array-likes with one entry per row; they may be read-only, and are not copied.
    batch_size
        Rows of a mini-batch; a larger one than there are rows takes all of them.
    shuffle
        Draw a new order for every epoch from the seed; else keep the order of the rows.
    drop_last
        Leave out the last batch of an epoch if it is short.
    balanced
        Take equally many rows of each class (``y`` are class codes): an epoch has as many rows
        as the data, and rows of rare classes come several times.  Implies shuffling.

    Iterating gives the batches ``(X, y)`` of one epoch, and of the next one next time.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        balanced: bool = False,
    ) -> None:
        self.X, self.y = np.asarray(X), np.asarray(y)
        if self.X.ndim == 0 or len(self.X) == 0:
            raise ValueError("X: no rows")
        if self.y.shape[:1] != self.X.shape[:1]:
            raise ValueError(f"y: shape {self.y.shape} for {len(self.X)} rows of X")
        n = len(self.X)
        self.batch_size = min(check_count("batch_size", batch_size), n)
        self.seed = check_seed(seed)
        self.shuffle, self.drop_last, self.balanced = bool(shuffle), bool(drop_last), bool(balanced)
        self.epoch = 0
        steps = n // self.batch_size if drop_last else -(-n // self.batch_size)
        kind = (
            ordering.BALANCED if balanced else ordering.SHUFFLED if shuffle else ordering.IN_ORDER
        )
        starts, members = np.zeros(1, np.int64), np.empty(0, np.int64)
        if balanced:
            if self.y.ndim != 1:
                raise ValueError(f"y: shape {self.y.shape}; balanced=True needs one class per row")
            _, codes, counts = np.unique(self.y, return_inverse=True, return_counts=True)
            starts = np.concatenate(([0], np.cumsum(counts)))
            members = np.argsort(codes, kind="stable")
        self.sampling = Sampling(kind, self.seed, self.batch_size, steps, starts, members, 0)

    def __len__(self) -> int:
        """Mini-batches per epoch."""
        return self.sampling.steps

    def order(self, number: int) -> np.ndarray:
        """Row numbers of epoch ``number`` (0, 1, …) in their order."""
        rows = np.empty(len(self.X), np.int64)
        ordering.fill_order(rows, self.sampling, number)
        return rows

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rows = self.order(self.epoch)
        self.epoch += 1
        for i in range(len(self)):
            batch = rows[i * self.batch_size : (i + 1) * self.batch_size]
            yield self.X[batch], self.y[batch]

    def __repr__(self) -> str:
        how = "balanced" if self.balanced else "shuffled" if self.shuffle else "in order"
        return f"MiniBatchLoader({len(self.X)} rows, {how}, {len(self)} × {self.batch_size})"
