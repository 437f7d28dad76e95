"""What can be wrong with a case table, found before any image is read, and all at once."""

from __future__ import annotations

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from hakken.cohort.cells import check_cells, stands_for_normal, stands_for_nothing
from hakken.cohort.patients import looks_personal, normalised
from hakken.cohort.rows import ORDINARY, Row, Rows, read_rows
from hakken.core.names import counted, nearest, plain
from hakken.core.problems import Problem, stopping
from hakken.study import PARTS, REGION, Part, Study

NO_LESIONS = "none"
TOGETHER = "put all cases of a patient into the same part"
CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
TRUTHS = ("lesion_mask", "lesion_table", "label")
NAMES_OF_PARTS = frozenset(
    (
        *("train", "training", "val", "valid", "validation", "dev", "development", "tune", "tuning"),
        *("test", "testing", "holdout", "heldout", "eval", "evaluation"),
        *("学習", "訓練", "検証", "評価", "テスト", "学習用", "訓練用", "検証用", "評価用", "テスト用"),
        *("训练", "验证", "测试", "validierung", "prüfung", "apprentissage", "entraînement", "entrenamiento", "prueba"),
    )
)
"""What parts are called, as `hakken.core.names.plain` has it."""
NUMBERED_PART = re.compile(r"(train|training|val|valid|validation|test|fold|split)\d{1,2}")
COLUMNS_OF_PARTS = frozenset(
    (
        *("partition", "subset", "fold", "folds", "datasplit", "splits", "istest", "istrain", "isvalidation"),
        *("traintest", "trainvaltest", "分割", "区分", "データ区分"),
    )
)
"""What columns are called that say who trains, whatever their cells are, as `plain` has it."""
BRACES = re.compile(r"[{}]")
PLAIN_PATH = "rename the file or folder without { and }"


def check_table(path: Path, study: Study, files_exist: bool = True) -> list[Problem]:
    """Return every problem of the case table at ``path``, in the order of its rows.

    Raises HakkenError where the file is no readable table at all.
    """
    return check_rows(read_rows(path, named_columns(study)), study, files_exist)


def named_columns(study: Study) -> tuple[str, ...]:
    """Return the columns that a study names: files of the cases, and what else is kept of the table."""
    return (*file_columns(study), *study.case_columns)


def check_rows(rows: Rows, study: Study, files_exist: bool = True) -> list[Problem]:
    """Return every problem of a table read as text; problems of the heading come first and hide those of the cells."""
    problems = list(_heading(rows, study))
    if not stopping(problems) and not rows.rows:
        problems = [_of_table("case_id", "the table has no cases", "add one line per case")]
    if stopping(problems):
        return problems
    problems = [
        *problems,
        *_empty_cells(rows, study),
        *_case_ids(rows.rows),
        *_splits(rows, study.parts),
        *_patients(rows, study.parts),
        *check_cells(rows.rows, study, free_columns(rows.heading, study)),
        *_parts(rows, study),
        *(_missing_files(rows, study) if files_exist else ()),
    ]
    return sorted(problems, key=lambda problem: problem.row or 0)


def file_columns(study: Study) -> tuple[str, ...]:
    """Return the columns that hold a file of each case: channels and a region, or what items are made of."""
    if study.cohort.kind == "items":
        return study.cohort.files
    return (*study.channels, REGION) if study.preparation.mask == "given" else tuple(study.channels)


def truth_column(study: Study) -> str | None:
    """Return the column that holds the truth; None where items bring it in a file of their own."""
    truth = study.cohort.truth
    return truth if study.cohort.kind == "images" or truth == "label" else None


def free_columns(heading: Iterable[str], study: Study) -> list[str]:
    """Return the columns that are kept as they are: those that the study asks for; others may hold personal data."""
    known = {"case_id", "patient", "split", *TRUTHS, *file_columns(study)}
    return [name for name in heading if name in study.case_columns and name not in known]


def _heading(rows: Rows, study: Study) -> Iterator[Problem]:
    """Yield missing columns, headings that look like one with a meaning, and columns that are not read."""
    heading, truth = rows.heading, truth_column(study)
    needed = ("case_id", "patient", *file_columns(study), *([truth] if truth else []))
    known = {*ORDINARY, *named_columns(study)}
    unknown = [name for name in heading if name and name not in known]
    for column in needed:
        if column not in heading:
            there = [name for name in heading if name]
            reason = f"this column is missing{nearest(column, there)}; there are {', '.join(there)}"
            yield _of_table(column, reason, f"name a column of the table `{column}`")
    for key, name in _asked_for(study):
        if name not in heading:
            reason = f"{key} names `{name}`, which is no column of the table{nearest(name, heading)}"
            yield _of_table(name, reason, f"correct {key}, or add the column")
    found = {name: _questioned(name, rows, needed) for name in unknown}
    yield from (_of_table(name, *question) for name, question in found.items() if question)
    unread = [name for name, question in found.items() if not question]
    if unread and set(needed) <= set(heading):
        reason = f"not read: {', '.join(unread)}" if len(unread) > 1 else "is not read"
        remedy = "name what is to be kept in cohort.columns; other columns may hold personal data"
        yield replace(_of_table(unread[0], reason, remedy), stops=False)


