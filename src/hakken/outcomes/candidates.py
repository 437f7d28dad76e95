"""Outcome `candidates`: ranked places in mm, LPS, measured against lesions by FROC.

A method predicts `hakken.inference.candidates.Candidates` of a case. They are kept in one table, `candidates.csv`,
whose columns every command of hakken reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from hakken.core.names import nearest
from hakken.core.tables import Cell, write_table
from hakken.evaluation import findings
from hakken.evaluation import measure as evaluation
from hakken.evaluation.bootstrap import Unit, resample
from hakken.evaluation.findings import Findings
from hakken.evaluation.froc import froc, partial_auc, rows_partial_auc
from hakken.evaluation.froc import objective as area
from hakken.evaluation.matching import Matching, Rules, match_findings
from hakken.evaluation.operating import false_at, found_at, levelled
from hakken.evaluation.strata import diameter_ranges, proportion
from hakken.imaging.outside import outside_of
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidate_regions import regions_of
from hakken.inference.candidates import Candidates
from hakken.outcomes import Measured, Part, Replicates, Row, Table, chosen_words
from hakken.outcomes._candidate_classes import ACCURACY, RIGHTLY, measured_by_class, named_of, names_by_class
from hakken.outcomes._candidate_findings import Predictions, cases_of, labels_of, lesions_of, marks_of
from hakken.outcomes._candidate_regions import by_region, counted_alone, names_of
from hakken.outcomes._candidate_rows import (
    CPM,
    PICAI,
    PRECISION,
    area_to,
    averages,
    curve_rows,
    cut_off,
    intervals_of,
    rows_of,
    sensitivity_at,
    warnings_of,
)
from hakken.outcomes._candidate_tables import CLASS, OF_VOLUMES, best_lines, candidate_rows, columns_of, read_candidates
from hakken.outcomes._units import grid_of, named_in, unit_of
from hakken.study import Distinct, Positive, Section, Study

FILE = "candidates.csv"
COLUMNS = OF_VOLUMES
FIGURES = ("froc", "strata", "overlays")
BASELINES = ("brightness_peaks",)
MEASURED_ON = ("abnormal",)
REPORTED = ("at", "diameters_mm")
"""Settings that no training and no choice depends on."""
HITS = r"distance|distance-inclusive|inside|fixed:(?=.*[1-9])(\d+\.?\d*|\.\d+)"
BY_CASES = "case_scores"

CURVE = ("threshold", "fp_per_case", "sensitivity", "low", "high")
LESIONS = ("case_id", "lesion", "x", "y", "z", "diameter_mm", "kind", "score", "found")
STRATA = (
    *("group", "stratum", "cases", "patients", "lesions", "found", "sensitivity", "low", "high"),
    *("design_effect", "fp_per_case"),
    *("partial_auc", "partial_auc_low", "partial_auc_high"),
)
REPLICATES = ("partial_auc",)
"""The objective on each resample of the patients: two models measured on the same cases have the same resamples."""


class Settings(Section):
    """How candidates are compared with lesions, and what is reported."""

    hit: str = Field(
        default="distance",
        description="When a candidate hits a lesion: `distance` to its centre below its radius, `distance-inclusive` "
        "(or equal), `fixed:MM` (a fixed radius), or `inside` its mask.",
        json_schema_extra={"pattern": f"^({HITS})$"},
    )
    maximum_fp: float = Field(default=10.0, gt=0, description="Partial AUC up to so many false positives per case.")
    at: Distinct[Positive] = Field(
        default=(1.0, 3.0, 8.4),
        description="False positives per case to report at. The mean over 0.125, 0.25, 0.5, 1, 2, 4 and 8, the "
        "competition performance metric (CPM) of LUNA16, is reported where these seven are asked for.",
    )
    operating_point: Positive | Literal["case_scores"] = Field(
        default=8.4,
        description="False positives per case that choose the threshold on validation; or `case_scores`: the threshold "
        "of that outcome, whose score of a case is that of its highest candidate.",
    )
    diameters_mm: Distinct[Positive] = Field(default=(5.0, 10.0), description="Borders of the diameter strata.")

    @field_validator("hit")
    @classmethod
    def _known_rule(cls, hit: str) -> str:
        if not re.fullmatch(HITS, hit):
            known = ("distance", "distance-inclusive", "inside", "fixed:5")
            raise ValueError(f"use distance, distance-inclusive, inside or fixed:MM{nearest(hit, known)}")
        return hit


def problems(study: Any) -> Iterator[str]:
    """Yield what does not fit: the threshold of another outcome that the study does not have."""
    if study.outcomes["candidates"].operating_point == BY_CASES and BY_CASES not in study.outcomes:
        yield "outcomes.candidates.operating_point: there is no outcome `case_scores`; give false positives per case"


def words(settings: Section) -> str:
    """Return the objective in a few words."""
    return f"partial AUC up to {_own(settings).maximum_fp:g} FP/case"


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the candidates of a part, highest score first, with the lesion that each lies in."""
    rows = [
        row
        for case in part.images
        for marks in (found[case.case_id],)
        for row in candidate_rows(case.case_id, marks, labels_of(found, case), regions_of(marks, case))
    ]
    write_table(folder / FILE, columns_of(part.images[:1], found.values()), rows)


