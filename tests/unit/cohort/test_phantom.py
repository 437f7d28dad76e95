"""Who is in a phantom cohort."""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.cohort.phantom import phantom_cases, phantom_of, spread_levels, table_of
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


def test_in_a_cross_validation_the_parts_add_up_to_folds_of_whole_patients(phantom_study: Study) -> None:
    design = phantom_study.evaluation.model_copy(update={"design": "cross_validation", "folds": 4})
    crossed = phantom_study.model_copy(update={"evaluation": design})
    plain, cases = phantom_cases(phantom_study), phantom_cases(crossed)
    assert [case.part for case in cases] == sorted(case.part for case in cases), "fold by fold"
    assert {case.part for case in cases} == set(crossed.parts)
    alike = [sorted(astuple(replace(case, part="")) for case in found) for found in (cases, plain)]
    assert alike[0] == alike[1], "the same cases"
    folds: dict[str, set[str]] = {}
    for case in cases:
        folds.setdefault(case.patient, set()).add(case.part)
    assert all(len(found) == 1 for found in folds.values())
    sizes = Counter(case.part for case in cases)
    assert max(sizes.values()) - min(sizes.values()) <= 2
    assert all(any(case.lesions == 0 for case in cases if case.part == fold) for fold in crossed.parts)
    assert phantom_cases(crossed) == cases


def test_a_phantom_of_items_has_files_and_no_masks() -> None:
    content: dict[str, Any] = {
        "name": "signals",
        "seed": 1,
        "cohort": {
            "kind": "items",
            "files": ["signals", "truth"],
            "phantom": {"generator": "diffusion", "cases": {"train": 0, "validation": 2, "test": 1}},
        },
    }
    table = table_of(Study.model_validate(content), Path("cohort"), cases_per_job=8)
    assert [case.split for case in table.cases] == ["validation", "validation", "test"]
    first = table.cases[0]
    assert first.files == tuple(Path(f"cohort/validation-000/P0001/{name}.npz") for name in ("signals", "truth"))
    assert (first.lesion_mask, first.lesion_table, first.label) == (None, None, None)


@pytest.mark.parametrize(
    ("truth", "expected"), [("lesion_table", ("lesions.csv", None)), ("label", (None, "abnormal"))]
)
def test_the_truth_of_a_phantom_stands_where_the_study_says(
    truth: str, expected: tuple[str | None, str | None], phantom_study: Study
) -> None:
    cohort = phantom_study.cohort.model_copy(update={"truth": truth})
    study = phantom_study.model_copy(update={"cohort": cohort})
    table = table_of(study, Path("cohort"), cases_per_job=8)
    ill = next(row for row, case in zip(table.cases, phantom_cases(study), strict=True) if case.lesions)
    well = next(row for row, case in zip(table.cases, phantom_cases(study), strict=True) if not case.lesions)
    assert ill.lesion_mask is None
    assert (ill.lesion_table.name if ill.lesion_table else None, ill.label) == expected
    assert well.label is None


def test_a_study_without_cases_has_no_cohort_to_plan() -> None:
    study = Study.model_validate({"name": "none", "seed": 1, "cohort": {"kind": "none"}})
    with pytest.raises(HakkenError, match="study none: has no phantom"):
        phantom_cases(study)


@given(count=st.integers(1, 300), bins=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
def test_levels_are_spread_evenly(count: int, bins: int, seed: int) -> None:
    """Of each law every stratum holds its share of the lesions, to the next whole one."""
    levels = spread_levels(count, np.random.default_rng(seed))
    assert len(levels) == count
    for values in zip(*(astuple(level) for level in levels), strict=True):
        assert sorted(values) == pytest.approx([(number + 0.5) / count for number in range(count)])
        held = np.histogram(values, bins, (0, 1))[0]
        assert np.abs(held - count / bins).max() <= 1


def test_large_lesions_are_of_all_kinds() -> None:
    for seed in range(20):
        levels = spread_levels(40, np.random.default_rng(seed))
        held = np.histogram2d([each.size for each in levels], [each.kind for each in levels], 2, [(0, 1), (0, 1)])[0]
        assert held.min() >= 8, "of 10"


PHANTOMS: dict[str, dict[str, Any]] = {
    "aneurysm": {},
    "liver_phases": {"class_frequencies": {"early": 1, "moderate": 1, "poor": 1}},
    "liver_eob": {},
    "chest_pet_ct": {},
    "whole_body_pet_ct": {},
    "endoscopy": {"frames": 3},
    "lung_nodule": {},
}


def of_parts(generator: str, train: int, validation: int, test: int) -> Study:
    cases = {"train": train, "validation": validation, "test": test}
    phantom = {"generator": generator, "cases": cases, **PHANTOMS[generator]}
    return Study.model_validate({"name": "parts", "seed": 7, "cohort": {"phantom": phantom}})


@pytest.mark.parametrize("generator", PHANTOMS)
def test_parts_have_lesions_of_the_same_sizes(generator: str) -> None:
    cases = phantom_cases(of_parts(generator, 60, 30, 63))
    assert all(len(case.levels) == case.lesions for case in cases)
    frames = PHANTOMS[generator].get("frames", 1)
    for part in ("validation", "test"):
        of_kind: dict[str, list[float]] = {}
        for case in [case for case in cases if case.part == part][::frames]:
            of_kind.setdefault(case.kind, []).extend(level.size for level in case.levels)
        for sizes in of_kind.values():
            assert sorted(sizes) == pytest.approx((np.arange(len(sizes)) + 0.5) / len(sizes))
            quarters = np.histogram(sizes, 4, (0, 1))[0]
            assert np.abs(quarters - len(sizes) / 4).max() < 1


def test_the_frames_of_a_sequence_show_the_same_lesions() -> None:
    cases = phantom_cases(of_parts("endoscopy", 6, 30, 30))
    for number in range(0, len(cases), 3):
        assert len({case.levels for case in cases[number : number + 3]}) == 1


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("generator", PHANTOMS)
def test_more_cases_of_one_part_leave_the_others_alone(generator: str, part: str) -> None:
    sizes = {"train": 12, "validation": 9, "test": 15}
    before = phantom_cases(of_parts(generator, **sizes))
    after = phantom_cases(of_parts(generator, **{**sizes, part: 27}))
    for other in sizes.keys() - {part}:
        kept, found = (
            [replace(case, case_id="", patient="", index=0) for case in cases if case.part == other]
            for cases in (before, after)
        )
        assert kept == found


def test_who_comes_again_has_the_same_body_and_lesions_of_its_own() -> None:
    cases = phantom_cases(of_parts("aneurysm", 20, 9, 9))
    again = [(cases[number - 1], case) for number, case in enumerate(cases) if case.visit]
    assert again
    for first, second in again:
        assert first.body == second.body == first.origin
        assert second.origin != first.origin
    assert len({case.body for case in cases}) == len({case.patient for case in cases})


def test_classes_are_even_in_every_part() -> None:
    cases = phantom_cases(of_parts("liver_phases", 66, 24, 30))
    counted = Counter((case.part, case.kind) for case in cases)
    assert set(counted.values()) == {22, 8, 10}
