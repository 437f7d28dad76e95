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
from hakken.cohort.rows import ORDINARY, Row, Rows, path_of, read_rows
from hakken.core.case_ids import REMEDY, folded, shortened, why_no_id
from hakken.core.names import counted, nearest, plain
from hakken.core.problems import Problem, stopping
from hakken.study import PARTS, REGION, REGIONS, Part, Study

NO_LESIONS = "none"
TOGETHER = "put all cases of a patient into the same part"
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


def check_table(path: Path, study: Study, files_exist: bool = True) -> list[Problem]:
    """Return every problem of the case table at ``path``, in the order of its rows.

    Raises HakkenError where the file is no readable table at all.
    """
    return check_rows(read_rows(path, named_columns(study)), study, files_exist)


def named_columns(study: Study) -> tuple[str, ...]:
    """Return the columns that a study names: files of the cases, and what else is kept of the table."""
    return (*file_columns(study), *region_columns(study), *study.case_columns)


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
        *_no_cases(rows, study),
        *_splits(rows, study.parts),
        *_patients(rows, study.parts),
        *_personal(rows),
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


def truth_columns(study: Study) -> tuple[str, ...]:
    """Return the columns of the truth of the lesions: with a mask whose lesions have classes, the table of these."""
    first = truth_column(study)
    return (*([first] if first else ()), *(("lesion_table",) if study.names_classes else ()))


def region_columns(study: Study) -> tuple[str, ...]:
    """Return the column that holds the regions of a case, where the study names some."""
    return (REGIONS,) if study.cohort.regions else ()


def free_columns(heading: Iterable[str], study: Study) -> list[str]:
    """Return the columns that are kept as they are: those that the study asks for; others may hold personal data."""
    known = {"case_id", "patient", "split", *TRUTHS, *file_columns(study), *region_columns(study)}
    return [name for name in heading if name in study.case_columns and name not in known]


def _heading(rows: Rows, study: Study) -> Iterator[Problem]:
    """Yield missing columns, headings that look like one with a meaning, and columns that are not read."""
    heading = rows.heading
    needed = ("case_id", "patient", *file_columns(study), *truth_columns(study), *region_columns(study))
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
    if REGIONS in unread:
        unread.remove(REGIONS)
        remedy = "if it holds label images of organs, name these in `cohort.regions`"
        yield replace(_of_table(REGIONS, "is not read, since the study names no regions", remedy), stops=False)
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
    for column in study.optional:
        if not any(row[column] for row in rows.rows):
            reason = "every cell is empty, so no case has this channel"
            yield _of_table(column, reason, f"fill in the column, or remove `channels.{column}` from the study")
    for row in rows.rows:
        for column in ("case_id", "patient", *file_columns(study), *region_columns(study)):
            if not row[column] and column not in study.optional:
                yield _of_row(row, column, "the cell is empty", _filled_in(column, study))
        for truth in truth_columns(study):
            if not row[truth]:
                remedy = f"fill it in, or write `{NO_LESIONS}` where the case has no lesions"
                yield _of_row(row, truth, "the cell is empty", remedy)


def _filled_in(column: str, study: Study) -> str:
    """Return what to do about an empty cell."""
    remedy = "fill it in, or remove the row"
    fixed = (study.reference, study.preparation.mask_channel, *study.targets)
    if column in study.channels and column not in fixed and len(study.channels) > 1:
        remedy += f"; if some cases may lack this channel, give the study `channels.{column}.optional: true`"
    return remedy


def _case_ids(rows: Iterable[Row]) -> Iterator[Problem]:
    """Yield ids that nobody can read, and ids that stand twice, if only to a reader or on a disk without capitals."""
    first: dict[str, Row] = {}
    for row in rows:
        case_id = row["case_id"]
        if not case_id:
            continue
        if reason := why_no_id(case_id):
            yield _of_row(row, "case_id", f"`{shortened(case_id)}` {reason}", REMEDY)
        before = first.setdefault(folded(case_id), row)
        if before is not row:
            remedy = "give every case an id of its own, or remove one of the rows"
            yield _of_row(row, "case_id", _twice(before, row), remedy)


def _no_cases(rows: Rows, study: Study) -> Iterator[Problem]:
    """Yield names of `cohort.distinct` that are no case."""
    known = {row["case_id"] for row in rows.rows}
    for name in dict.fromkeys(name for pair in study.cohort.distinct for name in pair):
        if name not in known:
            reason = f"cohort.distinct names `{name}`, which is no case{nearest(name, known)}"
            yield _of_table("case_id", reason, "write the ids of this table, or remove the pair")


def _twice(before: Row, row: Row) -> str:
    """Return in which way two rows have one case id."""
    one, other = before["case_id"], row["case_id"]
    if one == other:
        return f"case id `{one}` stands in rows {before.number} and {row.number}"
    what = "capitals" if one.casefold() == other.casefold() else "capitals, width, blanks or the form of letters"
    return f"case ids `{one}` (row {before.number}) and `{other}` differ in {what} alone"


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
    """Yield patients who stand in more than one part, however spelt: they would leak from training into the test."""
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


def _personal(rows: Rows) -> Iterator[Problem]:
    """Yield a question where cells look like the name of a person: they would go into results."""
    for column in ("patient", "case_id"):
        found = [row for row in rows.rows if looks_personal(row[column])]
        if column == "case_id":
            found = [row for row in found if row["patient"] != row["case_id"]]
        if found:
            reason = f"`{found[0][column]}` looks like the name of a person ({counted(len(found), 'row')})"
            remedy = "write a pseudonym: what stands here goes into the results"
            yield replace(_of_row(found[0], column, reason, remedy), stops=False)


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
    folder, truths = rows.path.parent, tuple(name for name in truth_columns(study) if name != "label")
    for row in rows.rows:
        for column in (*file_columns(study), *truths, *region_columns(study)):
            cell = row[column]
            if not cell or (column in truths and cell.lower() == NO_LESIONS):
                continue
            path = path_of(folder, cell)
            if not os.path.exists(path):  # noqa: PTH110 - strings are ten times faster here than Path
                remedy = _remedy(path, cell, column in truths)
                if column in study.optional:
                    remedy += "; leave the cell empty where the case lacks this channel"
                yield _of_row(row, column, f"no such file: {os.path.normpath(path)}", remedy)


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