ENDINGS = (".csv",)


def save_one(path: Path, found: Candidates, case: PreparedCase, point: Mapping[str, Any] | None) -> Iterator[str]:
    """Write the candidates of a new case as a table; yield lines on the best, and on those that reach the ``point``."""
    write_table(path, columns_of([case], [found]), candidate_rows(case.case_id, found, None, regions_of(found, case)))
    yield from best_lines(path, found, case)
    if point is not None and point.get("threshold") is not None:
        reached = int((found.score >= point["threshold"]).sum())
        how = f"chosen on validation {chosen_words(point)}"
        yield f"{reached} reach the frozen threshold {point['threshold']:.4g}, {how}"


def read(folder: Path, part: Part) -> Predictions:
    """Return the candidates of a part; raises HakkenError naming the row of a value that cannot be used."""
    table, sized = read_candidates(folder / FILE)
    known = findings.Cases.of([case.case_id for case in part.cases])
    index = known.index(table.text("case_id"), "candidates") if len(table) else np.zeros(0, np.int64)
    xyz = np.stack([table.numbers(axis) for axis in "xyz"], axis=1)
    score, volume = table.numbers("score"), table.numbers(sized)
    lesion = table.numbers("lesion", empty=True)
    known_lesion = not np.isnan(lesion).any()
    classes = np.array(table.cells[CLASS], object) if CLASS in table else None
    found = {}
    for number, case in enumerate(part.images):
        rows = index == number
        labels = lesion[rows].astype(np.int64) if known_lesion else None
        voxel = case.geometry.to_voxel(xyz[rows]) if rows.any() else np.zeros((0, 3))
        named = None if classes is None else tuple(classes[rows].tolist())
        found[case.case_id] = Candidates(xyz[rows], score[rows], volume[rows], voxel, labels, named)
    return found


def objective(found: Predictions, part: Part) -> float:
    """Return the partial AUC of the FROC."""
    settings, counted = _own(part.settings), findings_of(found, part)
    return area(counted.candidates, counted.lesions, counted.cases, settings.maximum_fp, settings.hit)


def replicates(tables: Sequence[Predictions], part: Part, seed: int) -> Replicates:
    """Return the partial AUC of each model on the same resamples of the patients."""
    settings = _own(part.settings)
    matchings = [matched(found, part) for found in tables]
    values = [partial_auc(froc(matching), settings.maximum_fp) for matching in matchings]
    if not values or None in values:
        raise ValueError("no partial AUC to compare by")
    # One patient has no interval over patients: then its lesions and false positives are resampled, as `measure` does.
    unit: Unit = "patient" if len(set(part.patients)) > 1 else "finding"
    drawn = [resample(matching, part.resamples, seed, unit=unit) for matching in matchings]
    measured = [one.measure(lambda x, y: rows_partial_auc(x, y, settings.maximum_fp))[0] for one in drawn]
    return Replicates(np.array(values, float), np.array(measured), part.resamples, drawn[0].skipped, seed)


