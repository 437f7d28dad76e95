"""Bootstrap over patients, without recomputing a curve from its candidates.

Between two operating points at which a lesion is found the curve is a straight line, so the false positives between
them can be counted together: K points, at most twice the number of detected lesions, hold the whole curve exactly. A
resample is a row of counts W (R, units); its curve is W times the (units, K) table of events.
Notation: R resamples, U units that are drawn, E events (a false positive or a found lesion), K operating points,
L lesions, M candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.froc import Per, counted_cases
from hakken.evaluation.matching import Matching

BLOCK = 4_000_000
"""Weighted events, and operating points of resampled curves, that are held at once."""

TAILS = (0.025, 0.975)

Unit = Literal["patient", "finding"]


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % percentile interval; None where one is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Draws:
    """How often each unit is drawn: counts (R, U), the unit of each lesion (L,) and mark (M,), counted cases (R,)."""

    counts: Ints
    lesion_unit: Ints
    mark_unit: Ints
    cases: Floats

    def lesions(self, chosen: Flags) -> Floats:
        """Return how many of the ``chosen`` (L,) lesions each resample holds (R,)."""
        return self._total(self.lesion_unit[chosen])

    def marks(self, chosen: Flags) -> Floats:
        """Return how many of the ``chosen`` (M,) marks each resample holds (R,)."""
        return self._total(self.mark_unit[chosen])

    def where(self, keep: Flags) -> Draws:
        """Return the resamples that are kept (R,)."""
        return Draws(self.counts[keep], self.lesion_unit, self.mark_unit, self.cases[keep])

    def _total(self, units: Ints) -> Floats:
        return np.asarray(self.counts @ np.bincount(units, minlength=self.counts.shape[1]), float)


@dataclass(frozen=True, eq=False)
class _Events:
    """False positives or found lesions: pairs of an operating point and a unit, by point, and how often each occurs.

    ``starts`` are the first pairs of the points ``points`` that have any, of the ``total`` operating points.
    """

    units: Ints
    repeats: Ints
    starts: Ints
    points: Ints
    total: int

    @classmethod
    def of(cls, unit: Ints, units: int, point: Ints, points: int) -> _Events:
        """Gather events by the ``unit`` and the operating ``point`` of each."""
        pairs, repeats = np.unique(point * units + unit, return_counts=True)
        rows, drawn = np.divmod(pairs, max(units, 1))
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        return cls(drawn, repeats.astype(np.int32), starts, rows[starts], points)

    def accumulate(self, counts: Ints) -> Floats:
        """Return the events at or above each operating point (r, total + 1), 0 first, for rows of ``counts`` (r, U)."""
        totals = np.zeros((len(counts), self.total + 1))
        if len(self.units):
            step = max(1, BLOCK // len(self.units))
            for first in range(0, len(counts), step):
                drawn = counts[first : first + step, self.units] * self.repeats
                totals[first : first + step, self.points + 1] = np.add.reduceat(drawn, self.starts, axis=1)
        return np.asarray(np.cumsum(totals, axis=1, out=totals))


Measure = Callable[[Floats, Floats], Floats]
"""What is read off curves x, y (r, K + 1): a number for each (r,)."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """R resampled curves, computed in blocks when they are measured; ``lesions`` (R,) that each resample holds.

    ``skipped`` resamples held no lesion (or no counted case) and are not among the R.
    """

    draws: Draws
    lesions: Floats
    false: _Events
    found: _Events
    drawn: int
    skipped: int
    seed: int
    unit: Unit

    def __len__(self) -> int:
        return len(self.lesions)

    def blocks(self) -> Iterator[tuple[Floats, Floats]]:
        """Yield curves: x false positives per case and y sensitivity, each (r, K + 1), from (0, 0) on."""
        for rows, false, found in self._accumulated():
            yield false / self.draws.cases[rows, None], found / self.lesions[rows, None]

    def counted_blocks(self) -> Iterator[tuple[Floats, Floats, Floats]]:
        """Yield curves in whole counts: false positives and found lesions (r, K + 1), and the lesions there are (r,).

        Where only some cases count on the axis of false positives, only theirs are among them.
        """
        for rows, false, found in self._accumulated():
            yield false, found, self.lesions[rows]

    def _accumulated(self) -> Iterator[tuple[slice, Floats, Floats]]:
        step = max(1, BLOCK // (self.false.total + 1))
        for first in range(0, len(self), step):
            rows = slice(first, first + step)
            counts = self.draws.counts[rows]
            yield rows, self.false.accumulate(counts), self.found.accumulate(counts)

    def measure(self, *measures: Measure) -> list[Floats]:
        """Return each measure of all curves (R,)."""
        found = [[measure(x, y) for measure in measures] for x, y in self.blocks()]
        return [np.concatenate(parts) for parts in zip(*found, strict=True)] or [np.empty(0) for _ in measures]


def resample(matching: Matching, resamples: int, seed: int, *, per: Per = "case", unit: Unit = "patient") -> Resamples:
    """Draw patients with replacement ``resamples`` times and return the curve of each draw.

    The draws depend on ``seed`` and the number of patients alone, so two detectors on the same cohort are compared on
    the same resamples. ``unit`` `finding` is for a single patient, where no interval over patients exists: lesions are
    drawn with replacement and every false positive occurs a Poisson number of times; such an interval speaks of that
    patient's lesions, not of other patients.
    """
    every = _draw_patients if unit == "patient" else _draw_findings
    draws = every(matching, resamples, seed, counted_cases(matching, per))
    usable = (draws.lesions(matching.lesions.included) > 0) & (draws.cases > 0)
    draws, units = draws.where(usable), draws.counts.shape[1]
    false = matching.false & counted_cases(matching, per)[matching.candidates.case]
    found = matching.lesions.included & (matching.lesion_mark >= 0)
    points, false_point, found_point = _operating_points(matching.candidates.score[false], matching.lesion_score[found])
    return Resamples(
        draws=draws,
        lesions=draws.lesions(matching.lesions.included),
        false=_Events.of(draws.mark_unit[false], units, false_point, points),
        found=_Events.of(draws.lesion_unit[found], units, found_point, points),
        drawn=resamples,
        skipped=int(resamples - usable.sum()),
        seed=seed,
        unit=unit,
    )


def draw(units: int, resamples: int, seed: int | np.random.Generator) -> Ints:
    """Return how often each unit is drawn in each resample (resamples, units); each row sums to ``units``.

    A generator in place of the ``seed`` goes on where it stopped: blocks of rows are the rows of one large draw.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(units, np.full(units, 1 / units), size=resamples).astype(np.int32)


