from __future__ import annotations

import re

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Candidates, Cases, Lesions


def test_the_index_of_a_case_is_its_place() -> None:
    assert Cases.of(["a", "b"]).index(["b", "a", "b"], "lesions").tolist() == [1, 0, 1]


def test_cases_of_one_patient_share_its_number() -> None:
    assert Cases.of(["a", "b", "c"], ["x", "y", "x"]).patient_index.tolist() == [0, 1, 0]


def test_an_empty_cohort_is_an_error() -> None:
    with pytest.raises(HakkenError, match="cases: the cohort is empty"):
        Cases.of([])


def test_a_duplicated_case_is_named_with_both_rows() -> None:
    with pytest.raises(HakkenError, match="cases, row 4: case `a` stands already in row 2; keep one"):
        Cases.of(["a", "b", "a"])


def test_an_unknown_case_is_named_with_its_row_and_the_nearest() -> None:
    message = "lesions, row 3: case `case_01` is not among the 2 cases of the cohort; did you mean `case01`?"
    with pytest.raises(HakkenError, match=re.escape(message)):
        Cases.of(["case01", "b"]).index(["b", "case_01"], "lesions")


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_a_score_that_cannot_be_ranked_is_named_with_its_row(score: float) -> None:
    with pytest.raises(HakkenError, match=f"candidates, row 3, column score: {score} cannot be ranked"):
        Candidates.of([0, 0], [[0, 0, 0], [1, 1, 1]], [0.5, score])


def test_a_coordinate_that_is_no_number_is_named_with_row_and_axis() -> None:
    with pytest.raises(HakkenError, match="candidates, row 2, column y: nan is no coordinate"):
        Candidates.of([0], [[0, np.nan, 0]], [0.5])


@pytest.mark.parametrize(("diameter", "remedy"), [(0, "give the diameter in mm"), (-1, "say which diameter")])
def test_a_diameter_must_be_above_zero(diameter: float, remedy: str) -> None:
    with pytest.raises(HakkenError, match=f"lesions, row 3, column diameter_mm: {diameter} is not above 0; {remedy}"):
        Lesions.of([0, 0], np.zeros((2, 3)), [5, diameter])


def test_an_unknown_diameter_is_replaced_where_asked_and_zero_never() -> None:
    assert Lesions.of([0, 0], np.zeros((2, 3)), [5, -1], unknown_diameter=10).diameter_mm.tolist() == [5, 10]
    with pytest.raises(HakkenError, match="row 2, column diameter_mm: 0 is not above 0"):
        Lesions.of([0], np.zeros((1, 3)), [0], unknown_diameter=10)


def test_columns_of_different_lengths_are_an_error() -> None:
    with pytest.raises(HakkenError, match="candidates: columns of different lengths"):
        Candidates.of([0, 0], np.zeros((2, 3)), [0.5])
