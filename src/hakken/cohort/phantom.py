"""Who is in a phantom cohort: cases, patients, parts, scanners and how many lesions each has, before any is drawn."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.random import Generator as Random

from hakken import plugins
from hakken.cohort.case import Case, CaseTable
from hakken.cohort.folds import assign_folds, assign_kinds
from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.core.seeds import derive_seed
from hakken.phantoms import Law, Levels, PhantomCase
from hakken.study import PARTS, Part, Phantom, Study

SECOND_VISIT = 9
STEPS = (0.7548776662466927, 0.5698402909980532)
"""1 / g and 1 / g², g³ = g + 1: steps that spread points evenly over a square (Roberts 2018, sequence R2)."""


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
        found = _cases_of(part, count, len(cases) + 1, phantom, random, frequencies=frequencies)
        levels = np.random.default_rng(derive_seed(study.seed, "phantom levels", part))
        cases += _levelled(found, phantom.frames_of_a_patient, levels)
    return _in_folds(cases, study) if study.crossed else tuple(cases)


def _in_folds(cases: Sequence[PhantomCase], study: Study) -> tuple[PhantomCase, ...]:
    """Return the cases in folds instead of parts, fold by fold; the sizes of the parts add up to the cohort."""
    if (left := study.evaluation.leave_out) is not None:
        _require_kinds(study, left.values)
        known = assign_kinds({case.patient: case.kind for case in cases}, left, derive_seed(study.seed, "kinds"))
        moved = [replace(case, part=known[case.patient]) for case in cases]
        return tuple(case for part in study.parts for case in moved if case.part == part)
    kinds: dict[str, list[str]] = {}
    for case in cases:
        kinds.setdefault(case.patient, []).append(case.kind or ("abnormal" if case.lesions else "normal"))
    folds = assign_folds(kinds, study.evaluation.folds, derive_seed(study.seed, "folds"))
    return tuple(
        replace(case, part=f"fold{fold}")
        for fold in range(study.evaluation.folds)
        for case in cases
        if folds[case.patient] == fold
    )


def _require_kinds(study: Study, values: Sequence[str]) -> None:
    """Raise HakkenError where kinds that are left out are not the classes of lesions that the phantom draws."""
    drawn = {name for name, share in class_frequencies(study).items() if share}
    if drawn != set(values):
        raise HakkenError(
            f"study {study.name}: evaluation.leave_out.values are {', '.join(values)}, but the phantom draws "
            f"lesions of the classes {', '.join(sorted(drawn)) or 'that it does not tell apart'}; name these"
        )


def law_of(study: Study) -> Law:
    """Return who is in the cohort of the study's phantom."""
    law: Law = plugins.load("phantoms", phantom_of(study).generator).LAW
    return law


def check_channels(study: Study) -> None:
    """Raise HakkenError where the study has more channels than its phantom draws, or others."""
    law = law_of(study)
    if len(study.channels) > law.channels:
        raise HakkenError(
            f"study {study.name}: the phantom draws {law.images}, "
            f"but the study has {', '.join(study.channels)}; remove a channel"
        )
    for name in study.channels:
        if law.names and name not in law.names:
            known = f"{', '.join(law.names)}{nearest(name, law.names)}"
            raise HakkenError(f"study {study.name}: the phantom draws no channel `{name}`; call the channels {known}")
    for name in study.cohort.regions:
        if name not in law.regions:
            there = f"there are {', '.join(law.regions)}{nearest(name, law.regions)}" if law.regions else "it has none"
            raise HakkenError(f"study {study.name}: cohort.regions: the phantom draws no region `{name}`; {there}")


def table_of(study: Study, folder: Path, cases_per_job: int) -> CaseTable:
    """Return the phantom's case table, whose images stand in ``folder``/<part>-<batch>/<case>/."""
    seen: Counter[str] = Counter()
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
    known, wanted = dict(law_of(study).kinds), phantom.frequencies
    if wanted is None:
        return known
    for name in wanted:
        if name not in known:
            there = f"there are {', '.join(known)}{nearest(name, known)}" if known else "its lesions have no class"
            raise HakkenError(
                f"study {study.name}: cohort.phantom.class_frequencies names `{name}`, which the generator "
                f"{phantom.generator} cannot draw; {there}"
            )
    return dict(wanted)


def _cases_of(
    part: Part, count: int, start: int, phantom: Phantom, random: Random, *, frequencies: Mapping[str, float]
) -> list[PhantomCase]:
    """Return the cases of one part; now and then a case is a second visit of the patient before.

    Where the phantom draws sequences, each so many cases are the frames of one patient.
    """
    law: Law = plugins.load("phantoms", phantom.generator).LAW
    frames = phantom.frames_of_a_patient
    patients = math.ceil(count / frames)
    scanners = random.permutation([law.scanners[number % len(law.scanners)] for number in range(patients)])
    lesions = _lesion_counts(part, patients, law, random)
    kinds = iter(_kinds(_visits(count, frames), frequencies, random))
    cases: list[PhantomCase] = []
    for number in range(count):
        index, group, origin = start + number, number // frames, f"{part}/{number + 1}"
        sex, age = str(random.choice(["F", "M"])), int(random.integers(38, 84))
        if _comes_again(number, frames):
            before = cases[-1]
            patient, sex, age, visit, kind = before.patient, before.sex, before.age, before.visit + 1, before.kind
            body = before.body
        else:
            patient, visit, kind, body = f"S{index:04d}", 0, next(kinds), origin
        cases.append(
            PhantomCase(
                case_id=f"P{index:04d}",
                index=index,
                patient=patient,
                part=part,
                scanner=str(scanners[group]),
                sex=sex,
                age=age,
                lesions=int(lesions[group]),
                visit=visit,
                kind=kind,
                origin=origin,
                body=body,
            )
        )
    return cases


