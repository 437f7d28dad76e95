"""Which cases a fold of the development cases holds out: whole patients, the classes spread evenly."""

from __future__ import annotations

from collections.abc import Sequence

from hakken.cohort.folds import assign_folds
from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.imaging.cases import Case
from hakken.runs.table import Run
from hakken.study import Study


def held_out_of(study: Study, run: Run, cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the ids of the cases in the fold of a run."""
    if run.folds is None:
        raise HakkenError(f"run `{run.name}` has no folds")
    by_patient: dict[str, list[str]] = {}
    ordered = sorted(cases, key=lambda case: case.case_id)
    for case in ordered:
        by_patient.setdefault(case.patient or case.case_id, []).extend(_classes(case))
    assigned = assign_folds(by_patient, run.folds, derive_seed(study.seed, "folds"))
    return tuple(case.case_id for case in ordered if assigned[case.patient or case.case_id] == run.fold)


def _classes(case: Case) -> list[str]:
    """Return the classes that a case adds to its fold: those of its lesions, else whether it is abnormal."""
    found = [] if isinstance(case, Item) else [lesion.lesion_class or "" for lesion in case.lesions]
    return found or [case.label or ("abnormal" if case.abnormal else "normal")]
