"""Outcome `case_scores`: one number for each case, the higher the more abnormal, measured by the ROC of the cases.

A method predicts a number. They are kept in `case_scores.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.core.tables import Cell, read_table, write_table
from hakken.evaluation import findings
from hakken.evaluation.case_scores import CaseMeasurement, CaseScores, area, measure_cases
from hakken.evaluation.optimism import replicated_areas
from hakken.outcomes import Measured, Part, Replicates, Row, Table
from hakken.study import Section, Study

FILE = "case_scores.csv"
COLUMNS = ("case_id", "score")
FIGURES = ("roc",)
BASELINES = ("pixel_statistics",)
MEASURED_ON = ("abnormal", "normal")
OPERATING = r"youden|(sensitivity|specificity):(0?\.\d*[1-9]\d*|1(\.0*)?)"
SHARES = {"sensitivity": "sensitivity", "specificity": "specificity", "ppv": "PPV", "npv": "NPV"}

AREA, CORRELATION = "AUC of the cases", "MCC"
ROC = ("threshold", "fpr", "tpr", "low", "high")
CASES = ("case_id", "patient", "abnormal", "score", "called")

Predictions = Mapping[str, float]


class Settings(Section):
    """How the cases' threshold is chosen."""

    operating_rule: str = Field(
        default="youden",
        description="How the threshold is chosen on the validation cases: `youden` (the highest Youden index), "
        "`sensitivity:0.9` (the highest threshold that reaches it) or `specificity:0.9` (the lowest that keeps it).",
        json_schema_extra={"pattern": f"^({OPERATING})$"},
    )

    @field_validator("operating_rule")
    @classmethod
    def _known_choice(cls, rule: str) -> str:
        if not re.fullmatch(OPERATING, rule):
            known = ("youden", "sensitivity:0.9", "specificity:0.9")
            raise ValueError(f"use youden, sensitivity:S or specificity:S with 0 < S <= 1{nearest(rule, known)}")
        return rule


def words(settings: Section) -> str:
    """Return the objective in a few words."""
    return AREA


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the scores of a part."""
    write_table(folder / FILE, COLUMNS, [(case.case_id, float(found[case.case_id])) for case in part.cases])


def read(folder: Path, part: Part) -> Predictions:
    """Return the scores of a part; raises HakkenError naming what is missing or no number."""
    table = read_table(folder / FILE, COLUMNS)
    scores = dict(zip(table.text("case_id"), table.numbers("score").tolist(), strict=True))
    lacking = [case.case_id for case in part.cases if case.case_id not in scores]
    if lacking:
        raise HakkenError(f"{table.path}: case {lacking[0]} has no score; predict again")
    return {case.case_id: scores[case.case_id] for case in part.cases}


def objective(found: Predictions, part: Part) -> float:
    """Return the AUC of the cases; raises HakkenError when all are normal or all are abnormal."""
    value = area(_scored(found, part))
    if value is None:
        raise HakkenError("the validation cases are all normal or all abnormal, so there is no AUC to maximise")
    return value


def replicates(tables: Sequence[Predictions], part: Part, seed: int) -> Replicates:
    """Return the AUC of each model on the same resamples of the patients."""
    scored = [_scored(found, part) for found in tables]
    scores = np.array([one.score for one in scored])
    values, drawn, skipped = replicated_areas(scored[0].abnormal, part.patient_index, scores, part.resamples, seed)
    return Replicates(values, drawn, part.resamples, skipped, seed)


def measure(found: Predictions, part: Part) -> Measured:
    """Measure the ROC of the cases and their operating point."""
    settings = part.settings
    assert isinstance(settings, Settings)
    scored, threshold = _scored(found, part), part.points.get("case_scores")
    each = threshold is not None and np.ndim(threshold) > 0
    fixed = None if threshold is None else 0.0 if each else float(np.asarray(threshold))
    measured = _measured(scored, settings.operating_rule, part, fixed)
    details, warnings = measured.as_dict(), list(measured.warnings)
    if each:  # each case has a threshold of its own: scores become distances from it
        moved = CaseScores(scored.cases, scored.abnormal, scored.score - np.asarray(threshold))
        at_point = _measured(moved, settings.operating_rule, part, 0.0)
        details["operating_point"] = at_point.as_dict()["operating_point"]
        of_point = f", {settings.operating_rule}: "
        warnings = [line for line in warnings if of_point not in line]
        warnings += [line for line in at_point.warnings if of_point in line]
    point, level = details["operating_point"], measured.threshold if threshold is None else threshold
    main = _area(details)
    shares = [_share(spoken, point[name]) for name, spoken in SHARES.items()]
    correlation = point["mcc"]
    mcc = Row(
        CORRELATION, correlation["value"], correlation["bootstrap"]["low"], correlation["bootstrap"]["high"], digits=2
    )
    called = None if level is None else scored.score >= np.asarray(level, float)
    return Measured(
        objective=main,
        rows=(main, *shares, mcc),
        intervals="95 % intervals: DeLong, Wilson; MCC: bootstrap",
        counts=details["counts"],
        point={
            "chosen_by": settings.operating_rule,
            "threshold": None if level is None or np.ndim(level) else float(level),
        },
        warnings=tuple(f"roc: {line}" for line in warnings),
        details=details,
        tables={
            "roc": Table(ROC, tuple(_curve_rows(details["curve"]))),
            "cases": Table(CASES, tuple(_case_rows(scored, called))),
        },
    )


def area_of(details: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the AUC of a measurement with DeLong's interval on the logit scale: ``value``, ``low``, ``high``.

    Where patients have several cases the variance is the clustered one.
    """
    found = details["auc"]
    spread = found["clustered"] or found["delong"]
    ends = spread["logit"] if spread else {}
    return {"value": found["value"], "low": ends.get("low"), "high": ends.get("high")}


