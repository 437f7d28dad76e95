"""An objective with a known optimum, at one seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hakken.core.seeds import derive_seed
from hakken.search import Space
from hakken.search.trial import Value

MOST = 1024  # trials that a problem has durations and noise for
SIGMA = 0.7  # of the logarithm of a duration
REAL = {"type": "real", "low": 0.0, "high": 1.0}


@dataclass(frozen=True)
class Problem:
    """One objective at one seed.

    ``value`` is the noise-free objective of a point, ``best`` its best value over the space, ``measure`` what trial
    ``number`` would find there (None: the training fails), ``duration`` how long it would take.
    """

    space: Space
    maximise: bool
    best: float
    value: Callable[[Mapping[str, Value]], float]
    measure: Callable[[Mapping[str, Value], int], float | None]
    duration: Callable[[Mapping[str, Value], int], float]

    def regret(self, parameters: Mapping[str, Value]) -> float:
        """Return by how much the noise-free objective of a point misses the best."""
        return abs(self.best - self.value(parameters))


def measured(
    name: str,
    space: Space,
    value: Callable[[Mapping[str, Value]], float],
    *,
    best: float,
    noise: float,
    seed: int,
    maximise: bool = True,
) -> Problem:
    """Add normal noise and log-normal durations to a function."""
    errors = noise * np.random.default_rng(derive_seed(seed, "noise", name)).standard_normal(MOST)
    durations = np.random.default_rng(derive_seed(seed, "durations", name)).lognormal(0.0, SIGMA, MOST)

    def measure(parameters: Mapping[str, Value], number: int) -> float:
        return value(parameters) + float(errors[number])

    return Problem(space, maximise, best, value, measure, lambda parameters, number: float(durations[number]))
