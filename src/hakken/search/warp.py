"""On what scale the model learns: the values as they are, or the logarithm of what they lack to the best.

Losses with a heavy tail are better learnt as logarithms, which tell good points apart; values that are well scaled
already are not. Which it is, the results say: each scale is judged by the likelihood that the model gives them, as
they were measured (with the derivative of the scale, as Snelson, Rasmussen & Ghahramani 2004), and one is drawn by its
probability. Parallel trials so rest on more than one belief.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from hakken.search.cube import Floats
from hakken.search.gaussian import Encoder, Fitted, Model, condition, fit, most_telling, posterior_mode

KNEES = (np.inf, 3.0, 1.0, 0.3, 0.1, 0.03)
"""Distances to the best, in those of the median, above which a scale is rather logarithmic; infinity: as measured."""
MOST_JUDGED = 50  # trials that the scales are compared on
SAME = 1e-12  # values of at most 1 that differ less are equal

Scale = tuple[Floats, Floats]
"""Values (n,) with mean 0 and variance 1, and the logarithms (n,) of the derivative that led to them."""


def learn(encoder: Encoder, x: Floats, values: Floats, rng: np.random.Generator) -> Model:
    """Return a model of ``values`` (n,) within -1 and 1, larger is better, at features ``x`` (n, f).

    The scale is drawn by ``rng``.
    """
    if np.ptp(values) <= SAME:
        return fit(encoder, x, np.zeros(len(values)))
    scales = [scaled(values, knee) for knee in KNEES]
    few = most_telling(values, MOST_JUDGED)
    fits = [posterior_mode(encoder, x[few], targets[few]) for targets, _ in scales]
    place = int(rng.choice(len(scales), p=_probabilities(fits, scales, few)))
    targets, fitted = scales[place][0], fits[place]
    return condition(fitted if len(few) == len(values) else posterior_mode(encoder, x, targets), x, targets)


def scaled(values: Floats, knee: float) -> Scale:
    """Return ``values`` (n,), not all equal, on the scale -log(``knee`` s + best - value), where s is best - median.

    Where more than half are the best, s is the mean distance to it.
    """
    gap = values.max() - values
    spread = float(np.median(gap)) or float(gap.mean())
    bent, slopes = (values, np.zeros(len(values))) if np.isinf(knee) else _logarithm(knee * spread + gap)
    deviation = float(bent.std())
    return (bent - bent.mean()) / deviation, slopes - np.log(deviation)


def _logarithm(gap: Floats) -> Scale:
    lacking = -np.log(gap)
    return lacking, lacking  # the derivative of -log(gap) with respect to the value is 1 / gap


def _probabilities(fits: Sequence[Fitted], scales: Sequence[Scale], few: NDArray[np.intp]) -> Floats:
    """Return how probable each scale is (k,), all equally so before."""
    logarithms = [fitted.log_posterior + slopes[few].sum() for fitted, (_, slopes) in zip(fits, scales, strict=True)]
    return np.asarray(softmax(logarithms))
