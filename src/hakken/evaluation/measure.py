"""Everything that a result file says about one detector on one cohort."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from hakken.evaluation.bootstrap import Estimate, Measure, Resamples, Unit, band, estimate, resample
from hakken.evaluation.caution import NO_WIDTH, Caution, has_no_width, lines, of_few
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
from hakken.evaluation.precision import (
    AVERAGES,
    abnormal_cases,
    average_precision,
    ranked_cases,
    rows_average_precision,
    rows_case_auc,
)
from hakken.evaluation.roc import auc
from hakken.evaluation.strata import proportion

CPM, PARTIAL, CASES, PICAI, SENSITIVITY = "cpm", "partial AUC", "AUC of the cases", "PI-CAI score", "sensitivity at"
"""How the numbers are called, in replicates, differences and cautions."""


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

    ``average_precision`` is given by name of the average, ``case_auc`` is that of the cases by their highest mark and
    ``picai`` the mean of it and the average precision `step`. ``replicates`` are the values (R,) of every resample by
    name.
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
    average_precision: dict[str, Estimate]
    case_auc: Estimate
    picai: Estimate
    cautions: tuple[Caution, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for every value that is undefined, extrapolated or weakly founded."""
        return tuple(lines(self.cautions))

    def about(self, name: str) -> str:
        """Return what warns of one number, in one line."""
        return "; ".join(caution.text for caution in self.cautions if caution.about == name)

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
            "average_precision": {name: asdict(entry) for name, entry in self.average_precision.items()},
            "case_auc": asdict(self.case_auc),
            "picai_score": asdict(self.picai),
            "bootstrap": {
                "resamples": self.resamples.drawn,
                "skipped": self.resamples.skipped,
                "seed": self.resamples.seed,
                "unit": self.resamples.unit,
            },
            "warnings": list(self.warnings),
        }


def measure(matching: Matching, settings: Settings) -> Measurement:
    """Measure a matching: curve, sensitivities, partial AUC, CPM and average precision with 95 % intervals.

    Patients are resampled. A cohort of one patient has no interval over patients; its lesions and false positives are
    resampled instead, and a warning says so. Where no resample changes a sensitivity of 0 or 1 its interval is Wilson's
    (`hakken.evaluation.strata.proportion`).
    """
    unit: Unit = "patient" if len(set(matching.cases.patient)) > 1 else "finding"
    curve = froc(matching, settings.per)
    resamples = resample(matching, settings.resamples, settings.seed, per=settings.per, unit=unit)
    most = settings.maximum_fp
    measures: dict[str, Measure] = {
        CPM: rows_cpm,
        PARTIAL: lambda x, y: rows_partial_auc(x, y, most),
        **{_at(rate): partial(rows_sensitivity_at, at=rate) for rate in settings.at},
        **{_reaching(level): partial(rows_fp_at_sensitivity, sensitivity=level) for level in settings.sensitivities},
    }
    drawn = resamples.measure(*measures.values()) if curve.reason is None else [np.empty(0)] * len(measures)
    every = resamples if settings.per == "case" else resample(matching, settings.resamples, settings.seed, unit=unit)
    replicates = dict(zip(measures, drawn, strict=True)) | _ranked_replicates(matching, every)
    at = {rate: sensitivity_at(curve, rate) for rate in settings.at}
    sensitivities = {rate: _sensitivity(matching, found.value, replicates[_at(rate)]) for rate, found in at.items()}
    fewest = {
        level: estimate(fp_at_sensitivity(curve, level), replicates[_reaching(level)])
        for level in settings.sensitivities
    }
    averages, area = average_precision(matching), auc(ranked_cases(matching))
    step = averages["step"]
    ranked: dict[str, float | None] = {
        **{_average(name): value for name, value in averages.items()},
        CASES: area,
        PICAI: None if step is None or area is None else (step + area) / 2,
    }
    given = {name: estimate(value, _defined(replicates[name])) for name, value in ranked.items()}
    single = {
        CPM: estimate(cpm(curve), replicates[CPM]),
        PARTIAL: estimate(partial_auc(curve, most), replicates[PARTIAL]),
    }
    return Measurement(
        matching=matching,
        settings=settings,
        curve=curve,
        resamples=resamples,
        replicates=replicates,
        sensitivity_at={_name(rate): (found, sensitivities[rate]) for rate, found in at.items()},
        fp_at_sensitivity={_name(level): entry for level, entry in fewest.items()},
        cpm=single[CPM],
        partial_auc=single[PARTIAL],
        average_precision={name: given[_average(name)] for name in averages},
        case_auc=given[CASES],
        picai=given[PICAI],
        cautions=(
            *_of_all(matching, curve, resamples),
            *_of_sensitivities(curve, at, sensitivities, replicates),
            *_of_false_positives(curve, fewest, len(resamples)),
            *_of_widths({"CPM": single[CPM], PARTIAL: single[PARTIAL], **given}),
        ),
    )


def _sensitivity(matching: Matching, value: float | None, replicates: Floats) -> Estimate:
    """Return a sensitivity with its percentile interval, or with Wilson's where that of all or none has no width."""
    found = estimate(value, replicates)
    if not has_no_width(found.value, found.low, found.high) or found.value not in (0, 1):
        return found
    own = matching.lesions.case[matching.lesions.included]
    share = proportion(np.full(len(own), bool(found.value)), matching.cases.patient_index[own])
    return Estimate(found.value, share.low, share.high)


