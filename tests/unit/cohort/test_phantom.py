"""Who is in a phantom cohort."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hakken.cohort.phantom import phantom_cases, phantom_of, table_of
from hakken.core.errors import HakkenError
from hakken.study import Study


def test_sizes_ids_and_lesion_free_cases(phantom_study: Study) -> None:
    cases = phantom_cases(phantom_study)
    assert [case.case_id for case in cases] == [f"P{number:04d}" for number in range(1, 25)]
    assert Counter(case.part for case in cases) == {"train": 12, "validation": 6, "test": 6}
    free = Counter(case.part for case in cases if case.lesions == 0)
    assert free == {"train": 2, "validation": 1, "test": 1}
    counts = sorted(case.lesions for case in cases if case.part == "train")
    assert counts == [0, 0, 1, 1, 2, 3, 3, 4, 5, 6, 7, 8]
    assert phantom_cases(phantom_study) == cases


def test_every_part_sees_every_scanner_equally(phantom_study: Study) -> None:
    found = Counter((case.part, case.scanner) for case in phantom_cases(phantom_study))
    assert set(found.values()) == {2, 4}


def test_second_visits_stay_with_their_patient(phantom_study: Study) -> None:
    cases = phantom_cases(phantom_study)
    patients: dict[str, list[tuple[str, str, int]]] = {}
    for case in cases:
        patients.setdefault(case.patient, []).append((case.part, case.sex, case.age))
    visits = [found for found in patients.values() if len(found) > 1]
    assert len(visits) == 1
    assert all(len(set(found)) == 1 for found in patients.values())


def test_another_seed_is_another_cohort(phantom_study: Study) -> None:
    other = phantom_study.model_copy(update={"seed": 2})
    assert phantom_cases(other) != phantom_cases(phantom_study)


def test_the_table_names_files_before_they_exist(phantom_study: Study) -> None:
    table = table_of(phantom_study, Path("cohort"), cases_per_job=5)
    sixth = table.cases[5]
    assert sixth.channels == {
        "T1POST": Path("cohort/train-001/P0006/T1POST.nii.gz"),
        "T1": Path("cohort/train-001/P0006/T1.nii.gz"),
    }
    assert sixth.lesion_mask == Path("cohort/train-001/P0006/lesions.nii.gz")
    assert set(sixth.columns) == {"scanner", "sex", "age"}
    assert table.cases[12].channels["T1"].parts[1] == "validation-000"


def test_a_study_without_phantom(study: Study) -> None:
    with pytest.raises(HakkenError, match=r"study demo: has no phantom, its cases come from cases.csv"):
        phantom_of(study)
