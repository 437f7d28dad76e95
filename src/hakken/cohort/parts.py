"""Parts that are written down once, beside the ledger of test openings, so that nobody moves from one into another.

`parts-0001.json` and so on hold the part of each patient as it was when a study of these cases first began; the next
number holds patients that came later. They belong to the cases and not to a study: whatever study uses the table finds
the same patients sealed. Folds of a cross-validation stand in files of their own (`folds5-0001.json`), and so do kinds
that are left out (`without-COLUMN-0001.json`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hakken.cohort.case import CaseTable
from hakken.cohort.patients import normalised
from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.core.problems import Problem
from hakken.core.publish import create
from hakken.study import Part, Study

FOLDER = "openings"
FILE = re.compile(r"-(\d{4})\.json")
PLACE = "set `cohort.openings` to a folder that all who work with these cases can write to"


@dataclass(frozen=True)
class Recorded:
    """The part of a patient as it was written down, and the file that says so."""

    part: Part
    file: Path


def openings_folder(study: Study) -> Path:
    """Return where the ledger of openings of a study's cases stands: beside its case table, unless the study says.

    Of a phantom, whose cases belong to one study at one scale, it stands in its results.
    """
    if study.cohort.openings is not None:
        return Path(study.cohort.openings)
    if study.cohort.table is not None:
        return Path(study.cohort.table).parent / FOLDER
    return Path("results") / study.name / study.scale / FOLDER


@contextmanager
def writing_openings(folder: Path) -> Iterator[None]:
    """Turn whatever the system refuses within the block, which writes into ``folder``, into words that say its use."""
    try:
        yield
    except (HakkenError, OSError) as error:
        refused = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(refused, OSError):
            raise
        reason = (refused.strerror or str(refused)).lower()
        raise HakkenError(
            f"{folder}: cannot be written ({reason}); it would hold the ledger of test openings: {PLACE}"
        ) from refused


def recorded_parts(study: Study) -> dict[str, Recorded]:
    """Return the parts that are written down, by the normalised spelling of the patient; of phantoms there are none.

    Raises HakkenError where a file cannot be understood.
    """
    found: dict[str, Recorded] = {}
    for path in _files(study):
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("parts"), dict):
            raise HakkenError(f"{path}: holds no parts of patients; restore it from a backup")
        for patient, part in content["parts"].items():
            found.setdefault(normalised(patient), Recorded(part, path))
    return found


def record_parts(table: CaseTable, study: Study) -> None:
    """Write down the parts of those patients of a table, all of whose cases have one, that are not yet written down."""
    while fresh := _fresh(table, study):
        number = len(_files(study)) + 1
        path = openings_folder(study) / f"{_stem(study)}-{number:04d}.json"
        with writing_openings(path.parent):
            if create(path, {"table": table.source.name, "parts": fresh}):
                return


def changed_parts(table: CaseTable, study: Study, opened: bool) -> Iterator[Problem]:
    """Yield a problem for each row whose part is not the one that is written down for its patient.

    ``opened`` says whether the ledger knows of an opening: until then a wrong division may be thrown away.
    """
    known = recorded_parts(study)
    for case in table.cases:
        before = known.get(normalised(case.patient))
        if before is None or case.split in (None, before.part):
            continue
        reason = (
            f"patient `{case.patient}` is in {case.split}, but stands in {before.part} in {before.file}, where the "
            "parts were written down"
        )
        remedy = f"write `{before.part}`"
        if not opened:
            remedy += f", or delete {before.file} to divide the cases anew, since nothing is opened yet"
        yield Problem(case.case_id, "split", reason, remedy, case.row)


def _fresh(table: CaseTable, study: Study) -> Mapping[str, Part]:
    known = recorded_parts(study)
    parts = {case.patient: case.split for case in table.cases if case.split is not None}
    return {patient: part for patient, part in sorted(parts.items()) if normalised(patient) not in known}


def _files(study: Study) -> list[Path]:
    """Return the files of a study's parts, the earliest first."""
    if study.of_phantom or study.cohort.kind == "none":
        return []
    folder, stem = openings_folder(study), _stem(study)
    return sorted(path for path in folder.glob(f"{stem}-*.json") if FILE.fullmatch(path.name.removeprefix(stem)))


def _stem(study: Study) -> str:
    left = study.evaluation.leave_out
    if study.crossed and left is not None:
        return f"without-{left.column}"
    return f"folds{study.evaluation.folds}" if study.crossed else "parts"
