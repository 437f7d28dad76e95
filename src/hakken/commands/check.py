"""`hakken check`: every problem of a case table and its images, before a day of computing."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.cohort.checks import TRUTHS, check_table, identical_pixels
from hakken.cohort.rows import read_rows
from hakken.cohort.split import assign_parts
from hakken.cohort.table import read_table
from hakken.commands.configured import STUDIES, first_scale
from hakken.commands.parser import add_command
from hakken.console import progress
from hakken.errors import HakkenError
from hakken.imaging.checks import check_case, pixel_digest
from hakken.problems import Problem, listed
from hakken.study import Channel, Cohort, Study
from hakken.studyfile import load_study

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers

ORDINARY = {"case_id", "patient", "split", "site", "scanner", "sex", "age", "mask", "label", *TRUTHS}


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
    study = _named_study(options.study, options.table) if options.study else _study_of(options.table)
    problems = check_table(options.table, study)
    if not problems and not options.fast:
        problems = list(_image_problems(options.table, study))
    if problems:
        raise HakkenError(listed(problems, str(options.table)))
    cohort = assign_parts(read_table(options.table, study), study)
    parts = ", ".join(f"{len(cohort.part(part))} {part}" for part in ("train", "validation", "test"))
    print(f"{options.table}: {len(cohort)} cases ({parts}), channels {', '.join(study.channels)}: no problem found")


def _image_problems(table: Path, study: Study) -> Iterator[Problem]:
    """Yield the problems of every case's images, and images that stand in two parts."""
    cohort = assign_parts(read_table(table, study), study)
    digests: dict[str, str] = {}
    for number, case in enumerate(cohort.cases, start=1):
        found = check_case(case, study)
        yield from found
        if not found:
            digests[case.case_id] = pixel_digest(case, study)
        progress(f"case {number}/{len(cohort)} {case.case_id}: {'read' if not found else f'{len(found)} problems'}")
    yield from identical_pixels(digests, cohort)


def _named_study(name: str, table: Path) -> Study:
    path = STUDIES / f"{name}.yaml"
    study = load_study(path, first_scale(path))
    return study.model_copy(update={"cohort": study.cohort.model_copy(update={"table": str(table), "phantom": None})})


def _study_of(table: Path) -> Study:
    """Return a study that fits the table's own columns: whatever is no ordinary column and holds files is a channel."""
    rows = read_rows(table)
    truth = "lesion_table" if "lesion_table" in rows.heading else "lesion_mask"
    channels = [
        name for name in rows.heading if name and name not in ORDINARY and any("." in row[name] for row in rows.rows)
    ]
    if not channels:
        raise HakkenError(f"{table}: no column holds image paths; there are {', '.join(rows.heading)}")
    return Study(
        name="check",
        seed=0,
        cohort=Cohort(table=str(table), truth="lesion_table" if truth == "lesion_table" else "lesion_mask"),
        channels={name: Channel(modality="mr") for name in channels},
        reference=channels[0],
    )
