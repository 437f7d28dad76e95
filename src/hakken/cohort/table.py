"""The case table: one row per case, which images it has, and where its truth stands.

Columns: ``case_id``, ``patient``, optionally ``split`` (train, validation, test), ``site``, ``scanner``, ``sex``,
``age``; further ones that the study asks for by name, and no others; one column per channel of the study with a path
relative to the table; and ``lesion_mask``, ``lesion_table`` or ``label``, as the study's ``cohort.truth`` says. In a
column of truth the word ``none`` says that the case has no lesions; an empty cell is a mistake, since it could also
mean that nobody has looked. An empty cell of a channel that the study calls optional says that the case lacks it.
Where a study names regions, ``regions`` holds their label image; where lesions of masks have classes, ``lesion_table``
holds these beside ``lesion_mask``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checks import (
    NO_LESIONS,
    check_rows,
    file_columns,
    free_columns,
    named_columns,
    region_columns,
    truth_column,
    truth_columns,
)
from hakken.cohort.rows import Row, Rows, path_of, read_rows
from hakken.core import tables
from hakken.core.errors import HakkenError
from hakken.core.problems import listed, stopping
from hakken.study import REGIONS, Study

__all__ = ["Case", "CaseTable", "read_table", "write_table"]


def read_table(path: Path, study: Study, files_exist: bool = True) -> CaseTable:
    """Read and check the case table of ``study``.

    With ``files_exist`` every image must be on disk; phantoms are drawn later. Raises HakkenError that lists every
    problem with its row, column, reason and remedy.
    """
    rows = read_rows(path, named_columns(study))
    if problems := stopping(check_rows(rows, study, files_exist)):
        raise HakkenError(listed(problems, str(path)))
    free = free_columns(rows.heading, study)
    return CaseTable(tuple(_case(row, rows, study, free) for row in rows.rows), path)


def write_table(path: Path, table: CaseTable, study: Study | None = None) -> None:
    """Write ``table`` (of a ``study`` whose cases may be items) as CSV, its files relative to where ``path`` stands."""
    truth = _truth_column(table) if study is None or study.cohort.kind == "images" else truth_column(study)
    classed = any(case.lesion_mask and case.lesion_table for case in table.cases)
    records = [_record(case, path.parent, truth, classed) for case in table.cases]
    columns = list(dict.fromkeys(column for record in records for column in record))
    tables.write_table(path, columns, [[record.get(column, "") for column in columns] for record in records])


def _case(row: Row, rows: Rows, study: Study, free: Iterable[str]) -> Case:
    folder = rows.path.parent
    channels = {name: _inside(folder, row[name]) for name in file_columns(study) if row[name]}
    truths = {name: row[name] for name in truth_columns(study) if row[name].lower() != NO_LESIONS}
    files = {name: _inside(folder, cell) for name, cell in truths.items() if name != "label"}
    return Case(
        case_id=row["case_id"],
        patient=row["patient"],
        split=row["split"] or None,
        channels=channels,
        lesion_mask=files.get("lesion_mask"),
        lesion_table=files.get("lesion_table"),
        label=truths.get("label"),
        regions=_inside(folder, row[REGIONS]) if region_columns(study) else None,
        columns={name: row[name] for name in free},
        row=row.number,
    )


def _truth_column(table: CaseTable) -> str:
    """Return the column that the truth of all cases stands in; cases without lesions do not tell which."""
    if any(case.label for case in table.cases):
        return "label"
    tables = [case for case in table.cases if case.lesion_table]
    return "lesion_table" if tables and not any(case.lesion_mask for case in table.cases) else "lesion_mask"


def _record(case: Case, folder: Path, truth: str | None, classed: bool) -> dict[str, str]:
    """Return the cells of one case, by column; ``truth`` is that of the truth, beside a table of lesions if asked."""
    file, beside = case.lesion_mask or case.lesion_table, case.lesion_table
    return {
        "case_id": case.case_id,
        "patient": case.patient,
        **({"split": case.split} if case.split else {}),
        **case.columns,
        **{name: _relative(image, folder) for name, image in case.channels.items()},
        **({truth: case.label or (_relative(file, folder) if file else NO_LESIONS)} if truth else {}),
        **({"lesion_table": _relative(beside, folder) if beside else NO_LESIONS} if classed else {}),
        **({REGIONS: _relative(case.regions, folder)} if case.regions else {}),
    }


def _inside(folder: Path, cell: str) -> Path:
    path = path_of(folder, cell)
    return Path(os.path.normpath(path) if ".." in cell else path)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
