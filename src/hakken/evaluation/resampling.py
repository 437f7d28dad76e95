"""Bootstrap over patients of any measures of weighted cases, block by block so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hakken.evaluation.bootstrap import draw, estimate
from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.roc import Counts

BLOCK = 4_000_000
"""Counts that one block of resamples may hold."""

Measure = Callable[[Counts], Mapping[str, Floats]]
"""From how often each patient is drawn (B, patients) to the measures of each resample, (B,) or (B, n) by name."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """Measures (R,) or (R, n) of the usable resamples by name; ``skipped`` of the ``drawn`` ones were not usable."""

    values: Mapping[str, Floats]
    drawn: int
    skipped: int
    seed: int


@dataclass(frozen=True)
class Bootstrapped:
    """The 95 % percentile interval; ``undefined`` resamples in which the measure has no value are left out of it."""

    low: float | None
    high: float | None
    undefined: int = 0


def over_patients(
    patient: Ints,
    resamples: int,
    seed: int,
    measure: Measure,
    usable: Callable[[Counts], Flags] | None = None,
    *,
    width: int = 0,
) -> Resampled:
    """Draw as many patients as there are, with replacement, ``resamples`` times, and measure each draw.

    ``patient`` (n,) numbers the patient of each case from 0. Resamples that are not ``usable`` are skipped and counted.
    ``width`` is how many numbers ``measure`` holds of each resample, where that is more than the cases. The draws
    depend on the seed and the number of patients alone. One patient is never resampled: no interval over patients
    could come of it.
    """
    patients = int(patient.max()) + 1
    if patients < 2:
        return Resampled({}, 0, 0, seed)
    rng = np.random.default_rng(seed)
    step = max(1, BLOCK // max(len(patient), width))
    blocks: list[Mapping[str, Floats]] = []
    kept = 0
    for first in range(0, resamples, step):
        counts: Counts = draw(patients, min(step, resamples - first), rng).astype(np.int32, copy=False)
        counts = counts if usable is None else counts[usable(counts)]
        kept += len(counts)
        if len(counts):
            blocks.append(measure(counts))
    values = {name: np.concatenate([block[name] for block in blocks]) for name in (blocks[0] if blocks else ())}
    return Resampled(values, resamples, resamples - kept, seed)


def bootstrapped(value: float | None, resampled: Resampled, name: str) -> Bootstrapped:
    """Return the interval of a measure whose value on the whole cohort is ``value``."""
    replicates = resampled.values.get(name, np.empty(0))
    defined = replicates[~np.isnan(replicates)]
    ends = estimate(value, defined)
    return Bootstrapped(ends.low, ends.high, 0 if value is None else len(replicates) - len(defined))


def per_patient(patient: Ints, columns: Floats) -> Floats:
    """Return the sums (patients, c) of ``columns`` (n, c) over the cases of each patient."""
    sums = np.zeros((int(patient.max()) + 1, columns.shape[1]))
    np.add.at(sums, patient, columns)
    return sums
