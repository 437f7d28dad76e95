"""The operating point: a threshold chosen on one part of the cohort and measured on another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hakken.evaluation.bootstrap import Estimate, Resamples, estimate
from hakken.evaluation.findings import Findings, Flags
from hakken.evaluation.froc import FrocCurve
from hakken.evaluation.matching import Matching
from hakken.evaluation.strata import proportion


@dataclass(frozen=True)
class AtThreshold:
    """Sensitivity and false positives per case of the candidates with a score of ``threshold`` or more."""

    threshold: float
    sensitivity: Estimate
    fp_per_case: Estimate


def choose_threshold(curve: FrocCurve, fp_per_case: float) -> float | None:
    """Return the lowest threshold of a curve with at most ``fp_per_case`` false positives per case.

    Where even the highest score has more, it is the next number above that score, at which nothing is marked. None
    where the curve is undefined or holds no candidate.
    """
    if curve.reason is not None or len(curve.threshold) < 2:
        return None
    allowed = curve.threshold[curve.fp_per_case <= fp_per_case]
    return float(allowed[-1]) if len(allowed) > 1 else float(np.nextafter(curve.threshold[1], np.inf))


def at_threshold(matching: Matching, resamples: Resamples, threshold: float) -> AtThreshold:
    """Measure a matching at a fixed threshold.

    The interval of the sensitivity, a proportion, is Wilson's with the design effect of patients
    (`hakken.evaluation.strata.proportion`); that of the false positives per case comes from the resamples of the same
    matching.
    """
    found, false = found_at(matching, threshold), false_at(matching, threshold)
    draws, included = resamples.draws, matching.lesions.included
    patient = matching.cases.patient_index[matching.lesions.case]
    share = proportion(found[included], patient[included])
    return AtThreshold(
        threshold=threshold,
        sensitivity=Estimate(share.value, share.low, share.high),
        fp_per_case=estimate(float(false.sum() / len(matching.cases)), draws.marks(false) / draws.cases),
    )


def found_at(matching: Matching, threshold: float) -> Flags:
    """Return which lesions (L,) are included and found by a candidate of ``threshold`` or more."""
    return np.asarray(matching.lesions.included & (matching.lesion_mark >= 0) & (matching.lesion_score >= threshold))


def false_at(matching: Matching, threshold: float) -> Flags:
    """Return which candidates (M,) are false positives of ``threshold`` or more."""
    return np.asarray(matching.false & (matching.candidates.score >= threshold))


def levelled(findings: Findings, threshold: Any) -> tuple[Findings, float]:
    """Return findings and the one threshold that they are measured at.

    Where each case has a threshold of its own, scores become their distance from it, and the threshold 0.
    """
    if threshold is None:
        return findings, np.inf
    if not np.ndim(threshold):
        return findings, float(threshold)
    marks = findings.candidates
    return replace(findings, candidates=replace(marks, score=marks.score - np.asarray(threshold)[marks.case])), 0.0
