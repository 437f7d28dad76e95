"""What was frozen is compared whenever it is used; who was opened does not train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checked import Checked
from hakken.cohort.patients import patient_hash
from hakken.cohort.similarity import Content
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.seal.freeze import read_freeze, write_sealed
from hakken.seal.guard import opened_for, opened_images, opened_patients, require_opened
from hakken.seal.openings import CaseKey, open_cases, read_openings
from hakken.study import Study

from ..opened import edit, freeze_of, open_results, opening_of


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results whose test set is open; the ledger stands beside them."""
    open_results(tmp_path / "example/tiny", tmp_path / "openings")
    return tmp_path / "example/tiny"


def opened(results: Path) -> int:
    ledger = results.parent.parent / "openings"
    return require_opened(ledger, results / "test/opening.json", results / "freeze.json").last.number


def test_an_edited_threshold_is_noticed_even_with_a_new_digest(results: Path) -> None:
    assert opened(results) == 1
    content = read_freeze(results / "freeze.json")
    content["models"]["selected"]["points"]["candidates"]["threshold"] = 0.1
    write_json(results / "freeze.json", content | {"digest": "0"})
    with pytest.raises(HakkenError, match=r"freeze.json: was changed since it was written; delete it to freeze again"):
        opened(results)
    write_sealed(results / "freeze.json", content)
    with pytest.raises(
        HakkenError, match=r"freeze.json: is not what the test set was opened for in opening 1; restore"
    ):
        opened(results)


def test_an_opening_that_the_ledger_does_not_know(results: Path) -> None:
    edit(results / "test/opening.json", begun="2020-01-01T00:00:00+00:00")
    with pytest.raises(HakkenError, match="was changed since it was written"):
        opened(results)
    (results.parent.parent / "openings/0001.json").unlink()
    open_results(results.parent / "small", results.parent.parent / "openings", selected="other")
    with pytest.raises(HakkenError):
        opened(results)


def test_results_that_stand_alone_are_told_by_their_receipts(results: Path) -> None:
    assert opened_for(None, None) is None
    found = opened_for(results / "test/opening.json", None)
    assert found is not None
    assert found.number == 1


def study_of(**cohort: Any) -> Study:
    content = {"name": "example", "seed": 1, "channels": {"T1": {"modality": "mr"}}}
    return Study.model_validate(content | {"cohort": {"table": "cases.csv", **cohort}})


def crossed(study: Study) -> Study:
    return study.model_copy(update={"evaluation": study.evaluation.model_copy(update={"design": "cross_validation"})})


TABLE = CaseTable(
    (
        Case("c1", "P-007", "train", {"T1": Path("a.nii")}, row=2),
        Case("c2", "P-008", "validation", {"T1": Path("b.nii")}, row=3),
        Case("c3", "P-009", "test", {"T1": Path("c.nii")}, row=4),
    )
)


@pytest.mark.parametrize(("spelling", "expected"), [("p7", [2]), ("8", []), ("P 08", [3]), ("P9", [])])
def test_a_patient_who_was_opened_does_not_train_however_spelt(
    spelling: str, expected: list[int], tmp_path: Path
) -> None:
    open_cases(tmp_path, opening_of(freeze_of(selected="a"), [CaseKey(patient_hash(spelling), ("x",), "t")]))
    problems = list(opened_patients(study_of(), TABLE, read_openings(tmp_path)))
    assert [problem.row for problem in problems] == expected
    if expected == [2]:
        assert str(problems[0]) == (
            "row 2, column patient: patient `P-007` was a test case in opening 1 and is in train now; a case that was "
            "once a test case does not train: leave it out, or give cohort.reuse_opened a reason"
        )


def test_an_image_that_was_opened_does_not_train_under_another_name(tmp_path: Path) -> None:
    open_cases(tmp_path, opening_of(freeze_of(selected="a"), [CaseKey(patient_hash("old name"), ("x", "y"), "t")]))
    checked = {
        case.case_id: Checked(Content({"T1": digest}), "t") for case, digest in zip(TABLE.cases, "xzy", strict=True)
    }
    (problem,) = opened_images(study_of(), TABLE, read_openings(tmp_path), checked)
    assert (problem.row, problem.column) == (2, "T1")
    assert problem.reason == "this image was one of a test case in opening 1 and is in train now"


def test_a_cross_validation_opens_all_by_design(tmp_path: Path) -> None:
    keys = [CaseKey(patient_hash("P-007"), ("x",), "t")]
    table = CaseTable((Case("c1", "P-007", "fold0", {}, row=2),))
    open_cases(tmp_path, opening_of(freeze_of(selected="a"), keys, design="cross_validation"))
    assert list(opened_patients(crossed(study_of()), table, read_openings(tmp_path))) == []
    open_cases(tmp_path, opening_of(freeze_of(selected="b"), keys))
    assert [one.row for one in opened_patients(crossed(study_of()), table, read_openings(tmp_path))] == [2]
