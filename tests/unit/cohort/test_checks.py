"""Problems that are found later, from the images: one image in two parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checked import NOTHING, Checked
from hakken.cohort.checks import identical_pixels

TABLE = CaseTable(
    tuple(
        Case(case_id, f"p{row}", part, {"T1": Path("a.nii")}, row=row)
        for row, (case_id, part) in enumerate(
            [("c1", "train"), ("c2", "train"), ("c3", "validation"), ("c4", "test")], start=2
        )
    )
)


def of(digests: dict[str, str], truth: str = NOTHING) -> dict[str, Checked]:
    return {case: Checked({"T1": digest}, truth, {}) for case, digest in digests.items()}


def test_identical_pixels_in_two_parts() -> None:
    found = identical_pixels(of({"c1": "aa", "c2": "bb", "c3": "aa", "c4": "bb"}), TABLE)
    assert [str(problem) for problem in found] == [
        "row 4, column split: has the same pixels as case c1, but this one is in validation and that in train; remove "
        "one of the two cases, or give both the same `patient` and `split`",
        "row 5, column split: has the same pixels as case c2, but this one is in test and that in train; remove one of "
        "the two cases, or give both the same `patient` and `split`",
    ]
    assert [problem.case_id for problem in found] == ["c3", "c4"]


def test_identical_pixels_in_one_part_and_unread_cases_are_fine() -> None:
    assert identical_pixels(of({"c1": "aa", "c2": "aa", "c3": "bb"}), TABLE) == []


def test_every_pair_across_parts_is_named_once() -> None:
    cases = [("c1", "train"), ("c2", "validation"), ("c3", "train"), ("c4", "validation")]
    table = CaseTable(tuple(Case(name, name, part, {}, row=1) for name, part in cases))
    found = identical_pixels(of(dict.fromkeys(["c1", "c2", "c3", "c4"], "aa")), table)
    assert [problem.case_id for problem in found] == ["c2", "c4"]


def test_an_image_that_is_another_channel_there_is_found_too() -> None:
    checked = of({"c1": "aa", "c4": "bb"}) | {"c3": Checked({"T1": "cc", "T2": "aa"}, NOTHING, {})}
    cases = tuple(replace(case, channels={"T1": Path("a.nii"), "T2": Path("b.nii")}) for case in TABLE.cases)
    (problem,) = identical_pixels(checked, CaseTable(cases))
    assert problem.reason == ("has the same pixels as case c1 in T1, but this one is in validation and that in train")


def test_the_same_findings_in_two_parts() -> None:
    (problem,) = identical_pixels(of({"c1": "aa"}, "tt") | of({"c3": "bb"}, "tt"), TABLE)
    assert problem.reason == "has the same findings as case c1, but this one is in validation and that in train"
    labelled = CaseTable(tuple(replace(case, label="ill") for case in TABLE.cases))
    assert identical_pixels(of({"c1": "aa"}, "tt") | of({"c3": "bb"}, "tt"), labelled) == []
