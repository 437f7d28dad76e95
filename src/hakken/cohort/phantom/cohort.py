"""Who is in a phantom cohort: cases, patients, parts, scanners and how many lesions each has, before any is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator as Random

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.phantom.generators import GENERATORS, Generator
from hakken.errors import HakkenError
from hakken.names import nearest
from hakken.seeds import derive_seed
from hakken.study import PARTS, Part, Phantom, Study

SECOND_VISIT = 9


@dataclass(frozen=True)
class PhantomCase:
    """A case to be drawn; ``index`` counts the cases of the cohort from 1, ``lesions`` is their number.

    ``visit`` is how many cases of the same patient come before: the number of a frame in its sequence. ``kind`` is the
    class of its lesions, where the generator's lesions have one.
    """

    case_id: str
    index: int
    patient: str
    part: Part
    scanner: str
    sex: str
    age: int
    lesions: int
    visit: int = 0
    kind: str = ""


def phantom_of(study: Study) -> Phantom:
    """Return the study's phantom; raises HakkenError where the study has a case table of its own."""
    if study.cohort.phantom is None:
        raise HakkenError(f"study {study.name}: has no phantom, its cases come from {study.cohort.table}")
    return study.cohort.phantom


def phantom_cases(study: Study) -> tuple[PhantomCase, ...]:
    """Return all cases of the study's phantom, part by part; they depend on the study's seed and sizes alone."""
    phantom = phantom_of(study)
    frequencies = class_frequencies(study)
    cases: list[PhantomCase] = []
    for part in PARTS:
        random = np.random.default_rng(derive_seed(study.seed, "phantom cohort", part))
        count = int(getattr(phantom.cases, part))
        cases += _cases_of(part, count, len(cases) + 1, phantom, random, frequencies=frequencies)
    return tuple(cases)


def table_of(study: Study, folder: Path, cases_per_job: int) -> CaseTable:
    """Return the phantom's case table, whose images stand in ``folder``/<part>-<batch>/<case>/."""
    seen = dict.fromkeys(PARTS, 0)
    rows = []
    for number, case in enumerate(phantom_cases(study), start=2):
        batch = f"{case.part}-{seen[case.part] // cases_per_job:03d}"
        seen[case.part] += 1
        rows.append(_row(case, study, folder / batch / case.case_id, number))
    return CaseTable(tuple(rows), folder / "cases.csv")


def class_frequencies(study: Study) -> dict[str, float]:
    """Return how frequent each class of lesion is, in any unit; none where the phantom's lesions have no class.

    Raises HakkenError where the study names a class that the generator cannot draw.
    """
    phantom = phantom_of(study)
    known = dict(GENERATORS[phantom.generator].kinds)
    if phantom.class_frequencies is None:
        return known
    for name in phantom.class_frequencies:
        if name not in known:
            there = f"there are {', '.join(known)}{nearest(name, known)}" if known else "its lesions have no class"
            raise HakkenError(
                f"study {study.name}: cohort.phantom.class_frequencies names `{name}`, which the generator "
                f"{phantom.generator} cannot draw; {there}"
            )
    return dict(phantom.class_frequencies)


def _cases_of(
    part: Part, count: int, start: int, phantom: Phantom, random: Random, *, frequencies: Mapping[str, float]
) -> list[PhantomCase]:
    """Return the cases of one part; now and then a case is a second visit of the patient before.

    Where the phantom draws sequences, each so many cases are the frames of one patient.
    """
    law, patients = GENERATORS[phantom.generator], math.ceil(count / phantom.frames)
    scanners = random.permutation([law.scanners[number % len(law.scanners)] for number in range(patients)])
    lesions = _lesion_counts(part, patients, law, random)
    kinds = _kinds(patients, frequencies, random)
    cases: list[PhantomCase] = []
    for number in range(count):
        index, group = start + number, number // phantom.frames
        sex, age = str(random.choice(["F", "M"])), int(random.integers(38, 84))
        patient, visit, kind = f"S{index:04d}", 0, kinds[group]
        if _comes_again(number, phantom.frames):
            before = cases[-1]
            patient, sex, age, visit, kind = before.patient, before.sex, before.age, before.visit + 1, before.kind
        scanner, found = str(scanners[group]), int(lesions[group])
        cases.append(PhantomCase(f"P{index:04d}", index, patient, part, scanner, sex, age, found, visit, kind))
    return cases


def _comes_again(number: int, frames: int) -> bool:
    """Whether the case of this number in its part, from 0, shows the patient of the case before."""
    return number % SECOND_VISIT == SECOND_VISIT - 1 if frames == 1 else number % frames > 0


def _kinds(count: int, frequencies: Mapping[str, float], random: Random) -> list[str]:
    """Return the class of each case, '' where there are none; their numbers are those expected, in random order."""
    if not frequencies:
        return [""] * count
    names, weights = list(frequencies), np.array(list(frequencies.values()), float)
    levels = (np.arange(count) + 0.5) / count
    numbers = np.searchsorted(np.cumsum(weights / weights.sum())[:-1], levels)
    return [names[number] for number in random.permutation(numbers)]


def _lesion_counts(part: Part, count: int, law: Generator, random: Random) -> list[int]:
    """Return how many lesions each case has, in random order.

    The numbers are the quantiles of their law and not draws from it: small parts are as hard as large ones, and a
    fixed fraction of cases is free of lesions, so that no part is without any.
    """
    free = count if part == "train" and law.normal_training else round(law.lesion_free * count)
    levels = (np.arange(count - free) + 0.5) / max(count - free, 1)
    numbers = 1 + np.searchsorted(np.cumsum(law.lesion_counts)[:-1], levels)
    return [int(number) for number in random.permutation([0] * free + numbers.tolist())]


def _row(case: PhantomCase, study: Study, folder: Path, number: int) -> Case:
    tabled = study.cohort.truth == "lesion_table"
    return Case(
        case_id=case.case_id,
        patient=case.patient,
        split=case.part,
        channels={name: folder / f"{name}.nii.gz" for name in study.channels},
        lesion_mask=None if tabled else folder / "lesions.nii.gz",
        lesion_table=folder / "lesions.csv" if tabled else None,
        columns={"scanner": case.scanner, "sex": case.sex, "age": str(case.age)},
        row=number,
    )
