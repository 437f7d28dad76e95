"""A value of each case, summed up over a cohort: mean, median, spread, and intervals over patients.

Notation: n cases, U patients, R resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hakken.evaluation.bootstrap import Estimate, estimate
from hakken.evaluation.caution import has_no_width
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.proportions import wilson


@dataclass(frozen=True)
class Summary:
    """``cases`` values that are defined and ``nulls`` that are not; sd with n - 1; ``skipped`` resamples held none."""

    cases: int
    nulls: int
    mean: Estimate
    median: Estimate
    sd: float | None
    skipped: int


@dataclass(frozen=True)
class Pooled:
    """A share of all ``total`` lesions of the cohort; ``skipped`` resamples held no lesion."""

    count: int
    total: int
    share: Estimate
    skipped: int


def summarise(values: Sequence[float | None], patient: Ints, counts: Ints) -> Summary:
    """Sum up the ``values`` (n,) of cases whose ``patient`` (n,) are numbered from 0.

    ``counts`` (R, U) says how often each resample draws each patient (`hakken.evaluation.bootstrap.draw`). A patient
    who is drawn twice counts twice with all cases. With one patient there is no interval.
    """
    known = np.array([value is not None for value in values], bool)
    numbers = np.array([value for value in values if value is not None], float)
    if not len(numbers):
        return Summary(0, len(values), Estimate(None), Estimate(None), None, len(counts))
    weights = counts[:, patient[known]] if counts.shape[1] > 1 else np.empty((0, len(numbers)), np.int64)
    drawn = weights.sum(axis=1) > 0
    weights = weights[drawn]
    return Summary(
        cases=len(numbers),
        nulls=int((~known).sum()),
        mean=estimate(float(numbers.mean()), weights @ numbers / weights.sum(axis=1)),
        median=estimate(float(np.median(numbers)), weighted_medians(numbers, weights)),
        sd=float(numbers.std(ddof=1)) if len(numbers) > 1 else None,
        skipped=int((~drawn).sum()),
    )


def pool(count: Ints, total: Ints, patient: Ints, counts: Ints) -> Pooled:
    """Return the share of ``count`` (n,) in ``total`` (n,), summed over the cases, with its interval over patients.

    Where all or none count no resample differs: then the interval is Wilson's, each patient with a total counting once.
    """
    hits, all_ = int(count.sum()), int(total.sum())
    if not all_:
        return Pooled(hits, all_, Estimate(None), len(counts))
    weights = counts[:, patient] if counts.shape[1] > 1 else np.empty((0, len(count)), np.int64)
    drawn = weights @ total > 0
    weights = weights[drawn]
    found = estimate(hits / all_, (weights @ count) / (weights @ total))
    if has_no_width(found.value, found.low, found.high) and hits in (0, all_):
        found = Estimate(found.value, *wilson(hits / all_, len(np.unique(patient[total > 0]))))
    return Pooled(hits, all_, found, int((~drawn).sum()))


def weighted_medians(values: Floats, weights: Ints) -> Floats:
    """Return the median of ``values`` (n,) for each row of ``weights`` (R, n), how often each value is there."""
    order = np.argsort(values, kind="stable")
    reached = 2 * np.cumsum(weights[:, order], axis=1)
    total = weights.sum(axis=1, keepdims=True)
    lower, upper = (np.argmax(reached >= total + more, axis=1) for more in (0, 1))
    return np.asarray((values[order[lower]] + values[order[upper]]) / 2)
