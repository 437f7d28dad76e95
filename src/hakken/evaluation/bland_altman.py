"""Agreement of two measurements of the same quantity: Bland and Altman, Stat Methods Med Res 1999;8:135-160."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from hakken.core.errors import HakkenError
from hakken.evaluation.bootstrap import Estimate
from hakken.evaluation.findings import Floats

LIMIT = 1.96
"""Standard deviations from the mean difference to a limit of agreement."""


@dataclass(frozen=True)
class Agreement:
    """Differences of ``cases`` pairs: mean, SD, lower and upper limit of agreement, each with its 95 % interval.

    With one pair there is a mean alone; SD, limits and intervals are None.
    """

    cases: int
    mean: Estimate
    sd: float | None
    lower: Estimate
    upper: Estimate


def bland_altman(measured: Floats, reference: Floats) -> Agreement:
    """Return how the differences ``measured`` - ``reference``, both (n,) in one unit, are spread.

    Raises HakkenError when the numbers of values differ or there is none.
    """
    if len(measured) != len(reference) or not len(measured):
        raise HakkenError(f"{len(measured)} and {len(reference)} measurements: pairs of them are needed")
    difference = np.asarray(measured, float) - np.asarray(reference, float)
    mean = float(difference.mean())
    if len(difference) == 1:
        return Agreement(1, Estimate(mean), None, Estimate(None), Estimate(None))
    return agreement(len(difference), mean, float(difference.std(ddof=1)))


def agreement(cases: int, mean: float, sd: float) -> Agreement:
    """Return the limits mean -+ 1.96 sd and the intervals of mean and limits, by Student's t with n - 1 degrees.

    The standard error of the mean is s / sqrt(n), that of a limit s sqrt(1/n + 1.96^2 / (2 (n - 1))).
    """
    t = float(stats.t.ppf(0.975, cases - 1))
    of_mean = t * sd / math.sqrt(cases)
    of_limit = t * sd * math.sqrt(1 / cases + LIMIT**2 / (2 * (cases - 1)))
    lower, upper = mean - LIMIT * sd, mean + LIMIT * sd
    return Agreement(
        cases,
        Estimate(mean, mean - of_mean, mean + of_mean),
        sd,
        Estimate(lower, lower - of_limit, lower + of_limit),
        Estimate(upper, upper - of_limit, upper + of_limit),
    )
