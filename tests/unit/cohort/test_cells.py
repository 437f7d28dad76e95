"""Cells that spreadsheets and people changed: what each is called, and what is left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.checks import check_table
from hakken.core.problems import Problem
from hakken.study import Study

Writer = Callable[..., Path]
PARTS = ("train", "validation", "test")


def asked(
    table_file: Writer, study: Study, column: str, cells: Sequence[str], truth: str = "lesion_mask"
) -> list[Problem]:
    """The problems of a table of three cases whose ``column`` holds these ``cells``."""
    names = {"case_id": ["c0", "c1", "c2"], "patient": ["p0", "p1", "p2"], "split": list(PARTS)}
    names |= {"T1": ["a.nii"] * 3, "T2": ["b.nii"] * 3, truth: ["none"] * 3} | {column: list(cells)}
    path = table_file(",".join(names), *(",".join(row) for row in zip(*names.values(), strict=True)))
    return check_table(path, study)


def with_cohort(study: Study, **keys: Any) -> Study:
    return study.model_copy(update={"cohort": study.cohort.model_copy(update=keys)})


def short(problems: list[Problem]) -> list[tuple[int | None, str, str, bool]]:
    return [(problem.row, problem.column, problem.reason, problem.stops) for problem in problems]


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("set", ("Train ", "valid", "hold-out")),
        ("区分", ("訓練", "検証", "テスト")),
        ("fold", ("fold1", "fold2", "fold3")),
        ("group", ("train1", "train2", "test1")),
    ],
)
def test_columns_that_hold_names_of_parts_however_written(
    heading: str, cells: Sequence[str], table_file: Writer, study: Study
) -> None:
    rows = [f"c{n},p{n},a.nii,b.nii,none,{cell}" for n, cell in enumerate(cells)]
    (problem,) = check_table(table_file(f"case_id,patient,T1,T2,lesion_mask,{heading}", *rows), study)
    assert (problem.row, problem.column, problem.stops) == (1, heading, True)
    assert "holds names of parts (" in problem.reason


@pytest.mark.parametrize("heading", ["partition", "is_test", "Is Test", "subset", "fold", "データ区分"])
def test_columns_that_say_who_is_tested_by_their_heading(heading: str, table_file: Writer, study: Study) -> None:
    rows = [f"c{n},p{n},a.nii,b.nii,none,{n % 2}" for n in range(3)]
    (problem,) = check_table(table_file(f"case_id,patient,T1,T2,lesion_mask,{heading}", *rows), study)
    assert problem.reason == "seems to say who trains and who is tested, but is no column that hakken knows"


def test_other_columns_are_not_taken_for_parts(table_file: Writer, study: Study) -> None:
    rows = [f"c{n},p{n},a.nii,b.nii,none,{phase},{group}" for n, phase, group in ((0, "arterial", "A"), (1, "", "B"))]
    (problem,) = check_table(table_file("case_id,patient,T1,T2,lesion_mask,phase,group", *rows), study)
    assert not problem.stops


SHORTENED = "is a number that a spreadsheet shortened, and the digits that told patients apart are lost"
MONTH, BIRTH = "looks like a date that a spreadsheet made of an id", "looks like a date, of birth for one"


@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        ("patient", ("1.23E+11", "p1", "p2"), (f"`1.23E+11` {SHORTENED}", True)),
        ("patient", ("1.2e+05", "p1", "1.5E+12"), (f"`1.2e+05` {SHORTENED} (2 rows)", True)),
        ("patient", ("1-Feb", "Mar-05", "p2"), (f"`1-Feb` {MONTH} (2 rows)", False)),
        ("patient", ("p0", "2月3日", "p2"), (f"`2月3日` {MONTH}", False)),
        ("case_id", ("2023-01-02", "c1", "c2"), (f"`2023-01-02` {BIRTH}", False)),
        ("patient", ("13.8.1947", "p1", "p2"), (f"`13.8.1947` {BIRTH}", False)),
        ("patient", ("19470813", "19500101", "20010228"), (f"`19470813` {BIRTH} (3 rows)", False)),
        ("patient", ("NA", "p1", "p2"), ("`NA` names no patient", True)),
        ("patient", ("p0", "--", "Unknown"), ("`--` names no patient (2 rows)", True)),
        ("patient", ("19470813", "19500101", "20010230"), None),
        ("patient", ("1e5", "0012", "12-34-56"), None),
        ("patient", ("1.2.840.1", "anna7", "MAR-A"), None),
    ],
)
def test_ids_that_are_none(
    column: str, cells: Sequence[str], said: tuple[str, bool] | None, table_file: Writer, study: Study
) -> None:
    found = short(asked(table_file, study, column, cells))
    assert found == ([] if said is None else [(found[0][0], column, *said)])


@pytest.mark.parametrize(
    ("cells", "stops"),
    [
        (("sub-01_ses-1", "p1", "sub-01_ses-2"), True),
        (("P007 visit 1", "p1", "p7_visit2"), False),
        (("012_left", "p1", "012-right"), False),
        (("A3-baseline", "p1", "A3-followup2"), False),
    ],
)
def test_visits_of_one_patient_in_two_parts(
    cells: Sequence[str], stops: bool, table_file: Writer, study: Study
) -> None:
    (problem,) = asked(table_file, study, "patient", cells)
    first, _, last = cells
    assert short([problem]) == [
        (4, "patient", f"`{first}` (row 2, train) and `{last}` (test) look like visits or sides of one patient", stops)
    ]


@pytest.mark.parametrize("cells", [("sub-01", "sub-02", "sub-03"), ("pre-1", "pre-2", "post-1"), ("L1", "R1", "x-1")])
def test_patients_who_are_no_visits(cells: Sequence[str], table_file: Writer, study: Study) -> None:
    assert asked(table_file, study, "patient", cells) == []


@pytest.mark.parametrize(
    ("column", "cells", "reason"),
    [
        ("age", ("045Y", "45", "-3"), "`045Y` is no age in years (2 rows)"),
        ("age", ("1947-08-13", "45", ""), "`1947-08-13` is no age in years"),
        ("age", ("0", "45.5", "99"), None),
        ("sex", ("M", "F", "male"), "`M` and `male` count as different values"),
        ("sex", ("女", "F", "M"), "`女` and `F` count as different values"),
        ("sex", ("M", "F", "O"), None),
        ("scanner", ("Skyra", "SKYRA", "Prisma"), "`Skyra` and `SKYRA` count as different values"),
        ("site", ("Tokyo General", "Tokyo General", "Osaka City"), None),
        ("site", ("Taro Yamada", "Hanako Sato", "Jun Ito"), "`Taro Yamada` looks like the name of a person (3 rows)"),
        ("site", ("1947-08-13", "A", "B"), "`1947-08-13` looks like a date"),
    ],
)
def test_columns_that_are_kept(
    column: str, cells: Sequence[str], reason: str | None, table_file: Writer, study: Study
) -> None:
    found = asked(table_file, study, column, cells)
    assert [(problem.reason, problem.stops) for problem in found] == ([] if reason is None else [(reason, False)])


@pytest.mark.parametrize(
    ("cells", "reasons"),
    [
        (("0", "1", "0"), ["`0` is a class like any other here (2 rows)"]),
        (("No Finding", "Effusion", "none"), ["`No Finding` is a class like any other here"]),
        (("正常", "肺炎", "none"), ["`正常` is a class like any other here"]),
        (("Effusion", "effusion ", "none"), ["`Effusion` and `effusion` count as different values"]),
        (("benign", "malignant", "none"), []),
    ],
)
def test_classes_that_mean_none(cells: Sequence[str], reasons: list[str], table_file: Writer, study: Study) -> None:
    labelled = with_cohort(study, truth="label")
    assert [problem.reason for problem in asked(table_file, labelled, "label", cells, truth="label")] == reasons


def test_a_class_that_the_study_names_is_one(table_file: Writer, study: Study) -> None:
    labelled = with_cohort(study, truth="label", classes=("normal", "covid"))
    assert asked(table_file, labelled, "label", ("normal", "covid", "normal"), truth="label") == []


@pytest.mark.parametrize("cell", ["NA", "nan", "no", "0", "-", "normal"])
def test_words_in_the_column_of_truth_have_their_remedy(cell: str, table_file: Writer, study: Study) -> None:
    (problem,) = asked(table_file, study, "lesion_mask", (cell, "none", "none"))
    assert problem.remedy == "write `none` where the case has no lesions"


def test_a_link_to_nowhere_is_called_one(table_file: Writer, study: Study, tmp_path: Path) -> None:
    (tmp_path / "annex.nii").symlink_to("../objects/xx.nii")
    (problem,) = asked(table_file, study, "T1", ("annex.nii", "a.nii", "a.nii"))
    assert problem.remedy == "it is a link to a file that is not here; fetch the file, or correct the link"


@pytest.mark.parametrize(
    ("one", "other"),
    [("Patient 7", "7"), ("sub-007", "P7"), ("P0O7", "P007"), ("A1l2", "A112"), ("\u04201", "P1"), ("ID#12", "012")],
)
def test_ids_that_a_reader_takes_for_one_another(one: str, other: str, table_file: Writer, study: Study) -> None:
    (problem,) = asked(table_file, study, "patient", (one, "x9", other))
    assert (problem.row, problem.stops) == (4, False)
    assert problem.reason == f"`{one}` (row 2, train) and `{other}` (test) may be one patient"


@pytest.mark.parametrize(("one", "other"), [("A7", "B7"), ("A7", "7"), ("olin-1", "alin-1"), ("P7", "P17")])
def test_ids_that_are_two(one: str, other: str, table_file: Writer, study: Study) -> None:
    assert asked(table_file, study, "patient", (one, "x9", other)) == []
