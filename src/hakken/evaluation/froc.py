"""The free-response ROC curve (FROC): sensitivity against false positives per case.

Notation: a curve is a row of K operating points (x, y), x = false positives per case, y = sensitivity, from (0, 0) on,
both never falling. Functions whose name starts with `rows_` take many curves at once, x and y of shape (R, K), so that
one code measures a curve and its bootstrap replicates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Candidates, Cases, Flags, Floats, Lesions
from hakken.evaluation.matching import Matching, Rules, match

CPM_AT = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per case at which the competition performance metric (CPM) of LUNA16 averages the sensitivity."""

NO_LESIONS = "no included lesion, so sensitivity is not defined"
NO_FREE_CASE = "no lesion-free case, so false positives per lesion-free case are not defined"

Per = Literal["case", "lesion-free"]


@dataclass(frozen=True, eq=False)
class FrocCurve:
    """Operating points (K,) by falling threshold, the first at (0, 0) with threshold +inf, one per distinct score.

    Where ``reason`` is not None the curve is undefined: the axis that cannot be computed holds NaN, and everything
    measured on the curve is None.
    """

    threshold: Floats
    fp_per_case: Floats
    sensitivity: Floats
    reason: str | None = None


@dataclass(frozen=True)
class SensitivityAt:
    """Sensitivity at a number of false positives per case.

    ``value`` by linear interpolation; ``step``: the highest sensitivity of an operating point at or below; the value
    beyond the last operating point is that of the last, and ``extrapolated`` says so.
    """

    value: float | None
    step: float | None
    extrapolated: bool


def froc(matching: Matching, per: Per = "case") -> FrocCurve:
    """Return the curve of a matching; false positives ``per`` case of the cohort, or per `lesion-free` case alone."""
    counted = counted_cases(matching, per)
    false = matching.false & counted[matching.candidates.case]
    found = matching.lesions.included & (matching.lesion_mark >= 0)
    scores = np.concatenate([matching.candidates.score[false], matching.lesion_score[found]])
    threshold, point = np.unique(scores, return_inverse=True)
    right = np.arange(len(scores)) >= false.sum()
    cases, lesions = int(counted.sum()), int(matching.lesions.included.sum())
    return FrocCurve(
        threshold=np.concatenate([[np.inf], threshold[::-1]]),
        fp_per_case=_rising(point[~right], len(threshold), cases),
        sensitivity=_rising(point[right], len(threshold), lesions),
        reason=undefined(cases, lesions),
    )


def undefined(cases: int, lesions: int) -> str | None:
    """Return why a curve over so many counted cases and included lesions is undefined, or None."""
    if not lesions:
        return NO_LESIONS
    return None if cases else NO_FREE_CASE


def counted_cases(matching: Matching, per: Per) -> Flags:
    """Return which cases (cases,) count on the axis of false positives."""
    counted = np.ones(len(matching.cases), bool)
    if per == "lesion-free":
        counted[matching.lesions.case] = False
    return counted


def sensitivity_at(curve: FrocCurve, fp_per_case: float) -> SensitivityAt:
    """Return the sensitivity at ``fp_per_case`` false positives per case."""
    if curve.reason is not None:
        return SensitivityAt(None, None, False)
    x, y = curve.fp_per_case, curve.sensitivity
    value = rows_sensitivity_at(x[None], y[None], fp_per_case)[0]
    step = y[np.searchsorted(x, fp_per_case, side="right") - 1]
    return SensitivityAt(float(value), float(step), bool(fp_per_case > x[-1]))


def fp_at_sensitivity(curve: FrocCurve, sensitivity: float) -> float | None:
    """Return the false positives per case of the first operating point that reaches ``sensitivity``, else None."""
    if curve.reason is not None or curve.sensitivity[-1] < sensitivity:
        return None
    return float(rows_fp_at_sensitivity(curve.fp_per_case[None], curve.sensitivity[None], sensitivity)[0])


def partial_auc(curve: FrocCurve, max_fp: float) -> float | None:
    """Return the area under the curve from 0 to ``max_fp`` false positives per case, divided by ``max_fp``."""
    if curve.reason is not None:
        return None
    return float(rows_partial_auc(curve.fp_per_case[None], curve.sensitivity[None], max_fp)[0])


def cpm(curve: FrocCurve) -> float | None:
    """Return the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per case (LUNA16)."""
    if curve.reason is not None:
        return None
    return float(rows_cpm(curve.fp_per_case[None], curve.sensitivity[None])[0])


def objective(candidates: Candidates, lesions: Lesions, cases: Cases, max_fp: float, hit: str = "distance") -> float:
    """Return the partial AUC up to ``max_fp``, in [0, 1]: what a training maximises on validation.

    Raises HakkenError when there is no included lesion.
    """
    value = partial_auc(froc(match(cases, lesions, candidates, Rules(hit=hit))), max_fp)
    if value is None:
        raise HakkenError("lesions: the validation cases have no included lesion, so there is nothing to optimise")
    return value


def rows_sensitivity_at(x: Floats, y: Floats, at: float) -> Floats:
    """Return the linearly interpolated sensitivity (R,) at ``at`` of curves x, y (R, K); flat beyond the last point."""
    rows = np.arange(len(x))
    before = (x <= at).sum(axis=1) - 1
    after = np.minimum(before + 1, x.shape[1] - 1)
    x0, y0 = x[rows, before], y[rows, before]
    gap = x[rows, after] - x0
    share = np.divide(at - x0, gap, out=np.zeros_like(gap), where=gap > 0)
    return np.asarray(y0 + share * (y[rows, after] - y0))


def rows_fp_at_sensitivity(x: Floats, y: Floats, sensitivity: float) -> Floats:
    """Return x (R,) of the first point of each curve that reaches ``sensitivity``; infinity where none does."""
    reached = y >= sensitivity
    return np.where(reached.any(axis=1), x[np.arange(len(x)), reached.argmax(axis=1)], np.inf)


def rows_partial_auc(x: Floats, y: Floats, max_fp: float) -> Floats:
    """Return the area (R,) under curves x, y (R, K) from 0 to ``max_fp``, divided by ``max_fp``."""
    end = rows_sensitivity_at(x, y, max_fp)[:, None]
    within = x <= max_fp
    heights = np.where(within, y, end)
    edges = np.where(within, x, max_fp)
    area = (np.diff(edges, axis=1) * (heights[:, 1:] + heights[:, :-1])).sum(axis=1) / 2
    return np.asarray((area + (max_fp - edges[:, -1]) * heights[:, -1]) / max_fp)


def rows_cpm(x: Floats, y: Floats) -> Floats:
    """Return the CPM (R,) of curves x, y (R, K)."""
    return np.asarray(np.mean([rows_sensitivity_at(x, y, at) for at in CPM_AT], axis=0))


def _rising(point: np.ndarray, points: int, total: int) -> Floats:
    """Return the share of ``total`` at or above each threshold (points + 1,), 0 first; NaN where total is 0."""
    counts = np.bincount(point, minlength=points)[::-1]
    shares = np.concatenate([[0], np.cumsum(counts)]).astype(float)
    return shares / total if total else np.full(points + 1, np.nan)
