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
    from hakken.cohort.similarity import Content
    from hakken.commands.parser import Subparsers
    from hakken.core.volume import Geometry
    from hakken.imaging.checks import Examination
    from hakken.study import Part, Study

HEADING = 1
SHOWN = 8
"""Cases that are named; of more the number tells."""
STAND_IN = "patch_classifier"
"""The method of a study that names none yet."""


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
    problems = [*_without_method(options.study), *check_table(options.table, study)]
    if not stopping(problems):
        problems += _problems_of_parts(assign_parts(read_table(options.table, study), study), study)
    empty: list[str] = []
    if not options.fast:
        readable = _readable(options.table, study, problems)
        problems += _image_problems(readable, study, empty, whole=not stopping(problems))
    problems.sort(key=lambda problem: problem.row or 0)
    if odd := questions(problems):
        print(listed(odd, str(options.table), "question"))
    if wrong := stopping(problems):
        raise HakkenError(listed(wrong, str(options.table)))
    cohort = assign_parts(read_table(options.table, study), study)
    parts = ", ".join(f"{len(cohort.part(part))} {part}" for part in study.parts)
    files = f"channels {', '.join(study.channels)}" if study.channels else f"files {', '.join(study.cohort.files)}"
    print(f"{options.table}: {len(cohort)} cases ({parts}), {files}: no problem found")
    for line in _lacking(cohort, study):
        print(line)
    if empty:
        named = ", ".join(empty[:SHOWN]) + (f" and {len(empty) - SHOWN} more" if len(empty) > SHOWN else "")
        what = "mask without a voxel" if study.cohort.truth == "lesion_mask" else "table without a row"
        print(f"lesion-free by a {what}: {len(empty)} of {counted(len(cohort), 'case')} ({named})")
    if (threshold := study.cohort.mask_threshold) is not None:
        print(f"lesion masks: values from {threshold:g} on are lesion (`cohort.mask_threshold`)")
    if _pictures_of(cohort, study) and study.cohort.pixel_mm is None:
        print("lengths are in pixels (px): a picture has no size in mm unless the study says so (`cohort.pixel_mm`)")


def _lacking(cohort: CaseTable, study: Study) -> Iterator[str]:
    """Yield how many cases of each part lack an optional channel."""
    for name in study.optional:
        without = [case.split for case in cohort.cases if name not in case.channels]
        parts = ", ".join(f"{without.count(part)} {part}" for part in study.parts)
        yield f"channel {name} (optional): {len(without)} of {counted(len(cohort), 'case')} lack it ({parts})"


def _pictures_of(cohort: CaseTable, study: Study) -> list[Path]:
    """Return the images of a cohort's reference channel that are pictures, whose pixels have no size of their own."""
    from hakken.imaging.files import FLAT, suffix

    paths = [case.channels[study.reference] for case in cohort.cases if study.reference in case.channels]
    return [path for path in paths if suffix(path) in FLAT]


def _problems_of_parts(cohort: CaseTable, study: Study) -> list[Problem]:
    """Return who has moved to another part, or trains after an opening; the ledger must be writable."""
    from hakken.cohort.parts import changed_parts, openings_folder
    from hakken.runs.sealed import require_ledger
    from hakken.seal.guard import opened_patients
    from hakken.seal.openings import read_openings

    ledger = openings_folder(study)
    require_ledger(ledger)
    known = read_openings(ledger)
    reused = [] if study.cohort.reuse_opened else opened_patients(study, cohort, known)
    return [*changed_parts(cohort, study, bool(known)), *reused]


def _readable(table: Path, study: Study, problems: list[Problem]) -> CaseTable:
    """Return the cases whose images can be examined: all in a part, or those of sound rows, as they stand."""
    from hakken.cohort.case import Case, CaseTable
    from hakken.cohort.checks import file_columns, named_columns, region_columns
    from hakken.cohort.rows import path_of, read_rows
    from hakken.cohort.split import assign_parts
    from hakken.cohort.table import read_table
    from hakken.study import REGIONS

    problems = stopping(problems)
    if not problems:
        return assign_parts(read_table(table, study), study)
    unsound = {problem.row for problem in problems}
    cases = [
        Case(
            row["case_id"],
            row["patient"],
            row["split"] or None,
            {name: Path(path_of(table.parent, row[name])) for name in file_columns(study) if row[name]},
            lesion_mask=_truth(row, "lesion_mask", study, table),
            lesion_table=_truth(row, "lesion_table", study, table),
            label=_label(row, study),
            regions=Path(path_of(table.parent, row[REGIONS])) if region_columns(study) and row[REGIONS] else None,
            row=row.number,
        )
        for row in read_rows(table, named_columns(study)).rows
        if not unsound & {row.number, HEADING}
    ]
    return CaseTable(tuple(cases), table)


