"""Figure `froc`: the FROC curves of validation and test, with bands and the operating point."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hakken.core.names import counted
from hakken.evaluation.bootstrap import estimate
from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._models import Side, cost_of, sides, trials_of, validation_of
from hakken.figures._words import published
from hakken.outcomes import Measured, Row, chosen_words
from hakken.outcomes.candidates import REPLICATES, Settings
from hakken.plots.froc import CurveInput, FrocInput, draw_froc
from hakken.plots.style import interval_text
from hakken.runs.measurement import table_of
from hakken.study import Study

INPUTS = {
    "test": "measurements/test/selected",
    "validation": "measurements/validation/selected",
    "default": "measurements/test/default",
    "variants": "measurements/test/{variant}",
    "variants_on_validation": "measurements/validation/{variant}",
    "baselines": "measurements/test/{baseline}",
    "record": "models/selected.json",
}
NEEDED = ("test", "validation")
CAPTION = (
    "FROC of the selected model on the sealed test set and on validation, with 95 % bands from resampled patients, "
    "beside the untuned default, variants with bands of their own, and the baselines."
)
LETTERS = 17
"""So many letters of a variant's name fit into a line of the table."""
COLUMNS = ("fp_per_case", "sensitivity", "low", "high")


def draw(study: Study, files: Files) -> Drawing:
    """Draw the selected model on validation and test, and what stands beside it on test."""
    settings = study.outcomes["candidates"]
    assert isinstance(settings, Settings)
    test, validation, *others = sides(study, files, "candidates")
    curves = [_curve(side) for side in (test, validation, *others)]
    given = FrocInput(
        curves=tuple(curve for curve in curves if curve is not None),
        maximum_fp=settings.maximum_fp,
        table=(
            *_table(settings, test.measured, validation.measured),
            *_variants(settings, files, [side for side in others if side.role == "variant"]),
        ),
        operating=_operating(test.measured),
        notes=(
            *_counts(test.measured),
            *_ceilings(test.measured, validation.measured),
            *_ahead(test, others),
            *published(study),
        ),
        origin=files.origin,
        ceiling=_ceiling(test.measured),
    )
    rows = [(curve.role, curve.label, *point) for curve in given.curves for point in _points(curve)]
    table = Table(("role", "curve", *COLUMNS), cells(rows))
    return Drawing(draw_froc(given), table, given.operating, trials_of(files), cost_of(files))


def _curve(side: Side) -> CurveInput | None:
    """Read a curve; None where it is undefined."""
    table = table_of(side.folder, "candidates", "curve", COLUMNS)
    x, y, low, high = (table.numbers(column, empty=True) for column in COLUMNS)
    if not len(x) or np.isnan(y).any():
        return None
    marked = _marked(side.measured) if side.role in ("test", "validation") else None
    return CurveInput(side.role, side.label, x, y, low, high, marked)


def _points(curve: CurveInput) -> Iterator[tuple[float, ...]]:
    columns = (curve.fp_per_case, curve.sensitivity, curve.low, curve.high)
    return zip(*(values.tolist() for values in columns), strict=True)


def _marked(measured: Measured) -> tuple[float, float] | None:
    """Return false positives per case and sensitivity at the operating point; None where one is undefined."""
    point = measured.point or {}
    if "sensitivity" not in point or point["sensitivity"]["value"] is None:
        return None
    return point["fp_per_case"]["value"], point["sensitivity"]["value"]


def _table(settings: Settings, test: Measured, validation: Measured) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the table: sensitivities and partial AUC on test and validation."""
    columns = [{row.name: row for row in measured.rows} for measured in (test, validation)]
    names = {f"{rate:g} FP/case": f"sensitivity at {rate:g} FP/case" for rate in settings.at}
    names[f"Partial AUC to {settings.maximum_fp:g}"] = f"partial AUC to {settings.maximum_fp:g} FP/case"
    names["Average precision"] = "average precision"
    shown = [(short, *(_cell(rows[name]) for rows in columns)) for short, name in names.items()]
    return ("Sensitivity at", "Test", "Validation"), *shown


def _variants(settings: Settings, files: Files, variants: Sequence[Side]) -> Iterator[tuple[str, ...]]:
    """Yield a heading and the row of each variant: its partial AUC on test and on validation."""
    name = f"partial AUC to {settings.maximum_fp:g} FP/case"
    if variants:
        yield f"Partial AUC to {settings.maximum_fp:g} of", "", ""
    for side in variants:
        measured = (side.measured, validation_of(files, side, "candidates"))
        found = [_cell(row) for one in measured for row in (one.rows if one else ()) if row.name == name]
        yield textwrap.fill(side.label, LETTERS), *found


def _cell(row: Row) -> str:
    return replace(row, digits=2).cell.replace(" [", "\n[") if row.value is not None else "-"


def _operating(test: Measured) -> str:
    """Return a sentence on the operating point."""
    if _marked(test) is None or test.point is None:
        return "No operating point: there is no lesion or no candidate."
    share, rate = test.point["sensitivity"], test.point["fp_per_case"]
    return (
        f"Operating point, chosen on validation {chosen_words(test.point, 'FP/case')}: on test "
        f"{interval_text(share['value'], share['low'], share['high'])} at "
        f"{interval_text(rate['value'], rate['low'], rate['high'], 1)} FP/case (circle)."
    )


def _counts(test: Measured) -> Iterator[str]:
    """Yield the lines on counts and bands."""
    counts, bootstrap = test.details["counts"], test.details["bootstrap"]
    what = "patients" if bootstrap["unit"] == "patient" else "findings of the one patient"
    yield (
        f"Test: {counted(counts['lesions'], 'lesion')} in {counted(counts['cases'], 'case')} of "
        f"{counted(counts['patients'], 'patient')}; hit rule {test.details['rules']['hit']}."
    )
    yield (
        f"Bands, brackets: 95 %, {what} resampled {bootstrap['resamples']} times; Wilson's for the sensitivity at the "
        "operating point. Dotted: beyond the last candidate."
    )


def _ceiling(measured: Measured) -> float | None:
    """Return the highest sensitivity that there can be; None where no lesion lies outside of the mask."""
    outside = measured.details["outside"]
    return outside["ceiling"] if outside["missed"] else None


def _ceilings(test: Measured, validation: Measured) -> Iterator[str]:
    """Yield how many lesions lie outside of the mask; those of test are a line in the figure."""
    for part, measured, line in (("test", test, " (dash-dotted line)"), ("validation", validation, "")):
        outside = measured.details["outside"]
        if outside["missed"]:
            share = f"At most {outside['ceiling']:.3g} of the lesions of {part} can be found{line}"
            yield f"{share}: {len(outside['missed'])} of {outside['lesions']} lie outside of the mask."


def _ahead(test: Side, others: Sequence[Side]) -> Iterator[str]:
    """Yield by how much the selected model is ahead of the others; differences are paired by resample."""
    gains = []
    for other in others:
        mine, theirs = (one.measured.details["partial_auc"]["value"] for one in (test, other))
        if mine is not None and theirs is not None:
            gain = estimate(mine - theirs, _replicates(test) - _replicates(other))
            gains.append(f"{other.name} {interval_text(gain.value, gain.low, gain.high)}")
    if gains:
        yield f"Partial AUC of the selected model less that of: {'; '.join(gains)} (paired by resample)."


def _replicates(side: Side) -> Any:
    return table_of(side.folder, "candidates", "replicates", REPLICATES).numbers(*REPLICATES)
