"""Calibration of scores that are read as probabilities: reliability curve, calibration error, Brier score.

Notation: n cases with score f in [0, 1] and label o in {0, 1}; bin k holds n_k of them with means f_k and o_k; o is the
prevalence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.proportions import Interval, wilson

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Cases whose scores lie from ``low`` to ``high``: how many, their mean score, the share of them with label 1."""

    low: float
    high: float
    count: int
    mean_score: float
    share: float
    wilson: Interval


@dataclass(frozen=True)
class Decomposition:
    """The Brier score in parts: reliability - resolution + uncertainty + within_variance - within_covariance.

    The first three are Murphy's (Journal of Applied Meteorology 1973;12:595-600). Bins hold scores that differ, which
    adds the last two: Stephenson, Coelho and Jolliffe, Weather and Forecasting 2008;23:752-757.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within_variance: float
    within_covariance: float


@dataclass(frozen=True)
class Calibration:
    """Reliability curve by quantile bins, expected calibration error, Brier score and its parts."""

    bins: tuple[Bin, ...]
    expected_error: float
    brier: float
    decomposition: Decomposition


def defined(score: Floats) -> bool:
    """Return whether scores (n,) can be probabilities: all within [0, 1]."""
    return bool(len(score) and score.min() >= 0 and score.max() <= 1)


def calibrate(positive: Flags, score: Floats, bins: int = BINS) -> Calibration:
    """Measure the calibration of ``score`` (n,) for ``positive`` (n,) in at most ``bins`` bins of like size.

    Raises ValueError for a score outside [0, 1].
    """
    if not defined(score):
        raise ValueError("calibration needs scores within [0, 1]")
    number = quantile_bins(score, bins)
    count = np.bincount(number)
    mean, share = np.bincount(number, score) / count, np.bincount(number, positive) / count
    low = np.full(len(count), np.inf)
    high = np.full(len(count), -np.inf)
    np.minimum.at(low, number, score)
    np.maximum.at(high, number, score)
    ends = [Interval(*wilson(float(p), int(n))) for p, n in zip(share, count, strict=True)]
    rows = zip(low.tolist(), high.tolist(), count.tolist(), mean.tolist(), share.tolist(), ends, strict=True)
    return Calibration(
        bins=tuple(Bin(*row) for row in rows),
        expected_error=float((count * np.abs(share - mean)).sum() / len(score)),
        brier=float(np.mean((score - positive) ** 2)),
        decomposition=_decompose(positive, score, number, mean, share),
    )


def quantile_bins(score: Floats, bins: int) -> Ints:
    """Return the bin (n,) of each score, from 0: at most ``bins`` of like size; equal scores stay together.

    The borders are values of the scores themselves, the smallest with at least 1/bins, 2/bins ... of the cases at or
    below them.
    """
    borders = np.unique(np.quantile(score, np.arange(1, bins) / bins, method="inverted_cdf"))
    _, number = np.unique(np.searchsorted(borders, score, side="left"), return_inverse=True)
    return number.astype(np.int64)


def _decompose(positive: Flags, score: Floats, number: Ints, mean: Floats, share: Floats) -> Decomposition:
    prevalence = positive.mean()
    from_mean, from_share = score - mean[number], positive - share[number]
    return Decomposition(
        reliability=float(np.mean((mean - share)[number] ** 2)),
        resolution=float(np.mean((share[number] - prevalence) ** 2)),
        uncertainty=float(prevalence * (1 - prevalence)),
        within_variance=float(np.mean(from_mean**2)),
        within_covariance=float(2 * np.mean(from_mean * from_share)),
    )
