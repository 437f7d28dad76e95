"""`hakken check`: every problem of a case table and its images, before a day of computing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.configured import first_scale, study_path
from hakken.commands.parser import add_command
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.names import counted
from hakken.core.problems import Problem, listed, questions, stopping

if TYPE_CHECKING:
    from hakken.cohort.case import Case, CaseTable
    from hakken.cohort.rows import Row
    from hakken.commands.parser import Subparsers
    from hakken.study import Part, Study

TRUTHS = ("lesion_mask", "lesion_table")
ORDINARY = {"case_id", "patient", "split", "site", "scanner", "sex", "age", "mask", "label", *TRUTHS}
HEADING = 1


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "check",
        "name every problem of a case table and its images: row, column, reason, remedy",
        "hakken check data/liver_nodules/cases.csv --study liver_nodules",
        run,
    )
    parser.add_argument("table", type=Path, metavar="CASES.csv", help="the case table")
    parser.add_argument("--study", metavar="NAME", help="the study it is for (default: channels from the table itself)")
    parser.add_argument("--fast", action="store_true", help="check the table alone, read no image")


def run(options: argparse.Namespace) -> None:
    """Print that all is well, or raise HakkenError that lists every problem."""
    from hakken.cohort.checks import check_table
    from hakken.cohort.split import assign_parts
    from hakken.cohort.table import read_table

    study = _named_study(options.study, options.table) if options.study else _study_of(options.table)
    problems = check_table(options.table, study)
    if not options.fast:
        problems += _image_problems(_readable(options.table, study, problems), study, whole=not problems)
    problems.sort(key=lambda problem: problem.row or 0)
    if odd := questions(problems):
        print(listed(odd, str(options.table), "question"))
    if wrong := stopping(problems):
        raise HakkenError(listed(wrong, str(options.table)))
    cohort = assign_parts(read_table(options.table, study), study)
    parts = ", ".join(f"{len(cohort.part(part))} {part}" for part in study.parts)
    files = f"channels {', '.join(study.channels)}" if study.channels else f"files {', '.join(study.cohort.files)}"
    print(f"{options.table}: {len(cohort)} cases ({parts}), {files}: no problem found")


def _readable(table: Path, study: Study, problems: list[Problem]) -> CaseTable:
    """Return the cases whose images can be examined: all in a part, or those of sound rows, as they stand."""
    from hakken.cohort.case import Case, CaseTable
    from hakken.cohort.checks import file_columns
    from hakken.cohort.rows import read_rows
    from hakken.cohort.split import assign_parts
    from hakken.cohort.table import read_table

    if not problems:
        return assign_parts(read_table(table, study), study)
    unsound = {problem.row for problem in problems}
    cases = [
        Case(
            row["case_id"],
            row["patient"],
            row["split"] or None,
            {name: table.parent / row[name] for name in file_columns(study)},
            lesion_mask=_truth(row, "lesion_mask", study, table),
            lesion_table=_truth(row, "lesion_table", study, table),
            label=_label(row, study),
            row=row.number,
        )
        for row in read_rows(table).rows
        if not unsound & {row.number, HEADING}
    ]
    return CaseTable(tuple(cases), table)


def _truth(row: Row, column: str, study: Study, table: Path) -> Path | None:
    from hakken.cohort.checks import NO_LESIONS

    known = column == study.cohort.truth and row[column].lower() != NO_LESIONS
    return table.parent / row[column] if known else None


def _label(row: Row, study: Study) -> str | None:
    from hakken.cohort.checks import NO_LESIONS

    known = study.cohort.truth == "label" and row["label"].lower() != NO_LESIONS
    return row["label"] if known else None


def _image_problems(cohort: CaseTable, study: Study, whole: bool) -> Iterator[Problem]:
    """Yield the problems of every case's images, images in two parts and, of a ``whole`` cohort, parts of no use."""
    from hakken.cohort.checks import identical_pixels
    from hakken.runs.required import Kinds, require_cases

    digests: dict[str, str] = {}
    abnormal: dict[Part, list[bool]] = {case.split: [] for case in cohort.cases if case.split is not None}
    for number, case in enumerate(cohort.cases, start=1):
        found, digest = _examined(case, study)
        yield from found
        if digest is not None:
            digests[case.case_id] = digest
        if case.split is not None:
            abnormal[case.split].append(bool(stopping(found)) or _has_lesions(case))
        verdict = counted(len(stopping(found)), "problem") if stopping(found) else "read"
        progress(f"case {number}/{len(cohort)} {case.case_id}: {verdict}")
    yield from identical_pixels(digests, cohort)
    if whole and study.method is not None:
        yield from require_cases(study, {part: Kinds.of(flags) for part, flags in abnormal.items()})


def _examined(case: Case, study: Study) -> tuple[list[Problem], str | None]:
    """Return what is wrong with the files of a case, and the digest of its content where they can be read."""
    from hakken.cohort.items import examine_item
    from hakken.imaging.checks import examine_case

    if study.cohort.kind == "items":
        problems, item = examine_item(case)
        return problems, item.digest if item else None
    examined = examine_case(case, study)
    return list(examined.problems), examined.pixel_digest


def _has_lesions(case: Case) -> bool:
    from hakken.imaging.files import read_volume
    from hakken.imaging.lesions import read_lesion_table

    if case.label is not None:
        return True
    if case.lesion_table is not None:
        return bool(read_lesion_table(case.lesion_table))
    return case.lesion_mask is not None and bool(read_volume(case.lesion_mask).array.any())


def _named_study(name: str, table: Path) -> Study:
    from hakken.study.reading import load_study

    path = study_path(name)
    study = load_study(path, first_scale(path))
    return study.model_copy(update={"cohort": study.cohort.model_copy(update={"table": str(table), "phantom": None})})


def _study_of(table: Path) -> Study:
    """Return a study that fits the table's own columns: other columns that hold images are channels."""
    from hakken.cohort.rows import read_rows
    from hakken.imaging.files import KNOWN, suffix
    from hakken.study import Channel, Cohort, Study

    rows = read_rows(table)
    channels = [
        name
        for name in rows.heading
        if name
        and name not in ORDINARY
        and any(
            suffix(Path(row[name])) in KNOWN or (table.parent / row[name]).exists() for row in rows.rows if row[name]
        )
    ]
    if not channels:
        raise HakkenError(f"{table}: no column holds image paths; there are {', '.join(rows.heading)}")
    truth = "lesion_table" if "lesion_table" in rows.heading else "lesion_mask"
    return Study(
        name="check",
        seed=0,
        cohort=Cohort(table=str(table), truth=truth),
        channels={name: Channel(modality="mr") for name in channels},
        reference=channels[0],
    )
