"""Figure `froc`: the FROC curves of validation and test, with bands and the operating point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hakken.core.files import read_json
from hakken.figures import Drawing, Files, Table
from hakken.outcomes import Measured
from hakken.outcomes.candidates import Settings
from hakken.plots.froc import CurveInput, FrocInput, Role, draw_froc
from hakken.plots.style import interval_text
from hakken.report.operating import chosen_words
from hakken.runs.measurement import read_measurement, table_of
from hakken.study import Study

INPUTS = {
    "test": "measurements/test/selected",
    "validation": "measurements/validation/selected",
    "default": "measurements/test/default",
    "baselines": "measurements/test/{baseline}",
    "record": "models/selected.json",
}
NEEDED = ("test", "validation")
CAPTION = (
    "FROC of the selected model on the sealed test set and on validation, with 95 % bands from resampled patients, "
    "beside the untuned default and the baselines."
)
COLUMNS = ("fp_per_case", "sensitivity", "low", "high")


def draw(study: Study, files: Files) -> Drawing:
    """Draw the selected model on validation and test, and what stands beside it on test."""
    settings = study.outcomes["candidates"]
    assert isinstance(settings, Settings)
    test, validation = (_measured(files.one(part)) for part in ("test", "validation"))
    curves = [
        _curve("test", "Test", files.one("test"), test),
        _curve("validation", "Validation", files.one("validation"), validation),
        *(_curve("default", "Test, untuned", folder, None) for folder in files.all("default")),
        *(_curve("baseline", _spoken(folder.name), folder, None) for folder in files.all("baselines")),
    ]
    given = FrocInput(
        curves=tuple(curve for curve in curves if curve is not None),
        maximum_fp=settings.maximum_fp,
        table=_table(settings, test, validation),
        operating=_operating(test),
        notes=_notes(study, test),
        origin=files.origin,
    )
    rows = tuple(
        (curve.role, curve.label, *point)
        for curve in given.curves
        for point in zip(*(values.tolist() for values in (curve.fp_per_case, curve.sensitivity, curve.low, curve.high)), strict=True)
    )
    trial = [int(read_json(path)["trial"]["number"]) for path in files.all("record")]
    return Drawing(draw_froc(given), Table(("role", "curve", *COLUMNS), rows), given.operating, trial)


def _measured(folder: Path) -> Measured:
    return read_measurement(folder).outcomes["candidates"]


def _spoken(name: str) -> str:
    return f"Test, {name.replace('_', ' ')}"


def _curve(role: Role, label: str, folder: Path, measured: Measured | None) -> CurveInput | None:
    """Read a curve; None where it is undefined."""
    table = table_of(folder, "candidates", "curve", COLUMNS)
    x, y, low, high = (table.numbers(column, empty=True) for column in COLUMNS)
    point = (measured.point if measured else None) or {}
    marked = (point["fp_per_case"]["value"], point["sensitivity"]["value"]) if "sensitivity" in point else None
    if not len(x) or np.isnan(y).any():
        return None
    return CurveInput(role, label, x, y, low, high, None if marked is None or None in marked else marked)


def _table(settings: Settings, test: Measured, validation: Measured) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the table: sensitivities and partial AUC on test and validation."""
    columns = [test.details, validation.details]
    rows: list[tuple[str, ...]] = [("Sensitivity at", "Test", "Validation")]
    for rate in settings.at:
        found = [_cell(entry["sensitivity_at"][f"{rate:g}"]) for entry in columns]
        rows.append((f"{rate:g} FP/case", *found))
    partial = [_cell(entry["partial_auc"]) for entry in columns]
    rows.append((f"Partial AUC to {settings.maximum_fp:g}", *partial))
    return tuple(rows)


def _cell(entry: dict[str, Any]) -> str:
    return interval_text(entry["value"], entry["low"], entry["high"]).replace(" [", "\n[")


def _operating(test: Measured) -> str:
    """Return a sentence on the operating point."""
    point = test.point or {}
    if "sensitivity" not in point or point["sensitivity"]["value"] is None:
        return "No operating point: there is no lesion or no candidate."
    share, rate = point["sensitivity"], point["fp_per_case"]
    return (
        f"Operating point, chosen on validation {chosen_words(point, 'FP/case')}: on test "
        f"{interval_text(share['value'], share['low'], share['high'])} at "
        f"{interval_text(rate['value'], rate['low'], rate['high'], 1)} FP/case (circle)."
    )


def _notes(study: Study, test: Measured) -> tuple[str, ...]:
    """Return the lines on counts, bands and the publication."""
    counts, bootstrap = test.details["counts"], test.details["bootstrap"]
    what = "patients" if bootstrap["unit"] == "patient" else "findings of the one patient"
    notes = [
        f"Test: {_count(counts['lesions'], 'lesion')} in {_count(counts['cases'], 'case')} of "
        f"{_count(counts['patients'], 'patient')}; hit rule {test.details['rules']['hit']}.",
        f"Bands, brackets: 95 %, {what} resampled {bootstrap['resamples']} times. Dotted: beyond the last candidate.",
    ]
    if study.published is not None:
        caution = " (patients; must not be compared with a phantom)" if study.of_phantom else ""
        notes.append(f"Published: {study.published.result}{caution}.")
    return tuple(notes)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