def _asked_for(study: Study) -> Iterator[tuple[str, str]]:
    """Yield the key and the name of each column that a study asks for; a table without scanners is as welcome."""
    if study.evaluation.strata != type(study.evaluation).model_fields["strata"].default:
        yield from (("evaluation.strata", name) for name in study.evaluation.strata)
    yield from (("cohort.columns", name) for name in study.cohort.columns)
    for outcome, settings in study.outcomes.items():
        yield from ((f"outcomes.{outcome}", name) for name in getattr(settings, "case_columns", ()))


def _questioned(name: str, rows: Rows, needed: Sequence[str]) -> tuple[str, str] | None:
    """Return reason and remedy where a column without a meaning looks like one that has one and is not ``needed``."""
    cells = {row[name].casefold() for row in rows.rows} - {""}
    if "split" not in rows.heading and cells:
        remedy = "name it `split`, with the cells train, validation and test, or remove it"
        if all(_names_part(cell) for cell in cells):
            shown = ", ".join(sorted(cells))
            return f"holds names of parts ({shown}), but is no column that hakken knows", remedy
        if plain(name) in COLUMNS_OF_PARTS:
            return "seems to say who trains and who is tested, but is no column that hakken knows", remedy
    others = [one for one in ORDINARY if one not in (*rows.heading, *needed)]
    near = difflib.get_close_matches(name.casefold(), others, n=1, cutoff=0.8)
    if near:
        return f"is not known; did you mean `{near[0]}`?", f"name it `{near[0]}`, or rename it to something else"
    return None


def _names_part(cell: str) -> bool:
    return plain(cell) in NAMES_OF_PARTS or bool(NUMBERED_PART.fullmatch(plain(cell)))


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
    """Yield ids that cannot be file names, and ids that stand twice, if only on a disk that knows no capitals."""
    first: dict[str, Row] = {}
    for row in rows:
        case_id = row["case_id"]
        if not case_id:
            continue
        if not CASE_ID.fullmatch(case_id):
            reason = f"`{case_id}` cannot become a file name"
            yield _of_row(row, "case_id", reason, "use at most 100 letters, digits, `-` and `_`, no other characters")
        before = first.setdefault(case_id.casefold(), row)
        if before is not row:
            same = before["case_id"] == case_id
            reason = f"case id `{case_id}` stands in rows {before.number} and {row.number}"
            if not same:
                reason = (
                    f"case ids `{before['case_id']}` (row {before.number}) and `{case_id}` differ in capitals alone"
                )
            yield _of_row(row, "case_id", reason, "give every case an id of its own, or remove one of the rows")


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
    """Yield patients who stand in more than one part, however spelt: they would leak from training into the test.

    Cells that look like the name of a person are questioned: they would go into results.
    """
    found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows.rows:
        if row["split"] in known and row["patient"]:
            found[normalised(row["patient"])][row["split"]].append(row)
    for parts in found.values():
        if len(parts) > 1:
            members = [row for rows_ in parts.values() for row in rows_]
            names = list(dict.fromkeys(row["patient"] for row in members))
            where = " and ".join(_where(part, found_, len(names) > 1) for part, found_ in parts.items())
            last = max(members, key=lambda row: row.number)
            if len(names) == 1:
                yield _of_row(last, "split", f"patient `{names[0]}` is in {where}", TOGETHER)
            else:
                spelt = " and ".join(f"`{name}`" for name in names)
                remedy = f"{TOGETHER}, spelt alike; for two patients, tell them apart by more than zeros, case or signs"
                yield _of_row(last, "patient", f"{spelt} look like one patient, who is in {where}", remedy)
    personal = [row for row in rows.rows if looks_personal(row["patient"])]
    if personal:
        reason = f"`{personal[0]['patient']}` looks like the name of a person ({counted(len(personal), 'row')})"
        remedy = "write a pseudonym: what stands here goes into the results"
        yield replace(_of_row(personal[0], "patient", reason, remedy), stops=False)


def _where(part: Part, rows: Sequence[Row], spelt: bool) -> str:
    numbers = ", ".join(str(row.number) for row in rows)
    names = f" as `{rows[0]['patient']}`" if spelt else ""
    return f"{part} (row {numbers}{names})"


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
            if BRACES.search(cell):
                yield _of_row(row, column, f"`{cell}` holds signs with a meaning of their own in paths", PLAIN_PATH)
                continue
            path = os.path.join(folder, cell)  # noqa: PTH118 - strings are ten times faster here than Path
            if not os.path.exists(path):  # noqa: PTH110
                yield _of_row(
                    row, column, f"no such file: {os.path.normpath(path)}", _remedy(path, cell, column == truth)
                )


def _remedy(path: str, cell: str, is_truth: bool) -> str:
    if is_truth and (stands_for_nothing(cell) or stands_for_normal(cell)):
        return f"write `{NO_LESIONS}` where the case has no lesions"
    if os.path.islink(path):  # noqa: PTH114
        return "it is a link to a file that is not here; fetch the file, or correct the link"
    if "\\" in cell:
        return "write `/` between folders, and paths relative to the table's folder"
    return "correct the path, which counts from the table's folder, or put the file there"


def _of_row(row: Row, column: str, reason: str, remedy: str) -> Problem:
    return Problem(row["case_id"], column, reason, remedy, row.number)


def _of_table(column: str, reason: str, remedy: str) -> Problem:
    """Return a problem of the heading or of the table as a whole, which stands at line 1."""
    return Problem("", column, reason, remedy, 1)