def measure(found: Predictions, part: Part) -> Measured:
    """Measure the candidates: sensitivities, partial AUC, operating point, strata."""
    settings, matching = _own(part.settings), matched(found, part)
    measurement = evaluation.measure(matching, _resampling(part))
    threshold = _threshold(measurement, part)
    at = _at_point(found, part, threshold)
    rows = tuple(rows_of(measurement))
    details = measurement.as_dict()
    del details["warnings"]
    more, named = _by_class(found, part, threshold)
    said = getattr(part.study.inference, "said", "")
    warnings = [*([said] if said else []), *warnings_of(measurement, at, threshold)]
    scores = {case_id: found[case_id].score for case_id in part.case_ids}
    most = getattr(part.study.inference, "maximum_candidates", None)
    warnings += cut_off(scores, most, measurement.curve, settings.maximum_fp)
    strata, notes = _strata(found, part, threshold)
    outside = outside_of(part.images)
    counts = details["counts"]
    return Measured(
        objective=rows[len(settings.at)],
        rows=(*rows, *more),
        intervals=intervals_of(details["bootstrap"]["unit"]),
        counts={"cases": counts["cases"], "patients": counts["patients"], "lesions": counts["lesions"]},
        point=_point(part, threshold) | at,
        warnings=(*warnings, *notes, *outside.warnings),
        details=details
        | {"outside": outside.as_dict(), "per_patient": {"sensitivity": _per_patient(found, part, threshold)}}
        | named,
        tables={
            "curve": Table(CURVE, tuple(curve_rows(measurement))),
            "lesions": Table(named_in(LESIONS, grid_of(part.images)), tuple(_lesion_rows(found, part, threshold))),
            "strata": Table(STRATA, tuple(strata)),
            "replicates": Table(REPLICATES, tuple(zip(measurement.replicates["partial AUC"].tolist(), strict=True))),
        },
    )


def row_names(study: Study) -> tuple[str, ...]:
    """Return the names of the rows that are measured."""
    settings, classes = _own(study.outcomes["candidates"]), study.cohort.classes
    mean = (CPM,) if averages(settings.at) else ()
    blind = (*map(sensitivity_at, settings.at), area_to(settings.maximum_fp), *mean, PRECISION, PICAI)
    if not getattr(study.parameters, "classes", False):
        return blind
    return (*blind, *names_by_class(_rate(settings), classes), ACCURACY, RIGHTLY)


def findings_of(found: Predictions, part: Part) -> Findings:
    """Return cases, lesions and candidates of a part; those of regions apart do not count."""
    every = _all_findings(found, part)
    if part.study.body_regions is None:
        return every
    return counted_alone(every, rules_of(part), part.study, names_of(found, part.images))


def _all_findings(found: Predictions, part: Part) -> Findings:
    return Findings(cases_of(part), lesions_of(part.images), marks_of(found, part.images))


def _own(settings: Section) -> Settings:
    assert isinstance(settings, Settings)
    return settings


def _rate(settings: Settings) -> float:
    """Return the false positives per case that classes are measured at: those of the operating point, else the last."""
    return settings.at[-1] if isinstance(settings.operating_point, str) else settings.operating_point


