from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.evaluation.readers.ratings import ROC_COLUMNS, roc_table

from .tables import by_hand, columns, froc, roc


def change(rows: list[tuple[Any, ...]], place: int, column: int, value: Any) -> list[tuple[Any, ...]]:
    row = list(rows[place])
    row[column] = value
    return [*rows[:place], tuple(row), *rows[place + 1 :]]


def message(make: Any) -> str:
    with pytest.raises(HakkenError) as caught:
        make()
    return str(caught.value)


def test_a_roc_study_is_one_lesion_a_diseased_case() -> None:
    study = roc(by_hand()).study(["without", "with"])
    assert study.case_id == ("d1", "d2", "n1", "n2")
    assert study.reader == ("A", "B")
    assert study.signal[0].tolist() == [[2, 3], [2, 2]]
    assert study.noise[0, 0].tolist() == [-np.inf, -np.inf, 1, 2]
    assert study.diseased.tolist() == [True, True, False, False]


def test_modalities_are_sorted_unless_ordered() -> None:
    assert roc(by_hand()).study().modality == ("with", "without")


def test_names_are_sorted_as_people_do() -> None:
    rows = [(modality, f"R{reader}", *rest) for modality, _, *rest in by_hand()[:4] for reader in (10, 2, 1)]
    assert roc(rows).reader == ("R1", "R2", "R10")


def test_the_order_of_the_rows_changes_nothing() -> None:
    one, other = roc(by_hand()).study(), roc(by_hand()[::-1]).study()
    assert np.array_equal(one.signal, other.signal)
    assert np.array_equal(one.noise, other.noise)
    assert one.case_id == other.case_id


@pytest.mark.parametrize(
    ("place", "column", "value", "expected"),
    [
        (1, 4, "nan", "ratings.csv, row 3, column rating: `nan` is not finite; give a number"),
        (1, 4, "2,5", "ratings.csv, row 3, column rating: `2,5` is not a number; write decimals with a point"),
        (1, 2, "n1", "ratings.csv, row 3: the reader rated this case in this modality already in row 2; keep one"),
        (5, 3, 1, "ratings.csv, row 7, column diseased: case `n2` is 1 here and 0 in row 3; correct one"),
        (5, 3, 2, "ratings.csv, row 7, column diseased: `2` is neither 0 nor 1"),
        (2, 1, "", "ratings.csv, row 4, column reader: is empty"),
    ],
)
def test_a_bad_rating_is_named(place: int, column: int, value: Any, expected: str) -> None:
    assert message(lambda: roc(change(by_hand(), place, column, value))) == expected


def test_a_missing_rating_is_named_with_the_row_of_its_case() -> None:
    rows = by_hand()
    table = roc(rows[:5] + rows[6:])  # reader B, modality without, case n2
    assert message(table.study) == (
        "ratings.csv: reader `B` has no rating of case `n2` (row 3) in modality `without`; every reader must rate "
        "every case in every modality: add the rating or remove the case"
    )


def test_one_reader_or_one_modality_is_no_study() -> None:
    alone = roc([row for row in by_hand() if row[1] == "A"])
    assert message(alone.study) == (
        "ratings.csv, column reader: one reader (`A`) in modalities `with`, `without`; this analysis needs 2 or more, "
        "so add their rows"
    )
    single = roc([row for row in by_hand() if row[0] == "with"])
    assert message(single.study) == (
        "ratings.csv, column modality: one modality (`with`); a comparison needs 2 or more"
    )


def test_an_unknown_modality_is_named_with_the_nearest() -> None:
    table = roc(by_hand())
    expected = "ratings.csv, column modality: `witout` does not occur; did you mean `without`?"
    assert message(lambda: table.study(["witout", "with"])) == expected
    assert message(lambda: table.study(["with", "with"])) == "modality `with` is asked for twice; name it once"


def test_cases_of_both_kinds_are_needed() -> None:
    healthy = [(*row[:3], 0, row[4]) for row in by_hand()]
    assert message(lambda: roc(healthy)) == (
        "ratings.csv, column diseased: every case is free of disease; the ROC needs cases that are diseased too"
    )
    ill = [(*row[:3], 1, row[4]) for row in by_hand()]
    assert message(lambda: roc(ill)) == (
        "ratings.csv, column diseased: every case is diseased; the ROC needs cases that are not too"
    )
    assert message(lambda: roc([])) == "ratings.csv: the table has no row below its heading; add the ratings"


