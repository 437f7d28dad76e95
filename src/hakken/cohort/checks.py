"""What can be wrong with a case table, found before any image is read, and all at once."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hakken.cohort.case import CaseTable
from hakken.cohort.rows import Row, Rows, read_rows
from hakken.core.names import nearest
from hakken.core.problems import Problem
from hakken.study import PARTS, Part, Study

NO_LESIONS = "none"
CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
PERSONAL = re.compile(r"name|birth|dob\b|address|phone|e-?mail|insurance|mrn\b|social", re.IGNORECASE)
TRUTHS = ("lesion_mask", "lesion_table", "label")


def check_table(path: Path, study: Study, files_exist: bool = True) -> list[Problem]:
    """Return every problem of the case table at ``path``, in the order of its rows.

    Raises HakkenError where the file is no readable table at all.
    """
    return check_rows(read_rows(path), study, files_exist)


def check_rows(rows: Rows, study: Study, files_exist: bool = True) -> list[Problem]:
    """Return every problem of a table read as text; problems of the heading come first and hide those of the cells."""
    problems = list(_heading(rows.heading, study))
    if not problems and not rows.rows:
        problems = [_of_table("case_id", "the table has no cases", "add one line per case")]
    if problems:
        return problems
    problems = [
        *_empty_cells(rows, study),
        *_case_ids(rows.rows),
        *_splits(rows, study.parts),
        *_patients(rows, study.parts),
        *_parts(rows, study),
        *(_missing_files(rows, study) if files_exist else ()),
    ]
    return sorted(problems, key=lambda problem: problem.row or 0)


def file_columns(study: Study) -> tuple[str, ...]:
    """Return the columns that hold a file of each case: the channels of images, or what items are made of."""
    return study.cohort.files if study.cohort.kind == "items" else tuple(study.channels)


def truth_column(study: Study) -> str | None:
    """Return the column that holds the truth; None where items bring it in a file of their own."""
    truth = study.cohort.truth
    return truth if study.cohort.kind == "images" or truth == "label" else None


def free_columns(heading: Iterable[str], study: Study) -> list[str]:
    """Return the columns that are kept as they are: all but the known ones and those that announce personal data."""
    known = {"case_id", "patient", "split", *TRUTHS, *file_columns(study)}
    return [name for name in heading if name and name not in known and not PERSONAL.search(name)]


def identical_pixels(digests: Mapping[str, str], table: CaseTable) -> list[Problem]:
    """Return a problem for every pair of cases in different parts whose images have the same pixel digest.

    Cases without a digest are passed over, so that the sealed test cases may stay unread.
    """
    groups = defaultdict(list)
    for case in table.cases:
        if case.case_id in digests:
            groups[digests[case.case_id]].append(case)
    return [
        Problem(
            case.case_id,
            "split",
            f"has the same pixels as case {first.case_id}, but this one is in {case.split} and that in {first.split}",
            "remove one of the two cases, or give both the same `patient` and `split`",
            case.row,
        )
        for first, *others in groups.values()
        for case in others
        if case.split != first.split
    ]


def _heading(heading: tuple[str, ...], study: Study) -> Iterator[Problem]:
    """Yield missing columns."""
    truth = truth_column(study)
    for column in ("case_id", "patient", *file_columns(study), *([truth] if truth else [])):
        if column not in heading:
            unknown = [name for name in heading if name]
            reason = f"this column is missing{nearest(column, unknown)}; there are {', '.join(unknown)}"
            yield _of_table(column, reason, f"name a column of the table `{column}`")


def _empty_cells(rows: Rows, study: Study) -> Iterator[Problem]:
    truth = truth_column(study)
    for row in rows.rows:
        for column in ("case_id", "patient", *file_columns(study)):
            if not row[column]:
                yield _of_row(row, column, "the cell is empty", "fill it in, or remove the row")
        if truth and not row[truth]:
            remedy = f"fill it in, or write `{NO_LESIONS}` where the case has no lesions"
            yield _of_row(row, truth, "the cell is empty", remedy)


def _case_ids(rows: Iterable[Row]) -> Iterator[Problem]:
    """Yield ids that cannot be file names, and ids that stand twice."""
    first: dict[str, int] = {}
    for row in rows:
        case_id = row["case_id"]
        if not case_id:
            continue
        if not CASE_ID.fullmatch(case_id):
            reason = f"`{case_id}` cannot become a file name"
            yield _of_row(row, "case_id", reason, "use at most 100 letters, digits, `-` and `_`, no other characters")
        if case_id in first:
            reason = f"case id `{case_id}` stands in rows {first[case_id]} and {row.number}"
            yield _of_row(row, "case_id", reason, "give every case an id of its own, or remove one of the rows")
        first.setdefault(case_id, row.number)


def _splits(rows: Rows, parts: Sequence[Part]) -> Iterator[Problem]:
    """Yield unknown split values, and empty ones among filled ones."""
    filled = any(row["split"] for row in rows.rows)
    for row in rows.rows:
        value = row["split"]
        if value and value not in parts:
            near = [part for part in parts if part.startswith(value.lower()[:3])]
            reason = f"unknown split `{value}`{nearest(near[0] if near else value.lower(), parts)}"
            yield _of_row(row, "split", reason, f"use one of {', '.join(parts)}")
        elif filled and not value:
            remedy = "fill in all cells of this column, or none to have the cases split by patient"
            yield _of_row(row, "split", "the cell is empty while others are filled", remedy)


def _patients(rows: Rows, known: Sequence[Part]) -> Iterator[Problem]:
    """Yield patients who stand in more than one part: their images would leak from training into the test."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    last: dict[str, Row] = {}
    for row in rows.rows:
        if row["split"] in known and row["patient"]:
            found[row["patient"]][row["split"]].append(str(row.number))
            last[row["patient"]] = row
    for patient, parts in found.items():
        if len(parts) > 1:
            where = " and ".join(f"{part} (row {', '.join(numbers)})" for part, numbers in parts.items())
            reason = f"patient `{patient}` is in {where}"
            yield _of_row(last[patient], "split", reason, "put all cases of a patient into the same part")