def _ranked_replicates(matching: Matching, resamples: Resamples) -> dict[str, Floats]:
    """Return average precisions, the AUC of the cases and the PI-CAI score of each resample (R,), NaN if undefined."""
    blocks = [rows_average_precision(found, false, lesions) for false, found, lesions in resamples.counted_blocks()]
    found = {_average(name): np.concatenate([block[name] for block in blocks] or [np.empty(0)]) for name in AVERAGES}
    if resamples.unit == "finding":  # the cases of one patient are not resampled
        return found | {CASES: np.empty(0), PICAI: np.empty(0)}
    ranking, abnormal = ranked_cases(matching), abnormal_cases(matching)
    weights = resamples.draws.counts[:, matching.cases.patient_index]
    areas = rows_case_auc(ranking, abnormal, weights)
    return found | {CASES: areas, PICAI: (areas + found[_average("step")]) / 2}


def _defined(replicates: Floats) -> Floats:
    return replicates[~np.isnan(replicates)]


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
        PARTIAL: (own.partial_auc.value, other.partial_auc.value),
        CPM: (own.cpm.value, other.cpm.value),
        **{
            _average(name): (entry.value, other.average_precision[name].value)
            for name, entry in own.average_precision.items()
        },
        PICAI: (own.picai.value, other.picai.value),
    }
    for name, (found, _) in own.sensitivity_at.items():
        pairs[f"{SENSITIVITY} {name}"] = (found.value, other.sensitivity_at[name][0].value)
    return {
        name: _difference(*pair, _defined(own.replicates[name] - other.replicates[name]))
        for name, pair in pairs.items()
    }


def _difference(own: float | None, other: float | None, drawn: Floats) -> Difference:
    if own is None or other is None:
        return Difference(None)
    ends = estimate(own - other, drawn)
    if not len(drawn):
        return Difference(ends.value)
    p = 2 * (min((drawn <= 0).sum(), (drawn >= 0).sum()) + 1) / (len(drawn) + 1)
    return Difference(ends.value, ends.low, ends.high, min(1.0, float(p)))


def at_rate(rate: float) -> str:
    """Return how a sensitivity is called in cautions."""
    return f"{_at(rate)} false positives per case"


def _at(rate: float) -> str:
    return f"{SENSITIVITY} {_name(rate)}"


def _reaching(level: float) -> str:
    return f"false positives at {_name(level)}"


def _average(name: str) -> str:
    return f"AP ({name})"


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


def _of_all(matching: Matching, curve: FrocCurve, resamples: Resamples) -> Iterator[Caution]:
    """Yield what is to be said of every number."""
    if curve.reason is not None:
        yield Caution("", f"sensitivity, partial AUC and CPM are null: {curve.reason}")
        return
    if resamples.drawn and not len(resamples):
        yield Caution("", "intervals are null: no resample could be used")
    if resamples.unit == "finding":
        yield Caution(
            "",
            "one patient: intervals resample the lesions and false positives of this patient and say nothing about "
            "other patients",
        )
    for line in of_few(len(set(matching.cases.patient))):
        yield Caution("", line)
    if resamples.skipped:
        yield Caution("", f"{resamples.skipped} of {resamples.drawn} resamples held no lesion and were skipped")


def _of_sensitivities(
    curve: FrocCurve,
    at: Mapping[float, SensitivityAt],
    given: Mapping[float, Estimate],
    replicates: Mapping[str, Floats],
) -> Iterator[Caution]:
    """Yield which sensitivities lie beyond the curve, and whose intervals are not, or cannot be, resampled."""
    for rate, found in at.items():
        about = at_rate(rate)
        if found.extrapolated:
            yield Caution(about, f"the curve ends at {curve.fp_per_case[-1]:.4g}, the last value is given")
        ends = given[rate]
        if has_no_width(ends.value, ends.low, ends.high):
            yield Caution(about, NO_WIDTH)
        elif len(replicates[_at(rate)]) and ends.value in (0, 1) and np.ptp(replicates[_at(rate)]) == 0:
            found_ones = "no lesion is found in any" if ends.value == 0 else "all lesions are found in every"
            yield Caution(about, f"{found_ones} resample, so the interval is Wilson's over the patients")


def _of_false_positives(curve: FrocCurve, fewest: Mapping[float, Estimate], usable: int) -> Iterator[Caution]:
    """Yield which sensitivities are not reached, and which intervals are open or have no width."""
    if curve.reason is not None:
        return
    for level, found in fewest.items():
        about = f"false positives at sensitivity {_name(level)}"
        if found.value is None:
            yield Caution(about, f"not reached, the highest sensitivity is {curve.sensitivity[-1]:.4g}")
        elif found.high is None and usable:
            yield Caution(about, "no upper end of the interval, too many resamples do not reach it")
        elif has_no_width(found.value, found.low, found.high):
            yield Caution(about, NO_WIDTH)


def _of_widths(given: Mapping[str, Estimate]) -> Iterator[Caution]:
    """Yield the numbers whose interval has no width."""
    for name, found in given.items():
        if has_no_width(found.value, found.low, found.high):
            yield Caution(name, NO_WIDTH)
