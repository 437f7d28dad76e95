"""Everything that a result file says about one detector on one cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hakken.evaluation.bootstrap import Estimate, Resamples, Unit, band, estimate, measured, resample
from hakken.evaluation.findings import Floats
from hakken.evaluation.froc import (
    FrocCurve,
    SensitivityAt,
    cpm,
    fp_at_sensitivity,
    froc,
    partial_auc,
    rows_cpm,
    rows_fp_at_sensitivity,
    rows_partial_auc,
    rows_sensitivity_at,
    sensitivity_at,
)
from hakken.evaluation.matching import Matching
from hakken.evaluation.operating import AtThreshold, at_threshold, choose_threshold, found_at

FEW_PATIENTS = 10


@dataclass(frozen=True)
class Settings:
    """At which false positives per case and sensitivities to report, and how to resample."""

    maximum_fp: float
    at: tuple[float, ...]
    sensitivities: tuple[float, ...] = (0.5, 0.7, 0.9)
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Measurement:
    """A curve and what is read from it, each value with its interval and each undefined one with its reason."""

    matching: Matching
    settings: Settings
    curve: FrocCurve
    resamples: Resamples
    sensitivity_at: dict[str, tuple[SensitivityAt, Estimate]]
    fp_at_sensitivity: dict[str, Estimate]
    cpm: Estimate
    partial_auc: Estimate
    warnings: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the curve is a table of its own."""
        value, most = self.partial_auc.value, self.settings.maximum_fp
        return {
            "rules": self.matching.rules.as_dict(),
            "counts": asdict(self.matching.counts) | {"patients": len(set(self.matching.cases.patient))},
            "sensitivity_at": {
                name: asdict(at) | {"low": ends.low, "high": ends.high}
                for name, (at, ends) in self.sensitivity_at.items()
            },
            "fp_at_sensitivity": {name: asdict(entry) for name, entry in self.fp_at_sensitivity.items()},
            "cpm": asdict(self.cpm),
            "partial_auc": {"max_fp": most}
            | asdict(self.partial_auc)
            | {"raw": None if value is None else value * most},
            "bootstrap": {
                "resamples": self.resamples.drawn,
                "skipped": self.resamples.skipped,
                "seed": self.resamples.seed,
                "unit": self.resamples.unit,
            },
            "warnings": list(self.warnings),
        }


def measure(matching: Matching, settings: Settings) -> Measurement:
    """Measure a matching: curve, sensitivities, partial AUC and CPM with 95 % intervals over patients.

    A cohort of one patient has no interval over patients; its lesions and false positives are resampled instead, and a
    warning says so.
    """
    unit: Unit = "patient" if len(set(matching.cases.patient)) > 1 else "finding"
    curve = froc(matching)
    resamples = resample(matching, settings.resamples, settings.seed, unit=unit)
    at = {f"{rate:g}": _sensitivity(curve, resamples, rate) for rate in settings.at}
    reached = {f"{level:g}": _false_positives(curve, resamples, level) for level in settings.sensitivities}
    return Measurement(
        matching=matching,
        settings=settings,
        curve=curve,
        resamples=resamples,
        sensitivity_at=at,
        fp_at_sensitivity=reached,
        cpm=measured(cpm(curve), resamples, rows_cpm),
        partial_auc=measured(
            partial_auc(curve, settings.maximum_fp),
            resamples,
            lambda x, y: rows_partial_auc(x, y, settings.maximum_fp),
        ),
        warnings=tuple(_warnings(matching, curve, resamples, at, reached)),
    )


def operating_point(measurement: Measurement, threshold: float) -> AtThreshold:
    """Measure the detector at a fixed threshold."""
    return at_threshold(measurement.matching, measurement.resamples, threshold)


def own_threshold(measurement: Measurement, fp_per_case: float) -> float | None:
    """Return the threshold that this very measurement would choose for ``fp_per_case``."""
    return choose_threshold(measurement.curve, fp_per_case)


def per_patient(matching: Matching, threshold: float = -np.inf) -> dict[str, float | None]:
    """Return the sensitivity at a threshold pooled over lesions, and its mean over the cases with lesions."""
    included = matching.lesions.included
    if not included.any():
        return {"pooled": None, "mean_over_cases": None}
    found, case = found_at(matching, threshold)[included], matching.lesions.case[included]
    totals = np.bincount(case)
    shares = np.bincount(case, weights=found)[totals > 0] / totals[totals > 0]
    return {"pooled": float(found.mean()), "mean_over_cases": float(shares.mean())}


def curve_band(measurement: Measurement) -> tuple[Floats, Floats]:
    """Return the 95 % band (low, high) at each operating point of the curve, NaN beyond the maximum reported."""
    x = measurement.curve.fp_per_case
    ends = np.full((2, len(x)), np.nan)
    if measurement.curve.reason is None:
        inside = x <= max(measurement.settings.maximum_fp, *measurement.settings.at)
        places, back = np.unique(x[inside], return_inverse=True)
        ends[:, inside] = np.array(band(measurement.resamples, places))[:, back]
    return ends[0], ends[1]


def _sensitivity(curve: FrocCurve, resamples: Resamples, rate: float) -> tuple[SensitivityAt, Estimate]:
    found = sensitivity_at(curve, rate)
    return found, measured(found.value, resamples, lambda x, y: rows_sensitivity_at(x, y, rate))


def _false_positives(curve: FrocCurve, resamples: Resamples, level: float) -> Estimate:
    value = fp_at_sensitivity(curve, level)
    return estimate(
        value, rows_fp_at_sensitivity(resamples.x, resamples.y, level) if value is not None else np.empty(0)
    )


def _warnings(
    matching: Matching,
    curve: FrocCurve,
    resamples: Resamples,
    at: dict[str, tuple[SensitivityAt, Estimate]],
    reached: dict[str, Estimate],
) -> Sequence[str]:
    """Return a sentence for every value that is undefined, extrapolated or weakly founded."""
    if curve.reason is not None:
        return [f"sensitivity, partial AUC and CPM are null: {curve.reason}"]
    patients = len(set(matching.cases.patient))
    last, highest = curve.fp_per_case[-1], curve.sensitivity[-1]
    lines = [
        f"sensitivity at {name} false positives per case: the curve ends at {last:.4g}, the last value is given"
        for name, (entry, _) in at.items()
        if entry.extrapolated
    ]
    lines += [
        f"false positives at sensitivity {name}: not reached, the highest sensitivity is {highest:.4g}"
        for name, entry in reached.items()
        if entry.value is None
    ]
    if resamples.unit == "finding":
        lines.append(
            "one patient: intervals resample the lesions and false positives of this patient and say nothing about "
            "other patients"
        )
    elif patients < FEW_PATIENTS:
        lines.append(f"{patients} patients: intervals from so few are rough and rather too narrow")
    if resamples.skipped:
        lines.append(f"{resamples.skipped} of {resamples.drawn} resamples held no lesion and were skipped")
    return lines
