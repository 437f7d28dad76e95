from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score, roc_curve

from hakken.core.errors import HakkenError
from hakken.evaluation.roc import (
    Choice,
    Ranking,
    auc,
    choose,
    corrected,
    partial_auc,
    rank,
    roc,
    rows_at,
    rows_auc,
    rows_choose,
    rows_partial_auc,
)
from hakken.evaluation.roc_bootstrap import Rows

POSITIVE = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)
SCORE = np.array([0.9, 0.8, 0.6, 0.3, 0.7, 0.6, 0.2, 0.1])
CHOICES = (Choice("youden"), Choice("sensitivity", 0.7), Choice("specificity", 0.7))


@pytest.fixture
def example() -> Ranking:
    return rank(POSITIVE, SCORE)


@st.composite
def cohorts(draw: st.DrawFn, values: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Labels with both classes, and scores with many ties."""
    number = draw(st.integers(2, 40))
    labels = draw(st.lists(st.booleans(), min_size=number, max_size=number).filter(lambda row: len(set(row)) == 2))
    scores = draw(st.lists(st.integers(-values, values), min_size=number, max_size=number))
    return np.array(labels), np.array(scores, float)


def value(positive: np.ndarray, score: np.ndarray) -> float:
    found = auc(rank(positive, score))
    assert found is not None
    return found


class TestByHand:
    def test_area(self, example: Ranking) -> None:
        # 0.9 and 0.8 beat four each, 0.6 two and ties with one, 0.3 two: (4 + 4 + 2.5 + 2) / 16
        assert auc(example) == 25 / 32

    def test_counts_by_threshold(self, example: Ranking) -> None:
        assert example.threshold.tolist() == [math.inf, 0.9, 0.8, 0.7, 0.6, 0.3, 0.2, 0.1]
        assert example.tp.tolist() == [0, 1, 2, 2, 3, 4, 4, 4]
        assert example.fp.tolist() == [0, 0, 0, 1, 2, 2, 3, 4]

    def test_corners(self, example: Ranking) -> None:
        curve = roc(example)  # straight: 0.9 between infinity and 0.8, 0.2 between 0.3 and 0.1
        assert curve.threshold.tolist() == [math.inf, 0.8, 0.7, 0.6, 0.3, 0.1]
        assert curve.fpr.tolist() == [0, 0, 0.25, 0.5, 0.5, 1]
        assert curve.tpr.tolist() == [0, 0.5, 0.5, 0.75, 1, 1]

    def test_partial_areas(self, example: Ranking) -> None:
        assert partial_auc(example, 0.25) == 1 / 8  # 1/4 wide, 1/2 high
        assert partial_auc(example, 0.5) == 9 / 32  # 1/8 + 1/4 · (1/2 + 3/4) / 2
        assert partial_auc(example, 0.375) == 25 / 128  # 1/8 + 1/8 · (1/2 + 5/8) / 2
        assert partial_auc(example, 1) == 25 / 32

    def test_mcclish(self) -> None:
        # x = 1/4: (1 + (1/8 - 1/32) / (1/4 - 1/32)) / 2 = (1 + 3/7) / 2
        assert float(corrected(1 / 8, 0.25)) == pytest.approx(5 / 7)
        assert float(corrected(0.25**2 / 2, 0.25)) == 0.5
        assert float(corrected(0.25, 0.25)) == 1

    @pytest.mark.parametrize(
        ("choice", "threshold"),
        [
            (Choice("youden"), 0.8),  # J = 1/2 at 0.8 and at 0.3: the higher threshold
            (Choice("sensitivity", 0.9), 0.3),
            (Choice("sensitivity", 0.5), 0.8),
            (Choice("specificity", 0.9), 0.8),
            (Choice("specificity", 0.75), 0.7),
            (Choice("specificity", 0.5), 0.3),
        ],
    )
    def test_choices(self, choice: Choice, threshold: float, example: Ranking) -> None:
        assert choose(example, choice) == threshold

    def test_a_level_that_is_reached_exactly_survives_rounding(self) -> None:
        positive, score = np.arange(20) < 10, np.tile(np.arange(10.0, 0, -1), 2)
        assert 0.7 * 10 > 7 - 1e-15 and 1 - 0.7 != 0.3
        assert choose(rank(positive, score), Choice("sensitivity", 0.7)) == 4
        assert choose(rank(positive, score), Choice("specificity", 0.7)) == 8

    def test_no_finite_threshold_keeps_a_specificity_that_the_highest_score_breaks(self) -> None:
        ranking = rank(np.array([True, False]), np.array([0.2, 0.9]))
        assert choose(ranking, Choice("specificity", 0.9)) is None
        assert choose(ranking, Choice("youden")) == 0.2  # never infinite: all are positive, J = 0

    def test_measures_at_a_threshold(self, example: Ranking) -> None:
        place = example.place(0.6)
        found = rows_at(example.tp[None], example.fp[None], np.array([place]))
        # at 0.6: 3 true and 2 false positives, 2 true and 1 false negative
        expected = {"sensitivity": 3 / 4, "specificity": 2 / 4, "ppv": 3 / 5, "npv": 2 / 3, "accuracy": 5 / 8}
        expected["mcc"] = (3 * 2 - 2 * 1) / math.sqrt(5 * 4 * 4 * 3)
        assert {name: float(row[0]) for name, row in found.items()} == pytest.approx(expected)
        nothing = rows_at(example.tp[None], example.fp[None], np.array([0]))
        assert math.isnan(nothing["ppv"][0])

    @pytest.mark.parametrize(("threshold", "place"), [(1, 0), (0.9, 1), (0.65, 3), (0.6, 4), (0, 7), (-math.inf, 7)])
    def test_a_score_at_the_threshold_is_positive(self, threshold: float, place: int, example: Ranking) -> None:
        assert example.place(threshold) == place


class TestAgainstOthers:
    @given(cohorts())
    def test_area_is_that_of_scipy_and_sklearn(self, cohort: tuple[np.ndarray, np.ndarray]) -> None:
        positive, score = cohort
        pairs = positive.sum() * (~positive).sum()
        assert value(*cohort) == pytest.approx(mannwhitneyu(score[positive], score[~positive]).statistic / pairs)
        assert value(*cohort) == pytest.approx(roc_auc_score(positive, score))

    @given(cohorts(), st.sampled_from([0.05, 0.1, 0.25, 0.3, 0.5, 0.9]))
    def test_corrected_partial_area_is_that_of_sklearn(
        self, cohort: tuple[np.ndarray, np.ndarray], max_fpr: float
    ) -> None:
        part = partial_auc(rank(*cohort), max_fpr)
        assert part is not None
        assert float(corrected(part, max_fpr)) == pytest.approx(roc_auc_score(*cohort, max_fpr=max_fpr))

    @given(cohorts())
    def test_points_are_those_of_sklearn(self, cohort: tuple[np.ndarray, np.ndarray]) -> None:
        ranking = rank(*cohort)
        fpr, tpr, threshold = roc_curve(*cohort, drop_intermediate=False)
        np.testing.assert_allclose(ranking.fp / ranking.negatives, fpr)
        np.testing.assert_allclose(ranking.tp / ranking.positives, tpr)
        np.testing.assert_array_equal(ranking.threshold, threshold)

    @given(cohorts())
    def test_the_corners_are_the_whole_curve(self, cohort: tuple[np.ndarray, np.ndarray]) -> None:
        curve = roc(rank(*cohort))
        assert float(np.trapezoid(curve.tpr, curve.fpr)) == pytest.approx(value(*cohort))
        assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)


class TestProperties:
    @given(cohorts())
    def test_reversed_scores_give_the_complement(self, cohort: tuple[np.ndarray, np.ndarray]) -> None:
        positive, score = cohort
        assert value(positive, -score) == pytest.approx(1 - value(positive, score), abs=1e-15)

    @given(cohorts())
    def test_a_monotone_transform_changes_nothing(self, cohort: tuple[np.ndarray, np.ndarray]) -> None:
        positive, score = cohort
        assert value(positive, np.exp(score / 3)) == value(positive, score)
        assert partial_auc(rank(positive, score**3), 0.3) == partial_auc(rank(positive, score), 0.3)

    @given(cohorts(), st.randoms())
    def test_the_order_of_the_cases_does_not_matter(
        self, cohort: tuple[np.ndarray, np.ndarray], random: object
    ) -> None:
        positive, score = cohort
        order = np.random.default_rng(len(score)).permutation(len(score))
        assert value(positive[order], score[order]) == value(positive, score)

    @given(cohorts())
    def test_a_doubled_cohort_has_the_same_area_and_thresholds(self, cohort: tuple[np.ndarray, np.ndarray]) -> None:
        once, twice = rank(*cohort), rank(*(np.tile(part, 2) for part in cohort))
        assert auc(twice) == auc(once)
        assert [choose(twice, choice) for choice in CHOICES] == [choose(once, choice) for choice in CHOICES]

    @given(cohorts(), st.sampled_from([0.1, 0.25, 0.5, 0.7, 0.9, 1.0]))
    def test_a_chosen_threshold_keeps_its_promise_and_is_the_best(
        self, cohort: tuple[np.ndarray, np.ndarray], level: float
    ) -> None:
        positive, score = cohort
        reached = choose(rank(*cohort), Choice("sensitivity", level))
        assert reached is not None
        assert (score[positive] >= reached).mean() >= level - 1e-9
        assert (score[positive] > reached).mean() < level - 1e-9
        kept = choose(rank(*cohort), Choice("specificity", level))
        below = score[score < (math.inf if kept is None else kept)]
        assert kept is None or (score[~positive] < kept).mean() >= level - 1e-9
        assert not len(below) or (score[~positive] < below.max()).mean() < level - 1e-9

    @given(cohorts(), st.integers(0, 1000))
    @settings(max_examples=60)
    def test_a_weighted_curve_is_that_of_repeated_cases(self, cohort: tuple[np.ndarray, np.ndarray], seed: int) -> None:
        positive, score = cohort
        patient = np.arange(len(score)) // 2
        counts = np.random.default_rng(seed).integers(0, 4, (5, patient[-1] + 1))
        rows = Rows(rank(positive, score), positive, patient, 0.3, {})
        counts = counts[rows.usable(counts)]
        if not len(counts):
            return
        tp, fp = rows.curves(counts)
        areas, parts = rows_auc(tp, fp), rows_partial_auc(tp, fp, 0.3)
        for row, weights in enumerate(counts):
            repeated = rank(np.repeat(positive, weights[patient]), np.repeat(score, weights[patient]))
            assert areas[row] == auc(repeated)
            assert parts[row] == pytest.approx(partial_auc(repeated, 0.3))
            for choice in CHOICES:
                place = rows_choose(tp, fp, choice)
                threshold = choose(repeated, choice)
                expected = 0 if threshold is None else repeated.place(threshold)
                assert tp[row, place[row]] == repeated.tp[expected]
                assert fp[row, place[row]] == repeated.fp[expected]


class TestEdges:
    def test_all_tied_is_one_half(self) -> None:
        assert value(POSITIVE, np.ones(8)) == 0.5
        assert partial_auc(rank(POSITIVE, np.ones(8)), 0.2) == pytest.approx(0.02)

    @pytest.mark.parametrize(("label", "reason"), [(True, "no case has label 0"), (False, "no case has label 1")])
    def test_one_class_has_no_area_and_a_reason(self, label: bool, reason: str) -> None:
        ranking = rank(np.full(3, label), np.arange(3.0))
        assert (auc(ranking), partial_auc(ranking, 0.1), choose(ranking, Choice("youden"))) == (None, None, None)
        assert ranking.reason == reason
        with pytest.raises(ValueError, match=reason):
            roc(ranking)

    def test_a_score_that_cannot_be_ranked_is_named(self) -> None:
        for bad in (math.nan, math.inf):
            with pytest.raises(HakkenError, match=rf"^scores, row 3, column score: {bad} cannot be ranked; give a "):
                rank(np.array([True, False]), np.array([0.1, bad]))

    def test_nothing_and_unequal_lengths(self) -> None:
        with pytest.raises(HakkenError, match="there is no case; give at least one"):
            rank(np.zeros(0, bool), np.zeros(0))
        with pytest.raises(HakkenError, match="2 scores for 1 labels"):
            rank(np.ones(1, bool), np.zeros(2))
