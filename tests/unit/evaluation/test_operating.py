from __future__ import annotations

import numpy as np
import pytest

from hakken.evaluation.bootstrap import resample
from hakken.evaluation.froc import froc
from hakken.evaluation.matching import match
from hakken.evaluation.operating import at_threshold, choose_threshold

from .helpers import matched, random_cohort

LESIONS = [(0.0, 0.0, 10.0), (1.0, 0.0, 10.0)]
MARKS = [(0.0, 0.0, 0.9), (0.0, 50.0, 0.8), (1.0, 0.0, 0.7), (1.0, 60.0, 0.6), (1.0, 70.0, 0.5)]


@pytest.mark.parametrize(("fp_per_case", "threshold"), [(0.2, 0.9), (0.5, 0.7), (0.99, 0.7), (1, 0.6), (10, 0.5)])
def test_the_threshold_is_the_lowest_with_no_more_false_positives(fp_per_case: float, threshold: float) -> None:
    assert choose_threshold(froc(matched("ab", LESIONS, MARKS)), fp_per_case) == threshold


def test_where_the_highest_score_is_too_much_nothing_is_marked() -> None:
    curve = froc(matched("a", [(0, 0, 10)], [(0, 50, 0.5), (0, 60, 0.5)]))
    threshold = choose_threshold(curve, 1)
    assert threshold is not None
    assert 0.5 < threshold < 0.5000001


@pytest.mark.parametrize(("lesions", "marks"), [([], MARKS), (LESIONS, [])])
def test_without_lesions_or_candidates_there_is_no_threshold(lesions: list, marks: list) -> None:
    assert choose_threshold(froc(matched("ab", lesions, marks)), 1) is None


def test_a_threshold_is_inclusive_and_measured_on_the_other_part() -> None:
    matching = matched("ab", LESIONS, MARKS)
    point = at_threshold(matching, resample(matching, 100, 0), 0.7)
    assert (point.sensitivity.value, point.fp_per_case.value) == (1.0, 0.5)
    # Wilson's interval of 2 of 2, two patients: from 1 / (1 + z² / 2)
    assert (point.sensitivity.low, point.sensitivity.high) == (pytest.approx(0.3424, abs=1e-4), 1.0)
    assert (point.fp_per_case.low, point.fp_per_case.high) == (0.0, 1.0)


def test_a_threshold_at_a_point_of_the_curve_gives_that_point() -> None:
    matching = match(*random_cohort(3))
    curve = froc(matching)
    resamples = resample(matching, 50, 0)
    for row in range(1, len(curve.threshold)):
        point = at_threshold(matching, resamples, float(curve.threshold[row]))
        assert point.sensitivity.value == pytest.approx(curve.sensitivity[row])
        assert point.fp_per_case.value == pytest.approx(curve.fp_per_case[row])


def test_the_interval_at_infinity_is_zero() -> None:
    matching = match(*random_cohort(3))
    assert at_threshold(matching, resample(matching, 50, 0), np.inf).fp_per_case.high == 0
