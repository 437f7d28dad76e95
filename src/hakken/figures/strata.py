"""Figure `strata`: sensitivity at the operating point by lesion diameter and by group of cases."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from hakken.figures import Drawing, Files, Table, cells
from hakken.outcomes import Measured, chosen_words
from hakken.plots.strata import StrataInput, StratumInput, draw_strata
from hakken.runs.measurement import read_measurement, table_of
from hakken.study import Study

INPUTS = {"test": "measurements/test/selected"}
CAPTION = "Sensitivity of the selected model at its operating point on test, by lesion diameter and by group of cases."
NAMES, COUNTS = ("group", "stratum"), ("cases", "lesions", "found")
SHARES = ("sensitivity", "low", "high", "fp_per_case")
INTERVALS = (
    "Intervals: 95 % Wilson score, lesions divided by the design effect of patients (Rao and Scott 1992); where all or "
    "none are found, patients."
)


def draw(study: Study, files: Files) -> Drawing:
    """Draw the strata of the selected model on test."""
    folder = files.one("test")
    rows = _rows(folder)
    given = StrataInput(
        strata=tuple(StratumInput(*row) for row in rows),
        heading=_heading(read_measurement(folder).outcomes["candidates"]),
        intervals=INTERVALS,
        origin=files.origin,
    )
    return Drawing(draw_strata(given), Table((*NAMES, *COUNTS, *SHARES), cells(rows)), f"{len(rows)} strata")


def _rows(folder: Path) -> list[tuple[Any, ...]]:
    """Return the strata as `StratumInput` takes them."""
    table = table_of(folder, "candidates", "strata", (*NAMES, *COUNTS, *SHARES))
    counts = (table.numbers(column).astype(int).tolist() for column in COUNTS)
    shares = (map(_known, table.numbers(column, empty=True).tolist()) for column in SHARES)
    return list(zip(*(table.text(column) for column in NAMES), *counts, *shares, strict=True))


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _heading(test: Measured) -> str:
    point = test.point or {}
    if "sensitivity" not in point:
        return "Test: no operating point"
    level = "thresholds of the folds" if point["threshold"] is None else f"threshold {point['threshold']:.3g}"
    return f"Test, selected model, {level} chosen on validation {chosen_words(point, 'FP/case')}"
