"""Functions that others have published, as objectives: plain, noisy, on a logarithmic scale, mixed and conditional.

The BBOB suite and that of CEC 2022 come from `ioh`, others from BoTorch. A seed chooses the instance (BBOB) or turns
and exchanges axes, and decides on the noise. None of these was written or chosen for the way that hakken models
objectives.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from search_problem import REAL, Problem, measured

from hakken.core.seeds import derive_seed
from hakken.search import Space
from hakken.search.trial import Value

Floats = NDArray[np.float64]
SAMPLE = 2048  # random points that tell how much a function varies
LEVELS, CHOICES = 6, 4  # values of an integer and of a choice of a mixed space
WINDOW = 0.5  # of an axis of a function of BoTorch's collection: how much of it is searched
OFFSET = 0.17  # of an axis: how far from its best a coordinate lies that an inactive parameter would set
LOG_FLOOR = 1e-3  # of the median regret of random points: added before the logarithm is taken


@dataclass(frozen=True)
class Function:
    """A function of the unit cube (d,) to be minimised, where it is lowest, and its value there."""

    value: Callable[[Floats], float]
    lowest: Floats
    best: float

    @property
    def dimensions(self) -> int:
        """The number of axes."""
        return len(self.lowest)

    def at(self, points: Floats) -> Floats:
        """Return the values (n,) at ``points`` (n, d)."""
        return np.array([self.value(point) for point in points])


def of_ioh(suite: str, number: int, dimensions: int, seed: int) -> Function:
    """Return a function of the suites of `ioh`; a seed is an instance of BBOB, and turned axes elsewhere."""
    import ioh

    instance = seed + 1 if suite == "BBOB" else 1
    problem = ioh.get_problem(number, instance, dimensions, getattr(ioh.ProblemClass, suite))
    low, high = np.array(problem.bounds.lb), np.array(problem.bounds.ub)
    raw = Function(
        lambda u: float(problem(low + (high - low) * u)),
        (np.array(problem.optimum.x) - low) / (high - low),
        float(problem.optimum.y),
    )
    return raw if suite == "BBOB" else turned(raw, seed)


def of_botorch(name: str, dimensions: int | None, seed: int) -> Function:
    """Return a part of a test function of BoTorch (`placed`), with turned axes."""
    import torch
    from botorch.test_functions import synthetic

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options: dict[str, Any] = {} if dimensions is None else {"dim": dimensions}
        problem = getattr(synthetic, name)(**options).double()
    low, high = problem.bounds.double().numpy()

    def value(u: Floats) -> float:
        return float(problem.evaluate_true(torch.from_numpy(low + (high - low) * u)[None])[0])

    lowest = (problem.optimizers[0].double().numpy() - low) / (high - low)
    # Some optima are printed with few digits; none of them may be beaten by what is searched.
    return turned(placed(Function(value, lowest, min(float(problem.optimal_value), value(lowest))), seed), seed)


def placed(function: Function, seed: int) -> Function:
    """Return a part of the function, `WINDOW` of each axis, the lowest point anywhere in it that the axis allows.

    Many published functions are lowest in the middle of their domain, where a proposer may begin.
    """
    places = np.random.default_rng(derive_seed(seed, "place")).random(function.dimensions)
    start = np.clip(function.lowest - WINDOW * places, 0.0, 1.0 - WINDOW)
    return Function(lambda u: function.value(start + WINDOW * u), (function.lowest - start) / WINDOW, function.best)


def turned(function: Function, seed: int) -> Function:
    """Return the function with its axes exchanged and some of them reversed, by the seed."""
    rng = np.random.default_rng(derive_seed(seed, "axes"))
    order, reversed_ = rng.permutation(function.dimensions), rng.random(function.dimensions) < 0.5

    def value(u: Floats) -> float:
        original = np.empty_like(u)
        original[order] = np.where(reversed_, 1 - u, u)
        return function.value(original)

    moved = function.lowest[order]
    return Function(value, np.where(reversed_, 1 - moved, moved), function.best)


def problem_of(
    name: str, function: Function, seed: int, *, form: str = "real", noise: float = 0.0, log: bool = False
) -> Problem:
    """Make a problem of a function.

    ``form`` is `real`, `mixed` (a third of the axes integers, a third choices) or `conditional` (a choice decides
    whether the last two axes are set apart, together or not at all). ``noise`` is a share of the standard deviation
    over random points. With ``log`` the logarithm of the regret is minimised.
    """
    scaled = _logarithm(function, seed) if log else function
    forms = {"real": _real, "mixed": _mixed, "conditional": _conditional}
    space, point = forms[form](scaled, seed)

    def value(parameters: Mapping[str, Value]) -> float:
        return scaled.value(point(parameters))

    spread = float(np.std(_random_values(scaled, seed))) if noise else 0.0
    return measured(name, space, value, best=scaled.best, noise=noise * spread, seed=seed, maximise=False)


def _random_values(function: Function, seed: int) -> Floats:
    return function.at(np.random.default_rng(derive_seed(seed, "spread")).random((SAMPLE, function.dimensions)))


def _logarithm(function: Function, seed: int) -> Function:
    floor = LOG_FLOOR * float(np.median(_random_values(function, seed) - function.best))

    def value(u: Floats) -> float:
        return float(np.log10(max(function.value(u) - function.best, 0.0) + floor))

    return Function(value, function.lowest, float(np.log10(floor)))


Point = Callable[[Mapping[str, Value]], Floats]


def _real(function: Function, seed: int) -> tuple[Space, Point]:
    names = [f"x{axis}" for axis in range(function.dimensions)]
    space = Space.from_mapping(dict.fromkeys(names, REAL))
    return space, lambda parameters: np.array([float(parameters[name]) for name in names])


def _mixed(function: Function, seed: int) -> tuple[Space, Point]:
    """Return a space whose integers and choices stand for places of their axis, one of them the best."""
    rng = np.random.default_rng(derive_seed(seed, "mixed"))
    third = function.dimensions // 3
    integers, choices = range(third, 2 * third), range(2 * third, 3 * third)
    places = {axis: _places(function.lowest[axis], LEVELS) for axis in integers}
    places |= {axis: rng.permutation(_places(function.lowest[axis], CHOICES)) for axis in choices}
    mapping = {
        f"x{axis}": {"type": "integer", "low": 0, "high": LEVELS - 1}
        if axis in integers
        else {"type": "categorical", "choices": [f"c{choice}" for choice in range(CHOICES)]}
        if axis in choices
        else REAL
        for axis in range(function.dimensions)
    }

    def point(parameters: Mapping[str, Value]) -> Floats:
        u = np.empty(function.dimensions)
        for axis in range(function.dimensions):
            told = parameters[f"x{axis}"]
            place = int(str(told)[1:]) if axis in choices else told
            u[axis] = places[axis][int(place)] if axis in places else float(place)
        return u

    return Space.from_mapping(mapping), point


def _places(best: float, count: int) -> Floats:
    """Return ``count`` places of an axis at equal distances, one of them ``best``."""
    step = 1 / count
    first = best - step * min(int(best / step), count - 1)
    return np.asarray(first + step * np.arange(count))


def _conditional(function: Function, seed: int) -> tuple[Space, Point]:
    shared = [f"x{axis}" for axis in range(function.dimensions - 2)]
    last = function.lowest[-2:]
    away = np.where(last > 0.5, last - OFFSET, last + OFFSET)
    mapping: dict[str, Any] = dict.fromkeys(shared, REAL)
    mapping["way"] = {"type": "categorical", "choices": ["apart", "together", "neither"]}
    mapping |= {name: {**REAL, "when": {"way": "apart"}} for name in ("first", "second")}
    mapping["both"] = {**REAL, "when": {"way": "together"}}

    def point(parameters: Mapping[str, Value]) -> Floats:
        head = [float(parameters[name]) for name in shared]
        if parameters["way"] == "apart":
            return np.array([*head, float(parameters["first"]), float(parameters["second"])])
        if parameters["way"] == "together":  # a line that misses the best
            return np.array([*head, float(parameters["both"]), away[1]])
        return np.array([*head, *away])

    return Space.from_mapping(mapping), point
