"""How well numbers are answered: bias, error, and how far answers shrink towards the mean, with patients resampled.

Notation: t the truth and p the answer of each of n numbers, e = p - t. Of a stratum

- bias = mean of e, RMSE = sqrt(mean of e^2), SD of the error = sqrt(RMSE^2 - bias^2);
- slope = covariance of t and p / variance of t: 1 where answers follow the truth, 0 where they are always the same;
- skill = 1 - RMSE / SD of t: 1 where all answers are right, 0 for one who answers with the mean of the truth.

A small RMSE may be shrinkage alone; bias by fifths of the truth and the slope tell it. Numbers of the same patient (or
phantom volume) stay together in the bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hakken.evaluation.bootstrap import Estimate, estimate
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.resampling import over_patients

FIFTHS = 5
MEASURES = ("bias", "rmse", "sd", "slope", "skill")
SUMS = 6  # n, sums of e, e^2, t, t^2, t p


@dataclass(frozen=True, eq=False)
class Answers:
    """The truth and the answer (n,) of one quantity, the patient (n,) of each from 0, and the level (n,) of each."""

    truth: Floats
    answer: Floats
    patient: Ints
    level: Ints
    levels: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Stratum:
    """What was measured of one level ('' is all of them) and one fifth of the truth (0 is all, 1 the lowest)."""

    level: str
    fifth: int
    numbers: int
    mean_truth: float
    measures: Mapping[str, Estimate]


@dataclass(frozen=True, eq=False)
class Measured:
    """All strata, the whole first, the SD of the truth, and the skill on each resample (R,)."""

    strata: tuple[Stratum, ...]
    spread: float
    skills: Floats

    def of(self, level: str = "", fifth: int = 0) -> Stratum:
        """Return one stratum."""
        return next(one for one in self.strata if (one.level, one.fifth) == (level, fifth))


def fifth_of(truth: Floats) -> Ints:
    """Return which fifth of all true numbers each is in (n,), 1 to 5.

    >>> fifth_of(np.arange(10.0)).tolist()
    [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    """
    borders = np.quantile(truth, np.arange(1, FIFTHS) / FIFTHS)
    return np.asarray(1 + np.searchsorted(borders, truth, side="right"), np.int64)


def measure_numbers(given: Answers, resamples: int, seed: int) -> Measured:
    """Measure one quantity, as a whole, by level, by fifth of the truth and by both."""
    sums = _sums(given)  # (patients, levels, fifths, SUMS)
    whole = _with_totals(sums.sum(0))
    patients = np.arange(len(sums))
    drawn = over_patients(patients, resamples, seed, lambda counts: _all(_resampled(sums, counts)), width=sums[0].size)
    values = _all(whole)
    skills = drawn.values["skill"][:, 0, 0] if drawn.values else np.empty(0)
    strata = tuple(
        Stratum(
            level,
            fifth,
            int(whole[place, fifth, 0]),
            float(whole[place, fifth, 3] / whole[place, fifth, 0] + _middle(given)),
            {name: _estimate(values[name][place, fifth], drawn.values.get(name), place, fifth) for name in MEASURES},
        )
        for place, level in enumerate(("", *given.levels) if len(given.levels) > 1 else ("",))
        for fifth in range(FIFTHS + 1)
        if whole[place, fifth, 0]
    )
    return Measured(strata, float(given.truth.std()), skills)


def skill_of(given: Answers) -> float:
    """Return the skill of all answers."""
    return float(_all(_with_totals(_sums(given).sum(0)))["skill"][0, 0])


def drawn_skills(given: Answers, resamples: int, seed: int) -> Floats:
    """Return the skill on each resample of the patients (R,)."""
    return measure_numbers(given, resamples, seed).skills


def _middle(given: Answers) -> float:
    return float(given.truth.mean())


def _sums(given: Answers) -> Floats:
    """Return the sums of each patient, level and fifth; truth and answers are counted from the mean of the truth."""
    t, p = given.truth - _middle(given), given.answer - _middle(given)
    e = p - t
    columns = np.stack([np.ones_like(t), e, e**2, t, t**2, t * p], axis=1)
    shape = (int(given.patient.max()) + 1, len(given.levels), FIFTHS)
    place = np.ravel_multi_index((given.patient, given.level, fifth_of(given.truth) - 1), shape)
    found = np.zeros((int(np.prod(shape)), SUMS))
    for column in range(SUMS):
        found[:, column] = np.bincount(place, columns[:, column], len(found))
    return found.reshape(*shape, SUMS)


def _with_totals(sums: Floats) -> Floats:
    """Return sums (..., levels, fifths, SUMS) with those of all levels and of all fifths at place 0."""
    fifths = np.concatenate([sums.sum(-2, keepdims=True), sums], axis=-2)
    return np.concatenate([fifths.sum(-3, keepdims=True), fifths], axis=-3)


def _resampled(sums: Floats, counts: NDArray[np.int32]) -> Floats:
    return _with_totals(np.tensordot(counts.astype(float), sums, axes=1))


def _all(sums: Floats) -> dict[str, Floats]:
    """Return all measures from sums (..., SUMS); NaN where a stratum is empty or its truth does not vary."""
    n, e, e2, t, t2, tp = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bias, mean_square = e / n, e2 / n
        variance = np.maximum(t2 / n - (t / n) ** 2, 0)
        rmse = np.sqrt(mean_square)
        p = t + e
        slope = (tp / n - t * p / n**2) / variance
        return {
            "bias": bias,
            "rmse": rmse,
            "sd": np.sqrt(np.maximum(mean_square - bias**2, 0)),
            "slope": np.where(variance > 0, slope, np.nan),
            "skill": np.where(variance > 0, 1 - rmse / np.sqrt(variance), np.nan),
        }


def _estimate(value: float, drawn: Floats | None, level: int, fifth: int) -> Estimate:
    replicates = np.empty(0) if drawn is None else drawn[:, level, fifth]
    return estimate(None if np.isnan(value) else float(value), replicates[~np.isnan(replicates)])
