"""Everything that a result file says about one detector on one cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from hakken.evaluation.bootstrap import Estimate, Measure, Resamples, Unit, band, estimate, resample
from hakken.evaluation.findings import Floats
from hakken.evaluation.froc import (
    FrocCurve,
    Per,
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
    """At which false positives ``per`` case and sensitivities to report, and how to resample."""

    maximum_fp: float
    at: tuple[float, ...]
    sensitivities: tuple[float, ...] = (0.5, 0.7, 0.9)
    resamples: int = 1000
    seed: int = 0
    per: Per = "case"


@dataclass(frozen=True, eq=False)
class Measurement:
    """A curve and what is read from it, each value with its interval and each undefined one with its reason.

    ``replicates`` are the values (R,) of every resample by name.
    """

    matching: Matching
    settings: Settings
    curve: FrocCurve
    resamples: Resamples
    replicates: dict[str, Floats]
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
    curve = froc(matching, settings.per)
    resamples = resample(matching, settings.resamples, settings.seed, per=settings.per, unit=unit)
    most = settings.maximum_fp
    measures: dict[str, Measure] = {
        "cpm": rows_cpm,
        "partial AUC": lambda x, y: rows_partial_auc(x, y, most),
        **{_at(rate): partial(rows_sensitivity_at, at=rate) for rate in settings.at},
        **{_reaching(level): partial(rows_fp_at_sensitivity, sensitivity=level) for level in settings.sensitivities},
    }
    drawn = resamples.measure(*measures.values()) if curve.reason is None else [np.empty(0)] * len(measures)
    replicates = dict(zip(measures, drawn, strict=True))
    at = {_name(rate): sensitivity_at(curve, rate) for rate in settings.at}
    reached = {_name(level): fp_at_sensitivity(curve, level) for level in settings.sensitivities}
    fewest = {name: estimate(value, replicates[f"false positives at {name}"]) for name, value in reached.items()}
    return Measurement(
        matching=matching,
        settings=settings,
        curve=curve,
        resamples=resamples,
        replicates=replicates,
        sensitivity_at={
            name: (found, estimate(found.value, replicates[f"sensitivity at {name}"])) for name, found in at.items()
        },
        fp_at_sensitivity=fewest,
        cpm=estimate(cpm(curve), replicates["cpm"]),
        partial_auc=estimate(partial_auc(curve, most), replicates["partial AUC"]),
        warnings=tuple(_warnings(matching, curve, resamples, at, fewest)),
    )


@dataclass(frozen=True)
class Difference(Estimate):
    """A difference with its interval and the two-sided bootstrap p value of no difference."""

    p: float | None = None


def differences(own: Measurement, other: Measurement) -> dict[str, Difference]:
    """Return how much two detectors on the same cohort differ, own less other, by what was measured.

    Both must have been measured with the same settings, so that resample i holds the same patients in both. The p value
    is twice the smaller share of resampled differences on one side of 0, (count + 1) / (R + 1), at most 1. None where a
    value is undefined.
    """
    pairs: dict[str, tuple[float | None, float | None]] = {
        "partial AUC": (own.partial_auc.value, other.partial_auc.value),
        "cpm": (own.cpm.value, other.cpm.value),
    }
    for name, (found, _) in own.sensitivity_at.items():
        pairs[f"sensitivity at {name}"] = (found.value, other.sensitivity_at[name][0].value)
    return {name: _difference(*pair, own.replicates[name], other.replicates[name]) for name, pair in pairs.items()}


def _difference(own: float | None, other: float | None, ours: Floats, theirs: Floats) -> Difference:
    if own is None or other is None:
        return Difference(None)
    drawn = ours - theirs
    ends = estimate(own - other, drawn)
    if not len(drawn):
        return Difference(ends.value)
    p = 2 * (min((drawn <= 0).sum(), (drawn >= 0).sum()) + 1) / (len(drawn) + 1)
    return Difference(ends.value, ends.low, ends.high, min(1.0, float(p)))


def _at(rate: float) -> str:
    return f"sensitivity at {_name(rate)}"


def _reaching(level: float) -> str:
    return f"false positives at {_name(level)}"


def _name(number: float) -> str:
    """Return a number as short as it can be and still be told from all others."""
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))


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


def _warnings(
    matching: Matching,
    curve: FrocCurve,
    resamples: Resamples,
    at: dict[str, SensitivityAt],
    reached: dict[str, Estimate],
) -> Sequence[str]:
    """Return a sentence for every value that is undefined, extrapolated or weakly founded."""
    if curve.reason is not None:
        return [f"sensitivity, partial AUC and CPM are null: {curve.reason}"]
    patients = len(set(matching.cases.patient))
    last, highest = curve.fp_per_case[-1], curve.sensitivity[-1]
    lines = [
        f"sensitivity at {name} false positives per case: the curve ends at {last:.4g}, the last value is given"
        for name, found in at.items()
        if found.extrapolated
    ]
    lines += [
        f"false positives at sensitivity {name}: not reached, the highest sensitivity is {highest:.4g}"
        for name, found in reached.items()
        if found.value is None
    ]
    lines += [
        f"false positives at sensitivity {name}: no upper end of the interval, too many resamples do not reach it"
        for name, found in reached.items()
        if found.value is not None and found.high is None and len(resamples)
    ]
    if resamples.drawn and not len(resamples):
        lines.append("intervals are null: no resample could be used")
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