def estimate(value: float | None, replicates: Floats) -> Estimate:
    """Return a value with the percentile interval of its replicates (R,).

    Infinite replicates count as larger than every number; an end of the interval that falls among them is None.
    """
    if value is None or not len(replicates):
        return Estimate(value)
    if np.isinf(replicates).any():
        ends = np.quantile(replicates, TAILS, method="inverted_cdf")
    else:
        ends = np.quantile(replicates, TAILS)
    low, high = (float(end) if np.isfinite(end) else None for end in ends)
    return Estimate(float(value), low, high)


def band(resamples: Resamples, fp_per_case: Floats) -> tuple[Floats, Floats]:
    """Return the pointwise 95 % band (low, high) of the sensitivity at each ``fp_per_case`` (n,), NaN if undefined."""
    if not len(resamples):
        return np.full(len(fp_per_case), np.nan), np.full(len(fp_per_case), np.nan)
    curves = (pair for block in resamples.blocks() for pair in zip(*block, strict=True))
    low, high = np.quantile([np.interp(fp_per_case, x, y) for x, y in curves], TAILS, axis=0)
    return low, high


def _draw_patients(matching: Matching, resamples: int, seed: int, counted: Flags) -> Draws:
    patient = matching.cases.patient_index
    patients = int(patient.max()) + 1
    counts = draw(patients, resamples, seed)
    cases = counts @ np.bincount(patient[counted], minlength=patients)
    return Draws(counts, patient[matching.lesions.case], patient[matching.candidates.case], cases.astype(float))


def _draw_findings(matching: Matching, resamples: int, seed: int, counted: Flags) -> Draws:
    rng = np.random.default_rng(seed)
    included, marks = matching.lesions.included, len(matching.candidates)
    lesions = np.zeros((resamples, len(included)), np.int32)
    lesion_order, mark_order = _orders(matching, counted)
    if included.any():
        lesions[:, lesion_order] = draw(int(included.sum()), resamples, rng)
    mark_unit = np.empty(marks, np.int64)
    mark_unit[mark_order] = len(included) + np.arange(marks)
    return Draws(
        counts=np.concatenate([lesions, rng.poisson(1.0, (resamples, marks)).astype(np.int32)], axis=1),
        lesion_unit=np.arange(len(included)),
        mark_unit=mark_unit,
        cases=np.full(resamples, float(counted.sum())),
    )


def _orders(matching: Matching, counted: Flags) -> tuple[Ints, Ints]:
    """Return included lesions by case, place and size, and marks by kind and score: orders that no row changes.

    That of the lesions is the same for every detector, so two of them lose and repeat the same lesions; only lesions of
    one place and size go by their score.
    """
    lesions, false = matching.lesions, matching.false
    case = np.unique(np.array(matching.cases.case_id), return_inverse=True)[1][lesions.case]
    by_place = np.lexsort((matching.lesion_score, lesions.diameter_mm, *lesions.xyz.T, case))
    by_kind = np.lexsort((matching.candidates.score, ~(false & counted[matching.candidates.case]), ~false))
    return by_place[lesions.included[by_place]], by_kind


def _operating_points(false: Floats, found: Floats) -> tuple[int, Ints, Ints]:
    """Return how many operating points hold the curve exactly, and the point of each false and each found score.

    A score with a found lesion is a point of its own; runs of scores between two of them are one.
    """
    levels, level = np.unique(-np.concatenate([false, found]), return_inverse=True)
    if not len(levels):
        return 0, np.empty(0, np.int64), np.empty(0, np.int64)
    alone = np.zeros(len(levels), bool)
    alone[level[len(false) :]] = True
    starts = alone | np.concatenate([[True], alone[:-1]])
    point = (np.cumsum(starts) - 1)[level]
    return int(starts.sum()), point[: len(false)], point[len(false) :]
