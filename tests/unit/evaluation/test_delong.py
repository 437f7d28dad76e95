from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hakken.evaluation.delong import Areas, areas, components, difference, spread
from hakken.evaluation.proportions import Interval

from .test_roc import POSITIVE, SCORE, cohorts

# Patients of DeLong, DeLong and Clarke-Pearson (Biometrics 1988;44:837-845) with all three tests, as printed in the
# documentation of SAS/STAT, PROC LOGISTIC, comparing receiver operating characteristic curves: albumin, total protein,
# 10 - K-G score, outcome.
OVARIAN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
"""


def ovarian() -> tuple[np.ndarray, np.ndarray]:
    table = np.array(OVARIAN.split(), float).reshape(-1, 4)
    return table[:, 3] == 1, np.array([10 - table[:, 2], table[:, 1], table[:, 0]])


def brute(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """DeLong's covariance from the definition, one pair at a time."""
    kernel = np.array(
        [[[(x > y) + (x == y) / 2 for y in score[~positive]] for x in score[positive]] for score in scores], float
    )
    v10, v01 = kernel.mean(axis=2), kernel.mean(axis=1)
    return np.cov(v10).reshape(len(scores), -1) / v10.shape[1] + np.cov(v01).reshape(len(scores), -1) / v01.shape[1]


def test_the_published_analysis_of_the_ovarian_study() -> None:
    found = areas(*ovarian())
    assert np.round(found.auc, 4).tolist() == [0.7258, 0.6478, 0.7366]
    assert np.round(np.sqrt(np.diag(found.covariance)), 4).tolist() == [0.1028, 0.1000, 0.0927]
    kg = spread(float(found.auc[0]), float(found.covariance[0, 0])).wald
    assert kg.low is not None and kg.high is not None
    assert (round(kg.low, 4), round(kg.high, 4)) == (0.5243, 0.9273)
    protein = difference(Areas(found.auc[[1, 0]], found.covariance[np.ix_([1, 0], [1, 0])]))
    albumin = difference(Areas(found.auc[[2, 0]], found.covariance[np.ix_([2, 0], [2, 0])]))
    for test, numbers in (
        (protein, [-0.0780, 0.1046, -0.2830, 0.1271, 0.5554, 0.4561]),
        (albumin, [0.0108, 0.0953, -0.1761, 0.1976, 0.0127, 0.9102]),
    ):
        assert test.z is not None
        shown = (test.value, test.se, test.low, test.high, test.z**2, test.p)
        assert [round(number, 4) for number in shown if number is not None] == numbers


def test_the_rating_study_of_hanley_and_mcneil() -> None:
    # Radiology 1982;143:29-36, table I: 58 normal and 51 abnormal CT images by five categories; area 0.893
    counts = [33, 6, 6, 11, 2, 3, 2, 2, 11, 33]
    positive, rating = np.repeat(np.arange(10) >= 5, counts), np.repeat(np.tile(np.arange(1.0, 6), 2), counts)
    found = areas(positive, rating[None])
    assert round(float(found.auc[0]), 3) == 0.893
    np.testing.assert_allclose(found.covariance, brute(positive, rating[None]))


def test_components_and_variance_by_hand() -> None:
    v10, v01 = components(POSITIVE, SCORE[None])
    assert v10.tolist() == [[1, 1, 5 / 8, 1 / 2]]  # 4/4, 4/4, 2.5/4, 2/4 of the negatives lie below
    assert v01.tolist() == [[1 / 2, 5 / 8, 1, 1]]
    # Squares of (7, 7, -5, -9) / 32 add to 204 / 1024, over 3 · 4, for each class: 2 · 17 / 1024
    assert areas(POSITIVE, SCORE[None]).covariance[0, 0] == pytest.approx(17 / 512)


def test_clustered_variance_by_hand() -> None:
    # Four patients with a case of each class. Products of (7, 7, -5, -9) and (-9, -5, 7, 7) add to -196, so
    # 4/3 · (204 + 204 - 2 · 196) / 1024 / 16 = 1/768
    found = areas(POSITIVE, SCORE[None], np.tile(np.arange(4), 2))
    assert found.covariance[0, 0] == pytest.approx(1 / 768)


@given(cohorts(), st.integers(0, 99))
@settings(max_examples=60)
def test_it_is_the_definition(cohort: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    positive, score = cohort
    assume(1 < positive.sum() < len(positive) - 1)
    scores = np.array([score, np.random.default_rng(seed).integers(0, 5, len(score))])
    np.testing.assert_allclose(areas(positive, scores).covariance, brute(positive, scores), atol=1e-14)


@given(cohorts())
def test_patients_of_one_case_are_independent_cases(cohort: tuple[np.ndarray, np.ndarray]) -> None:
    positive, score = cohort
    assume(1 < positive.sum() < len(positive) - 1)
    apart = areas(positive, score[None], np.arange(len(score)))
    np.testing.assert_allclose(apart.covariance, areas(positive, score[None]).covariance, atol=1e-15)


def test_repeated_cases_of_a_patient_add_no_information() -> None:
    # Each case three times: the variance over patients stays what it was with one, DeLong's falls to about a third.
    positive, scores = ovarian()
    once = areas(positive, scores).covariance
    patient = np.repeat(np.arange(len(positive)), 3)
    thrice = np.repeat(positive, 3), np.repeat(scores, 3, axis=1)
    np.testing.assert_allclose(areas(*thrice, patient).covariance, once)
    assert areas(*thrice).covariance[0, 0] < once[0, 0] / 2.9


@given(cohorts())
def test_intervals_hold_the_area(cohort: tuple[np.ndarray, np.ndarray]) -> None:
    positive, score = cohort
    assume(1 < positive.sum() < len(positive) - 1)
    found = areas(positive, score[None])
    value = float(found.auc[0])
    ends = spread(value, float(found.covariance[0, 0]))
    assert ends.wald.low is not None and ends.wald.high is not None
    assert 0 <= ends.wald.low <= value <= ends.wald.high <= 1
    if ends.logit.low is not None and ends.logit.high is not None:
        assert ends.logit.low - 1e-12 <= value <= ends.logit.high + 1e-12


def test_a_perfect_ranking_has_no_width() -> None:
    found = areas(POSITIVE, POSITIVE[None] + np.linspace(0, 0.5, 8))
    ends = spread(float(found.auc[0]), float(found.covariance[0, 0]))
    assert (ends.se, ends.wald, ends.logit) == (0.0, Interval(1.0, 1.0), Interval(None, None))


def test_a_class_with_one_case_has_no_variance() -> None:
    found = areas(np.array([True, False, False]), np.array([[0.5, 0.2, 0.7]]))
    assert found.auc.tolist() == [0.5]
    assert spread(0.5, float(found.covariance[0, 0])).se is None
    assert difference(Areas(np.array([0.5, 0.4]), np.full((2, 2), math.nan))).se is None


def test_scores_that_rank_alike_have_no_p() -> None:
    positive, scores = ovarian()
    found = difference(areas(positive, np.array([scores[0], np.exp(scores[0])])))
    assert (found.value, found.se, found.z, found.p) == (0, 0, None, None)


def test_the_difference_changes_its_sign_with_the_order() -> None:
    positive, scores = ovarian()
    one, other = difference(areas(positive, scores[:2])), difference(areas(positive, scores[1::-1]))
    assert one.z is not None and other.z is not None and one.p is not None and other.p is not None
    assert (one.value, one.z, one.p) == pytest.approx((-other.value, -other.z, other.p))
