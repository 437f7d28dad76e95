"""Problems that are found later, from the images: parts without lesions, one image in two parts."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checks import Kinds, identical_pixels, require_cases, require_lesions

TABLE = CaseTable(
    tuple(
        Case(case_id, f"p{row}", part, {"T1": Path("a.nii")}, row=row)
        for row, (case_id, part) in enumerate(
            [("c1", "train"), ("c2", "train"), ("c3", "validation"), ("c4", "test")], start=2
        )
    )
)


def test_identical_pixels_in_two_parts() -> None:
    found = identical_pixels({"c1": "aa", "c2": "bb", "c3": "aa", "c4": "bb"}, TABLE)
    assert [str(problem) for problem in found] == [
        "row 4, column split: has the same pixels as case c1, but this one is in validation and that in train; remove "
        "one of the two cases, or give both the same `patient` and `split`",
        "row 5, column split: has the same pixels as case c2, but this one is in test and that in train; remove one of "
        "the two cases, or give both the same `patient` and `split`",
    ]
    assert [problem.case_id for problem in found] == ["c3", "c4"]


def test_identical_pixels_in_one_part_and_unread_cases_are_fine() -> None:
    assert identical_pixels({"c1": "aa", "c2": "aa", "c3": "bb"}, TABLE) == []


def test_every_pair_across_parts_is_named_once() -> None:
    cases = [("c1", "train"), ("c2", "validation"), ("c3", "train"), ("c4", "validation")]
    table = CaseTable(tuple(Case(name, name, part, {}, row=1) for name, part in cases))
    found = identical_pixels(dict.fromkeys(["c1", "c2", "c3", "c4"], "aa"), table)
    assert [problem.case_id for problem in found] == ["c2", "c4"]


def test_a_part_without_lesions() -> None:
    found = require_lesions({"train": 0, "validation": 3, "test": 0})
    assert [problem.reason for problem in found] == [
        "the part `train` has no lesions, so nothing can be learnt there",
        "the part `test` has no lesions, so nothing can be measured there",
    ]
    assert require_lesions({"train": 1, "validation": 2, "test": 3}) == []


def test_detection_needs_lesions_in_every_part() -> None:
    found = require_cases("detection", {"train": Kinds(1, 0), "validation": Kinds(0, 4)})
    assert found == require_lesions({"train": 1, "validation": 0})


def test_anomaly_learns_from_normal_cases_and_measures_both_kinds() -> None:
    assert require_cases("anomaly", {"train": Kinds(0, 5), "validation": Kinds(1, 1), "test": Kinds(2, 3)}) == []
    found = require_cases("anomaly", {"train": Kinds(3, 0), "validation": Kinds(0, 4), "test": Kinds(2, 0)})
    assert [problem.reason for problem in found] == [
        "the part `train` has no case without lesions; the network learns from these alone",
        "the part `validation` has no case with lesions; sensitivity is measured on these",
        "the part `test` has no case without lesions; specificity is measured on these",
    ]
    assert {problem.remedy for problem in found} == {
        "move such cases to this part, or remove the column `split` to have the cases split anew"
    }


def test_cases_are_counted_by_kind() -> None:
    assert Kinds.of([True, False, False]) == Kinds(abnormal=1, normal=2)
