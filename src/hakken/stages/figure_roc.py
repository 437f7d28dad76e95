"""Stage `figure_roc`: the ROC of the cases on validation and test, with bands and the operating point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hakken.core.console import progress
from hakken.plots.case_roc import CaseRocInput, CurveInput, Floats, Role, draw_case_roc
from hakken.plots.publish import publish
from hakken.plots.style import Origin
from hakken.core.files import read_json
from hakken.report.figure import provenance
from hakken.report.measurements import case_rows
from hakken.report.operating import chosen_words
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.study import Study

Entry = dict[str, Any]


@stage
def figure_roc(
    *,
    study: Study,
    validation: Path,
    test: Path,
    default: Path,
    selected: Path,
    table: Path,
    openings: Path,
    code: str,
    output: list[Path],
) -> None:
    """Draw the cases of validation and test by the selected model, and those of test by the untuned default.

    ``validation``, ``test`` and ``default`` are the measurements (JSON), which hold the curves.
    """
    measured = {"test": read_json(test), "validation": read_json(validation), "default": read_json(default)}
    roles: tuple[tuple[Role, str], ...] = (
        ("test", "Test"),
        ("validation", "Validation"),
        ("default", "Test, untuned"),
    )
    curves = [_curve(role, label, measured[role]["roc"]) for role, label in roles]
    opened, chosen = len(read_openings(openings)), read_json(selected)
    given = CaseRocInput(
        curves=tuple(curve for curve in curves if curve is not None),
        table=_table(measured),
        operating=_operating(measured["test"]),
        notes=_notes(study, measured),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(
        study,
        figure="roc",
        inputs=[validation, test, default, selected, table],
        code=code,
        openings=opened,
        trials=[int(chosen["models"]["selected"]["number"])],
        spent={"gpu_seconds": float(chosen.get("gpu_seconds", 0.0))},
    )
    publish(draw_case_roc(given), output, facts)
    progress(given.operating)


def _curve(role: Role, label: str, roc: Entry) -> CurveInput | None:
    """Return a curve; None where it is undefined."""
    curve = roc["curve"]
    if curve is None:
        return None
    low, high = (_filled(curve["band"][end]) for end in ("low", "high"))
    fpr, tpr = np.array(curve["fpr"], float), np.array(curve["tpr"], float)
    return CurveInput(role, f"{label}: AUC {roc['auc']['value']:.2f}", fpr, tpr, low, high, _point(roc))


def _filled(values: list[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], float)


def _point(roc: Entry) -> tuple[float, float] | None:
    """Return false positive rate and sensitivity at the operating point, None where one is undefined."""
    point = roc["operating_point"]
    sensitivity, specificity = (point[name]["value"] for name in ("sensitivity", "specificity"))
    return None if sensitivity is None or specificity is None else (1 - specificity, sensitivity)


def _table(measured: dict[str, Entry]) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the table: AUC and what the operating point gives, on test and validation."""
    rows: list[tuple[str, ...]] = [("", "Test", "Validation")]
    for name, cells in case_rows([measured["test"], measured["validation"]]):
        head = "AUC" if name.startswith("AUC") else name[0].upper() + name[1:]
        rows.append((head, *cells))
    return tuple(rows)


def _operating(test: Entry) -> str:
    """Return a sentence on the operating point."""
    point = test["roc"]["operating_point"]
    if _point(test["roc"]) is None:
        return "No operating point: the cases are all normal or all abnormal."
    sensitivity, specificity = point["sensitivity"], point["specificity"]
    return (
        f"Operating point, chosen on validation {chosen_words(test['operating_point'])}: on test "
        f"{sensitivity['count']} of {sensitivity['total']} abnormal and {specificity['count']} of "
        f"{specificity['total']} normal cases are called so (circle)."
    )


def _notes(study: Study, measured: dict[str, Entry]) -> tuple[str, ...]:
    """Return the lines on counts, intervals and the publication."""
    counts = {part: measured[part]["roc"]["counts"] for part in ("test", "validation")}
    drawn = measured["test"]["roc"]["bootstrap"]["resamples"]
    cases = [f"{part} {found['abnormal']} abnormal and {found['normal']} normal" for part, found in counts.items()]
    notes = [
        f"Cases: {'; '.join(cases)}.",
        f"Brackets: 95 %, AUC by DeLong, the others by Wilson. Bands: patients resampled {drawn} times.",
    ]
    if study.published is not None:
        caution = " (patients; a phantom is no comparison)" if "phantom" in study.data.lower() else ""
        notes.append(f"Published: {study.published.result.rstrip('.')}{caution}.")
    return tuple(notes)
