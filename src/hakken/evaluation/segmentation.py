"""Means over the cases of what was measured on their masks, with intervals from resampled patients.

Notation: n cases of P patients; x (n,) a measure, NaN where a case has none (the Dice of two empty masks, the distance
to an empty one). The mean is over the cases that have one; a resample draws P patients with replacement, and a case
counts as often as its patient is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.resampling import bootstrapped, over_patients
from hakken.evaluation.roc import Counts


@dataclass(frozen=True)
class Mean:
    """A mean over ``cases`` cases with its 95 % interval; ``undefined`` cases have no value and are not among them."""

    value: float | None
    low: float | None
    high: float | None
    cases: int
    undefined: int


def dice(truth: Flags, prediction: Flags) -> float | None:
    """Return 2 |T and P| / (|T| + |P|) of two masks of one shape, None where both are empty.

    Raises HakkenError when the shapes differ.
    """
    if truth.shape != prediction.shape:
        raise HakkenError(f"masks of shapes {truth.shape} and {prediction.shape}: one grid is needed")
    total = int(np.count_nonzero(truth)) + int(np.count_nonzero(prediction))
    return 2 * int(np.count_nonzero(truth & prediction)) / total if total else None


def mean_over_cases(values: Floats, patient: Ints, resamples: int, seed: int) -> Mean:
    """Return the mean of ``values`` (n,), NaN where undefined; ``patient`` (n,) numbers the patients from 0."""
    defined = ~np.isnan(values)
    missing = int(np.count_nonzero(~defined))
    if not defined.any():
        return Mean(None, None, None, 0, missing)
    value = float(values[defined].mean())
    chosen, known = patient[defined], values[defined]

    def measure(counts: Counts) -> dict[str, Floats]:
        weights = counts[:, chosen].astype(float)
        with np.errstate(invalid="ignore"):
            return {"mean": weights @ known / weights.sum(1)}

    interval = bootstrapped(value, over_patients(patient, resamples, seed, measure), "mean")
    return Mean(value, interval.low, interval.high, int(np.count_nonzero(defined)), missing)


def paired_difference(one: Floats, other: Floats, patient: Ints, resamples: int, seed: int) -> Mean:
    """Return the mean of ``one`` less ``other``, measured on the same cases (n,), where both are defined."""
    return mean_over_cases(one - other, patient, resamples, seed)


def weighted_means(values: Floats, weights: Floats) -> Floats:
    """Return the means (models, R) of ``values`` (models, n), each case counting as ``weights`` (R, n) say.

    NaN where no case with a value counts.
    """
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        found: Floats = (np.where(defined, values, 0) @ weights.T) / (defined.astype(float) @ weights.T)
    return found
