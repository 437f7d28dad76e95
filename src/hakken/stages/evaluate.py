"""Stage `evaluate`: one model's candidates on one part of the cohort, measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hakken.cohort.checks import Kinds, require_cases
from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.evaluation.case_scores import CaseMeasurement, measure_cases, score_cases
from hakken.evaluation.findings import Findings
from hakken.evaluation.matching import Matching, Rules, match_findings
from hakken.evaluation.measure import (
    Measurement,
    Settings,
    curve_band,
    measure,
    operating_point,
    own_threshold,
    per_patient,
)
from hakken.evaluation.operating import false_at, found_at
from hakken.evaluation.strata import diameter_ranges, proportion
from hakken.files import read_json, sha256_file, write_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.operating import chosen_by
from hakken.report.tables import Cell, cohort_of, read_candidates, write_rows
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Part, Study

CURVE = ("threshold", "fp_per_case", "sensitivity", "low", "high")
LESIONS = ("case_id", "lesion", "x", "y", "z", "diameter_mm", "kind", "score", "found")
STRATA = (
    *("group", "stratum", "cases", "patients", "lesions", "found", "sensitivity", "low", "high"),
    *(
        "wilson_low",
        "wilson_high",
        "design_effect",
        "fp_per_case",
        "partial_auc",
        "partial_auc_low",
        "partial_auc_high",
    ),
)


@stage
def evaluate(
    *,
    study: Study,
    candidates: Path,
    prepared: list[Path],
    model: str,
    part: Part,
    output: Path,
    curve: Path,
    strata: Path,
    lesions: Path,
    operating_threshold: Path | None = None,
) -> None:
    """Write the measurement (JSON) and the tables of the curve, the strata and the lesions (CSV).

    ``operating_threshold`` is the freeze file that holds the model's threshold; without it the threshold is chosen
    here. A study of cases chooses it by their ROC, which stands in the measurement as `roc`. Raises
    HakkenError naming a candidate that cannot be used.
    """
    cohort = sorted((case for folder in prepared for case in prepared_cases(folder)), key=lambda case: case.case_id)
    cases, truth = cohort_of(cohort)
    if problems := require_cases(study.task, {part: Kinds.of(case.abnormal for case in cohort)}):
        raise HakkenError(str(problems[0]))
    findings = Findings(cases, truth, read_candidates(candidates, cases))
    settings = _settings(study)
    measurement = measure(match_findings(findings, _rules(study)), settings)
    threshold = _frozen(operating_threshold, model)
    of_cases = _of_cases(study, cohort, findings, threshold) if study.of_cases else None
    if of_cases is not None:
        threshold = of_cases.threshold
    elif threshold is None:
        threshold = own_threshold(measurement, study.evaluation.operating_point)
    result = _result(study, measurement, threshold) | _roc(of_cases)
    rows, notes = _strata(study, cohort, findings, threshold)
    origin = {"study": study.name, "scale": study.scale, "model": model, "part": part}
    hashes = {"candidates": sha256_file(candidates)}
    write_rows(curve, CURVE, _curve_rows(measurement))
    write_rows(lesions, LESIONS, _lesion_rows(measurement.matching, threshold))
    write_rows(strata, STRATA, rows)
    notes += [] if of_cases is None else [f"roc: {line}" for line in of_cases.warnings]
    write_json(output, origin | result | {"warnings": [*result["warnings"], *notes], "hashes": hashes})
    _say(part, model, result)


def _rules(study: Study) -> Rules:
    """Return how a study compares candidates with lesions."""
    return Rules(hit=study.evaluation.hit)


def _settings(study: Study) -> Settings:
    chosen = study.evaluation
    return Settings(chosen.maximum_fp, chosen.at, resamples=chosen.bootstrap, seed=derive_seed(study.seed, "bootstrap"))


def _frozen(freeze: Path | None, model: str) -> float | None:
    """Return the frozen threshold of a model, None without a freeze file."""
    if freeze is None:
        return None
    models = read_json(freeze)["models"]
    if model not in models:
        raise HakkenError(f"{freeze}: holds no model `{model}`, only {', '.join(models)}")
    return float(models[model]["operating_point"]["threshold"])


def _of_cases(
    study: Study, cohort: Sequence[PreparedCase], findings: Findings, threshold: float | None
) -> CaseMeasurement:
    """Measure the cases of a study of cases at the frozen ``threshold``, or at one that is chosen here."""
    chosen, seed = study.evaluation, derive_seed(study.seed, "bootstrap")
    scored = score_cases(findings.cases, [case.abnormal for case in cohort], findings.candidates)
    return measure_cases(scored, chosen.operating_rule, resamples=chosen.bootstrap, seed=seed, threshold=threshold)


def _roc(of_cases: CaseMeasurement | None) -> dict[str, Any]:
    return {} if of_cases is None else {"roc": of_cases.as_dict()}


def _result(study: Study, measurement: Measurement, threshold: float | None) -> dict[str, Any]:
    """Return the measurement as plain values, with the operating point and the sensitivity per patient there."""
    result = measurement.as_dict()
    point: dict[str, Any] = chosen_by(study) | {"threshold": threshold}
    if threshold is None:
        result["warnings"].append("no operating point: there is no lesion or no candidate")
    else:
        at = operating_point(measurement, threshold)
        point |= {"sensitivity": asdict(at.sensitivity), "fp_per_case": asdict(at.fp_per_case)}
    result["operating_point"] = point
    result["per_patient"] = {
        "sensitivity": per_patient(measurement.matching, -np.inf if threshold is None else threshold)
    }
    return result


def _curve_rows(measurement: Measurement) -> Iterator[tuple[Cell, ...]]:
    curve = measurement.curve
    columns = (curve.threshold, curve.fp_per_case, curve.sensitivity, *curve_band(measurement))
    return zip(*(column.tolist() for column in columns), strict=True)


def _lesion_rows(matching: Matching, threshold: float | None) -> Iterator[tuple[Cell, ...]]:
    """Yield each lesion with the score that it was found with and whether that reaches the operating point."""
    truth = matching.lesions
    found = found_at(matching, threshold) if threshold is not None else np.zeros(len(truth), bool)
    for row, case in enumerate(truth.case.tolist()):
        score = float(matching.lesion_score[row])
        yield (
            matching.cases.case_id[case],
            int(truth.label[row]),
            *truth.xyz[row].tolist(),
            float(truth.diameter_mm[row]),
            "included" if truth.included[row] else "excluded",
            score if np.isfinite(score) else None,
            int(found[row]),
        )


def _strata(
    study: Study, cohort: list[PreparedCase], findings: Findings, threshold: float | None
) -> tuple[list[tuple[Cell, ...]], list[str]]:
    """Return a row for the whole part, each range of diameters and each value of the chosen columns, and notes."""
    rows = [_stratum(study, "all", "all lesions", findings, threshold)]
    for size in diameter_ranges(study.evaluation.diameters_mm):
        part = findings.including(size.holds(findings.lesions))
        rows.append(_stratum(study, "diameter", size.name, part, threshold))
    notes = []
    for column in study.evaluation.strata:
        values = np.array([case.columns.get(column, "") for case in cohort])
        if not any(values):
            notes.append(f"no stratum by {column}: the case table has no such column")
            continue
        rows += [
            _stratum(study, column, str(value) or "unknown", findings.of_cases(values == value), threshold)
            for value in np.unique(values)
        ]
    return rows, notes


def _stratum(study: Study, group: str, name: str, findings: Findings, threshold: float | None) -> tuple[Cell, ...]:
    """Return one row of the table of strata: counts, sensitivity at the operating point, partial AUC."""
    matching = match_findings(findings, _rules(study))
    measurement = measure(matching, _settings(study))
    included = matching.lesions.included
    level = np.inf if threshold is None else threshold
    patient = matching.cases.patient_index[matching.lesions.case]
    share = proportion(found_at(matching, level)[included], patient[included])
    at, area = operating_point(measurement, level), measurement.partial_auc
    return (
        *(group, name, len(matching.cases), len(set(matching.cases.patient)), share.total, share.found),
        *(share.value, at.sensitivity.low, at.sensitivity.high, share.low, share.high, share.design_effect),
        *(float(false_at(matching, level).sum() / len(matching.cases)), area.value, area.low, area.high),
    )


def _say(part: str, model: str, result: dict[str, Any]) -> None:
    """Show the measurement in one line; warnings go to the log."""
    counts, area = result["counts"], result["partial_auc"]
    value = "undefined" if area["value"] is None else f"{area['value']:.3f}"
    found = (
        f"{counts['lesions']} lesions in {counts['cases']} cases, "
        f"partial AUC to {area['max_fp']:g} false positives per case {value}"
    )
    if "roc" in result:
        kinds = result["roc"]["counts"]
        found = (
            f"{kinds['abnormal']} abnormal and {kinds['normal']} normal cases, AUC {result['roc']['auc']['value']:.3f}"
        )
    progress(f"{model} on {part}: {found}")
    for warning in result["warnings"]:
        log(f"warning: {warning}")
