"""The validation cases by which a training is watched while it goes on, where the study asks for fewer than all."""

from __future__ import annotations

from collections.abc import Sequence

from hakken.cohort.items import Item
from hakken.core.seeds import derive_seed
from hakken.imaging.cases import Case, digest_of
from hakken.study import Study

Patient = list[Case]


def watched_of(study: Study, cases: Sequence[Case]) -> tuple[Case, ...]:
    """Return the cases that measurements during a training take, in their order: whole patients.

    Patients of each kind (with findings of these classes, without any) come in an order that what their images show
    decides, and from all kinds in proportion, at least one of each, until there are as many cases as
    `training.validate_cases` says. All trainings of a study take the same.
    """
    wanted = study.training.validate_cases
    if wanted is None or wanted >= len(cases):
        return tuple(cases)
    chosen: set[str] = set()
    for place, patient in _in_order(study, cases):
        if place > 0 and len(chosen) >= wanted:
            break
        chosen |= {case.case_id for case in patient}
    return tuple(case for case in cases if case.case_id in chosen)


def _in_order(study: Study, cases: Sequence[Case]) -> list[tuple[float, Patient]]:
    """Return the patients by their places: 0 for the first of each kind, for others how far they are in it."""
    kinds: dict[tuple[str, ...], list[tuple[int, Patient]]] = {}
    for patient in _patients(cases):
        kind = tuple(sorted({name for case in patient for name in _findings(case)}))
        drawn = derive_seed(study.seed, "watched", *sorted(map(digest_of, patient)))
        kinds.setdefault(kind, []).append((drawn, patient))
    found = []
    for patients in kinds.values():
        ordered = sorted(patients, key=lambda one: one[0])
        for rank, (drawn, patient) in enumerate(ordered):
            found.append(((rank + 0.5) / len(ordered) if rank else 0.0, drawn, patient))
    return [(place, patient) for place, _, patient in sorted(found, key=lambda one: one[:2])]


def _patients(cases: Sequence[Case]) -> list[Patient]:
    found: dict[str, Patient] = {}
    for case in cases:
        found.setdefault(case.patient or case.case_id, []).append(case)
    return list(found.values())


def _findings(case: Case) -> set[str]:
    """Return the classes of what counts in a case, or of the case as a whole; nothing of a normal one."""
    lesions = () if isinstance(case, Item) else case.lesions
    found = {lesion.lesion_class or "lesion" for lesion in lesions if lesion.kind == "included"}
    return found or ({case.label} if case.label else set())
