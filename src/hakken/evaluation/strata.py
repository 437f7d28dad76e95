"""Parts of a cohort: lesions by diameter, cases by a column; and proportions of lesions with an interval."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hakken.core.decimals import below, reaches
from hakken.evaluation.findings import Flags, Ints, Lesions
from hakken.evaluation.proportions import wilson


@dataclass(frozen=True)
class Proportion:
    """``found`` of ``total`` lesions, with the clustered Wilson interval; ``value`` is None where there is none."""

    found: int
    total: int
    value: float | None
    low: float | None
    high: float | None
    design_effect: float


@dataclass(frozen=True)
class DiameterRange:
    """Lesions of at least ``low`` and less than ``high`` mm, or px where that is the ``unit``."""

    low: float
    high: float
    unit: str = "mm"

    @property
    def name(self) -> str:
        """How people say it."""
        if self.low == 0:
            return f"below {self.high:g} {self.unit}"
        if math.isinf(self.high):
            return f"{self.low:g} {self.unit} and more"
        return f"{self.low:g} to {self.high:g} {self.unit}"

    def holds(self, lesions: Lesions) -> Flags:
        """Return which lesions (L,) are of this size."""
        return np.asarray(reaches(lesions.diameter_mm, self.low) & below(lesions.diameter_mm, self.high))


def diameter_ranges(borders: Sequence[float], unit: str = "mm") -> tuple[DiameterRange, ...]:
    """Return the ranges between 0, the sorted ``borders`` in ``unit``, and infinity."""
    edges = [0.0, *sorted(borders), math.inf]
    return tuple(DiameterRange(low, high, unit) for low, high in itertools.pairwise(edges))


def proportion(found: Flags, patient: Ints) -> Proportion:
    """Return the share of lesions found, ``found`` (L,), with a Wilson interval over the ``patient`` (L,) of each.

    Lesions of one patient are alike, so the number of lesions is divided by the design effect of Rao and Scott
    (Biometrics 1992;48:577-585), at least 1. Where all or none are found it cannot be estimated: then the lesions of a
    patient are taken as one, the worst case, so that n is the number of patients. Wilson's interval never has a width
    of 0 (Wilson, Journal of the American Statistical Association 1927;22:209-212).
    """
    total, hits = len(found), int(found.sum())
    if not total:
        return Proportion(0, 0, None, None, None, 1.0)
    _, member = np.unique(patient, return_inverse=True)
    clusters = np.bincount(member)
    effect = design_effect(np.bincount(member[found], minlength=len(clusters)), clusters)
    if hits in (0, total):
        effect = total / len(clusters)
    low, high = wilson(hits / total, total / effect)
    return Proportion(hits, total, hits / total, low, high, effect)


def design_effect(found: Ints, total: Ints) -> float:
    """Return how much clustering inflates the variance of sum(found) / sum(total); one entry a patient, at least 1."""
    share, patients = found.sum() / total.sum(), len(total)
    if patients < 2 or share in (0, 1):
        return 1.0
    variance = patients / (patients - 1) * ((found - share * total) ** 2).sum() / total.sum() ** 2
    return max(1.0, float(variance * total.sum() / (share * (1 - share))))
