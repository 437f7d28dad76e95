"""Cases whose DICOM headers say that they are of one patient, or of one examination, under different patients.

Identities are compared and never shown. One that most cases share was written by whoever took the names out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.patients import normalised
from hakken.core.problems import Problem

Identity = tuple[str, str]
"""PatientID and StudyInstanceUID, empty where there is none."""
KINDS = ("patient by PatientID (0010,0020)", "examination by StudyInstanceUID (0020,000d)")
MOST = 0.5


def shared_identities(identities: Mapping[str, Identity], table: CaseTable, channel: str) -> Iterator[Problem]:
    """Yield cases of two parts whose headers name one examination, which stops, or one patient, a question.

    ``identities`` are by case id, of the reference ``channel``.
    """
    named: set[str] = set()
    for place, kind in reversed(list(enumerate(KINDS))):
        for members in _groups(identities, table, place):
            pair = _across(members)
            if pair is None or pair[1].case_id in named:
                continue
            first, case = pair
            named.add(case.case_id)
            reason = (
                f"is of the same {kind} as case {first.case_id} (row {first.row}), but under another `patient`, and "
                f"this one is in {case.split}, that in {first.split}"
            )
            remedy = "give both the same `patient` and `split`, or correct the header"
            yield Problem(case.case_id, channel, reason, remedy, case.row, stops=place == 1)


def _groups(identities: Mapping[str, Identity], table: CaseTable, place: int) -> Iterator[list[Case]]:
    """Yield the cases that share an identity which tells patients apart."""
    found: dict[str, list[Case]] = defaultdict(list)
    for case in table.cases:
        if identity := identities.get(case.case_id, ("", ""))[place]:
            found[identity].append(case)
    known = sum(map(len, found.values()))
    for members in found.values():
        if 1 < len(members) <= max(2, MOST * known):
            yield members


def _across(members: list[Case]) -> tuple[Case, Case] | None:
    """Return the first two cases of different patients in different parts."""
    for number, case in enumerate(members):
        for first in members[:number]:
            if case.split != first.split and normalised(case.patient) != normalised(first.patient):
                return first, case
    return None
