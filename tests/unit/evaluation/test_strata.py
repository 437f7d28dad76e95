from __future__ import annotations

import math

import numpy as np
import pytest

from hakken.evaluation.findings import Findings
from hakken.evaluation.matching import Rules, match, match_findings
from hakken.evaluation.proportions import wilson
from hakken.evaluation.strata import design_effect, diameter_ranges, proportion

from .helpers import cohort, matched, random_cohort


def test_ranges_cover_all_sizes_once_and_have_names() -> None:
    ranges = diameter_ranges([10, 5])
    assert [size.name for size in ranges] == ["below 5 mm", "5 to 10 mm", "10 mm and more"]
    _, lesions, _ = cohort("a", [(0, 0, 4.9), (0, 20, 5), (0, 40, 9.9), (0, 60, 10)], [])
    assert [size.holds(lesions).tolist() for size in ranges] == [
        [True, False, False, False],
        [False, True, True, False],
        [False, False, False, True],
    ]


def test_marks_on_lesions_outside_the_stratum_are_dropped_and_false_positives_stay() -> None:
    cases, lesions, candidates = cohort("a", [(0, 0, 4), (0, 30, 20)], [(0, 0, 0.9), (0, 30, 0.8), (0, 90, 0.7)])
    small = lesions.including(diameter_ranges([5])[0].holds(lesions))
    counts = match(cases, small, candidates).counts
    assert (counts.lesions, counts.true_positives, counts.false_positives, counts.ignored_excluded) == (1, 1, 1, 1)


def test_the_cases_of_a_stratum_keep_their_own_lesions_and_marks() -> None:
    cases, lesions, candidates = cohort("abc", [(0, 0, 4), (2, 1, 5), (2, 2, 6)], [(1, 0, 0.9), (2, 1, 0.8)])
    part = Findings(cases, lesions, candidates).of_cases(np.array([False, True, True]))
    assert part.cases.case_id == ("b", "c")
    assert (part.lesions.case.tolist(), part.lesions.diameter_mm.tolist()) == ([1, 1], [5, 6])
    assert (part.candidates.case.tolist(), part.candidates.score.tolist()) == ([0, 1], [0.9, 0.8])


def test_strata_of_cases_add_up_to_the_cohort() -> None:
    whole = random_cohort(4)
    keep = np.arange(len(whole[0])) % 3 == 0
    parts = [match_findings(Findings(*whole).of_cases(mask), Rules()).counts for mask in (keep, ~keep)]
    total = match(*whole).counts
    assert sum(part.true_positives for part in parts) == total.true_positives
    assert sum(part.false_positives for part in parts) == total.false_positives


def test_the_design_effect_of_identical_lesions_of_a_patient_is_their_number() -> None:
    found, total = np.array([4, 0, 4, 0]), np.array([4, 4, 4, 4])
    assert design_effect(found, total) == pytest.approx(4 * 4 / 3)  # 4, and n / (n - 1) for four patients


def test_the_design_effect_is_never_below_one_and_one_where_it_is_unknown() -> None:
    assert design_effect(np.array([1, 1]), np.array([2, 2])) == 1
    assert design_effect(np.array([2, 2]), np.array([2, 2])) == 1
    assert design_effect(np.array([1]), np.array([2])) == 1


def test_a_proportion_widens_with_the_design_effect() -> None:
    found = np.repeat([True, False, True, False], 4)
    apart, together = proportion(found, np.arange(16)), proportion(found, np.repeat(np.arange(4), 4))
    assert (apart.found, apart.total, apart.value) == (8, 16, 0.5)
    assert together.design_effect == pytest.approx(16 / 3)
    assert apart.low is not None and together.low is not None
    assert together.low < apart.low
    assert math.isclose(together.low, wilson(0.5, 3)[0])


def test_a_proportion_of_nothing_is_undefined() -> None:
    empty = proportion(np.zeros(0, bool), np.zeros(0, np.int64))
    assert (empty.total, empty.value, empty.low) == (0, None, None)


def test_matched_helper_is_what_match_gives() -> None:
    assert matched("a", [(0, 0, 4)], []).counts.missed == 1