def _truth(row: Row, column: str, study: Study, table: Path) -> Path | None:
    from hakken.cohort.checks import NO_LESIONS, truth_columns
    from hakken.cohort.rows import path_of

    known = column in truth_columns(study) and row[column].lower() != NO_LESIONS
    return Path(path_of(table.parent, row[column])) if known else None


def _label(row: Row, study: Study) -> str | None:
    from hakken.cohort.checks import NO_LESIONS

    known = study.cohort.truth == "label" and row["label"].lower() != NO_LESIONS
    return row["label"] if known else None


def _image_problems(cohort: CaseTable, study: Study, empty: list[str], *, whole: bool) -> Iterator[Problem]:
    """Yield the problems of every case's images, images in two parts and, of a ``whole`` cohort, parts of no use.

    ``empty`` takes the cases whose file of the truth holds no lesion.
    """
    from hakken.cohort.examinations import shared_identities
    from hakken.cohort.similarity import problems_between
    from hakken.imaging.image_questions import odd_among
    from hakken.runs.required import Kinds, require_cases

    contents: dict[str, Content] = {}
    grids: dict[int | None, tuple[str, Geometry]] = {}
    identities: dict[str, tuple[str, str]] = {}
    abnormal: dict[Part, list[bool]] = {case.split: [] for case in cohort.cases if case.split is not None}
    for number, case in enumerate(cohort.cases, start=1):
        found, content, lesions, examined = _examined(case, study)
        yield from found
        wrong = stopping(found)
        contents[case.case_id] = content
        if examined is not None and examined.lesions == 0 and (case.lesion_mask or case.lesion_table):
            empty.append(case.case_id)
        if examined is not None and examined.grid is not None:
            grids[case.row] = (case.case_id, examined.grid)
            identities[case.case_id] = examined.identity
        if case.split is not None:
            abnormal[case.split].append(lesions)
        verdict = counted(len(wrong), "problem") if wrong else "read"
        progress(f"case {number}/{len(cohort)} {case.case_id}: {verdict}")
    yield from odd_among(grids, study.reference)
    yield from shared_identities(identities, cohort, study.reference)
    yield from problems_between(contents, cohort, [frozenset(pair) for pair in study.cohort.distinct])
    if whole and study.method is not None:
        yield from require_cases(study, {part: Kinds.of(flags) for part, flags in abnormal.items()})


def _examined(case: Case, study: Study) -> tuple[list[Problem], Content, bool, Examination | None]:
    """Return what is wrong with the files of a case, what its images hold, whether it may have lesions, and more."""
    from hakken.cohort.items import examine_item
    from hakken.cohort.similarity import Content, same_within
    from hakken.imaging.checks import examine_case

    if study.cohort.kind == "items":
        problems, item = examine_item(case)
        return (
            problems,
            Content(dict(item.sha256) if item else {}, fingerprinted=False),
            bool(problems) or case.label is not None,
            None,
        )
    examined = examine_case(case, study)
    content = Content(examined.images, examined.fingerprints, examined.findings, not study.of_phantom)
    colours = {name: channel.colour for name, channel in study.channels.items()}
    lesions = case.label is not None or examined.lesions != 0
    return [*examined.problems, *same_within(case, content, colours)], content, lesions, examined


def _named_study(name: str, table: Path) -> Study:
    from hakken.study.reading import load_study

    path = study_path(name)
    study = load_study(path, first_scale(path), method=STAND_IN)
    return study.model_copy(update={"cohort": study.cohort.model_copy(update={"table": str(table), "phantom": None})})


def _without_method(name: str | None) -> Iterator[Problem]:
    """Yield that a study names no method yet; its table can be checked all the same."""
    from hakken import plugins
    from hakken.study.reading import read_mapping

    if name is not None and "method" not in read_mapping(study_path(name)):
        known = ", ".join(plugins.names("methods"))
        yield Problem(
            "", "method", f"the study `{name}` names none; there are {known}", "name one in its file", HEADING
        )


def _study_of(table: Path) -> Study:
    """Return a study that fits the table's own columns: other columns that hold images are channels."""
    from hakken.cohort.rows import ORDINARY, read_rows
    from hakken.imaging.files import KNOWN, suffix
    from hakken.imaging.flat_files import COLOURS
    from hakken.study import REGIONS, Channel, Cohort, Study

    rows = read_rows(table)
    channels = [
        name
        for name in rows.heading
        if name
        and name not in (*ORDINARY, REGIONS)
        and any(
            suffix(Path(row[name])) in KNOWN or (table.parent / row[name]).exists() for row in rows.rows if row[name]
        )
    ]
    colours = {name: name for name in COLOURS}
    if not channels:
        raise HakkenError(f"{table}: no column holds image paths; there are {', '.join(rows.heading)}")
    truth = next((name for name in ("lesion_table", "lesion_mask", "label") if name in rows.heading), "lesion_mask")
    return Study(
        name="check",
        seed=0,
        cohort=Cohort(table=str(table), truth=truth),
        channels={name: Channel(modality="mr", colour=colours.get(name)) for name in channels},
        reference=channels[0],
    )
