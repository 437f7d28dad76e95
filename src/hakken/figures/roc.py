"""Figure `roc`: the ROC curves of the cases on validation and test, with bands and the operating point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hakken.evaluation.findings import Floats
from hakken.evaluation.roc_bootstrap import GRID
from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._models import Side, cost_of, sides, trials_of
from hakken.figures._words import published
from hakken.outcomes import Measured, chosen_words
from hakken.plots.case_roc import CaseRocInput, CurveInput, draw_case_roc
from hakken.study import Study

INPUTS = {
    "test": "measurements/test/selected",
    "validation": "measurements/validation/selected",
    "default": "measurements/test/default",
    "variants": "measurements/test/{variant}",
    "baselines": "measurements/test/{baseline}",
    "record": "models/selected.json",
}
NEEDED = ("test", "validation")
CAPTION = (
    "ROC of the cases by the selected model on the sealed test set and on validation, with 95 % bands from resampled "
    "patients, beside the untuned default, variants and the baselines."
)
COLUMNS = ("role", "curve", "fpr", "tpr", "low", "high")


def draw(study: Study, files: Files) -> Drawing:
    """Draw the selected model on validation and test, and what stands beside it on test."""
    test, validation, *others = sides(study, files, "case_scores")
    curves = [_curve(side) for side in (test, validation, *others)]
    given = CaseRocInput(
        curves=tuple(curve for curve in curves if curve is not None),
        table=_table(test.measured, validation.measured),
        operating=_operating(test.measured),
        notes=(*_notes(test.measured, validation.measured), *published(study)),
        origin=files.origin,
    )
    table = Table(COLUMNS, cells([row for curve in given.curves for row in _rows(curve)]))
    return Drawing(draw_case_roc(given), table, given.operating, trials_of(files), cost_of(files))


def _curve(side: Side) -> CurveInput | None:
    """Return a curve; None where it is undefined."""
    details = side.measured.details
    curve = details["curve"]
    if curve is None:
        return None
    fpr, tpr = np.array(curve["fpr"], float), np.array(curve["tpr"], float)
    low, high = (_filled(curve["band"][end]) for end in ("low", "high"))
    label = f"{side.label}: AUC {details['auc']['value']:.2f}"
    return CurveInput(side.role, label, fpr, tpr, low, high, _marked(side.measured))


def _filled(values: list[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], float)


def _rows(curve: CurveInput) -> Iterator[tuple[Any, ...]]:
    """Yield the corners of a curve, then its band at every false positive rate where there is one."""
    for fpr, tpr in zip(curve.fpr.tolist(), curve.tpr.tolist(), strict=True):
        yield curve.role, curve.label, fpr, tpr, None, None
    for fpr, low, high in zip(GRID.tolist(), curve.low.tolist(), curve.high.tolist(), strict=True):
        if np.isfinite(low):
            yield curve.role, curve.label, fpr, None, low, high


def _marked(measured: Measured) -> tuple[float, float] | None:
    """Return false positive rate and sensitivity at the operating point; None where one is undefined."""
    point = measured.details["operating_point"]
    sensitivity, specificity = (point[name]["value"] for name in ("sensitivity", "specificity"))
    return None if sensitivity is None or specificity is None else (1 - specificity, sensitivity)


def _table(test: Measured, validation: Measured) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the table: AUC and what the operating point gives, on test and validation."""
    rows: list[tuple[str, ...]] = [("", "Test", "Validation")]
    for one, other in zip(test.rows, validation.rows, strict=True):
        head = one.name.removesuffix(" of the cases")
        rows.append((head[0].upper() + head[1:], one.cell, other.cell))
    return tuple(rows)


def _operating(test: Measured) -> str:
    """Return a sentence on the operating point."""
    if _marked(test) is None or test.point is None:
        return "No operating point: the cases are all normal or all abnormal."
    point = test.details["operating_point"]
    sensitivity, specificity = point["sensitivity"], point["specificity"]
    return (
        f"Operating point, chosen on validation {chosen_words(test.point)}: on test {sensitivity['count']} of "
        f"{sensitivity['total']} abnormal cases are called abnormal and {specificity['count']} of "
        f"{specificity['total']} normal cases normal (circle)."
    )


def _notes(test: Measured, validation: Measured) -> Iterator[str]:
    """Yield the lines on counts, intervals and bands."""
    parts = {"test": test.details, "validation": validation.details}
    counts = {part: details["counts"] for part, details in parts.items()}
    said = [f"{part} {found['abnormal']} abnormal and {found['normal']} normal" for part, found in counts.items()]
    yield f"Cases: {'; '.join(said)}."
    drawn = test.details["bootstrap"]["resamples"]
    how = "AUC by DeLong, MCC by bootstrap, the others by Wilson"
    yield f"Brackets: 95 %, {how}. Bands: patients resampled {drawn} times."
