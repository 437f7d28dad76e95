"""Where to train next: expected improvement, averaged over the fantasies, at its highest on the valid points.

Expected improvement of a normal prediction with mean m and deviation s over the incumbent b is s h((m - b) / s), where
h(z) = φ(z) + z Φ(z). Its logarithm keeps a slope where the improvement itself is too small for a float (Ament et al.
2023). The incumbent is the highest posterior mean at a trial, not the highest measured value: measurements are noisy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, logsumexp

from hakken.search import cube
from hakken.search.cube import Floats, Points
from hakken.search.gaussian import Prediction
from hakken.search.space import Space

RANDOM_CANDIDATES = 1024
LOCAL_CANDIDATES = 256
LOCAL_ROUNDS = 10
PARENTS = 8
STEPS = (0.01, 0.3)  # range of a mutation's standard deviation, in units of the axis
MUTATED = 0.2  # least share of the coordinates that a mutation changes
FAR = -1000.0  # below it the asymptote of h is exact to six digits

Score = Callable[[Points], Floats]


def log_expected_improvement(prediction: Prediction, incumbents: Floats) -> Floats:
    """Return log EI (m,), averaged over s fantasies with their ``incumbents`` (s,)."""
    z = (prediction.means - incumbents[:, None]) / prediction.deviation
    each = log_h(z) + np.log(prediction.deviation)
    averaged: Floats = logsumexp(each, axis=0) - np.log(len(incumbents))
    return averaged


def log_h(z: Floats) -> Floats:
    """Return log(φ(z) + z Φ(z)) without cancellation or underflow."""
    log_phi = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    near = np.maximum(z, -1.0)
    direct = np.log(np.exp(-0.5 * near**2 - 0.5 * np.log(2 * np.pi)) + near * np.exp(log_ndtr(near)))
    middle = np.clip(z, FAR, -1.0)
    ratio = log_phi + np.log1p(middle * np.sqrt(np.pi / 2) * erfcx(-middle / np.sqrt(2)))
    asymptote = log_phi - 2 * np.log(np.maximum(-z, 1.0))
    return np.asarray(np.where(z > -1.0, direct, np.where(z > FAR, ratio, asymptote)))


def best_candidates(space: Space, score: Score, start: Points, rng: np.random.Generator) -> Points:
    """Return valid points by falling ``score``: random ones, and mutations of the best and of ``start``."""
    points = cube.snap(space, rng.random((RANDOM_CANDIDATES, len(space.dimensions)))).join(start)
    scores = score(points)
    for _ in range(LOCAL_ROUNDS):
        best = points.take(_ranking(scores)[:PARENTS])
        children = mutate(space, best.join(start), LOCAL_CANDIDATES, rng)
        points, scores = points.join(children), np.concatenate([scores, score(children)])
    return points.take(_ranking(scores))


def mutate(space: Space, parents: Points, count: int, rng: np.random.Generator) -> Points:
    """Return ``count`` valid points near ``parents``: some numbers shifted, some choices drawn anew."""
    shape = (count, len(space.dimensions))
    rows = rng.integers(len(parents), size=count)
    steps = np.exp(rng.uniform(np.log(STEPS[0]), np.log(STEPS[1]), (count, 1)))
    moved = parents.u[rows] + steps * rng.standard_normal(shape)
    fresh = rng.random(shape)
    chosen = rng.random(shape) < max(MUTATED, 1 / shape[1])
    chosen[np.arange(count), rng.integers(shape[1], size=count)] = True
    categorical = np.array([dimension.kind == "categorical" for dimension in space.dimensions])
    redrawn = ~parents.active[rows] | (chosen & categorical)
    return cube.snap(space, np.where(redrawn, fresh, np.where(chosen, moved, parents.u[rows])))


def _ranking(scores: Floats) -> NDArray[np.intp]:
    """Return the places of the scores, highest first, the first of equals first."""
    return np.argsort(-scores, kind="stable")
