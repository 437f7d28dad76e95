"""How good are the proposals? Random search, hakken and scikit-optimize's constant liar on known objectives.

    python benchmarks/search.py --seeds 10 --trials 50 --slots 2 8 --output search.json

N slots train at once in virtual time; durations are log-normal (sigma 0.7) and, like the noise of the objective and the
place of its optimum, depend on the seed alone, so that all samplers meet the same problems. A trial asks when it
starts. The simple regret is the best possible objective minus the noise-free objective of the trial with the best
measured one. The table shows its geometric mean over the seeds, and in how many seeds random search was worse. Seeds
from 1000 on were used in development, those below 1000 were not.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import platform
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from hakken.search import Space, Trial, cube, propose
from hakken.search.trial import Value
from hakken.seeds import derive_seed

REAL = {"type": "real", "low": 0.0, "high": 1.0}
TRAINING9: dict[str, Any] = {
    "learning_rate": {"type": "real", "low": 1e-5, "high": 1e-1, "scale": "log"},
    "weight_decay": {"type": "real", "low": 1e-6, "high": 1e-1, "scale": "log"},
    "optimizer": {"type": "categorical", "choices": ["sgd", "adam"]},
    "momentum": {"type": "real", "low": 0.5, "high": 0.99, "when": {"optimizer": "sgd"}},
    "batch_size": {"type": "integer", "low": 8, "high": 128, "scale": "log"},
    "dropout": {"type": "real", "low": 0.0, "high": 0.7},
    "layers": {"type": "integer", "low": 2, "high": 6},
    "base_features": {"type": "integer", "low": 8, "high": 64, "scale": "log"},
    "batch_norm": {"type": "categorical", "choices": [True, False]},
}
TRAINING17: dict[str, Any] = {
    "learning_rate": {"type": "real", "low": 1e-5, "high": 1e-1, "scale": "log"},
    "learning_rate_decay": {"type": "real", "low": 0.001, "high": 1.0, "scale": "log"},
    "weight_decay": {"type": "real", "low": 1e-6, "high": 1e-1, "scale": "log"},
    "momentum": {"type": "real", "low": 0.5, "high": 0.99},
    "batch_size": {"type": "integer", "low": 8, "high": 128, "scale": "log"},
    "dropout": {"type": "real", "low": 0.0, "high": 0.7},
    "negative_ratio": {"type": "real", "low": 0.5, "high": 10, "scale": "log"},
    "patch_size": {"type": "integer", "low": 12, "high": 32},
    "augmentation": {"type": "real", "low": 0.0, "high": 1.0},
    "convolutions": {"type": "integer", "low": 2, "high": 6},
    "base_features": {"type": "integer", "low": 8, "high": 64, "scale": "log"},
    "growth": {"type": "real", "low": 1.0, "high": 2.0, "when": {"poolings": [1, 2]}},
    "kernel": {"type": "categorical", "choices": [3, 5]},
    "poolings": {"type": "integer", "low": 0, "high": 2},
    "dense_layers": {"type": "integer", "low": 0, "high": 2},
    "dense_units": {"type": "integer", "low": 8, "high": 256, "scale": "log", "when": {"dense_layers": [1, 2]}},
    "batch_norm": {"type": "categorical", "choices": [True, False]},
}


@dataclass(frozen=True)
class Objective:
    """A known objective: larger is better, ``best`` is the largest value, ``noise`` the deviation of a measurement."""

    space: Space
    value: Callable[[Mapping[str, Value]], float]
    best: float
    noise: float


@dataclass(frozen=True)
class Run:
    """One sweep: the regret after each finished trial, and the CPU seconds of a proposal."""

    objective: str
    sampler: str
    slots: int
    seed: int
    regret: list[float]
    ask_seconds: float


def branin(seed: int) -> Objective:
    """Branin's function on the unit square, moved (around the edges) by up to a tenth of an axis."""
    shift = np.random.default_rng(derive_seed(seed, "branin")).uniform(-0.1, 0.1, 2)

    def value(parameters: Mapping[str, Value]) -> float:
        u = np.array([float(parameters["x"]), float(parameters["y"])]) + shift
        x, y = 15 * (u[0] % 1.0) - 5, 15 * (u[1] % 1.0)
        bowl = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
        return -float(bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10) / 300

    return Objective(Space.from_mapping({"x": REAL, "y": REAL}), value, -0.39788735772973816 / 300, 0.0)


