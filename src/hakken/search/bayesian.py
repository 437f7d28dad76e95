"""The Bayesian proposer: a model of the finished trials, fantasies of the pending ones, the best valid point."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from scipy.special import ndtri

from hakken.search import cube, samplers
from hakken.search.acquisition import best_candidates, log_expected_improvement
from hakken.search.cube import Floats, Points
from hakken.search.gaussian import Encoder, fit
from hakken.search.space import Key, Space
from hakken.search.trial import Trial, Value
from hakken.seeds import derive_seed

STARTS = 5  # best tried points, by posterior mean, that the local search starts from
SAME = 1e-12  # a smaller spread is none


def bayesian_point(
    space: Space, history: Sequence[Trial], *, number: int, seed: int, maximise: bool, seen: Collection[Key]
) -> dict[str, Value]:
    """Return the point with the highest expected improvement that was not ``seen``, or the highest if all were.

    ``history`` is sorted and holds at least one measured trial; randomness derives from ``seed`` and ``number`` alone.
    """
    finished = [trial for trial in history if not trial.pending]
    running = [trial for trial in history if trial.pending]
    encoder = Encoder.of(space)
    tried = cube.encode(space, [trial.parameters for trial in [*finished, *running]])
    features = encoder.features(tried)
    known = fit(features[: len(finished)], targets(finished, maximise))
    model = known.imagine(features[len(finished) :], np.random.default_rng(derive_seed(seed, "fantasies", number)))
    expected = model.predict(features).means
    incumbents = expected.max(axis=1)

    def score(points: Points) -> Floats:
        return log_expected_improvement(model.predict(encoder.features(points)), incumbents)

    grid = samplers.untried(space, seen)
    if grid:
        points = cube.encode(space, grid)
        return cube.decode(space, points, int(np.argmax(score(points))))
    start = tried.take(np.argsort(-expected.mean(axis=0), kind="stable")[:STARTS])
    candidates = best_candidates(space, score, start, np.random.default_rng(derive_seed(seed, "candidates", number)))
    return _first_untried(space, candidates, seen)


def targets(finished: Sequence[Trial], maximise: bool) -> Floats:
    """Return what the model learns (n,): larger is better, mean 0, variance 1; failed trials get the worst value.

    The mean of a normal score of the ranks, which tames outliers, and of a logarithm of the distance to the best, which
    keeps good trials apart.
    """
    sign = 1.0 if maximise else -1.0
    values = np.array(
        [sign * trial.value if trial.measured and trial.value is not None else np.nan for trial in finished]
    )
    values = np.where(np.isnan(values), np.nanmin(values), values)
    return _standard(_normal_scores(values) + _compressed(values))


def _normal_scores(values: Floats) -> Floats:
    """Return the normal quantiles of the ranks; equal values share their mean rank."""
    ordered = np.sort(values)
    ranks = 0.5 * (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right"))
    return _standard(ndtri(ranks / len(values)))


def _compressed(values: Floats) -> Floats:
    gap = values.max() - values
    return _standard(-np.log1p(gap / (np.median(gap) or gap.max() or 1.0)))


def _standard(values: Floats) -> Floats:
    """Return the values with mean 0 and variance 1, or zeros where they are all equal."""
    centred = values - values.mean()
    spread = centred.std()
    return centred / spread if spread > SAME else np.zeros_like(values)


def _first_untried(space: Space, candidates: Points, seen: Collection[Key]) -> dict[str, Value]:
    """Return the first candidate that was not ``seen``; the very first where all were."""
    decoded = (cube.decode(space, candidates, row) for row in range(len(candidates)))
    fresh = next((parameters for parameters in decoded if space.key(parameters) not in seen), None)
    return cube.decode(space, candidates, 0) if fresh is None else fresh
