"""Something like a training, made up: the target of warm starts, and the space on which a proposal is timed.

It is nearly additive, as hakken's model is, so no sampler is judged by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from search_problem import Problem, measured

from hakken.core.seeds import derive_seed
from hakken.search import Space, cube
from hakken.search.trial import Value

NOISE = 0.01  # standard deviation of a measurement


def training(name: str, mapping: Mapping[str, object], seed: int, drift: float = 0.0) -> Problem:
    """Something like a validation score: a few parameters matter, some interact, high learning rates diverge.

    The weights of the parameters fall geometrically in an order that depends on the seed, with the learning rate first;
    the optimum lies anywhere in the inner 80 % of each axis. A parameter that is active here and not at the optimum, or
    the reverse, costs a fixed share of its weight. A related problem has its optimum moved by a normal ``drift`` of
    each axis, and errors and durations of its own.
    """
    space = Space.from_mapping(mapping)
    rng = np.random.default_rng(derive_seed(seed, "training"))
    count = len(space.dimensions)
    order = np.concatenate([[0], 1 + rng.permutation(count - 1)])
    weights = np.empty(count)
    weights[order] = 0.8 ** np.arange(count)
    optimum = cube.snap(space, rng.uniform(0.1, 0.9, (1, count)))
    pairs = rng.permutation(count)[: 2 * (count // 3)].reshape(-1, 2)
    if drift:
        moved = optimum.u + drift * np.random.default_rng(derive_seed(seed, "drift")).standard_normal((1, count))
        optimum, name = cube.snap(space, np.clip(moved, 0.0, 1.0)), f"related {name}"

    def value(parameters: Mapping[str, Value]) -> float:
        point = cube.encode(space, [parameters])
        distance = point.u[0] - optimum.u[0]
        mismatch = point.active[0] != optimum.active[0]
        cost = weights * np.where(mismatch, 0.15, distance**2 / (distance**2 + 0.1))
        crossed = sum(weights[a] * weights[b] * abs(distance[a] * distance[b]) for a, b in pairs)
        diverged = 0.5 * max(0.0, float(distance[0]) - 0.35)
        loss = float(cost.sum() + crossed + diverged * weights.sum()) / float(weights.sum())
        return 0.9 * math.exp(-3 * loss)

    return measured(name, space, value, best=0.9, noise=NOISE, seed=seed)
