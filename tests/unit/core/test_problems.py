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
