"""Bootstrap over patients, without recomputing a curve from its candidates.

Between two operating points at which a lesion is found the curve is a straight line, so the false positives between
them can be counted together: K points, at most twice the number of detected lesions, hold the whole curve exactly. A
resample of the patients is a row of counts W (R, patients); its curve is W times the (patients, K) table of events.
Notation: R resamples, E events (a false positive or a found lesion), K operating points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.froc import Per, counted_cases
from hakken.evaluation.matching import Matching

BLOCK = 4_000_000
"""Numbers of four bytes that one block of weighted events may hold."""

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A percentile interval; both None where it is not defined."""

    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Resamples:
    """Curves of R resamples of the patients: x false positives per case and y sensitivity, (R, K + 1), from (0, 0) on.

    ``skipped`` resamples held no lesion (or no counted case) and are not among the R. ``counts`` (R, patients) says how
    often each patient was drawn.
    """

    x: Floats
    y: Floats
    counts: Ints
    skipped: int
    seed: int

    @property
    def drawn(self) -> int:
        """Resamples drawn, the skipped ones among them."""
        return len(self.x) + self.skipped


def resample(matching: Matching, resamples: int, seed: int, per: Per = "case") -> Resamples:
    """Draw the patients with replacement ``resamples`` times and return the curve of each draw.

    The draws depend on ``seed`` and the number of patients alone, so two detectors on the same cohort are compared on
    the same resamples.
    """
    patient = matching.cases.patient_index
    counted = counted_cases(matching, per)
    patients = int(patient.max()) + 1
    counts = draw(patients, resamples, seed)
    included = matching.lesions.included
    lesions = counts @ np.bincount(patient[matching.lesions.case[included]], minlength=patients)
    cases = counts @ np.bincount(patient[counted], minlength=patients)
    usable = (lesions > 0) & (cases > 0)
    counts = counts[usable]
    events = _events(matching, per)
    false, right = (_accumulate(counts, events, rights) for rights in (False, True))
    return Resamples(
        x=false / cases[usable, None],
        y=right / lesions[usable, None],
        counts=counts,
        skipped=int(resamples - usable.sum()),
        seed=seed,
    )


def draw(patients: int, resamples: int, seed: int) -> Ints:
    """Return how often each patient is drawn in each resample (resamples, patients); each row sums to ``patients``."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(patients, np.full(patients, 1 / patients), size=resamples).astype(np.int64)


def interval(replicates: Floats, level: float = LEVEL) -> Interval:
    """Return the percentile interval of replicates (R,); infinite ones count as larger than every number.

    An end that falls among infinite replicates is None, and both are None where there is no replicate.
    """
    if not len(replicates):
        return Interval(None, None)
    tail = (1 - level) / 2
    ends = np.quantile(replicates, [tail, 1 - tail], method="inverted_cdf" if np.isinf(replicates).any() else "linear")
    low, high = (float(end) if np.isfinite(end) else None for end in ends)
    return Interval(low, high)


def band(resamples: Resamples, fp_per_case: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Return the pointwise percentile band (low, high) of the sensitivity at each of ``fp_per_case`` (n,)."""
    if not len(resamples.x):
        return np.full(len(fp_per_case), np.nan), np.full(len(fp_per_case), np.nan)
    values = np.array([np.interp(fp_per_case, x, y) for x, y in zip(resamples.x, resamples.y, strict=True)])
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    return low, high


def statistic(resamples: Resamples, measure: Callable[[Floats, Floats], Floats]) -> Interval:
    """Return the interval of a measure of curves x, y (R, K), one of the `rows_` functions of froc."""
    return interval(measure(resamples.x, resamples.y))


@dataclass(frozen=True, eq=False)
class _Events:
    """Each event's patient (E,), operating point (E,), which is rising from 0, and whether it is a found lesion."""

    patient: Ints
    point: Ints
    right: np.ndarray
    points: int


def _events(matching: Matching, per: Per) -> _Events:
    """Return the events of a curve at the fewest operating points that hold it exactly."""
    false = matching.false & counted_cases(matching, per)[matching.candidates.case]
    found = matching.lesions.included & (matching.lesion_mark >= 0)
    patient = matching.cases.patient_index
    owner = np.concatenate([patient[matching.candidates.case[false]], patient[matching.lesions.case[found]]])
    scores = np.concatenate([matching.candidates.score[false], matching.lesion_score[found]])
    right = np.arange(len(scores)) >= false.sum()
    levels, level = np.unique(-scores, return_inverse=True)
    point = _merge(np.bincount(level[right], minlength=len(levels)) > 0)
    order = np.argsort(point[level], kind="stable")
    return _Events(owner[order], point[level][order], right[order], int(point.max(initial=-1)) + 1)


def _merge(has_lesion: np.ndarray) -> Ints:
    """Return the operating point of each level: levels with a found lesion stand alone, runs of others are one."""
    if not len(has_lesion):
        return np.empty(0, np.int64)
    starts = has_lesion | np.concatenate([[True], has_lesion[:-1]])
    return np.asarray(np.cumsum(starts) - 1)


def _accumulate(counts: Ints, events: _Events, right: bool) -> Floats:
    """Return the events of one kind at or above each operating point (R, K + 1), weighted by ``counts``."""
    chosen = events.right == right
    patient, point = events.patient[chosen], events.point[chosen]
    totals = np.zeros((len(counts), events.points + 1))
    if len(patient):
        pairs, repeats = np.unique(point * counts.shape[1] + patient, return_counts=True)
        points, patients = np.divmod(pairs, counts.shape[1])
        weights = counts.astype(np.int32)
        step = max(1, BLOCK // max(1, len(pairs)))
        starts = np.flatnonzero(np.diff(points, prepend=-1))
        for row in range(0, len(counts), step):
            drawn = weights[row : row + step, patients] * repeats.astype(np.int32)
            totals[row : row + step, points[starts] + 1] = np.add.reduceat(drawn, starts, axis=1)
    return np.asarray(np.cumsum(totals, axis=1))