def training(mapping: Mapping[str, Any], seed: int) -> Objective:
    """Something like a validation score: a few parameters matter, some interact, high learning rates diverge.

    The weights of the parameters fall geometrically in an order that depends on the seed, with the learning rate first;
    the optimum lies anywhere in the inner 80 % of each axis. A parameter that is active here and not at the optimum, or
    the reverse, costs a fixed share of its weight.
    """
    space = Space.from_mapping(mapping)
    rng = np.random.default_rng(derive_seed(seed, "training"))
    count = len(space.dimensions)
    order = np.concatenate([[0], 1 + rng.permutation(count - 1)])
    weights = np.empty(count)
    weights[order] = 0.8 ** np.arange(count)
    optimum = cube.snap(space, rng.uniform(0.1, 0.9, (1, count)))
    pairs = rng.permutation(count)[: 2 * (count // 3)].reshape(-1, 2)

    def loss(parameters: Mapping[str, Value]) -> float:
        point = cube.encode(space, [parameters])
        distance = point.u[0] - optimum.u[0]
        mismatch = point.active[0] != optimum.active[0]
        cost = weights * np.where(mismatch, 0.15, distance**2 / (distance**2 + 0.1))
        crossed = sum(weights[a] * weights[b] * abs(distance[a] * distance[b]) for a, b in pairs)
        diverged = 0.5 * max(0.0, float(distance[0]) - 0.35)
        return float(cost.sum() + crossed + diverged * weights.sum()) / float(weights.sum())

    return Objective(space, lambda parameters: 0.9 * math.exp(-3 * loss(parameters)), 0.9, 0.01)


OBJECTIVES: dict[str, Callable[[int], Objective]] = {
    "branin": branin,
    "training9": partial(training, TRAINING9),
    "training17": partial(training, TRAINING17),
}


def constant_liar(space: Space, trials: list[Trial], *, number: int, seed: int) -> dict[str, Value]:
    """scikit-optimize with its default settings; pending ones are told the best value so far (its default lie)."""
    import skopt

    finished = [-trial.value for trial in trials if trial.value is not None]
    dimensions = [_skopt_dimension(space, name) for name in space.by_name]
    optimizer = skopt.Optimizer(dimensions, n_initial_points=3, random_state=derive_seed(seed, "skopt", number))
    if len(finished) >= 3:
        points = [[trial.parameters.get(name, _neutral(space, name)) for name in space.by_name] for trial in trials]
        told = [min(finished) if trial.value is None else -trial.value for trial in trials]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer.tell(points, told)
    asked = dict(zip(space.by_name, map(_python, optimizer.ask()), strict=True))
    return {name: asked[name] for name in space.by_name if name in space.active(asked)}


def _skopt_dimension(space: Space, name: str) -> Any:
    from skopt.space import Categorical, Integer, Real

    dimension = space[name]
    if dimension.kind == "categorical":
        return Categorical(dimension.choices)
    prior = "log-uniform" if dimension.log else "uniform"
    if dimension.kind == "integer":
        return Integer(int(dimension.low), int(dimension.high), prior=prior)
    return Real(dimension.low, dimension.high, prior=prior)


def _neutral(space: Space, name: str) -> Value:
    return _python(
        cube.from_unit(space[name], np.array([0.5]))[0] if not space[name].choices else space[name].choices[0]
    )


def _python(value: Any) -> Value:
    return value.item() if hasattr(value, "item") else value


SAMPLERS: dict[str, Callable[..., dict[str, Value]]] = {
    "random": partial(propose, sampler="random"),
    "sobol": partial(propose, sampler="sobol"),
    "hakken": partial(propose, sampler="bayesian"),
    "constant-liar": constant_liar,
}


def simulate(objective: str, sampler: str, slots: int, seed: int, count: int) -> Run:
    """Run one sweep of ``count`` trials in virtual time."""
    problem = OBJECTIVES[objective](seed)
    rng = np.random.default_rng(derive_seed(seed, "runs", objective))
    durations, noise = rng.lognormal(0.0, 0.7, count), rng.normal(0.0, problem.noise or 1e-12, count)
    trials: dict[int, Trial] = {}
    busy: list[tuple[float, int]] = []
    regret: list[float] = []
    asking = 0.0

    def finish() -> float:
        now, number = heapq.heappop(busy)
        parameters = trials[number].parameters
        trials[number] = Trial(number, parameters, "complete", problem.value(parameters) + noise[number])
        measured = [trial for trial in trials.values() if trial.value is not None]
        best = max(measured, key=lambda trial: (trial.value or 0.0, -trial.number))
        regret.append(problem.best - problem.value(best.parameters))
        return now

    for number in range(count):
        now = finish() if len(busy) == slots else 0.0
        begin = time.process_time()
        parameters = SAMPLERS[sampler](problem.space, list(trials.values()), number=number, seed=seed)
        asking += time.process_time() - begin
        trials[number] = Trial(number, parameters, "running")
        heapq.heappush(busy, (now + durations[number], number))
    while busy:
        finish()
    return Run(objective, sampler, slots, seed, regret, asking / count)


def table(runs: list[Run], at: list[int]) -> str:
    """Return the comparison as a Markdown table."""
    lines = [
        "| objective | N | sampler | "
        + " | ".join(f"regret at {count}" for count in at)
        + " | against random | CPU s per ask |",
        "| --- | --- | --- |" + " --- |" * (len(at) + 2),
    ]
    groups = {(run.objective, run.slots, run.sampler): [] for run in runs}
    for run in sorted(runs, key=lambda run: run.seed):
        groups[run.objective, run.slots, run.sampler].append(run)
    for (objective, slots, sampler), group in groups.items():
        means = [f"{geometric_mean([run.regret[count - 1] for run in group]):.2g}" for count in at]
        rivals = groups.get((objective, slots, "random"), [])
        won = sum(run.regret[-1] < rival.regret[-1] for run, rival in zip(group, rivals, strict=False))
        against = f"{won} of {len(rivals)}" if sampler != "random" else ""
        ask = np.mean([run.ask_seconds for run in group])
        lines.append(f"| {objective} | {slots} | {sampler} | {' | '.join(means)} | {against} | {ask:.3f} |")
    return "\n".join(lines)


def geometric_mean(values: list[float]) -> float:
    """Return the geometric mean; values below 1e-6 count as that."""
    return float(np.exp(np.mean(np.log(np.maximum(values, 1e-6)))))


def main() -> None:
    """Run the comparison, print its table and write every run as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES), choices=OBJECTIVES)
    parser.add_argument("--samplers", nargs="+", default=["random", "sobol", "hakken"], choices=SAMPLERS)
    parser.add_argument("--slots", nargs="+", type=int, default=[2, 8])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    cases = list(product(options.objectives, options.samplers, options.slots, seeds))
    with ProcessPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(simulate, *zip(*cases, strict=True), [options.trials] * len(cases)))
    print(table(runs, sorted({min(12, options.trials), options.trials})))
    if options.output:
        versions = {name: version(name) for name in ("hakken", "numpy", "scipy", "scikit-learn", "scikit-optimize")}
        content = {"machine": platform.processor(), "versions": versions, "runs": [asdict(run) for run in runs]}
        options.output.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
