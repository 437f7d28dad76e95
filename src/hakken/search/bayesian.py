"""The Bayesian proposer: a model of the finished trials, fantasies of the pending ones, the best valid point.

Expected improvement is highest where least is known, and of a cube that is its many corners, while who chooses ranges
means the best to lie within them. So the acquisition is weighted by a prior that falls off towards the borders and
fades as results come in: that of Hvarfner et al. 2022 (πBO).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from hakken.core.seeds import derive_seed
from hakken.search import cube, samplers, warp
from hakken.search.acquisition import best_candidates, log_expected_improvement
from hakken.search.cube import Floats, Points
from hakken.search.gaussian import Encoder, Model
from hakken.search.scikit import ScikitEncoder, fit_scikit
from hakken.search.source import source_weight
from hakken.search.space import Key, Space
from hakken.search.trial import Trial, Value
from hakken.search.warp import SAME

STARTS = 5  # best tried points, by posterior mean, that the local search starts from
REACH = 3.0
WITHIN = 10.0  # finished trials that the prior of points within their ranges is worth
BREADTH = 0.4  # of a range: the standard deviation of that prior about the middle

Features = Callable[[Points], Floats]
Fit = Callable[[Floats, Floats], Model]


def bayesian_point(
    space: Space,
    history: Sequence[Trial],
    *,
    number: int,
    seed: int,
    maximise: bool,
    seen: Collection[Key],
    model: str = "bayesian",
    prior: Sequence[Trial] = (),
) -> dict[str, Value]:
    """Return the point with the highest expected improvement that was not ``seen``, or the highest if all were.

    ``history`` is sorted and holds at least one measured trial; randomness derives from ``seed`` and ``number`` alone.
    ``model`` is `bayesian` (our kernel) or `skopt`; the finished trials of a related study, ``prior``, add a weight.
    """
    finished = [trial for trial in history if not trial.pending]
    running = [trial for trial in history if trial.pending]
    features, learn = learner(space, model, np.random.default_rng(derive_seed(seed, "scales", number)))
    tried = cube.encode(space, [trial.parameters for trial in [*finished, *running]])
    x = features(tried)
    known = learn(x[: len(finished)], oriented(finished, maximise))
    imagined = known.imagine(x[len(finished) :], np.random.default_rng(derive_seed(seed, "fantasies", number)))
    expected = imagined.predict(x).means
    incumbents = expected.max(axis=1)
    weight = source_weight(space, prior, finished, maximise, lambda trials: targets(trials, maximise))

    def score(points: Points) -> Floats:
        improvement = log_expected_improvement(imagined.predict(features(points)), incumbents)
        return improvement + weight(points) + WITHIN / len(finished) * within(space, points)

    grid = samplers.untried(space, seen)
    if grid:
        points = cube.encode(space, grid)
        return cube.decode(space, points, int(np.argmax(score(points))))
    start = tried.take(np.argsort(-expected.mean(axis=0), kind="stable")[:STARTS])
    candidates = best_candidates(space, score, start, np.random.default_rng(derive_seed(seed, "candidates", number)))
    return _first_untried(space, candidates, seen)


def learner(space: Space, model: str, rng: np.random.Generator) -> tuple[Features, Fit]:
    """Return how the model `bayesian` or `skopt` sees points, and how it learns values of which larger are better."""
    if model == "skopt":
        return ScikitEncoder.of(space).features, lambda x, values: fit_scikit(x, censored(values))
    encoder = Encoder.of(space)
    return encoder.features, lambda x, values: warp.learn(encoder, x, values, rng)


def within(space: Space, points: Points) -> Floats:
    """Return the logarithm (m,) of a prior of ``points`` that is highest in the middle of all ranges, there 0."""
    numeric = [dimension.kind != "categorical" for dimension in space.dimensions]
    return np.asarray(-0.5 * (((points.u[:, numeric] - cube.NEUTRAL) / BREADTH) ** 2).sum(axis=1))


def oriented(finished: Sequence[Trial], maximise: bool) -> Floats:
    """Return values (n,) within -1 and 1 of which larger are better; failed trials get the worst."""
    sign = 1.0 if maximise else -1.0
    measured = np.array([trial.measured for trial in finished])
    values = np.array([sign * (trial.value or 0.0) if trial.measured else 0.0 for trial in finished])
    values[~measured] = values[measured].min()
    return np.asarray(values / (np.abs(values).max() or 1.0))


def targets(finished: Sequence[Trial], maximise: bool) -> Floats:
    """Return what a model learns of trials on the scale of their values (n,), `censored`."""
    return censored(oriented(finished, maximise))


def censored(values: Floats) -> Floats:
    """Return ``values`` (n,), larger is better, with mean 0 and variance 1; all 0 where they are equal.

    One that lies further below the median than `REACH` times what the best lies above it counts as lying there: how
    bad a bad trial is says little of the good ones and would flatten the differences between them.
    """
    best, middle = values.max(), np.median(values)
    if best - middle > SAME:
        values = np.maximum(values, middle - REACH * (best - middle))
    centred = values - values.mean()
    return centred / centred.std() if np.ptp(values) > SAME else np.zeros_like(values)


def _first_untried(space: Space, candidates: Points, seen: Collection[Key]) -> dict[str, Value]:
    """Return the first candidate that was not ``seen``; the very first where all were."""
    decoded = (cube.decode(space, candidates, row) for row in range(len(candidates)))
    fresh = next((parameters for parameters in decoded if space.key(parameters) not in seen), None)
    return cube.decode(space, candidates, 0) if fresh is None else fresh
