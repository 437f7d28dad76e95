"""Patients and examinations that DICOM headers know under one identity, and the table under two."""

from __future__ import annotations

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.examinations import shared_identities

PARTS = ("train", "validation", "test", "train", "test")


def said(*identities: tuple[str, str], patients: str = "abcde") -> list[tuple[int | None, str, bool]]:
    cases = tuple(
        Case(f"c{number}", patient, part, {}, row=number + 2)
        for number, (patient, part) in enumerate(zip(patients, PARTS, strict=True))
    )
    known = {case.case_id: identity for case, identity in zip(cases, identities, strict=False)}
    found = shared_identities(known, CaseTable(cases), "CT")
    return [(one.row, one.reason.partition(" (")[0], one.stops) for one in found]


def test_one_examination_in_two_parts_stops_and_is_named_once() -> None:
    known = [("1", "1.2"), ("2", "1.3"), ("1", "1.2"), ("4", "1.5"), ("5", "1.6")]
    assert said(*known) == [(4, "is of the same examination by StudyInstanceUID", True)]
    assert said(*known, patients="abade") == []


def test_one_patient_in_two_parts_is_a_question() -> None:
    known = [("1", "1.2"), ("2", "1.3"), ("1", "1.4"), ("4", "1.5"), ("5", "1.6")]
    assert said(*known) == [(4, "is of the same patient by PatientID", False)]


def test_what_most_cases_share_tells_nothing() -> None:
    assert said(*[("ANON", "1.0")] * 3, ("4", "1.5"), ("5", "1.6")) == []
    assert said(*[("", "")] * 5) == []


def test_two_cases_of_one_part_say_nothing() -> None:
    known = [("1", "1.2"), ("2", "1.3"), ("3", "1.4"), ("1", "1.2"), ("5", "1.6")]
    assert said(*known) == []
