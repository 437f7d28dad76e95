"""Variance of AUCs without a model: DeLong's for independent cases, Obuchowski's for several cases of a patient.

Notation: k scores of the same n cases, m+ positive and m- negative; V10 (k, m+) and V01 (k, m-) are the structural
components: how much of the other class a case is ranked on the right side of, ties as half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import rankdata

from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.proportions import Interval, Z


@dataclass(frozen=True, eq=False)
class Areas:
    """AUCs (k,) and their covariance (k, k); NaN where a class has too few units to estimate it."""

    auc: Floats
    covariance: Floats


@dataclass(frozen=True)
class Spread:
    """Standard error and 95 % intervals of an AUC: `wald` value ± 1.96 SE within [0, 1], `logit` so on log odds."""

    se: float | None
    wald: Interval
    logit: Interval


@dataclass(frozen=True)
class Difference:
    """The first AUC minus the second: standard error, 95 % interval, z and its two-sided p; None where undefined."""

    value: float
    se: float | None
    low: float | None
    high: float | None
    z: float | None
    p: float | None


def components(positive: Flags, scores: Floats) -> tuple[Floats, Floats]:
    """Return V10 (k, m+) and V01 (k, m-) of ``scores`` (k, n), in the order of the cases.

    By mid-ranks in O(k n log n): Sun and Xu, IEEE Signal Processing Letters 2014;21:1389-1393.
    """
    every = rankdata(scores, axis=1)
    among_positive = rankdata(scores[:, positive], axis=1)
    among_negative = rankdata(scores[:, ~positive], axis=1)
    v10 = (every[:, positive] - among_positive) / among_negative.shape[1]
    v01 = 1 - (every[:, ~positive] - among_negative) / among_positive.shape[1]
    return v10, v01


def areas(positive: Flags, scores: Floats, patient: Ints | None = None) -> Areas:
    """Return the AUCs of ``scores`` (k, n) of the same cases, ``positive`` (n,), and their covariance.

    Without ``patient`` cases are independent: DeLong, DeLong and Clarke-Pearson, Biometrics 1988;44:837-845. With the
    number of the patient (n,) of each case, those of one patient may be alike: Obuchowski, Biometrics
    1997;53:567-578, which is DeLong's where every patient has one case.
    """
    v10, v01 = components(positive, scores)
    value = v10.mean(axis=1)
    d10, d01 = v10 - value[:, None], v01 - value[:, None]
    cross = np.zeros((len(scores), len(scores)))
    if patient is not None:
        d10, d01 = _totals(d10, patient[positive], patient), _totals(d01, patient[~positive], patient)
        units = len(np.unique(patient))
        if units > 1:
            cross = units / (units - 1) * (d10 @ d01.T)
        with_positive, with_negative = (len(np.unique(patient[of])) for of in (positive, ~positive))
    else:
        with_positive, with_negative = v10.shape[1], v01.shape[1]
    m, n = v10.shape[1], v01.shape[1]
    covariance = _inflated(d10, with_positive) / m**2 + _inflated(d01, with_negative) / n**2
    return Areas(value, np.asarray(covariance + (cross + cross.T) / (m * n)))


def spread(value: float, variance: float) -> Spread:
    """Return the standard error and the intervals of an AUC; None where the variance is NaN or the logit infinite."""
    if math.isnan(variance):
        return Spread(None, Interval(None, None), Interval(None, None))
    se = math.sqrt(max(0.0, variance))
    wald = Interval(max(0.0, value - Z * se), min(1.0, value + Z * se))
    if not 0 < value < 1:
        return Spread(se, wald, Interval(None, None))
    odds, half = math.log(value / (1 - value)), Z * se / (value * (1 - value))
    return Spread(se, wald, Interval(_logistic(odds - half), _logistic(odds + half)))


def difference(pair: Areas) -> Difference:
    """Compare the first two AUCs, which share their cases; z and p are None where the difference has no variance."""
    value = float(pair.auc[0] - pair.auc[1])
    contrast = np.array([1.0, -1.0])
    variance = float(contrast @ pair.covariance[:2, :2] @ contrast)
    if math.isnan(variance):
        return Difference(value, None, None, None, None, None)
    # What is left of equal covariances is rounding, not variance.
    noise = 1e-12 * float(np.trace(pair.covariance[:2, :2]))
    se = math.sqrt(variance) if variance > noise else 0.0
    z = value / se if se else None
    p = None if z is None else float(2 * ndtr(-abs(z)))
    return Difference(value, se, value - Z * se, value + Z * se, z, p)


def _totals(deviations: Floats, patient: Ints, every: Ints) -> Floats:
    """Return the sum of the deviations (k, m) of each patient (k, patients)."""
    patients = int(every.max()) + 1
    return np.array([np.bincount(patient, weights=row, minlength=patients) for row in deviations])


def _inflated(deviations: Floats, units: int) -> Floats:
    """Return the sum of products of deviations (k, u) over units, times units / (units - 1); NaN for a single unit."""
    products = deviations @ deviations.T
    return products * units / (units - 1) if units > 1 else np.full_like(products, np.nan)


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
