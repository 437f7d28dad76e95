"""Cases that are no images: their files, their digests, their table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checks import check_table, file_columns, truth_column
from hakken.cohort.items import Item, examine_item, item_of, read_items
from hakken.cohort.split import assign_parts
from hakken.cohort.table import read_table, write_table
from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file, write_json
from hakken.study import Study

REMEDY = "correct the path, which counts from the table's folder, or put the file there"
HEADING = "case_id,patient,split,report,scan,centre"


def study_of_items(**cohort: Any) -> Study:
    known = {"kind": "items", "table": "cases.csv", "files": ["report", "scan"]}
    return Study.model_validate({"name": "reports", "seed": 1, "cohort": known | cohort})


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case of two files."""
    files = {name: tmp_path / f"{name}.txt" for name in ("report", "scan")}
    for name, path in files.items():
        path.write_text(f"the {name}")
    return Case("c1", "p1", "train", files, label="ill", columns={"centre": "A"}, row=2)


@pytest.fixture
def item(case: Case) -> Item:
    problems, found = examine_item(case)
    assert problems == []
    assert found is not None
    return found


def test_an_item_knows_its_files_by_their_content(case: Case, item: Item) -> None:
    assert (item.case_id, item.patient, item.columns, item.label) == ("c1", "p1", {"centre": "A"}, "ill")
    assert item.sha256 == {name: sha256_file(path) for name, path in case.channels.items()}
    assert item.file("scan") == case.channels["scan"]
    assert item.abnormal
    assert not Item("c2", "p2").abnormal


def test_a_file_that_has_changed_since_is_refused(item: Item) -> None:
    item.files["scan"].write_text("another scan")
    assert item.file("report").is_file()
    with pytest.raises(HakkenError) as caught:
        item.file("scan")
    expected = "missing or changed; the case was checked with another file: run again"
    assert str(caught.value) == f"{item.files['scan']}: {expected}"


def test_a_file_that_a_case_does_not_have(item: Item) -> None:
    with pytest.raises(HakkenError) as caught:
        item.file("image")
    assert str(caught.value) == "case c1: has no file `image`, only report, scan"


def test_the_digest_is_that_of_the_contents_wherever_they_stand(item: Item, tmp_path: Path) -> None:
    moved = Item("other", "p9", files={"a": tmp_path / "x"}, sha256=dict(zip("ab", item.sha256.values(), strict=True)))
    assert moved.digest == item.digest
    assert Item("c1", "p1", sha256={"report": "0" * 64}).digest != item.digest


def test_missing_and_empty_files_are_named(case: Case) -> None:
    case.channels["report"].unlink()
    case.channels["scan"].write_text("")
    problems, found = examine_item(case)
    assert found is None
    assert [str(problem) for problem in problems] == [
        f"row 2, column report: no such file: {case.channels['report']}; {REMEDY}",
        f"row 2, column scan: {case.channels['scan']} is empty; {REMEDY}",
    ]


def test_items_come_back_from_their_batches_in_order(item: Item, tmp_path: Path) -> None:
    assert item_of(item.as_dict()) == item
    other = Item("c2", "p2")
    for number, items in enumerate([[item], [other]]):
        write_json(tmp_path / f"{number}.json", {"items": [one.as_dict() for one in items]})
    assert read_items([tmp_path / "1.json", tmp_path / "0.json"]) == [other, item]


def test_a_table_of_items_has_a_column_for_each_file_and_needs_no_truth(tmp_path: Path) -> None:
    study, path = study_of_items(columns=["centre"]), tmp_path / "cases.csv"
    assert file_columns(study) == ("report", "scan")
    assert truth_column(study) is None
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    rows = ["c1,p1,validation,a,b,A", "c2,p2,test,b,a,B"]
    path.write_text("\n".join([HEADING, *rows]) + "\n")
    table = read_table(path, study)
    first, second = table.cases
    assert first.channels == {"report": tmp_path / "a", "scan": tmp_path / "b"}
    assert (first.files, first.label, first.columns) == ((tmp_path / "a", tmp_path / "b"), None, {"centre": "A"})
    assert [case.split for case in assign_parts(table, study).cases] == ["validation", "test"], "no one needs to train"
    write_table(tmp_path / "again.csv", table, study)
    assert read_table(tmp_path / "again.csv", study).cases == (first, second)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["case_id,patient,report", "c1,p1,a"],
            "row 1, column scan: this column is missing; there are case_id, patient, report; name a column of the "
            "table `scan`",
        ),
        (
            ["case_id,patient,report,scan", "c1,p1,a,"],
            "row 2, column scan: the cell is empty; fill it in, or remove the row",
        ),
        (
            ["case_id,patient,split,report,scan", "c1,p1,validation,a,a"],
            "row 1, column split: no case is in the part `test`; write `test` for some patients, or remove the column "
            "to have the cases split by patient",
        ),
    ],
)
def test_each_mistake_in_a_table_of_items_is_named(lines: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "cases.csv").write_text("\n".join(lines) + "\n")
    assert [str(problem) for problem in check_table(tmp_path / "cases.csv", study_of_items())] == [message]


def test_items_may_have_a_label(tmp_path: Path) -> None:
    study, path = study_of_items(truth="label"), tmp_path / "cases.csv"
    assert truth_column(study) == "label"
    path.write_text("case_id,patient,report,scan,label\nc1,p1,a,b,ill\nc2,p2,a,b,none\n")
    table = read_table(path, study, files_exist=False)
    assert [case.label for case in table.cases] == ["ill", None]
    write_table(tmp_path / "again.csv", table, study)
    assert read_table(tmp_path / "again.csv", study, files_exist=False).cases == table.cases


def test_items_are_split_by_patient_as_images_are() -> None:
    cases = tuple(Case(f"c{number}", f"p{number // 2}", None, {}) for number in range(20))
    parts: dict[str, set[str | None]] = {}
    for case in assign_parts(CaseTable(cases), study_of_items()).cases:
        parts.setdefault(case.patient, set()).add(case.split)
    assert all(len(found) == 1 for found in parts.values())
    assert {part for found in parts.values() for part in found} == {"train", "validation", "test"}
