"""Analysis of variance where every case is measured under every combination of the factors, and paired comparisons.

Notation: Y (n, k_1, k_2, ...) the response of n cases; C (cells, d) orthonormal contrasts of an effect; Z = Y C (n, d).
The sum of squares of the effect is n |mean of Z|^2 with d degrees of freedom, that of its error, effect x case, is
|Z - mean of Z|^2 with d (n - 1) (Maxwell and Delaney, Designing Experiments and Analyzing Data, chapters 11 to 13).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.linalg import helmert

from hakken.core.errors import HakkenError
from hakken.core.tables import row_of
from hakken.evaluation.anova import Factor, Term, effects_of, f_test, name_of, rounding_ss, words_of
from hakken.evaluation.bootstrap import Estimate
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.summary import summarise

EXACT = 50
"""Differences up to which the signed ranks are counted out; 2^50 sums are still exact in floating point."""


@dataclass(frozen=True, eq=False)
class Repeated:
    """The response of each case under each combination: ``values`` (cases, levels of factor 1, of factor 2, ...)."""

    cases: tuple[str, ...]
    factors: tuple[Factor, ...]
    values: Floats


@dataclass(frozen=True)
class RepeatedEffect:
    """One effect against its own error, effect x case.

    ``epsilon`` is that of Greenhouse and Geisser (1959), by which both degrees of freedom are multiplied for
    ``p_corrected``. F, p and partial eta squared are None where the error is 0.
    """

    effect: str
    ss: float
    df: int
    error_ss: float
    error_df: int
    f: float | None
    p: float | None
    partial_eta_squared: float | None
    epsilon: float | None
    p_corrected: float | None


@dataclass(frozen=True)
class Comparison:
    """Level less reference over the cases, each averaged over the levels of all other factors.

    ``mean`` has the percentile interval over resampled patients, ``t_interval`` that of Student; ``w`` is the sum of
    the positive signed ranks. ``holm`` values are adjusted within the factor. None where differences do not vary.
    """

    factor: str
    level: str
    reference: str
    cases: int
    mean: Estimate
    sd: float
    t_interval: tuple[float, float] | None
    t: float | None
    p_t: float | None
    w: float | None
    p_wilcoxon: float | None
    wilcoxon: Literal["exact", "normal"] | None
    p_t_holm: float | None
    p_wilcoxon_holm: float | None
    skipped: int


def arrange(
    case_ids: Sequence[str],
    factors: Sequence[Factor],
    response: Floats,
    source: str,
    rows: Sequence[int] | None = None,
) -> Repeated:
    """Return the response of each case under each combination of levels.

    ``rows`` (n,) are the rows of ``source`` that the entries stand in, by default one below another. Raises
    HakkenError naming the row of ``source`` where a case has a combination twice, the case that lacks one, and where
    there is a single case.
    """
    cases = {name: number for number, name in enumerate(dict.fromkeys(case_ids))}
    shape = tuple(len(factor.levels) for factor in factors)
    row = np.full((len(cases), *shape), -1, np.int64)
    for entry, case_id in enumerate(case_ids):
        levels = [int(factor.index[entry]) for factor in factors]
        place = (cases[case_id], *levels)
        if row[place] >= 0:
            here, before = row_of(entry, rows), row_of(int(row[place]), rows)
            raise HakkenError(
                f"{source}, row {here}: case `{case_id}` with {words_of(factors, levels)} stands already in row "
                f"{before}; keep one, or average them"
            )
        row[place] = entry
    missing = np.argwhere(row < 0)
    if len(missing):
        number, *levels = missing[0].tolist()
        incomplete = len(np.unique(missing[:, 0]))
        raise HakkenError(
            f"{source}: case `{list(cases)[number]}` has no row with {words_of(factors, levels)} "
            f"({incomplete} of {len(cases)} cases are incomplete); each case needs every combination of levels"
        )
    if len(cases) < 2:
        raise HakkenError(f"{source}: one case ({next(iter(cases), 'none')}); effects within cases need two or more")
    return Repeated(tuple(cases), tuple(factors), np.asarray(response, float)[row])


def repeated_measures(given: Repeated, order: int | None = None) -> tuple[RepeatedEffect, ...]:
    """Test all main effects and the interactions of up to ``order`` factors (None: of all) within cases."""
    return tuple(_effect(given, term) for term in effects_of(len(given.factors), order))


def compare_levels(given: Repeated, patient: Ints, counts: Ints) -> tuple[Comparison, ...]:
    """Compare the levels of each factor two by two, case by case.

    ``patient`` (cases,) numbers the patients; ``counts`` (resamples, patients) says how often each is drawn. p-values
    are adjusted by Holm's method (1979) over the pairs of a factor.
    """
    found = []
    for axis, factor in enumerate(given.factors):
        others = tuple(other for other in range(1, given.values.ndim) if other != axis + 1)
        means = given.values.mean(axis=others)
        pairs = list(itertools.combinations(range(len(factor.levels)), 2))
        differences = [means[:, one] - means[:, other] for one, other in pairs]
        noise = rounding_ss(given.values)
        t_tests = [_t_test(values, noise) for values in differences]
        rank_tests = [signed_ranks(np.where(values**2 <= noise, 0.0, values)) for values in differences]
        t_holm, rank_holm = (holm([test[-1] for test in tests]) for tests in (t_tests, rank_tests))
        for place, ((one, other), values) in enumerate(zip(pairs, differences, strict=True)):
            summary = summarise(values.tolist(), patient, counts)
            interval, t, p_t = t_tests[place]
            w, method, p_w = rank_tests[place]
            found.append(
                Comparison(
                    factor=factor.name,
                    level=factor.levels[one],
                    reference=factor.levels[other],
                    cases=len(values),
                    mean=summary.mean,
                    sd=float(values.std(ddof=1)),
                    t_interval=interval,
                    t=t,
                    p_t=p_t,
                    w=w,
                    p_wilcoxon=p_w,
                    wilcoxon=method,
                    p_t_holm=t_holm[place],
                    p_wilcoxon_holm=rank_holm[place],
                    skipped=summary.skipped,
                )
            )
    return tuple(found)


def signed_ranks(differences: Floats) -> tuple[float | None, Literal["exact", "normal"] | None, float | None]:
    """Return W+ of Wilcoxon's signed-rank test of ``differences`` (n,), how its two-sided p came about, and p.

    Differences of 0 are left out; equal ones share their mean rank. Up to 50 differences p is exact, given the ranks
    as they are, ties included: every choice of signs is as likely. Beyond, the normal approximation with the
    correction for ties. None where all differences are 0.
    """
    values = differences[differences != 0]
    if not len(values):
        return None, None, None
    ranks = stats.rankdata(np.abs(values))
    w = float(ranks[values > 0].sum())
    if len(values) > EXACT:
        p = stats.wilcoxon(values, zero_method="wilcox", correction=False, method="approx").pvalue
        return w, "normal", float(p)
    doubled = np.rint(2 * ranks).astype(np.int64)  # mean ranks are halves
    sums = np.zeros(int(doubled.sum()) + 1)
    sums[0] = 1
    for rank in doubled:
        sums[rank:] += sums[:-rank].copy()
    place = round(2 * w)
    tail = min(sums[: place + 1].sum(), sums[place:].sum())
    return w, "exact", min(1.0, float(2 * tail / sums.sum()))


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted by Holm's step-down method; None stays None and does not count."""
    known = [place for place, value in enumerate(p) if value is not None]
    values = np.array([p[place] for place in known], float)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted: list[float | None] = [None] * len(p)
    for place, value in zip(order, steps, strict=True):
        adjusted[known[place]] = min(1.0, float(value))
    return adjusted


