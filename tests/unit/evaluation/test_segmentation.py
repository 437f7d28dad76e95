"""Dice and its means, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.evaluation.segmentation import dice, mean_over_cases, paired_difference, weighted_means

NAN = np.nan


def mask(text: str) -> np.ndarray:
    return np.array([[[letter == "#" for letter in text]]])


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        ("##..", "##..", 1.0),
        ("##..", ".##.", 2 * 1 / 4),
        ("###.", "...#", 0.0),
        ("####", "#...", 2 * 1 / 5),
        ("....", "#...", 0.0),
        ("....", "....", None),
    ],
)
def test_dice(truth: str, found: str, expected: float | None) -> None:
    assert dice(mask(truth), mask(found)) == expected


def test_masks_of_two_grids() -> None:
    with pytest.raises(HakkenError, match="one grid is needed"):
        dice(mask("##"), mask("###"))


def test_the_mean_is_over_the_cases_that_have_a_value() -> None:
    found = mean_over_cases(np.array([0.2, NAN, 0.6, 1.0]), np.array([0, 0, 1, 2]), 400, 1)
    assert found.value == pytest.approx(1.8 / 3)
    assert (found.cases, found.undefined) == (3, 1)
    assert found.low is not None
    assert found.high is not None
    assert 0.2 <= found.low < 0.6 < found.high <= 1.0


def test_patients_are_drawn_and_not_cases() -> None:
    """Two patients of many equal cases: a resample has one of three means, and the interval spans them all."""
    values, patient = np.repeat([0.0, 1.0], 50), np.repeat([0, 1], 50)
    found = mean_over_cases(values, patient, 400, 1)
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)


def test_without_a_value_or_with_one_patient_there_is_no_interval() -> None:
    nothing = mean_over_cases(np.array([NAN, NAN]), np.array([0, 1]), 100, 1)
    assert (nothing.value, nothing.low, nothing.cases, nothing.undefined) == (None, None, 0, 2)
    alone = mean_over_cases(np.array([0.5, 0.7]), np.array([0, 0]), 100, 1)
    assert (alone.value, alone.low, alone.high) == (pytest.approx(0.6), None, None)


def test_a_difference_is_paired() -> None:
    one, other = np.array([0.5, 0.9, NAN, 0.3]), np.array([0.4, 0.8, 0.5, NAN])
    found = paired_difference(one, other, np.array([0, 1, 2, 3]), 200, 1)
    assert found.value == pytest.approx(0.1)
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.1))  # the same in every case
    assert (found.cases, found.undefined) == (2, 2)


def test_weighted_means_leave_undefined_cases_out() -> None:
    values = np.array([[0.2, 0.8, NAN], [1.0, 0.0, 0.5]])
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 0, 3]])
    found = weighted_means(values, weights)
    assert found[1] == pytest.approx([0.5, 2.5 / 3, 0.5])
    assert found[0, :2] == pytest.approx([0.5, 0.2])
    assert np.isnan(found[0, 2])
