"""The tables between evaluation and figures, as CSV files, read and written without data frames."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hakken.columns import FIRST_ROW
from hakken.errors import HakkenError
from hakken.evaluation.findings import Candidates, Cases, Floats, Lesions
from hakken.files import write_text
from hakken.imaging.prepared import PreparedCase

Cell = str | int | float | bool | None


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table; numbers keep every digit, None and NaN are empty cells."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a table by column; raises HakkenError where the file or one of ``columns`` is missing."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
    except FileNotFoundError:
        raise HakkenError(f"{path}: no such file") from None
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise HakkenError(f"{path}: column {missing[0]} is missing; the table needs {', '.join(columns)}")
    return rows


def numbers(path: Path, rows: Sequence[Mapping[str, str]], column: str) -> Floats:
    """Return a column as numbers, NaN for empty cells; raises HakkenError naming the row of one that is none."""
    values = np.full(len(rows), np.nan)
    for index, row in enumerate(rows):
        try:
            values[index] = float(row[column]) if row[column] else np.nan
        except (TypeError, ValueError):
            place = f"{path}: row {index + FIRST_ROW}, column {column}"
            raise HakkenError(f"{place}: `{row[column]}` is not a number") from None
    return values


def cohort_of(prepared: Sequence[PreparedCase]) -> tuple[Cases, Lesions]:
    """Return the cases and their lesions; excluded findings are kept as such."""
    cases = Cases.of([case.case_id for case in prepared], [case.patient for case in prepared])
    found = [(index, lesion) for index, case in enumerate(prepared) for lesion in case.lesions]
    lesions = Lesions.of(
        [index for index, _ in found],
        [lesion.centre for _, lesion in found],
        [lesion.diameter_mm for _, lesion in found],
        [lesion.kind == "included" for _, lesion in found],
        label=[lesion.lesion for _, lesion in found],
    )
    return cases, lesions


def read_candidates(path: Path, cases: Cases) -> Candidates:
    """Read a candidate table (case_id, x, y, z, score and perhaps lesion).

    Raises HakkenError naming the file, row and column of a value that cannot be used.
    """
    rows = read_rows(path, ("case_id", "x", "y", "z", "score"))
    try:
        labelled = bool(rows) and all(row.get("lesion") for row in rows)
        return Candidates.of(
            cases.index([row["case_id"] for row in rows], "candidates"),
            np.stack([numbers(path, rows, axis) for axis in "xyz"], axis=1),
            numbers(path, rows, "score"),
            numbers(path, rows, "lesion") if labelled else np.zeros(0) if not rows else None,
        )
    except HakkenError as error:
        message = str(error)
        raise HakkenError(message if message.startswith(str(path)) else f"{path}: {message}") from None


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return "" if value is None else str(value)
