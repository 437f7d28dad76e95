"""What a search learnt about its parameters: how much each matters, and whether the best value lies at a border.

The importance of a parameter is how much worse a random forest predicts the objective of trials that it has not seen
when the values of that parameter are shuffled among them (Breiman, Machine Learning 2001;45:5-32), in units of the
objective's variance. Each of several forests learns from trials drawn with replacement and is tested on the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.study import Parameter

FORESTS = 20
TREES = 50
SHUFFLES = 5
FEWEST = 6
"""Fewer measured trials than this are not modelled."""

BORDER = 0.02
"""A best value within this share of a range of its end counts as lying at the border."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """Importance of each parameter with the 16th and 84th percentile over forests; ``r2`` on unseen trials."""

    value: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    r2: float


def importance(
    space: Mapping[str, Parameter], settings: Sequence[Mapping[str, Any]], objectives: Sequence[float], seed: int
) -> Importance | None:
    """Return the importance of every parameter of ``space``; None where there are too few trials to model.

    ``settings`` holds the parameters of each trial; a parameter that is missing there was not active.
    """
    x = np.array([[position(parameter, trial.get(name)) for name, parameter in space.items()] for trial in settings])
    y = np.array(objectives, float)
    if len(y) < FEWEST or np.ptp(y) == 0:
        return None
    rng = np.random.default_rng(seed)
    drops, errors = [], []
    for _ in range(FORESTS):
        drawn = rng.integers(0, len(y), len(y))
        unseen = np.setdiff1d(np.arange(len(y)), drawn)
        if len(unseen) > 1 and np.ptp(y[drawn]) > 0:
            drop, error = _shuffled(x, y, drawn, unseen, rng)
            drops.append(drop / y.var())
            errors.append(error / y.var())
    if not drops:
        return None
    low, high = np.quantile(drops, [0.16, 0.84], axis=0)
    value, low, high = (dict(zip(space, row.tolist(), strict=True)) for row in (np.mean(drops, axis=0), low, high))
    return Importance(value, low, high, float(1 - np.mean(errors)))


def position(parameter: Parameter, value: Any) -> float:
    """Return where a value lies in its range, 0 to 1 on the scale it is searched on; -0.5 where it is not active."""
    if value is None:
        return -0.5
    if parameter.choices is not None:
        return (
            parameter.choices.index(value) / max(1, len(parameter.choices) - 1) if value in parameter.choices else -0.5
        )
    low, high, number = float(parameter.low or 0), float(parameter.high or 0), float(value)
    if parameter.scale == "log":
        low, high, number = math.log(low), math.log(high), math.log(max(number, 1e-300))
    return (number - low) / (high - low) if high > low else 0.5


def border(parameter: Parameter, value: Any) -> str | None:
    """Return `lowest` or `highest` where a numerical value lies at the end of its range, else None.

    An integer lies at the border only at the border itself.
    """
    if value is None or parameter.choices is not None or parameter.low == parameter.high:
        return None
    place, reach = position(parameter, value), 0.0 if parameter.type == "integer" else BORDER
    if place <= reach:
        return "lowest"
    return "highest" if place >= 1 - reach else None


def _shuffled(
    x: Floats, y: Floats, drawn: NDArray[np.int64], unseen: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, float]:
    """Return how much the squared error on unseen trials rises with each column shuffled (columns,), and that error."""
    from sklearn.ensemble import RandomForestRegressor  # a second to import: only where a forest is grown

    forest = RandomForestRegressor(TREES, random_state=int(rng.integers(2**31)), n_jobs=1)
    forest.fit(x[drawn], y[drawn])
    columns = x.shape[1]
    tests = np.tile(x[unseen], (1 + columns * SHUFFLES, 1, 1))
    for number in range(columns * SHUFFLES):
        column = number // SHUFFLES
        tests[1 + number, :, column] = rng.permutation(x[unseen, column])
    predicted = forest.predict(tests.reshape(-1, columns)).reshape(len(tests), len(unseen))
    errors = ((predicted - y[unseen]) ** 2).mean(axis=1)
    return errors[1:].reshape(columns, SHUFFLES).mean(axis=1) - errors[0], float(errors[0])
