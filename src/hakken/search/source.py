"""What a related, finished study says of a new one: a weight on the acquisition, switched off where they disagree.

The logarithm of the acquisition gains w t μ(x), where μ is the posterior mean of a model of the source's trials
(standardised) and w = `STRENGTH` / (1 + measured trials): the prior-weighted acquisition of Hvarfner et al. 2022
(πBO), with a prior that falls off exponentially below the source's best. It fades as results of the new study come in,
and t is how far these let the source be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import spearmanr

from hakken.search import cube
from hakken.search.cube import Floats, Points
from hakken.search.gaussian import Encoder, fit
from hakken.search.space import Space
from hakken.search.trial import Trial

STRENGTH = 20.0
FEWEST = 4  # measured trials of a source that are worth a model
JUDGED = 8  # the first measured trials of the new study, by number, that judge the source
AGREEMENT = 0.2  # least rank correlation between the source's model and the new study's results
FAITH = 2  # results in full agreement that the source is worth before there are any

Weight = Callable[[Points], Floats]


def source_weight(
    space: Space,
    prior: Sequence[Trial],
    finished: Sequence[Trial],
    maximise: bool,
    targets: Callable[[Sequence[Trial]], Floats],
) -> Weight:
    """Return what the finished trials ``prior`` of a related study add to the log acquisition of points (m,).

    Nothing is added where the source has too few trials, or where the new study contradicts it (`trust`).
    """
    measured = [trial for trial in finished if trial.measured]
    source = _source(space, prior, targets)
    if source is None:
        return _nothing
    judged = sorted(measured, key=lambda trial: trial.number)[:JUDGED]
    expected = source(cube.encode(space, [trial.parameters for trial in judged]))
    values = np.array([trial.value or 0.0 for trial in judged])
    strength = STRENGTH / (1 + len(measured)) * trust(expected, values if maximise else -values)
    return (lambda points: strength * source(points)) if strength else _nothing


def trust(expected: Floats, values: Floats) -> float:
    """Return how far a source is trusted, from 0 to 1, that ``expected`` of n trials (n,) what gave ``values`` (n,).

    (`FAITH` + n r) / (`FAITH` + n) with the rank correlation r, or 0 where that is negative; after `JUDGED` trials 0
    also where r is below `AGREEMENT`.
    """
    count = len(values)
    defined = count > 1 and np.ptp(expected) > 0 and np.ptp(values) > 0
    correlation = float(spearmanr(expected, values).statistic) if defined else 0.0
    if count >= JUDGED and correlation < AGREEMENT:
        return 0.0
    return max(0.0, (FAITH + count * correlation) / (FAITH + count))


def _nothing(points: Points) -> Floats:
    return np.zeros(len(points))


def _source(space: Space, prior: Sequence[Trial], targets: Callable[[Sequence[Trial]], Floats]) -> Weight | None:
    """Return the posterior mean of the source's model, or None where it has too few trials."""
    known = sorted((trial for trial in prior if not trial.pending), key=lambda trial: trial.number)
    if sum(trial.measured for trial in known) < FEWEST:
        return None
    encoder = Encoder.of(space)
    model = fit(encoder, encoder.features(cube.encode(space, [trial.parameters for trial in known])), targets(known))
    return lambda points: np.asarray(model.predict(encoder.features(points)).means[0])