def _by_class(found: Predictions, part: Part, threshold: Any) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows and details of the classes; nothing where candidates have none."""
    named = named_of(found, part.images, part.study.cohort.classes)
    if named is None:
        return [], {}
    findings, settings = findings_of(found, part), replace(_resampling(part), at=(_rate(_own(part.settings)),))
    moved, level = levelled(findings, threshold)
    matching = match_findings(moved, rules_of(part))
    rows, details = measured_by_class(findings, matching, found_at(matching, level), named, settings)
    return rows, {"named": details}


def rules_of(part: Part) -> Rules:
    """Return how candidates and lesions of a part are compared."""
    return Rules(hit=_own(part.settings).hit)


def matched(found: Predictions, part: Part) -> Matching:
    """Return which candidates of a part hit which lesions."""
    return match_findings(findings_of(found, part), rules_of(part))


def _resampling(part: Part) -> evaluation.Settings:
    chosen = _own(part.settings)
    return evaluation.Settings(chosen.maximum_fp, chosen.at, resamples=part.resamples, seed=part.seed)


def _threshold(measurement: evaluation.Measurement, part: Part) -> Any:
    """Return the threshold that was chosen elsewhere, or by another outcome, or that this part gives."""
    wanted = _own(part.settings).operating_point
    if "candidates" in part.points:
        return part.points["candidates"]
    if wanted == BY_CASES:
        return part.points.get(BY_CASES)
    assert isinstance(wanted, float)
    return evaluation.own_threshold(measurement, wanted)


def _point(part: Part, threshold: Any) -> dict[str, Any]:
    """Return how the threshold was chosen and what it is; ``thresholds`` are those of the cases that have their own."""
    wanted = _own(part.settings).operating_point
    said: dict[str, Any] = {"chosen_by": BY_CASES} if wanted == BY_CASES else {"chosen_for": wanted}
    if np.ndim(threshold):
        return said | {"threshold": None, "thresholds": dict(zip(part.case_ids, threshold.tolist(), strict=True))}
    return said | {"threshold": None if threshold is None else float(threshold)}


def _at_point(found: Predictions, part: Part, threshold: Any) -> dict[str, Any]:
    """Return sensitivity and false positives per case at the operating point; nothing without one."""
    if threshold is None:
        return {}
    moved, level = levelled(findings_of(found, part), threshold)
    at = evaluation.operating_point(evaluation.measure(match_findings(moved, rules_of(part)), _resampling(part)), level)
    return {"sensitivity": asdict(at.sensitivity), "fp_per_case": asdict(at.fp_per_case)}


def _per_patient(found: Predictions, part: Part, threshold: Any) -> dict[str, float | None]:
    moved, level = levelled(findings_of(found, part), threshold)
    return evaluation.per_patient(match_findings(moved, rules_of(part)), -np.inf if threshold is None else level)


def _lesion_rows(found: Predictions, part: Part, threshold: Any) -> Iterator[tuple[Cell, ...]]:
    """Yield each lesion with the score that it was found with and whether that reaches the operating point."""
    matching = matched(found, part)
    moved, level = levelled(findings_of(found, part), threshold)
    reached = found_at(match_findings(moved, rules_of(part)), level)
    truth = matching.lesions
    for row, case in enumerate(truth.case.tolist()):
        score = float(matching.lesion_score[row])
        yield (
            matching.cases.case_id[case],
            int(truth.label[row]),
            *truth.xyz[row].tolist(),
            float(truth.diameter_mm[row]),
            "included" if truth.included[row] else "excluded",
            score if np.isfinite(score) else None,
            int(reached[row]),
        )


def _strata(found: Predictions, part: Part, threshold: Any) -> tuple[list[tuple[Cell, ...]], list[str]]:
    """Return a row for the whole part, each range of diameters, class of lesion and value of the chosen columns.

    Beside them stands what is to be said of columns that are not there.
    """
    plain = findings_of(found, part)
    rows = [_stratum(part, "all", "all lesions", plain, threshold)]
    for size in diameter_ranges(_own(part.settings).diameters_mm, unit_of(part.images)):
        held = plain.including(size.holds(plain.lesions))
        rows.append(_stratum(part, "diameter", size.name, held, threshold))
    classes = np.array([lesion.lesion_class or "" for case in part.images for lesion in case.lesions], np.str_)
    for name in part.study.cohort.classes or np.unique(classes[classes != ""]).tolist():
        rows.append(_stratum(part, "class", name, plain.including(classes == name), threshold))
    if part.study.body_regions is not None:
        every, rules = _all_findings(found, part), rules_of(part)
        for name, own in by_region(every, rules, names_of(found, part.images)):
            rows.append(_stratum(part, "region", name, own, threshold))
    notes = []
    for column, values in _columns(part):
        if not any(values):
            if column in part.study.evaluation.asked:
                notes.append(f"no stratum by {column}: the case table has no such column")
            continue
        for value in np.unique(values):
            own = np.asarray(threshold)[values == value] if np.ndim(threshold) else threshold
            rows.append(_stratum(part, column, str(value) or "unknown", plain.of_cases(values == value), own))
    return rows, notes


def _columns(part: Part) -> Iterator[tuple[str, NDArray[np.str_]]]:
    """Yield the columns to stratify by, and the fold where there are several."""
    for column in part.study.strata:
        yield column, np.array([case.columns.get(column, "") for case in part.cases])
    if part.folds is not None:
        yield "fold", part.folds.astype(np.str_)


def _stratum(part: Part, group: str, name: str, found: Findings, threshold: Any) -> tuple[Cell, ...]:
    """Return one row of the table of strata: counts, sensitivity at the operating point, partial AUC."""
    moved, level = levelled(found, threshold)
    matching = match_findings(moved, rules_of(part))
    included = matching.lesions.included
    patient = matching.cases.patient_index[matching.lesions.case]
    share = proportion(found_at(matching, level)[included], patient[included])
    partial = evaluation.measure(match_findings(found, rules_of(part)), _resampling(part)).partial_auc
    return (
        *(group, name, len(matching.cases), len(set(matching.cases.patient)), share.total, share.found),
        *(share.value, share.low, share.high, share.design_effect),
        *(float(false_at(matching, level).sum() / len(matching.cases)), partial.value, partial.low, partial.high),
    )
