"""Proposals that ignore the results: random points, a scrambled Sobol sequence, and points not yet tried."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hakken.core.seeds import derive_seed
from hakken.search import cube
from hakken.search.cube import Floats
from hakken.search.space import Key, Space
from hakken.search.trial import Value

ATTEMPTS = 64
GRID_LIMIT = 4096
INNER = 0.8  # of each range: where a search of the model begins


def random_point(space: Space, number: int, seed: int, seen: Collection[Key] = ()) -> dict[str, Value]:
    """Return a random point for trial ``number``, one not ``seen`` as long as there is one."""
    u = np.random.default_rng(derive_seed(seed, "random", number)).random((ATTEMPTS, len(space.dimensions)))
    points = cube.snap(space, u)
    for row in range(ATTEMPTS):
        parameters = cube.decode(space, points, row)
        if space.key(parameters) not in seen:
            return parameters
    unseen = untried(space, seen)
    if not unseen:
        return cube.decode(space, points, 0)
    return unseen[np.random.default_rng(derive_seed(seed, "untried", number)).integers(len(unseen))]


def sobol_point(space: Space, number: int, seed: int, seen: Collection[Key] = ()) -> dict[str, Value]:
    """Return point ``number`` of the scrambled Sobol sequence of ``seed``, or a random one where that was ``seen``."""
    if not space.dimensions:
        return {}
    return _unless_seen(space, _sobol(space, number, seed), number, seed, seen)


def opening_point(space: Space, number: int, seed: int, seen: Collection[Key] = ()) -> dict[str, Value]:
    """Return where a search of the model begins: the middle of all ranges, then the Sobol sequence in their inner part.

    The outermost tenths of each range stay free: there are too few points to learn what its ends are like, and who
    chooses a range means the best to lie within it. One that was ``seen`` becomes a random point of the whole space.
    """
    if not space.dimensions:
        return {}
    u = _sobol(space, number, seed)
    inner = cube.NEUTRAL + INNER * (u - cube.NEUTRAL) if number else np.full_like(u, cube.NEUTRAL)
    categorical = [dimension.kind == "categorical" for dimension in space.dimensions]
    return _unless_seen(space, np.where(categorical, u, inner), number, seed, seen)


def _sobol(space: Space, number: int, seed: int) -> Floats:
    """Return point ``number`` of the scrambled Sobol sequence of ``seed`` as coordinates (1, d)."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(space.dimensions), scramble=True, rng=np.random.default_rng(derive_seed(seed, "sobol")))
    if number:
        sequence.fast_forward(number)
    return np.asarray(sequence.random(1))


def _unless_seen(space: Space, u: Floats, number: int, seed: int, seen: Collection[Key]) -> dict[str, Value]:
    parameters = cube.decode(space, cube.snap(space, u), 0)
    return parameters if space.key(parameters) not in seen else random_point(space, number, seed, seen)


def untried(space: Space, seen: Collection[Key]) -> list[dict[str, Value]] | None:
    """Return all points not ``seen`` of a space small enough to list, else None."""
    grid = space.grid(GRID_LIMIT)
    return None if grid is None else [point for point in grid if space.key(point) not in seen]
