"""scikit-optimize as a peer: its optimizer as it comes, with a constant lie for the running trials.

The default optimizer (Gaussian process, gp_hedge) is told all finished trials; running ones are told the best value so
far, its default lie. Three random trials first. Inactive parameters lie in the middle of their range.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hakken.core.seeds import derive_seed
from hakken.search import Dimension, Space, Trial, cube
from hakken.search.trial import Value

STARTUP = 3


def skopt_point(space: Space, trials: Sequence[Trial], *, number: int, seed: int, maximise: bool) -> dict[str, Value]:
    """Return scikit-optimize's proposal for trial ``number``; failed trials enter with the worst value."""
    import skopt

    sign = -1.0 if maximise else 1.0
    measured = [sign * float(trial.value or 0.0) for trial in trials if trial.measured]
    optimizer = skopt.Optimizer(
        [_dimension(dimension) for dimension in space.dimensions],
        n_initial_points=STARTUP,
        random_state=derive_seed(seed, "skopt", number),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if len(measured) >= STARTUP:
            points = [[_value(dimension, trial.parameters) for dimension in space.dimensions] for trial in trials]
            optimizer.tell(points, [_told(trial, measured, sign) for trial in trials])
        asked = dict(zip(space.by_name, map(_plain, optimizer.ask()), strict=True))
    return {name: asked[name] for name in space.by_name if name in space.active(asked)}


def _told(trial: Trial, measured: Sequence[float], sign: float) -> float:
    if trial.pending:
        return min(measured)
    return sign * float(trial.value or 0.0) if trial.measured else max(measured)


def _dimension(dimension: Dimension) -> Any:
    from skopt.space import Categorical, Integer, Real

    if dimension.kind == "categorical":
        return Categorical(dimension.choices)
    prior = "log-uniform" if dimension.log else "uniform"
    if dimension.kind == "integer":
        return Integer(int(dimension.low), int(dimension.high), prior=prior)
    return Real(dimension.low, dimension.high, prior=prior)


def _value(dimension: Dimension, parameters: Mapping[str, Value]) -> Value:
    if dimension.name in parameters:
        return parameters[dimension.name]
    if dimension.choices:
        return dimension.choices[0]
    middle = float(cube.from_unit(dimension, np.array([cube.NEUTRAL]))[0])
    return int(middle) if dimension.kind == "integer" else middle


def _plain(value: Any) -> Value:
    return value.item() if hasattr(value, "item") else value