LESIONS = [("c", 1), ("c", 2), ("d", 1)]
CASES = ("a", "b", "c", "d")
MARKS = [
    ("with", "A", "a", "NL", "", 0.4),
    ("with", "A", "a", "NL", "", 0.2),
    ("with", "A", "c", "LL", 1, 0.6),
    ("with", "B", "b", "none", "", ""),
]


def test_marks_become_the_highest_of_a_case_and_the_rating_of_each_lesion() -> None:
    study = froc(MARKS, LESIONS, CASES).study(least=1)
    assert study.noise[0].tolist() == [[0.4, *[-np.inf] * 3], [-np.inf] * 4]
    assert study.marks[0].tolist() == [[2, 0, 0, 0], [0] * 4]
    assert study.signal[0].tolist() == [[0.6, -np.inf, -np.inf], [-np.inf] * 3]
    assert study.weight.tolist() == [0.5, 0.5, 1]
    assert study.diseased.tolist() == [False, False, True, True]


def test_weights_are_divided_by_their_sum_in_the_case() -> None:
    weighted = [("c", 1, 3), ("c", 2, 1), ("d", 1, 7)]
    assert froc(MARKS, weighted, CASES).study(least=1).weight.tolist() == [0.75, 0.25, 1]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("A x NL - 1", ", column case_id: case `x` is not in cases.csv; add it there or remove the row"),
        ("A c LL 3 1", ", column lesion_id: `3` is no lesion of this case; it has 1, 2"),
        ("A a LL 1 1", ", column lesion_id: `1` is no lesion of this case; it has none, so the mark is NL"),
        ("A c LL - 1", ", column lesion_id: is empty; an LL mark names its lesion; it has 1, 2"),
        ("A c NL 1 1", ", column lesion_id: `1` beside the mark NL; leave it empty, or the mark is LL"),
        ("A c LL 1 1", ": the reader marked this lesion already in row 4; keep one"),
        ("A c TP 1 1", ", column mark: `TP` is not among NL, LL, none"),
        ("A b none - 1", ", column rating: `1` beside the mark none; leave it empty"),
        ("A b NL - -", ", column rating: is empty; give a number"),
        ("A b NL - nan", ", column rating: `nan` is not finite; give a number"),
    ],
)
def test_a_bad_mark_is_named(row: str, expected: str) -> None:
    cells = ("with", *("" if cell == "-" else cell for cell in row.split()))
    assert message(lambda: froc([*MARKS, cells], LESIONS, CASES)) == f"marks.csv, row 6{expected}"


def test_bad_truth_is_named() -> None:
    assert message(lambda: froc(MARKS, [*LESIONS, ("d", 1)], CASES)) == (
        "lesions.csv, row 5: the lesion stands already in row 4; keep one"
    )
    assert message(lambda: froc(MARKS, LESIONS, ["a", "b", "c", "d", "a"])) == (
        "cases.csv, row 6: the case stands already in row 2; keep one"
    )
    assert message(lambda: froc(MARKS, [("c", 1, 0)], CASES)) == (
        "lesions.csv, row 2, column weight: 0 is not above 0; give the lesion's weight"
    )
    assert message(lambda: froc(MARKS, [("q", 1)], CASES)) == (
        "lesions.csv, row 2, column case_id: case `q` is not in cases.csv; add it there or remove the row"
    )


def test_a_reader_without_any_mark_in_a_modality_is_asked_for() -> None:
    rows = [*MARKS, ("without", "A", "a", "NL", "", 0.4)]
    assert message(froc(rows, LESIONS, CASES).study) == (
        "marks.csv: reader `B` (row 5) has no row in modality `without`; every reader must read every case in every "
        "modality; if nothing was marked, add a row with mark `none`"
    )


def test_cases_of_a_patient_are_known_from_the_table() -> None:
    of = {"n1": "P1", "n2": "P2", "d1": "P1", "d2": "P3"}
    heading = (*ROC_COLUMNS, "patient")
    rows = [(*row, of[row[2]]) for row in by_hand()]
    study = roc_table(columns("ratings.csv", heading, rows)).study()
    assert study.patient.tolist() == [0, 2, 0, 1]  # cases d1, d2, n1, n2
    assert roc(by_hand()).study().patient.tolist() == [0, 1, 2, 3]
    wrong = change(rows, 5, 5, "P1")
    assert message(lambda: roc_table(columns("ratings.csv", heading, wrong))) == (
        "ratings.csv, row 7, column patient: the case is of patient `P1` here and of `P2` in row 3; correct one"
    )