def _scored(found: Predictions, part: Part) -> CaseScores:
    cases = findings.Cases.of(part.case_ids, [case.patient for case in part.cases])
    abnormal = np.array([case.abnormal for case in part.cases], bool)
    return CaseScores(cases, abnormal, np.array([found[case_id] for case_id in part.case_ids], float))


def _measured(scored: CaseScores, rule: str, part: Part, threshold: float | None) -> CaseMeasurement:
    return measure_cases(scored, rule, resamples=part.resamples, seed=part.seed, threshold=threshold)


def _curve_rows(curve: Mapping[str, Any] | None) -> Iterator[tuple[Cell, ...]]:
    """Yield the points of the curve with the band there; the first threshold, above every score, is empty."""
    if curve is None:
        return
    band = {name: [np.nan if value is None else value for value in values] for name, values in curve["band"].items()}
    low, high = (np.interp(curve["fpr"], band["fpr"], band[end]).tolist() for end in ("low", "high"))
    yield from zip(curve["threshold"], curve["fpr"], curve["tpr"], low, high, strict=True)


def row_names(study: Study) -> tuple[str, ...]:
    """Return the names of the rows that are measured."""
    return (AREA, *SHARES.values(), CORRELATION)


def _area(details: Mapping[str, Any]) -> Row:
    entry = area_of(details)
    return Row(AREA, entry["value"], entry["low"], entry["high"])


def spoken(found: float, point: Mapping[str, Any] | None) -> list[str]:
    """Return a line on the score of a new case, and on which side of the ``point`` it lies."""
    if point is None or point.get("threshold") is None:
        return [f"score of the case {found:.4g}"]
    side = "abnormal" if found >= point["threshold"] else "normal"
    return [f"score of the case {found:.4g}: {side} by the frozen threshold {point['threshold']:.4g}"]


def _share(spoken: str, entry: Mapping[str, Any]) -> Row:
    low, high = entry["wilson"]["low"], entry["wilson"]["high"]
    return Row(spoken, entry["value"], low, high, digits=2)


def _case_rows(scored: CaseScores, called: Any) -> Iterator[tuple[Cell, ...]]:
    """Yield each case with its truth, its score and what it is called; that is empty without a threshold."""
    for number, case_id in enumerate(scored.cases.case_id):
        score, abnormal = float(scored.score[number]), int(scored.abnormal[number])
        yield case_id, scored.cases.patient[number], abnormal, score, None if called is None else int(called[number])