def _levelled(cases: Sequence[PhantomCase], frames: int, random: Random) -> list[PhantomCase]:
    """Return the cases of a part with the levels of their lesions, which are spread over those of each class.

    So many ``frames`` in a row show the same lesions.
    """
    scenes, counts = cases[::frames], Counter[str]()
    for scene in scenes:
        counts[scene.kind] += scene.lesions
    left = {kind: iter(spread_levels(count, random)) for kind, count in counts.items()}
    levels = [tuple(next(left[scene.kind]) for _ in range(scene.lesions)) for scene in scenes]
    return [replace(case, levels=levels[number // frames]) for number, case in enumerate(cases)]


def spread_levels(count: int, random: Random) -> list[Levels]:
    """Return the levels of so many lesions, in random order.

    They are the quantiles of their laws and not draws from them: of each law each ``count``-th part holds one lesion,
    and large lesions are of all kinds. So all parts of a cohort hold lesions of the same sizes.
    """
    ranks = np.arange(count)
    turned = [np.argsort(np.argsort((ranks * step + random.random()) % 1)) for step in STEPS]
    rows = (np.stack([ranks, *turned], 1) + 0.5) / max(count, 1)
    return [Levels(*row) for row in random.permutation(rows).tolist()]


def _comes_again(number: int, frames: int) -> bool:
    """Whether the case of this number in its part, from 0, shows the patient of the case before."""
    return number % SECOND_VISIT == SECOND_VISIT - 1 if frames == 1 else number % frames > 0


def _visits(count: int, frames: int) -> list[int]:
    """Return how many of so many cases each patient has."""
    visits: list[int] = []
    for number in range(count):
        if _comes_again(number, frames):
            visits[-1] += 1
        else:
            visits.append(1)
    return visits


def _kinds(visits: Sequence[int], frequencies: Mapping[str, float], random: Random) -> list[str]:
    """Return the class of each patient, '' where there are none, by how many cases each has.

    The numbers of cases are those expected, in random order: who comes more than once is given a class first.
    """
    if not frequencies:
        return [""] * len(visits)
    names, weights = list(frequencies), np.array(list(frequencies.values()), float)
    levels = (np.arange(sum(visits)) + 0.5) / sum(visits)
    left = np.bincount(np.searchsorted(np.cumsum(weights / weights.sum())[:-1], levels), minlength=len(names))
    found = [""] * len(visits)
    for patient in sorted(random.permutation(len(visits)).tolist(), key=lambda each: -visits[each]):
        room = left * (left >= visits[patient]) if left.max() >= visits[patient] else left
        chosen = int(random.choice(len(names), p=room / room.sum()))
        left[chosen] = max(left[chosen] - visits[patient], 0)
        found[patient] = names[chosen]
    return found


def _lesion_counts(part: Part, count: int, law: Law, random: Random) -> list[int]:
    """Return how many lesions each case has, in random order.

    The numbers are the quantiles of their law and not draws from it: small parts are as hard as large ones, and a
    fixed fraction of cases is free of lesions, so that no part is without any.
    """
    free = count if part == "train" and law.normal_training else round(law.lesion_free * count)
    levels = (np.arange(count - free) + 0.5) / max(count - free, 1)
    numbers = 1 + np.searchsorted(np.cumsum(law.lesion_counts)[:-1], levels)
    return [int(number) for number in random.permutation([0] * free + numbers.tolist())]


def _row(case: PhantomCase, study: Study, folder: Path, number: int) -> Case:
    items, truth = study.cohort.kind == "items", study.cohort.truth
    tabled = truth == "lesion_table" or study.names_classes
    files = {name: folder / f"{name}.npz" for name in study.cohort.files}
    return Case(
        case_id=case.case_id,
        patient=case.patient,
        split=case.part,
        channels=files if items else {name: folder / f"{name}.nii.gz" for name in study.channels},
        lesion_mask=folder / "lesions.nii.gz" if truth == "lesion_mask" and not items else None,
        lesion_table=folder / "lesions.csv" if tabled and not items else None,
        label=_label(case) if truth == "label" else None,
        regions=folder / "regions.nii.gz" if study.cohort.regions else None,
        columns={"scanner": case.scanner, "sex": case.sex, "age": str(case.age)}
        | _further(case, study)
        | _kind(case, study),
        row=number,
    )


def _further(case: PhantomCase, study: Study) -> dict[str, str]:
    """Return the further columns that the study asks for and the phantom knows."""
    known = getattr(plugins.load("phantoms", phantom_of(study).generator), "columns", None)
    cells: Mapping[str, str] = known(case, study) if known else {}
    return {name: cell for name, cell in cells.items() if name in study.case_columns}


def _label(case: PhantomCase) -> str | None:
    """Return the class of a case in a word, None where it is normal."""
    return case.kind or ("abnormal" if case.lesions else None)


def _kind(case: PhantomCase, study: Study) -> dict[str, str]:
    """Return the column of the kinds that are left out, where any are."""
    left = study.evaluation.leave_out
    return {} if left is None else {left.column: case.kind}
