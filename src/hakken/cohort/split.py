"""Who is trained on, who chooses the model, and who stays sealed until it is frozen: always whole patients."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hakken import plugins
from hakken.cohort.case import Case, CaseTable
from hakken.cohort.folds import assign_folds, assign_kinds, other_kind
from hakken.cohort.parts import recorded_parts
from hakken.cohort.patients import normalised, patient_hash
from hakken.cohort.phantom import table_of
from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.core.tables import read_table
from hakken.study import PARTS, Part, Study
from hakken.study.crossing import chooser, kind_of

BALANCED = ("site", "scanner", "sex")
FINDINGS, NORMAL, CLASS = "with findings", "normal", "class "
ALL = ""
MANY = 4
"""Lesions are told apart by about how many there are: 1, 2 to 3, 4 to 7, 8 and more."""


def assign_parts(table: CaseTable, study: Study) -> CaseTable:
    """Return the table with every case in a part.

    As its `split` column says; else as it was written down beside the ledger of openings; patients who came later by a
    hash of their own, so that nobody else moves. The first division is stratified (`split_patients`), takes
    ``cohort.fractions`` and depends on the study's seed and on the set of patients but not on the order of the rows.
    Where every case is predicted by a model of the other folds, the parts are folds, or kinds that are left out. Raises
    HakkenError where the column is filled in part, where there are fewer patients than parts, and where a case of a
    kind that is left out would stand in a part of another kind.
    """
    filled = [case for case in table.cases if case.split is not None]
    if filled and len(filled) < len(table):
        empty = next(case for case in table.cases if case.split is None)
        raise HakkenError(
            f"{table.source}: row {empty.row}, column split: the cell of case {empty.case_id} is empty while others "
            "are filled; fill in all cells of this column, or none to have the cases split by patient"
        )
    if filled:
        return require_own_kind(table, study)
    parts = {patient: known.part for patient, known in recorded_parts(study).items()}
    patients = list(dict.fromkeys(normalised(case.patient) for case in table.cases))
    if not any(patient in parts for patient in patients):
        parts = _in_folds(table, study) if study.crossed else _divided(table, study)
    kinds = _kinds(table, study)
    parts |= {patient: _later(patient, study, kinds.get(patient)) for patient in patients if patient not in parts}
    cases = tuple(replace(case, split=parts[normalised(case.patient)]) for case in table.cases)
    return require_own_kind(replace(table, cases=cases), study)


def require_own_kind(table: CaseTable, study: Study) -> CaseTable:
    """Return the table; raises HakkenError where a case stands in a part of another kind than its own.

    There it would train, or choose, a model that is to do without its kind.
    """
    left = study.evaluation.leave_out
    for case in table.cases if left is not None else ():
        kind = case.columns.get(left.column, "")  # type: ignore[union-attr]
        if case.split is not None and kind_of(case.split) != kind:
            raise HakkenError(
                f"{table.source}: row {case.row}, case {case.case_id}: {other_kind(case.split, kind)}; correct the "
                "columns, or remove `split` and the parts that were written down to have the cases divided anew"
            )
    return table


def _kinds(table: CaseTable, study: Study) -> dict[str, str]:
    """Return the kind of each patient, by the normalised spelling; nothing where no kind is left out."""
    left = study.evaluation.leave_out
    if not study.crossed or left is None:
        return {}
    return {normalised(case.patient): case.columns.get(left.column, "") for case in table.cases}


def _in_folds(table: CaseTable, study: Study) -> dict[str, Part]:
    """Return the fold of each patient, what the table says of them spread evenly; or the part of its kind."""
    if (left := study.evaluation.leave_out) is not None:
        return assign_kinds(_kinds(table, study), left, derive_seed(study.seed, "kinds"))
    kinds: dict[str, list[str]] = {}
    for case in sorted(table.cases, key=lambda case: case.case_id):
        kinds.setdefault(normalised(case.patient), []).append(f"{_kind(case)}, {case.columns.get('scanner', '')}")
    folds = assign_folds(kinds, study.evaluation.folds, derive_seed(study.seed, "folds"))
    return {patient: f"fold{fold}" for patient, fold in folds.items()}


def _divided(table: CaseTable, study: Study) -> dict[str, Part]:
    """Return the part of each patient; where a method learns from normal cases alone, no abnormal one trains."""
    traits = _traits(table)
    fractions, seed, source = _fractions(study), derive_seed(study.seed, "split"), str(table.source)
    if not _learns_from_normal(study):
        return split_patients(traits, fractions, seed, source)
    normal = {patient: found for patient, found in traits.items() if NORMAL in found}
    abnormal = {patient: found for patient, found in traits.items() if NORMAL not in found}
    measured = {part: fractions[part] / (1 - fractions["train"]) for part in PARTS if part != "train"}
    parts = split_patients(normal, fractions, seed, f"{source}, patients without findings")
    return parts | (split_patients(abnormal, measured, seed, f"{source}, patients with findings") if abnormal else {})


def _learns_from_normal(study: Study) -> bool:
    return study.method is not None and plugins.load("methods", study.method).NEEDS.learns_from == "normal"


def _later(patient: str, study: Study, kind: str | None = None) -> Part:
    """Return the part of a patient who came after the division: by a hash of the patient, and by its kind."""
    place = int(patient_hash(patient)[:12], 16) / 16**12
    if kind is not None and (left := study.evaluation.leave_out) is not None:
        others = [chooser(kind, other) for other in left.values if other != kind]
        return others[int(place / left.chooses * len(others))] if place < left.chooses else kind
    if study.crossed:
        return f"fold{int(place * study.evaluation.folds)}"
    bounds = itertools.accumulate(_fractions(study)[part] for part in PARTS)
    return next((part for part, bound in zip(PARTS, bounds, strict=True) if place < bound), PARTS[-1])


def _traits(table: CaseTable) -> dict[str, tuple[str, ...]]:
    """Return what the table says of each patient, without opening an image: findings, classes, site, scanner, sex."""
    found: dict[str, dict[str, None]] = {}
    for case in sorted(table.cases, key=lambda case: case.case_id):
        traits = found.setdefault(normalised(case.patient), {})
        traits |= dict.fromkeys(f"{name} {case.columns[name]}" for name in BALANCED if case.columns.get(name))
        traits[_kind(case)] = None
        traits |= dict.fromkeys(_of_lesion_table(case))
    return {patient: _without_contradiction(tuple(traits)) for patient, traits in found.items()}


def _without_contradiction(traits: tuple[str, ...]) -> tuple[str, ...]:
    """Return the traits of a patient who is normal only where no case has findings."""
    abnormal = any(trait == FINDINGS or trait.startswith(CLASS) for trait in traits)
    return tuple(trait for trait in traits if not (abnormal and trait == NORMAL))


def _kind(case: Case) -> str:
    """Return what the table says of the truth of a case without opening a file."""
    if case.label:
        return f"{CLASS}{case.label}"
    return FINDINGS if case.lesion_mask or case.lesion_table else NORMAL


def _of_lesion_table(case: Case) -> Iterator[str]:
    """Yield about how many lesions a case has, and their classes, where a small table says so."""
    if case.lesion_table is None or not case.lesion_table.is_file():
        return
    try:
        table = read_table(case.lesion_table)
    except HakkenError:
        return  # whoever checks the case says what is wrong with it
    yield f"lesions {min(len(table).bit_length(), MANY)}"
    yield from (f"{CLASS}{name}" for name in set(table.cells.get("class", ())) if name)


def split_patients(
    traits: Mapping[str, Sequence[str]], fractions: Mapping[Part, float], seed: int, source: str = "cohort"
) -> dict[str, Part]:
    """Return the part of each patient; ``traits`` says of each what is to be spread evenly, as `sex F`.

    The sizes of the parts follow ``fractions`` by largest remainder, none being empty. Patients go to parts one by one,
    those with the rarest trait first and in random order among their like, each to the part that lacks their traits
    most: minimisation after Pocock and Simon (Biometrics 1975;31:103), without its coin. Raises HakkenError where there
    are fewer patients than parts.
    """
    sizes = part_sizes(len(traits), fractions, source)
    frequency = Counter(trait for found in traits.values() for trait in set(found))
    names = sorted(traits)
    shuffled = [names[index] for index in np.random.default_rng(seed).permutation(len(names))]
    order = sorted(shuffled, key=lambda patient: min((frequency[trait] for trait in traits[patient]), default=0))
    held: dict[Part, Counter[str]] = {part: Counter() for part in sizes}
    parts: dict[str, Part] = {}
    for patient in order:
        open_parts = [part for part in sizes if held[part][ALL] < sizes[part]]
        wanted = [*traits[patient], ALL]
        parts[patient] = max(
            open_parts, key=lambda part: _lack(held[part], wanted, frequency, sizes[part] / len(names))
        )
        held[parts[patient]].update(wanted)
    return parts


def _lack(held: Mapping[str, int], wanted: Sequence[str], frequency: Mapping[str, int], share: float) -> float:
    """Return how much a part, which is to hold ``share`` of all, lacks what a patient brings, in parts of its due."""
    due = {trait: share * frequency[trait] for trait in wanted if trait != ALL}
    return sum((due[trait] - held[trait]) / due[trait] for trait in due) if due else -held[ALL] / share


def part_sizes(patients: int, fractions: Mapping[Part, float], source: str = "cohort") -> dict[Part, int]:
    """Return how many patients each part receives: largest remainder, at least one each, ``patients`` in all."""
    if patients < len(fractions):
        raise HakkenError(
            f"{source}: {patients} patients cannot be split into {len(fractions)} parts ({', '.join(fractions)}); "
            "add patients: the cases of one patient stay together"
        )
    sizes = {part: max(1, math.floor(patients * fractions[part] + 1e-9)) for part in fractions}
    while sum(sizes.values()) != patients:
        step = 1 if sum(sizes.values()) < patients else -1
        movable = [part for part in fractions if sizes[part] + step >= 1]
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


def _fractions(study: Study) -> dict[Part, float]:
    fractions = study.cohort.fractions
    return {"train": fractions.train, "validation": fractions.validation, "test": fractions.test}
