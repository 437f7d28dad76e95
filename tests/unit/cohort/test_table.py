"""The case table: what is read, and what every mistake says."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checks import check_table
from hakken.cohort.table import read_table, write_table
from hakken.core.case_ids import folded, tidy, why_no_id
from hakken.core.errors import HakkenError
from hakken.study import Study

Writer = Callable[..., Path]
HEADING = "case_id,patient,split,T1,T2,lesion_mask"
GOOD = ["c1,p1,train,a.nii,b.nii,c.nii", "c2,p2,validation,a.nii,b.nii,none", "c3,p3,test,a.nii,b.nii,c.nii"]


def problems_of(path: Path, study: Study) -> list[str]:
    return [str(problem) for problem in check_table(path, study)]


def test_reads_every_field(table_file: Writer, study: Study, tmp_path: Path) -> None:
    path = table_file(
        "case_id,patient,split,scanner,age,T1,T2,lesion_mask", "c1,p1,train,A,61,a.nii,../x/b.nii,None", *[]
    )
    (tmp_path.parent / "x").mkdir(exist_ok=True)
    (tmp_path.parent / "x" / "b.nii").touch()
    with path.open("a") as stream:
        stream.write("c2,p2,validation,B,,a.nii,b.nii,c.nii\n\nc3,p3,test,B,9,a.nii,b.nii,c.nii\n")
    table = read_table(path, study)
    assert table.cases[0] == Case(
        case_id="c1",
        patient="p1",
        split="train",
        channels={"T1": tmp_path / "a.nii", "T2": tmp_path.parent / "x" / "b.nii"},
        columns={"scanner": "A", "age": "61"},
        row=2,
    )
    assert table.cases[1].lesion_mask == tmp_path / "c.nii"
    assert table.cases[1].files == (tmp_path / "a.nii", tmp_path / "b.nii", tmp_path / "c.nii")
    assert [case.row for case in table.cases] == [2, 3, 5]
    assert [case.case_id for case in table.part("test")] == ["c3"]
    assert table.case("c2") is table.cases[1]
    assert table.select(["c3", "c1"]) == (table.cases[2], table.cases[0])
    with pytest.raises(KeyError, match="c9"):
        table.case("c9")


def test_split_is_none_where_the_table_has_no_such_column(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", "c1,p1,a.nii,b.nii,c.nii")
    assert read_table(path, study).cases[0].split is None


def test_lesion_table_as_truth(table_file: Writer, study: Study, tmp_path: Path) -> None:
    of_tables = study.model_copy(update={"cohort": study.cohort.model_copy(update={"truth": "lesion_table"})})
    path = table_file("case_id,patient,T1,T2,lesion_table", "c1,p1,a.nii,b.nii,c.nii", "c2,p2,a.nii,b.nii,NONE")
    first, second = read_table(path, of_tables).cases
    assert (first.lesion_table, first.lesion_mask) == (tmp_path / "c.nii", None)
    assert (second.lesion_table, second.lesion_mask) == (None, None)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_spreadsheet_exports(separator: str, study: Study, tmp_path: Path, table_file: Writer) -> None:
    path = table_file(HEADING, *GOOD)
    expected = read_table(path, study)
    text = path.read_text().replace(",", separator).replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_table(path, study) == expected


def test_personal_columns_are_left_unread(table_file: Writer, study: Study) -> None:
    path = table_file(
        "case_id,patient,T1,T2,lesion_mask,Patient_Name,birthDate,dob,scanner",
        "c1,p1,a.nii,b.nii,c.nii,Doe^Jane,19500101,1950,A",
    )
    assert read_table(path, study).cases[0].columns == {"scanner": "A"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["case_id,patient,T1,T2,lesion_mask", "c1,p1,a.nii,b.nii,"],
            "row 2, column lesion_mask: the cell is empty; fill it in, or write `none` where the case has no lesions",
        ),
        (
            ["case_id,patient,T1,T2,lesion_mask", "c1,,a.nii,b.nii,c.nii"],
            "row 2, column patient: the cell is empty; fill it in, or remove the row",
        ),
        (
            ["case_id,patients,T1,T2,lesion_mask", "c1,p1,a.nii,b.nii,c.nii"],
            "row 1, column patient: this column is missing; did you mean `patients`?; there are case_id, patients, "
            "T1, T2, lesion_mask; name a column of the table `patient`",
        ),
        (
            [
                "case_id,patient,T1,T2,lesion_mask",
                "c1,p1,a.nii,b.nii,c.nii",
                "c2,p2,a.nii,b.nii,none",
                "c1,p3,a.nii,b.nii,none",
            ],
            "row 4, column case_id: case id `c1` stands in rows 2 and 4; give every case an id of its own, or remove "
            "one of the rows",
        ),
        (
            ["case_id,patient,T1,T2,lesion_mask", "c\u200b1,p1,a.nii,b.nii,c.nii"],
            "row 2, column case_id: `c<U+200B>1` holds U+200B, which no reader sees; write a name of 1 to 100 visible "
            "letters, digits, signs and blanks",
        ),
        (
            [HEADING, *GOOD, "c4,p4,val,a.nii,b.nii,none"],
            "row 5, column split: unknown split `val`; did you mean `validation`?; use one of train, validation, test",
        ),
        (
            [HEADING, *GOOD, "c4,p4,,a.nii,b.nii,none"],
            "row 5, column split: the cell is empty while others are filled; fill in all cells of this column, or none "
            "to have the cases split by patient",
        ),
        (
            [HEADING, *GOOD, "c4,p1,train,a.nii,b.nii,none", "c5,p1,test,a.nii,b.nii,none"],
            "row 6, column split: patient `p1` is in train (row 2, 5) and test (row 6); put all cases of a patient "
            "into the same part",
        ),
        (
            [HEADING, *GOOD[:2]],
            "row 1, column split: no case is in the part `test`; write `test` for some patients, or remove the column "
            "to have the cases split by patient",
        ),
        (
            [HEADING],
            "row 1, column case_id: the table has no cases; add one line per case",
        ),
    ],
)
def test_each_mistake_is_named(lines: list[str], message: str, table_file: Writer, study: Study) -> None:
    assert problems_of(table_file(*lines), study) == [message]


def test_missing_files_are_named(table_file: Writer, study: Study, tmp_path: Path) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", "c1,p1,x.nii,sub\\b.nii,c.nii")
    assert problems_of(path, study) == [
        f"row 2, column T1: no such file: {tmp_path}/x.nii; correct the path, which counts from the table's folder, or "
        "put the file there",
        f"row 2, column T2: no such file: {tmp_path}/sub\\b.nii; write `/` between folders, and paths relative to the "
        "table's folder",
    ]
    assert len(read_table(path, study, files_exist=False)) == 1


def test_all_problems_come_at_once_in_the_order_of_rows(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", "c\u202e1,p1,a.nii,,c.nii", "c2,p2,x.nii,b.nii,none")
    with pytest.raises(HakkenError) as caught:
        read_table(path, study)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 3 problems"
    assert [line.split(":")[0] for line in lines[1:]] == [
        "  row 2, column T2",
        "  row 2, column case_id",
        "  row 3, column T1",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, ": no such file"),
        ("", ": the table is empty; its first line must name the columns"),
        ("case_id,patient,T1,T1,T2,lesion_mask\n", ": column T1 stands there twice; keep one"),
        (
            "case_id,patient,T1,T2,lesion_mask\nc1,p1,a.nii,b.nii,c.nii,\n",
            ", row 2: 6 cells, the heading has 5; quote cells that hold the separator (a decimal comma, say), and fill "
            "every column",
        ),
    ],
)
def test_what_is_no_table_at_all_is_an_error_of_its_own(
    content: str | None, message: str, tmp_path: Path, study: Study
) -> None:
    path = tmp_path / "cases.csv"
    if content is not None:
        path.write_text(content)
    for read in (check_table, read_table):
        with pytest.raises(HakkenError) as caught:
            read(path, study)
        assert str(caught.value) == f"{path}{message}"


def test_reading_a_table_imports_nothing_heavy() -> None:
    code = (
        "import sys, hakken.cohort.table, hakken.cohort.split\n"
        "print(sorted({'torch', 'pandas', 'SimpleITK', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


CELLS = st.text("abcXYZ 0189,;\"'é_-", max_size=8).map(str.strip)
IDS = st.lists(
    st.text(min_size=1, max_size=8).map(tidy).filter(lambda name: why_no_id(name) is None),
    min_size=1,
    max_size=6,
    unique_by=folded,
)


@given(ids=IDS, cells=st.lists(CELLS, min_size=6, max_size=6), free=st.booleans())
def test_what_is_written_is_read(
    ids: list[str], cells: list[str], free: bool, study: Study, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("table")
    cases = tuple(
        Case(
            case_id=case_id,
            patient=f"p{number}",
            split=None,
            channels={"T1": folder / "one" / f"{number}", "T2": folder.parent / "two" / f"{number}"},
            lesion_mask=None if free else folder / f"{number}.nii",
            columns={"scanner": cells[number], "site": "x" + cells[-1]},
            row=number + 2,
        )
        for number, case_id in enumerate(ids)
    )
    table = CaseTable(cases, folder / "cases.csv")
    write_table(table.source, table)
    assert read_table(table.source, study, files_exist=False) == table


def test_written_tables_are_equal_byte_for_byte(tmp_path: Path, table_file: Writer, study: Study) -> None:
    table = read_table(table_file(HEADING, *GOOD), study)
    write_table(tmp_path / "again.csv", table)
    assert (tmp_path / "again.csv").read_text() == "\n".join([HEADING, *GOOD]) + "\n"
    assert read_table(tmp_path / "again.csv", study) == replace(table, source=tmp_path / "again.csv")


def test_a_label_as_truth(table_file: Writer, study: Study, tmp_path: Path) -> None:
    labelled = study.model_copy(update={"cohort": study.cohort.model_copy(update={"truth": "label"})})
    path = table_file("case_id,patient,T1,T2,label", "c1,p1,a.nii,b.nii,pneumonia", "c2,p2,a.nii,b.nii,None")
    first, second = read_table(path, labelled).cases
    assert (first.label, first.lesion_mask, first.files) == (
        "pneumonia",
        None,
        (tmp_path / "a.nii", tmp_path / "b.nii"),
    )
    assert second.label is None
    write_table(tmp_path / "again.csv", read_table(path, labelled))
    assert (tmp_path / "again.csv").read_text().splitlines() == [
        "case_id,patient,T1,T2,label",
        "c1,p1,a.nii,b.nii,pneumonia",
        "c2,p2,a.nii,b.nii,none",
    ]


def test_an_empty_label_is_a_mistake(table_file: Writer, study: Study) -> None:
    labelled = study.model_copy(update={"cohort": study.cohort.model_copy(update={"truth": "label"})})
    path = table_file("case_id,patient,T1,T2,label", "c1,p1,a.nii,b.nii,")
    assert problems_of(path, labelled) == [
        "row 2, column label: the cell is empty; fill it in, or write `none` where the case has no lesions"
    ]


@pytest.mark.parametrize("heading", ["Split", "SPLIT", " split ", "\uff33\uff50\uff4c\uff49\uff54"])
def test_headings_count_whatever_their_case_and_width(heading: str, table_file: Writer, study: Study) -> None:
    rows = [
        f"c{number},p{number},{part},a.nii,b.nii,c.nii" for number, part in enumerate(("test", "train", "validation"))
    ]
    path = table_file(f"Case ID,Patient,{heading},T1,T2,Lesion-Mask", *rows)
    first, *_ = read_table(path, study).cases
    assert (first.case_id, first.patient, first.split) == ("c0", "p0", "test")
    assert first.lesion_mask == path.parent / "c.nii"


def test_two_headings_that_are_the_same(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,Case ID,patient,T1,T2,lesion_mask", "c1,c1,p1,a.nii,b.nii,c.nii")
    with pytest.raises(HakkenError) as caught:
        read_table(path, study)
    assert str(caught.value) == f"{path}: the columns `case_id` and `Case ID` are both `case_id`; keep one"


@pytest.mark.parametrize(
    ("heading", "cell", "message"),
    [
        ("set", "train", "row 1, column set: holds names of parts (train), but is no column that hakken knows; name it "
                         "`split`, with the cells train, validation and test, or remove it"),
        ("group", "Testing", "row 1, column group: holds names of parts (testing), but is no column that hakken knows; "
                             "name it `split`, with the cells train, validation and test, or remove it"),
        ("splt", "1", "row 1, column splt: is not known; did you mean `split`?; name it `split`, or rename it to "
                      "something else"),
        ("scaner", "A", "row 1, column scaner: is not known; did you mean `scanner`?; name it `scanner`, or rename it "
                        "to something else"),
    ],
)  # fmt: skip
def test_a_heading_that_looks_like_a_known_one_is_asked_about(
    heading: str, cell: str, message: str, table_file: Writer, study: Study
) -> None:
    path = table_file(f"case_id,patient,T1,T2,lesion_mask,{heading}", f"c1,p1,a.nii,b.nii,c.nii,{cell}")
    assert [str(problem) for problem in check_table(path, study)] == [message]


def test_columns_that_are_not_read_are_named_once(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask,remarks,kin", "c1,p1,a.nii,b.nii,c.nii,x,y")
    (question,) = check_table(path, study)
    assert (question.stops, question.reason) == (False, "not read: remarks, kin")
    kept = study.model_copy(update={"cohort": study.cohort.model_copy(update={"columns": ("remarks", "kin")})})
    assert read_table(path, kept).cases[0].columns == {"remarks": "x", "kin": "y"}


def test_strata_that_the_table_lacks_are_named(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask,scanner", "c1,p1,a.nii,b.nii,c.nii,A")
    wanted = study.model_copy(update={"evaluation": study.evaluation.model_copy(update={"strata": ("scaner",)})})
    assert [str(problem) for problem in check_table(path, wanted)] == [
        "row 1, column scaner: evaluation.strata names `scaner`, which is no column of the table; did you mean "
        "`scanner`?; correct evaluation.strata, or add the column"
    ]


def test_one_patient_spelt_in_two_ways_in_two_parts(table_file: Writer, study: Study) -> None:
    path = table_file(
        "case_id,patient,split,T1,T2,lesion_mask",
        *("c1,007,train,a.nii,b.nii,c.nii", "c2,7,test,a.nii,b.nii,c.nii", "c3,8,validation,a.nii,b.nii,c.nii"),
    )
    assert [str(problem) for problem in check_table(path, study)] == [
        "row 3, column patient: `007` and `7` look like one patient, who is in train (row 2 as `007`) and test (row 3 "
        "as "
        "`7`); put all cases of a patient into the same part, spelt alike; for two patients, tell them apart by more "
        "than zeros, case or signs"
    ]


def test_a_patient_who_has_a_name_is_asked_about(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", "c1,Taro Yamada,a.nii,b.nii,c.nii")
    (question,) = check_table(path, study)
    assert not question.stops
    assert str(question) == (
        "row 2, column patient: `Taro Yamada` looks like the name of a person (1 row); write a pseudonym: what stands "
        "here goes into the results"
    )


def test_ids_that_differ_in_capitals_alone(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", "c1,p1,a.nii,b.nii,c.nii", "C1,p2,a.nii,b.nii,c.nii")
    assert [str(problem) for problem in check_table(path, study)] == [
        "row 3, column case_id: case ids `c1` (row 2) and `C1` differ in capitals alone; give every case an id of its "
        "own, or remove one of the rows"
    ]


def test_signs_in_a_path(table_file: Writer, study: Study, tmp_path: Path) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", "c1,p1,{a} 50%/画像 #1 'x'.nii,b.nii,c.nii")
    (tmp_path / "{a} 50%").mkdir()
    (tmp_path / "{a} 50%" / "画像 #1 'x'.nii").touch()
    assert problems_of(path, study) == []


KEPT = ("症例 01", "a/b", "..", "-x", ".x", "=1+1", "{x}", "$x$", "'x", "1.2.840", "CON", "50% #3")


@pytest.mark.parametrize("case_id", KEPT)
def test_what_users_write_is_kept(case_id: str, table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", f"  {case_id} ,p1,a.nii,b.nii,c.nii")
    assert problems_of(path, study) == []
    assert read_table(path, study).cases[0].case_id == case_id


@pytest.mark.parametrize(
    ("one", "other"),
    [("症例 1", "症例\u30001"), ("症例\uff11", "症例1"), ("ｶﾞﾝ 1", "ガン 1"), ("x  1", "X 1")],
)
def test_ids_that_look_the_same_are_named_with_both_rows(
    one: str, other: str, table_file: Writer, study: Study
) -> None:
    path = table_file(
        "case_id,patient,T1,T2,lesion_mask", f"{one},p1,a.nii,b.nii,c.nii", f"{other},p2,a.nii,b.nii,c.nii"
    )
    assert problems_of(path, study) == [
        f"row 3, column case_id: case ids `{one}` (row 2) and `{other}` differ in capitals, width, blanks or the form "
        "of letters alone; give every case an id of its own, or remove one of the rows"
    ]


def test_composed_and_decomposed_letters_are_one_id_under_any_heading(table_file: Writer, study: Study) -> None:
    path = table_file(
        "Case ID,patient,T1,T2,lesion_mask", "\u00e9,p1,a.nii,b.nii,c.nii", "e\u0301,p2,a.nii,b.nii,c.nii"
    )
    assert problems_of(path, study) == [
        "row 3, column case_id: case id `\u00e9` stands in rows 2 and 3; give every case an id of its own, or remove "
        "one of the rows"
    ]


def test_an_id_that_looks_like_a_person_is_questioned_once(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,T1,T2,lesion_mask", "Taro Yamada,p1,a.nii,b.nii,c.nii")
    (problem,) = check_table(path, study)
    assert not problem.stops
    assert str(problem) == (
        "row 2, column case_id: `Taro Yamada` looks like the name of a person (1 row); write a pseudonym: what stands "
        "here goes into the results"
    )
    path = table_file("case_id,patient,T1,T2,lesion_mask", "Taro Yamada,Taro Yamada,a.nii,b.nii,c.nii")
    assert [problem.column for problem in check_table(path, study)] == ["patient"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_file_is_found_whichever_way_its_name_is_composed(form: Any, table_file: Writer, study: Study) -> None:
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    folder = table_file("x").parent / unicodedata.normalize(form, "がぞう é")
    folder.mkdir()
    stored = folder / unicodedata.normalize(form, "ペット 1.nii")
    stored.touch()
    cell = unicodedata.normalize(other, "がぞう é/ペット 1.nii")
    path = table_file("case_id,patient,T1,T2,lesion_mask", f"c1,p1,{cell},b.nii,none")
    assert problems_of(path, study) == []
    assert read_table(path, study).cases[0].channels["T1"] == stored


def test_pairs_that_name_no_case(table_file: Writer, study: Study) -> None:
    distinct = (("症例 1", "c2"), ("症例1", "c2"))
    other = study.model_copy(update={"cohort": study.cohort.model_copy(update={"distinct": distinct})})
    rows = ("症例 1,p1,a.nii,b.nii,c.nii", "c2,p2,a.nii,b.nii,none")
    assert problems_of(table_file("case_id,patient,T1,T2,lesion_mask", *rows), other) == [
        "row 1, column case_id: cohort.distinct names `症例1`, which is no case; did you mean `症例 1`?; write the "
        "ids of this table, or remove the pair"
    ]
