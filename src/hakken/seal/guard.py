"""What is compared whenever a sealed result is made or shown, and at every start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hakken.cohort.case import CaseTable
from hakken.cohort.checked import Checked
from hakken.cohort.patients import patient_hash
from hakken.core.errors import HakkenError
from hakken.core.problems import Problem
from hakken.seal.freeze import freeze_key, read_freeze
from hakken.seal.openings import BACKUP, CaseKey, Opening, read_opening, read_openings
from hakken.seal.receipts import receipts_of
from hakken.study import Study

CROSSED = "cross_validation"
NOT_AGAIN = "a case that was once a test case does not train: leave it out, or give cohort.reuse_opened a reason"


@dataclass(frozen=True)
class Opened:
    """An open test set: the opening that results rest on, the ``last`` one for the same, and all of the ledger."""

    opening: Opening
    last: Opening
    known: tuple[Opening, ...]


def require_opened(ledger: Path, opening: Path, freeze: Path) -> Opened:
    """Return the opening that test results rest on.

    Raises HakkenError where the ledger does not know it, or where what is frozen is not what it was opened for.
    """
    mine, known = read_opening(opening), read_openings(ledger)
    if mine not in known:
        raise HakkenError(
            f"{ledger}: opening {mine.number} of the test set is missing, but results of it are here; {BACKUP}"
        )
    _require_freeze(mine, opening, freeze)
    return Opened(mine, [one for one in known if one.same_cases(mine)][-1], known)


def _require_freeze(mine: Opening, opening: Path, freeze: Path) -> None:
    """Raise HakkenError where what is frozen is not what was opened."""
    if freeze_key(read_freeze(freeze)) != mine.freeze:
        raise HakkenError(
            f"{freeze}: is not what the test set was opened for in opening {mine.number}; restore it, or delete "
            f"{opening} to open the test set again for it, which is counted"
        )


def opened_for(opening: Path | None, ledger: Path | None) -> Opening | None:
    """Return the last opening for results that rest on ``opening``, as `require_opened`; None without one.

    Without a ``ledger``, of results that stand alone, the receipts beside them tell.
    """
    if opening is None:
        return None
    freeze = opening.parent.parent / "freeze.json"
    if ledger is not None:
        return require_opened(ledger, opening, freeze).last
    mine = read_opening(opening)
    _require_freeze(mine, opening, freeze)
    return [mine, *(one for one in receipts_of(freeze.parent) if one.same_cases(mine) and one.number > mine.number)][-1]


def key_of(patient: str, checked: Checked) -> CaseKey:
    """Return what a case is known by."""
    return CaseKey(patient_hash(patient), tuple(sorted(checked.images.values())), checked.truth)


def opened_patients(study: Study, table: CaseTable, known: Sequence[Opening]) -> Iterator[Problem]:
    """Yield a problem for each case that trains or chooses, of a patient who was once opened as a test case.

    A cross-validation opens every case by design: of its kind only openings of a held-out test set count.
    """
    seen = _by_patient(study, known)
    for case in table.cases:
        opening = seen.get(patient_hash(case.patient))
        if opening is not None and _trains(case.split, study):
            reason = f"patient `{case.patient}` was a test case in opening {opening.number} and is in {case.split} now"
            yield Problem(case.case_id, "patient", reason, NOT_AGAIN, case.row)


def opened_images(
    study: Study, table: CaseTable, known: Sequence[Opening], checked: Mapping[str, Checked]
) -> Iterator[Problem]:
    """Yield the same for cases whose images were opened, under whatever name."""
    seen = {image: opening for opening in _counted(study, known) for key in opening.cases for image in key.images}
    patients = _by_patient(study, known)
    for case in table.cases:
        if case.case_id not in checked or not _trains(case.split, study) or patient_hash(case.patient) in patients:
            continue
        for column, image in checked[case.case_id].images.items():
            if image in seen:
                reason = f"this image was one of a test case in opening {seen[image].number} and is in {case.split} now"
                yield Problem(case.case_id, column, reason, NOT_AGAIN, case.row)
                break


def _by_patient(study: Study, known: Sequence[Opening]) -> dict[str, Opening]:
    return {key.patient: opening for opening in _counted(study, known) for key in opening.cases}


def _counted(study: Study, known: Sequence[Opening]) -> list[Opening]:
    return [one for one in known if not (study.crossed and one.design == CROSSED)]


def _trains(part: str | None, study: Study) -> bool:
    return part != "test" and part is not None
