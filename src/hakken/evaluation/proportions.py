"""Proportions of independent trials, each with the intervals that readers of a paper expect."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import betaincinv

Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution."""

TAIL = 0.025


@dataclass(frozen=True)
class Interval:
    """The two ends of a 95 % interval; None where one is not defined."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Share:
    """``count`` of ``total`` independent trials with two 95 % intervals; ``value`` is None where there is no trial."""

    count: int
    total: int
    value: float | None
    wilson: Interval
    clopper_pearson: Interval


def share(count: int, total: int) -> Share:
    """Return ``count`` of ``total`` with its Wilson and its Clopper-Pearson interval."""
    if not total:
        return Share(0, 0, None, Interval(None, None), Interval(None, None))
    return Share(
        int(count),
        int(total),
        float(count / total),
        Interval(*wilson(count / total, total)),
        Interval(*clopper_pearson(count, total)),
    )


def wilson(share: float, number: float) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a ``share`` of ``number`` trials, which need not be whole."""
    centre = (share + Z**2 / (2 * number)) / (1 + Z**2 / number)
    half = Z / (1 + Z**2 / number) * math.sqrt(share * (1 - share) / number + Z**2 / (4 * number**2))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def widened(
    value: float | None, low: float | None, high: float | None, patients: int
) -> tuple[float | None, float | None]:
    """Return the ends of a resampled interval of a proportion, or Wilson's where that of all or none has no width.

    No resample differs from the whole there. Each of the ``patients`` counts as one trial: the worst case, in which all
    that is counted of a patient is alike.

    >>> widened(0.5, 0.4, 0.6, 9), widened(None, None, None, 9)
    ((0.4, 0.6), (None, None))
    """
    if value in (0, 1) and low == high == value:
        return wilson(float(value), patients)
    return low, high


def clopper_pearson(count: int, total: int) -> tuple[float, float]:
    """Return the exact 95 % interval of ``count`` of ``total`` trials, both whole; at least 95 % in every population.

    The ends are quantiles of beta distributions (Clopper and Pearson, Biometrika 1934;26:404-413).
    """
    low = float(betaincinv(count, total - count + 1, TAIL)) if count > 0 else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - TAIL)) if count < total else 1.0
    return low, high
