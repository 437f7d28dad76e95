"""The split by patient: sizes, balance, repeatability; batches."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.split import assign_parts, batches, part_sizes, phantom_table, split_patients
from hakken.core.errors import HakkenError
from hakken.study import PARTS, Part, Study

SIXTY: dict[Part, float] = {"train": 0.6, "validation": 0.2, "test": 0.2}


def table_of(pairs: list[tuple[str, str]], scanners: dict[str, str] | None = None) -> CaseTable:
    """Return a table of (case id, patient) without a split."""
    columns = scanners or {}
    return CaseTable(
        tuple(
            Case(case_id, patient, None, {}, columns={"scanner": columns[patient]} if columns else {}, row=row)
            for row, (case_id, patient) in enumerate(pairs, start=2)
        )
    )


@pytest.mark.parametrize(
    ("patients", "expected"),
    [
        (3, (1, 1, 1)),
        (4, (2, 1, 1)),
        (5, (3, 1, 1)),
        (10, (6, 2, 2)),
        (11, (7, 2, 2)),
        (12, (7, 3, 2)),
        (348, (209, 70, 69)),
    ],
)
def test_sizes_by_largest_remainder(patients: int, expected: tuple[int, ...]) -> None:
    assert tuple(part_sizes(patients, SIXTY).values()) == expected


def test_small_parts_are_not_empty() -> None:
    assert part_sizes(5, {"train": 0.9, "validation": 0.05, "test": 0.05}) == {"train": 3, "validation": 1, "test": 1}


def test_too_few_patients(study: Study) -> None:
    message = (
        "cases.csv: 2 patients cannot be split into 3 parts (train, validation, test); add patients: the cases of one "
        "patient stay together"
    )
    with pytest.raises(HakkenError) as caught:
        assign_parts(table_of([("c1", "p1"), ("c2", "p2"), ("c3", "p1")]), study)
    assert str(caught.value) == message


def test_a_given_split_stays(study: Study) -> None:
    table = CaseTable((Case("c1", "p1", "test", {}), Case("c2", "p2", "train", {})))
    assert assign_parts(table, study) is table


def test_a_split_filled_in_part_is_an_error(study: Study) -> None:
    table = CaseTable((Case("c1", "p1", "test", {}, row=2), Case("c2", "p2", None, {}, row=3)))
    with pytest.raises(HakkenError, match=r"cases.csv: row 3, column split: the cell of case c2 is empty while"):
        assign_parts(table, study)


@given(
    patients=st.lists(st.integers(0, 30), min_size=3, max_size=60).filter(lambda found: len(set(found)) >= 3),
    shuffle=st.randoms(use_true_random=False),
)
def test_patients_stay_together_whatever_the_order(patients: list[int], shuffle: object, study: Study) -> None:
    pairs = [(f"c{number}", f"p{patient}") for number, patient in enumerate(patients)]
    first = assign_parts(table_of(pairs), study)
    parts: dict[str, set[str | None]] = {}
    for case in first.cases:
        parts.setdefault(case.patient, set()).add(case.split)
    assert all(len(found) == 1 for found in parts.values())
    sizes = Counter(next(iter(found)) for found in parts.values())
    assert sizes == part_sizes(len(parts), SIXTY)
    shuffle.shuffle(pairs)  # type: ignore[attr-defined]
    again = assign_parts(table_of(pairs), study)
    assert {case.case_id: case.split for case in again.cases} == {case.case_id: case.split for case in first.cases}


@given(counts=st.tuples(*[st.integers(0, 25)] * 3).filter(lambda counts: sum(counts) >= 3), seed=st.integers(0, 99))
def test_scanners_are_spread_evenly(counts: tuple[int, int, int], seed: int) -> None:
    strata = {f"{name}{n}": (name,) for name, count in zip("ABC", counts, strict=True) for n in range(count)}
    parts = split_patients(strata, SIXTY, seed)
    sizes = part_sizes(len(strata), SIXTY)
    for name, count in zip("ABC", counts, strict=True):
        for part in PARTS:
            found = sum(parts[patient] == part for patient in strata if strata[patient] == (name,))
            assert abs(found - count * sizes[part] / len(strata)) < 2


def test_the_seed_decides(study: Study) -> None:
    table = table_of([(f"c{number}", f"p{number}") for number in range(30)])
    other = study.model_copy(update={"seed": 2})
    splits = [[case.split for case in assign_parts(table, one).cases] for one in (study, study, other)]
    assert splits[0] == splits[1] != splits[2]


def test_a_column_of_scanners_balances_the_split(study: Study) -> None:
    scanners = {f"p{number}": "AB"[number % 2] for number in range(20)}
    table = assign_parts(table_of([(f"c{patient}", patient) for patient in scanners], scanners), study)
    found = Counter((case.split, case.columns["scanner"]) for case in table.cases)
    assert set(found.values()) == {6, 2}


def test_batches_keep_the_order_of_the_table() -> None:
    parts: list[Part] = ["train", "test", "train", "train", "validation"]
    table = CaseTable(tuple(Case(f"c{n}", f"p{n}", part, {}) for n, part in enumerate(parts)))
    assert batches(table, 2) == {
        ("train", "000"): ("c0", "c2"),
        ("train", "001"): ("c3",),
        ("validation", "000"): ("c4",),
        ("test", "000"): ("c1",),
    }
    with pytest.raises(HakkenError, match="cases_per_job: 0 is no number of cases; use 1 or more"):
        batches(table, 0)


def test_the_folders_of_a_phantom_are_its_batches(phantom_study: Study) -> None:
    table = phantom_table(phantom_study, Path("cohort"), cases_per_job=5)
    for (part, batch), cases in batches(table, 5).items():
        for case in table.select(cases):
            assert case.channels["T1"] == Path("cohort") / f"{part}-{batch}" / case.case_id / "T1.nii.gz"


def crossed(study: Study, folds: int = 3) -> Study:
    design = study.evaluation.model_copy(update={"design": "cross_validation", "folds": folds})
    return study.model_copy(update={"evaluation": design})


def cases_with_findings(count: int) -> list[Case]:
    """Cases of which every second shows findings, two of each patient, from two scanners in turn."""
    return [
        Case(
            f"c{number:02d}",
            f"p{number // 2:02d}",
            None,
            {},
            lesion_mask=Path("a.nii") if number % 4 < 2 else None,
            columns={"scanner": "AB"[number // 4 % 2]},
        )
        for number in range(count)
    ]


def test_in_a_cross_validation_parts_are_folds_of_whole_patients(study: Study) -> None:
    table = CaseTable(tuple(cases_with_findings(48)))
    found = assign_parts(table, crossed(study))
    folds: dict[str, set[str | None]] = {}
    for case in found.cases:
        folds.setdefault(case.patient, set()).add(case.split)
    assert all(len(own) == 1 for own in folds.values())
    kinds = Counter((case.split, case.lesion_mask is None, case.columns["scanner"]) for case in found.cases)
    assert set(kinds) == {
        (f"fold{fold}", normal, scanner) for fold in range(3) for normal in (True, False) for scanner in "AB"
    }
    assert set(kinds.values()) == {4}, "findings and scanners are spread evenly"


@given(shuffle=st.randoms(use_true_random=False))
def test_folds_depend_on_the_seed_and_not_on_the_order_of_the_rows(shuffle: object, study: Study) -> None:
    cases = cases_with_findings(24)
    first = {case.case_id: case.split for case in assign_parts(CaseTable(tuple(cases)), crossed(study)).cases}
    shuffle.shuffle(cases)  # type: ignore[attr-defined]
    again = {case.case_id: case.split for case in assign_parts(CaseTable(tuple(cases)), crossed(study)).cases}
    assert again == first
    other = assign_parts(CaseTable(tuple(cases)), crossed(study).model_copy(update={"seed": 2}))
    assert {case.case_id: case.split for case in other.cases} != first


def test_a_table_may_name_the_folds_itself(study: Study) -> None:
    table = CaseTable(tuple(Case(f"c{number}", f"p{number}", f"fold{number % 3}", {}) for number in range(6)))
    assert assign_parts(table, crossed(study)) is table
    assert set(batches(table, 8, crossed(study).parts)) == {(f"fold{number}", "000") for number in range(3)}


def test_fewer_patients_than_folds(study: Study) -> None:
    with pytest.raises(HakkenError, match="4 patients cannot be spread over 5 folds; lower `folds` to 4 or add"):
        assign_parts(CaseTable(tuple(cases_with_findings(8))), crossed(study, 5))
