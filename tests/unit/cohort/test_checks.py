"""Problems that are found later, from the images: one image in two parts."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checks import identical_pixels

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
