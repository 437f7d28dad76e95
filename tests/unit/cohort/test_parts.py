"""Parts are written down once: nobody moves, later patients find a place of their own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.parts import changed_parts, openings_folder, record_parts, recorded_parts
from hakken.cohort.split import assign_parts
from hakken.core.files import read_json
from hakken.study import Study

from .studies import SETTINGS, study_of_heads


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.model_validate(SETTINGS | {"cohort": {"table": str(tmp_path / "cases.csv")}})


def table_of(patients: list[str], **columns: Any) -> CaseTable:
    cases = tuple(
        Case(f"c{number}", patient, None, {}, row=number + 2, columns={k: v[number] for k, v in columns.items()})
        for number, patient in enumerate(patients)
    )
    return CaseTable(cases)


def parts_of(table: CaseTable) -> dict[str, str | None]:
    return {case.patient: case.split for case in table.cases}


def test_a_later_patient_moves_nobody(study: Study) -> None:
    patients = [f"p{number}" for number in range(12)]
    first = assign_parts(table_of(patients), study)
    record_parts(first, study)
    for count in (1, 5, 40):
        later = assign_parts(table_of([f"q{number}" for number in range(count)] + patients), study)
        assert {patient: part for patient, part in parts_of(later).items() if patient in patients} == parts_of(first)
    sizes = Counter(parts_of(later).values())
    assert sizes["train"] > sizes["test"] > 0


def test_without_a_record_the_division_is_the_same_each_time(study: Study) -> None:
    table = table_of([f"p{number}" for number in range(12)])
    assert assign_parts(table, study) == assign_parts(table, study)
    assert not openings_folder(study).exists()


def test_what_was_written_down_holds_for_another_seed_and_spelling(study: Study) -> None:
    first = assign_parts(table_of([f"P-{number:03d}" for number in range(9)]), study)
    record_parts(first, study)
    other = study.model_copy(update={"seed": 99})
    again = assign_parts(table_of([f"p{number}" for number in range(9)]), other)
    assert list(parts_of(again).values()) == list(parts_of(first).values())
    record_parts(again, other)
    assert [path.name for path in openings_folder(study).iterdir()] == ["parts-0001.json"]


def test_folds_have_a_record_of_their_own(study: Study) -> None:
    crossed = study.model_copy(
        update={"evaluation": study.evaluation.model_copy(update={"design": "cross_validation", "folds": 3})}
    )
    first = assign_parts(table_of([f"p{number}" for number in range(9)]), crossed)
    record_parts(first, crossed)
    later = assign_parts(table_of([f"p{number}" for number in range(20)]), crossed)
    assert parts_of(first).items() <= parts_of(later).items()
    assert set(parts_of(later).values()) == {"fold0", "fold1", "fold2"}
    assert read_json(openings_folder(study) / "folds3-0001.json")["parts"] == parts_of(first)
    assert recorded_parts(study) == {}


def test_a_changed_row_is_named_with_what_may_be_done(study: Study) -> None:
    table = CaseTable((Case("c1", "p1", "train", {}, row=2), Case("c2", "p2", "test", {}, row=3)))
    record_parts(table, study)
    moved = replace(table, cases=(table.cases[0], replace(table.cases[1], patient="P-02", split="train")))
    file = openings_folder(study) / "parts-0001.json"
    (problem,) = changed_parts(moved, study, opened=True)
    assert str(problem) == (
        f"row 3, column split: patient `P-02` is in train, but stands in test in {file}, where the parts were written "
        "down; write `test`"
    )
    (problem,) = changed_parts(moved, study, opened=False)
    assert problem.remedy == f"write `test`, or delete {file} to divide the cases anew, since nothing is opened yet"
    assert list(changed_parts(table, study, opened=True)) == []


def test_of_a_phantom_nothing_is_written_down() -> None:
    assert recorded_parts(study_of_heads()) == {}
    assert openings_folder(study_of_heads()).parts[0] == "results"


def test_sites_scanners_and_sexes_are_spread(study: Study) -> None:
    count = 60
    columns = {
        "site": ["Tokyo" if number % 3 else "Osaka" for number in range(count)],
        "scanner": ["AB"[number % 2] for number in range(count)],
        "sex": ["F" if number % 5 < 2 else "M" for number in range(count)],
    }
    table = assign_parts(table_of([f"p{number}" for number in range(count)], **columns), study)
    for name, values in columns.items():
        for value in set(values):
            share = values.count(value) / count
            for part in study.parts:
                members = table.part(part)
                found = sum(case.columns[name] == value for case in members)
                assert abs(found - share * len(members)) <= 1.5, (name, value, part)


def test_where_normal_cases_teach_no_abnormal_one_trains() -> None:
    study = Study.model_validate(SETTINGS | {"method": "autoencoder", "cohort": {"table": "gone/cases.csv"}})
    cases = tuple(
        Case(f"c{number}", f"p{number}", None, {}, lesion_mask=None if number % 3 else Path("m.nii"))
        for number in range(30)
    )
    table = assign_parts(CaseTable(cases), study)
    assert all(case.lesion_mask is None for case in table.part("train"))
    for part in ("validation", "test"):
        kinds = {case.lesion_mask is None for case in table.part(part)}
        assert kinds == {True, False}
