from __future__ import annotations

from hakken.core.problems import Problem, listed


def test_a_problem_is_one_line() -> None:
    problem = Problem("P003", "T1", "no such file t1.nii.gz", "correct the path", row=3)
    assert str(problem) == "row 3, column T1: no such file t1.nii.gz; correct the path"


def test_without_a_row_the_case_is_named() -> None:
    problem = Problem("P003", "T1", "pixels are NaN", "export it again")
    assert str(problem) == "case P003, column T1: pixels are NaN; export it again"


def test_a_list_counts_its_problems() -> None:
    one = Problem("a", "T1", "is bad", "mend it", row=2)
    assert listed([one], "cases.csv") == "cases.csv: 1 problem\n  row 2, column T1: is bad; mend it"
    assert listed([one, one], "cases.csv").startswith("cases.csv: 2 problems\n")


def test_what_is_said_of_many_rows_in_the_same_words_stands_once_with_all_rows() -> None:
    turned = [Problem(f"c{row}", "T1", "is turned", "look", row) for row in (2, 3, 4, 6, 9, 8)]
    other = Problem("c4", "T1", "is bad", "mend it", 4)
    assert listed([*turned[:3], other, *turned[3:]], "cases.csv", "question").split("\n") == [
        "cases.csv: 7 questions",
        "  rows 2-4, 6, 8-9, column T1: is turned; look",
        "  row 4, column T1: is bad; mend it",
    ]


def test_what_is_said_of_three_rows_or_of_cases_without_a_row_is_said_of_each() -> None:
    three = [Problem(f"c{row}", "T1", "is turned", "look", row) for row in (2, 3, 4)]
    placeless = [Problem(f"c{number}", "T1", "is turned", "look") for number in range(5)]
    assert listed([*three, *placeless], "cases.csv").split("\n")[1:] == [
        *[f"  row {row}, column T1: is turned; look" for row in (2, 3, 4)],
        *[f"  case c{number}, column T1: is turned; look" for number in range(5)],
    ]
