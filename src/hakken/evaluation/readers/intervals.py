"""Estimates, differences and tests, as every analysis of a reader study gives them: 95 % intervals, two-sided p.

A method is named by what it generalises to: RRRC (random readers, random cases: to both populations), FRRC (fixed
readers, random cases: to other cases read by these readers) and RRFC (random readers, fixed cases: to other readers of
these cases).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from hakken.evaluation.findings import Floats

Scope = Literal["RRRC", "FRRC", "RRFC"]
SCOPES: tuple[Scope, ...] = ("RRRC", "FRRC", "RRFC")
LEVEL = 0.95
ROUNDING = 1e-24
"""A variance below this is that of rounding errors: figures of merit are of the order of 1, in float64."""


@dataclass(frozen=True)
class Level:
    """An estimate with its standard error and interval.

    ``df`` None: the normal distribution. Without variance there is no interval, and ``low`` and ``high`` are None.
    """

    name: str
    estimate: float
    se: float
    df: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """``of`` minus ``minus`` with standard error, t (z where ``df`` is None), p and interval; None without variance."""

    of: str
    minus: str
    estimate: float
    se: float
    df: float | None
    t: float | None
    p: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ReaderDifference:
    """The difference of two modalities for one reader; random cases, normal distribution."""

    reader: str
    difference: Difference


@dataclass(frozen=True)
class FTest:
    """F with its degrees of freedom, or chi-square divided by ``df1`` where ``df2`` is None; None without variance."""

    f: float | None
    df1: int
    df2: float | None
    p: float | None


@dataclass(frozen=True)
class Inference:
    """What one method says: the test that all modalities are equal, each pair's difference, each modality's level."""

    scope: Scope
    test: FTest
    differences: tuple[Difference, ...]
    levels: tuple[Level, ...]


def level(name: str, estimate: float, variance: float, df: float | None) -> Level:
    """Return an estimate whose squared standard error is ``variance``."""
    if variance <= ROUNDING:
        return Level(name, float(estimate), 0.0, df, None, None)
    se = math.sqrt(variance)
    half = se * _quantile((1 + LEVEL) / 2, df)
    return Level(name, float(estimate), se, df, float(estimate - half), float(estimate + half))


def difference(of: str, minus: str, estimate: float, variance: float, df: float | None) -> Difference:
    """Return a difference whose squared standard error is ``variance``, tested against 0."""
    found = level(of, estimate, variance, df)
    if found.low is None:
        return Difference(of, minus, found.estimate, 0.0, df, None, None, None, None)
    t = found.estimate / found.se
    p = 2 * _below(-abs(t), df)
    return Difference(of, minus, found.estimate, found.se, df, t, p, found.low, found.high)


def f_test(between: float, error: float, df1: int, df2: float | None) -> FTest:
    """Return the test of a mean square ``between`` against the mean square ``error``."""
    if error <= ROUNDING:
        return FTest(None, df1, df2, None)
    f = max(between, 0.0) / error
    p = special.chdtrc(df1, df1 * f) if df2 is None else special.fdtrc(df1, df2, f)
    return FTest(float(f), df1, df2, float(p))


def hillis(error: float, readers: float, df: int) -> float | None:
    """Return the degrees of freedom of Hillis (2007), df * (error / readers)^2.

    ``error`` is the mean square in the denominator, ``readers`` its part that is due to readers, with ``df`` degrees of
    freedom of its own. None where that part is 0: then only cases vary, and the distribution is the normal one.
    """
    return df * (error / readers) ** 2 if readers > ROUNDING else None


def single_modality(values: Floats, covariance: Floats, name: str) -> dict[Scope, Level]:
    """Return the mean over readers of ``values`` (J,) with jackknife ``covariance`` (J, J), by each method.

    Obuchowski-Rockette with one modality (Hillis 2007): with MS(R) the variance over the readers, Var and
    Cov2 the means of the diagonal and of the rest of the covariances, the squared standard error is
    RRRC (MS(R) + J max(Cov2, 0)) / J, FRRC (Var + (J - 1) max(Cov2, 0)) / J, RRFC MS(R) / J.
    """
    readers = len(values)
    ms_r = float(values.var(ddof=1))
    variance = float(np.trace(covariance)) / readers
    cov2 = max(float(covariance.sum() - np.trace(covariance)) / (readers * (readers - 1)), 0.0)
    error = ms_r + readers * cov2
    mean = float(values.mean())
    return {
        "RRRC": level(name, mean, error / readers, hillis(error, ms_r, readers - 1)),
        "FRRC": level(name, mean, (variance + (readers - 1) * cov2) / readers, None),
        "RRFC": level(name, mean, ms_r / readers, readers - 1),
    }


def _quantile(probability: float, df: float | None) -> float:
    """Return a quantile of t with ``df`` degrees of freedom, of the normal distribution where there are none."""
    return float(special.ndtri(probability) if df is None else special.stdtrit(df, probability))


def _below(t: float, df: float | None) -> float:
    return float(special.ndtr(t) if df is None else special.stdtr(df, t))
