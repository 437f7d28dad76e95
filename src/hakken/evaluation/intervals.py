"""Means of the combinations of levels with the 95 % intervals that an interaction plot shows.

Notation: the array of means has one axis per factor shown; factors beyond `SHOWN` are averaged over, every combination
of theirs counting the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from hakken.evaluation.anova import Factor, anova
from hakken.evaluation.findings import Floats
from hakken.evaluation.repeated import Repeated, cousineau_morey

SHOWN = 3


@dataclass(frozen=True, eq=False)
class Means:
    """Means and half widths of their intervals, (levels of factor 1, of factor 2, ...); NaN where nothing is known."""

    mean: Floats
    half: Floats


def cell_intervals(factors: Sequence[Factor], response: Floats, order: int | None = None) -> Means:
    """Return the means of independent observations with t intervals from the error of the model.

    The standard error of the mean of m combinations with n_1 ... n_m observations is sqrt(MS sum(1 / n_i)) / m. A
    combination without an observation makes the mean that it belongs to unknown.
    """
    found = anova(factors, response, order)
    shape = tuple(len(factor.levels) for factor in factors)
    n = np.reshape([cell.n for cell in found.cells], shape).astype(float)
    mean = np.reshape([np.nan if cell.mean is None else cell.mean for cell in found.cells], shape)
    rest = tuple(range(SHOWN, len(shape)))
    combinations = int(np.prod([shape[axis] for axis in rest]))
    with np.errstate(divide="ignore"):
        variance = found.error_ms * (1 / n).sum(axis=rest) / combinations**2
    half = stats.t.ppf(0.975, found.error_df) * np.sqrt(variance)
    return Means(mean.mean(axis=rest), np.where(np.isfinite(half), half, np.nan))


def within_intervals(given: Repeated) -> Means:
    """Return the means over cases with within-case intervals (Cousineau and Morey) of the combinations shown."""
    values = given.values.mean(axis=tuple(range(SHOWN + 1, given.values.ndim)))
    mean, half = cousineau_morey(values.reshape(len(values), -1))
    return Means(mean.reshape(values.shape[1:]), half.reshape(values.shape[1:]))
