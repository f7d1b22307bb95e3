"""A real network's loss on a plane through its parameters: at random, or along its own training."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..inputs import check_count, check_seed
from ..kernels import landscape, minibatch
from ..model import MLP
from ..optimizer import Optimizer
from ..trainer import DivergenceError, Trainer

_NULLS = 5  # random walks that the explained variance is compared with
_ROWS = 256  # that pass through the network at a time


@dataclass(frozen=True)
class Plane:
    """The loss at ``origin + a u + b v``.

    ``loss`` and ``accuracy`` are (len(b), len(a)).  ``explained`` is the share of a trajectory's
    variance along u and along v, ``null`` what random walks of as many steps have, and
    ``null_ways`` what one set of those looks like in its own plane (all None for a plane at
    random).  ``how`` says how the directions were made.
    """

    origin: np.ndarray
    u: np.ndarray
    v: np.ndarray
    a: np.ndarray
    b: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray
    how: str
    explained: tuple[float, float] | None = None
    null: tuple[float, float] | None = None
    null_ways: tuple[np.ndarray, ...] | None = None

    def project(self, parameters: np.ndarray) -> np.ndarray:
        """Coordinates (T, 2) of parameters (T, P) in the plane: the nearest place there."""
        basis = np.stack([self.u, self.v], axis=1).astype(float)
        away = np.asarray(parameters, float) - self.origin
        return np.linalg.lstsq(basis, away.T, rcond=None)[0].T


def trajectory(
    model: MLP, optimizer: Optimizer, train: Any, epochs: int, seed: int = 0, batch_size: int = 32
) -> np.ndarray:
    """Train the model and return its parameters (epochs + 1, P), before and after each epoch.

    A divergence ends the trajectory early.
    """
    places = [model.parameters.copy()]
    trainer = Trainer(
        model, optimizer, batch_size, seed,
        callbacks=[lambda history: places.append(model.parameters.copy())],
    )  # fmt: skip
    with suppress(DivergenceError):
        trainer.fit(train, epochs)
    return np.array(places)


def random_plane(
    model: MLP, data: Any, points: int = 51, reach: float = 1.0, seed: int = 0
) -> Plane:
    """The loss on a plane of two random directions around the model, filter-normalised.

    Each unit's incoming weights in a direction get the length that they have in the model, and
    biases stay, so that planes of different networks can be compared (Li et al. 2018, section 4).
    ``reach`` is how far to go, in these lengths; ``data`` a Dataset or an (X, y) pair.
    """
    rng = np.random.default_rng(check_seed(seed))
    u, v = (_filter_normalised(model, rng) for _ in range(2))
    grid = _grid(-reach, reach, points)
    found = _evaluate(model, data, model.parameters, u, v, grid, grid)
    how = f"two random filter-normalised directions, seed {seed}"
    return Plane(model.parameters.copy(), u, v, grid, grid, *found, how)


def pca_plane(
    model: MLP, data: Any, trajectories: Sequence[np.ndarray], points: int = 51, margin: float = 0.2
) -> Plane:
    """The loss on the plane in which the trajectories, each (T, P), spread most.

    The principal components are those of all places together.  A random walk in many dimensions
    has a share of 6/π² = 61 % and 15 % along its first two, too (Antognini & Sohl-Dickstein 2018,
    arXiv 1806.08805), and is a smooth curve, too: ``null`` holds what walks of as many steps, in
    as many dimensions and from one start, have, and ``null_ways`` one set of them.
    """
    if not trajectories or min(len(t) for t in trajectories) < 2:
        raise ValueError("trajectories: accepted: at least one, each of two or more places")
    places = np.concatenate([np.asarray(t, float) for t in trajectories])
    origin = places.mean(axis=0)
    components, shares = _principal(places)
    rng = np.random.default_rng(0)
    walks = [[_random_walk(t.shape, rng) for t in trajectories] for _ in range(_NULLS)]
    found_null = [_principal(np.concatenate(each)) for each in walks]
    null = np.mean([shares for _, shares in found_null], axis=0)
    centre = np.concatenate(walks[0]).mean(axis=0)
    null_ways = tuple((way - centre) @ found_null[0][0].T for way in walks[0])
    along = (places - origin) @ components.T
    grids = []
    for low, high in zip(along.min(axis=0), along.max(axis=0), strict=True):
        room = margin * (high - low) or 1.0
        grids.append(_grid(low - room, high + room, points))
    dtype = model.dtype
    u, v = (component.astype(dtype) for component in components)
    a, b = grids
    found = _evaluate(model, data, origin.astype(dtype), u, v, a, b)
    how = f"first two principal components of {len(places)} places of {len(trajectories)} training"
    how += "s" if len(trajectories) > 1 else ""
    return Plane(
        origin.astype(dtype), u, v, a, b, *found, how,
        (float(shares[0]), float(shares[1])), (float(null[0]), float(null[1])),
        null_ways,
    )  # fmt: skip


def _random_walk(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Steps at random from 0, as many as a trajectory of this shape has."""
    way = rng.standard_normal(shape).cumsum(axis=0)
    return way - way[0]


def _grid(low: float, high: float, points: int) -> np.ndarray:
    return np.linspace(low, high, check_count("points", points, least=2))


def _filter_normalised(model: MLP, rng: np.random.Generator) -> np.ndarray:
    direction = np.zeros_like(model.parameters)
    for block in model.blocks:
        if block.is_bias:
            continue
        W = model.parameters[block.start : block.stop].reshape(block.shape)
        d = rng.standard_normal(block.shape)
        d *= np.linalg.norm(W, axis=0) / np.linalg.norm(d, axis=0)  # a column: a unit's inputs
        direction[block.start : block.stop] = d.ravel()
    return direction


def _principal(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first two principal components (2, P) and their shares of the variance."""
    centred = places - places.mean(axis=0)
    # By the small matrix of inner products: there are far fewer places than parameters.
    values, vectors = np.linalg.eigh(centred @ centred.T)
    first = vectors[:, :-3:-1].T @ centred
    length = np.linalg.norm(first, axis=1, keepdims=True)
    return first / np.where(length > 0, length, 1), values[:-3:-1] / values.sum()


def _evaluate(
    model: MLP, data: Any, origin: np.ndarray, u: np.ndarray, v: np.ndarray,
    a: np.ndarray, b: np.ndarray, threads: int = 2,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Loss and accuracy (len(b), len(a)); rows of the grid are shared by threads."""
    arrays = model.as_data(data)
    rows = min(len(arrays.X), _ROWS)

    def part(values: np.ndarray) -> np.ndarray:
        out = np.empty((len(values), len(a), 2))
        theta, team = np.empty_like(model.parameters), minibatch.team()[0]
        landscape.plane(out, theta, origin, u, v, a, values, model.workspace(rows), arrays, team)
        return out

    part(b[:0])  # compiled once, before the threads ask for it
    with ThreadPoolExecutor(threads) as pool:
        out = np.concatenate(list(pool.map(part, np.array_split(b, threads))))
    return out[..., 0], out[..., 1]