def _parts(rows: Rows, study: Study) -> Iterator[Problem]:
    """Yield parts that no case is in, where the table fills the column; of items `train` may be empty."""
    values = {row["split"] for row in rows.rows} - {""}
    needed = study.parts if study.crossed or study.cohort.kind == "images" else PARTS[1:]
    if values and values <= set(study.parts):
        for part in needed:
            if part not in values:
                remedy = f"write `{part}` for some patients, or remove the column to have the cases split by patient"
                yield _of_table("split", f"no case is in the part `{part}`", remedy)


def _missing_files(rows: Rows, study: Study) -> Iterator[Problem]:
    folder = str(rows.path.parent)
    truth = truth_column(study)
    for row in rows.rows:
        for column in (*file_columns(study), *([truth] if truth and truth != "label" else [])):
            cell = row[column]
            if not cell or (column == truth and cell.lower() == NO_LESIONS):
                continue
            path = os.path.join(folder, cell)  # noqa: PTH118 - strings are ten times faster here than Path
            if not os.path.exists(path):  # noqa: PTH110
                yield _of_row(row, column, f"no such file: {os.path.normpath(path)}", _remedy(cell))


def _remedy(cell: str) -> str:
    if "\\" in cell:
        return "write `/` between folders, and paths relative to the table's folder"
    return "correct the path, which counts from the table's folder, or put the file there"


def _of_row(row: Row, column: str, reason: str, remedy: str) -> Problem:
    return Problem(row["case_id"], column, reason, remedy, row.number)


def _of_table(column: str, reason: str, remedy: str) -> Problem:
    """Return a problem of the heading or of the table as a whole, which stands at line 1."""
    return Problem("", column, reason, remedy, 1)
