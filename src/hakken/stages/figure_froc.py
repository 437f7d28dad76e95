"""Stage `figure_froc`: the FROC curves of validation and test, with bands and the operating point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hakken.console import progress
from hakken.figures.froc import CurveInput, FrocInput, Role, draw_froc
from hakken.figures.publish import publish
from hakken.figures.style import Origin, interval_text
from hakken.files import read_json
from hakken.report.figure import provenance
from hakken.report.operating import chosen_by, chosen_words
from hakken.report.seal import read_openings
from hakken.report.tables import numbers, read_rows
from hakken.stages import stage
from hakken.study import Study

COLUMNS = ("fp_per_case", "sensitivity", "low", "high")
Entry = dict[str, Any]


@stage
def figure_froc(
    *,
    study: Study,
    validation: Path,
    test: Path,
    default: Path,
    validation_curve: Path,
    test_curve: Path,
    default_curve: Path,
    selected: Path,
    table: Path,
    openings: Path,
    code: str,
    output: list[Path],
) -> None:
    """Draw the selected model on validation and test, and the untuned default on test, from their curve tables.

    ``validation``, ``test`` and ``default`` are the measurements (JSON) that belong to the curves.
    """
    measured = {"test": read_json(test), "validation": read_json(validation), "default": read_json(default)}
    curves = (
        _curve("test", "Test", test_curve, measured["test"]),
        _curve("validation", "Validation", validation_curve, measured["validation"]),
        _curve("default", "Test, untuned", default_curve, None),
    )
    opened = len(read_openings(openings))
    given = FrocInput(
        curves=tuple(curve for curve in curves if curve is not None),
        maximum_fp=study.evaluation.maximum_fp,
        table=_table(study, measured),
        operating=_operating(study, measured["test"]),
        notes=_notes(study, measured["test"]),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    inputs = [validation, test, default, validation_curve, test_curve, default_curve, selected, table]
    chosen = read_json(selected)["models"]
    facts = provenance(
        study,
        figure="froc",
        inputs=inputs,
        code=code,
        openings=opened,
        trials=[int(chosen["selected"]["number"])],
        spent={"gpu_seconds": float(read_json(selected).get("gpu_seconds", 0.0))},
    )
    publish(draw_froc(given), output, facts)
    progress(given.operating)


def _curve(role: Role, label: str, path: Path, measured: Entry | None) -> CurveInput | None:
    """Read a curve; None where it is undefined."""
    rows = read_rows(path, COLUMNS)
    x, y, low, high = (numbers(path, rows, column) for column in COLUMNS)
    point = (measured or {}).get("operating_point", {})
    marked = (point["fp_per_case"]["value"], point["sensitivity"]["value"]) if "sensitivity" in point else None
    if not len(x) or np.isnan(y).any():
        return None
    return CurveInput(role, label, x, y, low, high, None if marked is None or None in marked else marked)


def _table(study: Study, measured: dict[str, Entry]) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the table: sensitivities and partial AUC on test and validation."""
    columns = [measured["test"], measured["validation"]]
    rows: list[tuple[str, ...]] = [("Sensitivity at", "Test", "Validation")]
    for rate in study.evaluation.at:
        cells = [_cell(entry["sensitivity_at"][f"{rate:g}"]) for entry in columns]
        rows.append((f"{rate:g} FP/case", *cells))
    most = study.evaluation.maximum_fp
    rows.append((f"Partial AUC to {most:g}", *(_cell(entry["partial_auc"]) for entry in columns)))
    return tuple(rows)


def _cell(entry: Entry) -> str:
    return interval_text(entry["value"], entry["low"], entry["high"]).replace(" [", "\n[")


def _operating(study: Study, test: Entry) -> str:
    """Return a sentence on the operating point."""
    point = test["operating_point"]
    if "sensitivity" not in point or point["sensitivity"]["value"] is None:
        return "No operating point: there is no lesion or no candidate."
    share, rate = point["sensitivity"], point["fp_per_case"]
    return (
        f"Operating point, chosen on validation {chosen_words(chosen_by(study), 'FP/case')}: on test "
        f"{interval_text(share['value'], share['low'], share['high'])} at "
        f"{interval_text(rate['value'], rate['low'], rate['high'], 1)} FP/case (circle)."
    )


def _notes(study: Study, test: Entry) -> tuple[str, ...]:
    """Return the lines on counts, bands and the publication."""
    counts, bootstrap = test["counts"], test["bootstrap"]
    what = "patients" if bootstrap["unit"] == "patient" else "findings of the one patient"
    notes = [
        f"Test: {_count(counts['lesions'], 'lesion')} in {_count(counts['cases'], 'case')} of "
        f"{_count(counts['patients'], 'patient')}; "
        f"hit rule {test['rules']['hit']}.",
        f"Bands, brackets: 95 %, {what} resampled {bootstrap['resamples']} times. Dotted: beyond the last candidate.",
    ]
    if study.expects:
        notes.append(
            f"Along a curve the least highest z of a component moves; components are those of z >= "
            f"{study.inference.threshold:g} throughout."
        )
    if study.published is not None:
        caution = "" if "phantom" not in study.data.lower() else " (patients; a phantom is no comparison)"
        notes.append(f"Published: {study.published.result}{caution}.")
    return tuple(notes)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
