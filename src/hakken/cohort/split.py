"""Who is trained on, who chooses the model, and who stays sealed until it is frozen: always whole patients."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.folds import assign_folds
from hakken.cohort.phantom import table_of
from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.study import PARTS, Part, Study


def assign_parts(table: CaseTable, study: Study) -> CaseTable:
    """Return the table with every case in a part: as its `split` column says, else by a random split of the patients.

    Where every case is predicted by a model of the other folds, the parts are folds.

    The random split takes ``cohort.fractions``, depends on the study's seed and on the set of patients but not on the
    order of the rows, and is balanced by scanner where the table names scanners. Raises HakkenError where the column
    is filled in part, or where there are fewer patients than parts.
    """
    filled = [case for case in table.cases if case.split is not None]
    if filled and len(filled) < len(table):
        empty = next(case for case in table.cases if case.split is None)
        raise HakkenError(
            f"{table.source}: row {empty.row}, column split: the cell of case {empty.case_id} is empty while others "
            "are filled; fill in all cells of this column, or none to have the cases split by patient"
        )
    if filled:
        return table
    if study.crossed:
        return _in_folds(table, study)
    parts = split_patients(_scanners(table), _fractions(study), derive_seed(study.seed, "split"), str(table.source))
    return replace(table, cases=tuple(replace(case, split=parts[case.patient]) for case in table.cases))


def _in_folds(table: CaseTable, study: Study) -> CaseTable:
    """Return the table with every case in a fold, whole patients, what the table says of them spread evenly."""
    ordered = sorted(table.cases, key=lambda case: case.case_id)
    kinds: dict[str, list[str]] = {}
    for case in ordered:
        kinds.setdefault(case.patient, []).append(f"{_kind(case)}, {case.columns.get('scanner', '')}")
    folds = assign_folds(kinds, study.evaluation.folds, derive_seed(study.seed, "folds"))
    return replace(table, cases=tuple(replace(case, split=f"fold{folds[case.patient]}") for case in table.cases))


def _kind(case: Case) -> str:
    """Return what the table says of the truth of a case without opening a file."""
    return case.label or ("with findings" if case.lesion_mask or case.lesion_table else "normal")


def split_patients(
    strata: Mapping[str, str], fractions: Mapping[Part, float], seed: int, source: str = "cohort"
) -> dict[str, Part]:
    """Return the part of each patient; ``strata`` maps patients to their stratum.

    The sizes of the parts follow ``fractions`` by largest remainder, none being empty; every stratum is spread over the
    parts as evenly as these sizes allow. Raises HakkenError where there are fewer patients than parts.
    """
    sizes = part_sizes(len(strata), fractions, source)
    random = np.random.default_rng(seed)
    names = sorted(strata)
    shuffled = [names[index] for index in random.permutation(len(names))]
    order = sorted(shuffled, key=lambda patient: strata[patient])
    counts: Counter[Part] = Counter()
    parts: dict[str, Part] = {}
    for place, patient in enumerate(order, start=1):
        lack = {part: sizes[part] * place / len(order) - counts[part] for part in PARTS}
        parts[patient] = max(PARTS, key=lambda part: lack[part])
        counts[parts[patient]] += 1
    return parts


def part_sizes(patients: int, fractions: Mapping[Part, float], source: str = "cohort") -> dict[Part, int]:
    """Return how many patients each part receives: largest remainder, at least one each, ``patients`` in all."""
    if patients < len(PARTS):
        raise HakkenError(
            f"{source}: {patients} patients cannot be split into {len(PARTS)} parts ({', '.join(PARTS)}); "
            "add patients: the cases of one patient stay together"
        )
    sizes = {part: max(1, math.floor(patients * fractions[part] + 1e-9)) for part in PARTS}
    while sum(sizes.values()) != patients:
        step = 1 if sum(sizes.values()) < patients else -1
        movable = [part for part in PARTS if sizes[part] + step >= 1]
        chosen = max(movable, key=lambda part: step * (patients * fractions[part] - sizes[part]))
        sizes[chosen] += step
    return sizes


def batches(
    table: CaseTable, cases_per_job: int, parts: Sequence[Part] = PARTS
) -> dict[tuple[Part, str], tuple[str, ...]]:
    """Return the case ids of each batch, in the order of the table; batches of a part are named "000", "001" …"""
    if cases_per_job < 1:
        raise HakkenError(f"cases_per_job: {cases_per_job} is no number of cases; use 1 or more")
    found = {}
    for part in parts:
        ids = [case.case_id for case in table.part(part)]
        for number, start in enumerate(range(0, len(ids), cases_per_job)):
            found[part, f"{number:03d}"] = tuple(ids[start : start + cases_per_job])
    return found


def phantom_table(study: Study, folder: Path, cases_per_job: int = 8) -> CaseTable:
    """Return the case table of a phantom before it is drawn; its images will stand under ``folder``.

    The folders are named by part and batch, so ``cases_per_job`` must be that of the batches which are drawn.
    """
    return table_of(study, folder, cases_per_job)


def _scanners(table: CaseTable) -> dict[str, str]:
    """Return each patient's scanner, '' where unknown; with several, that of the first case id in the alphabet."""
    ordered: Sequence[tuple[str, str, str]] = sorted(
        (case.patient, case.case_id, case.columns.get("scanner", "")) for case in table.cases
    )
    return {patient: scanner for patient, _, scanner in reversed(ordered)}


def _fractions(study: Study) -> dict[Part, float]:
    fractions = study.cohort.fractions
    return {"train": fractions.train, "validation": fractions.validation, "test": fractions.test}