def cousineau_morey(values: Floats) -> tuple[Floats, Floats]:
    """Return mean and half width of the 95 % within-case interval of each of J conditions, from ``values`` (n, J).

    Cases are centred on the grand mean and the variance is multiplied by J / (J - 1): Cousineau (2005) with the
    correction of Morey (Tutorials in Quantitative Methods for Psychology 2008;4:61-64).
    """
    n, conditions = values.shape
    centred = values - values.mean(axis=1, keepdims=True)
    error = centred.std(axis=0, ddof=1) * np.sqrt(conditions / (conditions - 1) / n)
    return values.mean(axis=0), np.asarray(stats.t.ppf(0.975, n - 1) * error)


def _effect(given: Repeated, term: Term) -> RepeatedEffect:
    cases = len(given.cases)
    contrasts: Floats = np.ones((1, 1))
    for place, factor in enumerate(given.factors):
        levels = len(factor.levels)
        own = helmert(levels).T if place in term else np.full((levels, 1), 1 / np.sqrt(levels))
        contrasts = np.asarray(np.kron(contrasts, own), float)
    shifted = given.values - given.values.mean()  # contrasts ignore it; rounding does not
    z = shifted.reshape(cases, -1) @ contrasts
    df = z.shape[1]
    ss = float(cases * (z.mean(axis=0) ** 2).sum())
    error_ss, error_df = float(((z - z.mean(axis=0)) ** 2).sum()), df * (cases - 1)
    known = error_ss > rounding_ss(given.values)
    f, p, eta = f_test(ss, df, error_ss if known else 0.0, error_df)
    epsilon = _epsilon(z) if known else None
    corrected = None if f is None or epsilon is None else float(stats.f.sf(f, epsilon * df, epsilon * error_df))
    name = name_of(given.factors, term)
    return RepeatedEffect(name, ss, df, error_ss, error_df, f, p, eta, epsilon, corrected)


def _epsilon(z: Floats) -> float:
    """Return the epsilon of Greenhouse and Geisser of contrasts (n, d): tr(S)^2 / (d tr(S S)), from 1/d to 1."""
    centred = z - z.mean(axis=0)
    s = centred.T @ centred
    return float(np.trace(s) ** 2 / (len(s) * (s**2).sum()))


def _t_test(differences: Floats, noise: float) -> tuple[tuple[float, float] | None, float | None, float | None]:
    """Return the interval of the mean difference, t and its two-sided p; None each where differences do not vary."""
    n, mean = len(differences), float(differences.mean())
    if float(((differences - mean) ** 2).sum()) <= noise:
        return None, None, None
    error = float(differences.std(ddof=1)) / np.sqrt(n)
    half = float(stats.t.ppf(0.975, n - 1)) * error
    t = mean / error
    return (mean - half, mean + half), t, float(2 * stats.t.sf(abs(t), n - 1))
