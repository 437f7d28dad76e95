from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Candidates, Cases, Lesions
from hakken.evaluation.froc import (
    NO_FREE_CASE,
    NO_LESIONS,
    FrocCurve,
    cpm,
    fp_at_sensitivity,
    froc,
    objective,
    partial_auc,
    sensitivity_at,
)
from hakken.evaluation.matching import Rules, match

from .helpers import cohort, matched, random_cohort

# Two cases, three lesions (one missed). Falling scores: false 0.9, found 0.8, found and false 0.5, false 0.2.
LESIONS = [(0.0, 0.0, 10.0), (0.0, 50.0, 10.0), (1.0, 0.0, 10.0)]
MARKS = [(0.0, 90.0, 0.9), (0.0, 1.0, 0.8), (1.0, 2.0, 0.5), (1.0, 70.0, 0.5), (1.0, 80.0, 0.2)]


def worked() -> FrocCurve:
    return froc(matched("ab", LESIONS, MARKS))


def test_one_point_per_distinct_score_from_zero_to_all_detections() -> None:
    curve = worked()
    assert curve.threshold.tolist() == [np.inf, 0.9, 0.8, 0.5, 0.2]
    assert curve.fp_per_case.tolist() == [0, 1 / 2, 1 / 2, 1, 3 / 2]
    assert curve.sensitivity.tolist() == [0, 0, 1 / 3, 2 / 3, 2 / 3]


@pytest.mark.parametrize(
    ("at", "value", "step", "extrapolated"),
    [
        (0.25, Fraction(0), Fraction(0), False),
        (0.5, Fraction(1, 3), Fraction(1, 3), False),
        (0.75, Fraction(1, 2), Fraction(1, 3), False),
        (1, Fraction(2, 3), Fraction(2, 3), False),
        (1.5, Fraction(2, 3), Fraction(2, 3), False),
        (4, Fraction(2, 3), Fraction(2, 3), True),
    ],
)
def test_sensitivity_is_interpolated_and_flat_beyond_the_end(
    at: float, value: Fraction, step: Fraction, extrapolated: bool
) -> None:
    found = sensitivity_at(worked(), at)
    assert found.value == pytest.approx(float(value), abs=1e-15)
    assert found.step == pytest.approx(float(step), abs=1e-15)
    assert found.extrapolated is extrapolated


@pytest.mark.parametrize(("sensitivity", "fp"), [(0.1, 0.5), (1 / 3, 0.5), (0.5, 1.0), (2 / 3, 1.0), (0.7, None)])
def test_false_positives_at_a_sensitivity_are_those_of_the_first_point_that_reaches_it(
    sensitivity: float, fp: float | None
) -> None:
    assert fp_at_sensitivity(worked(), sensitivity) == fp


@pytest.mark.parametrize(
    ("max_fp", "area"),
    [
        (0.5, Fraction(0)),
        (0.75, Fraction(1, 4) * Fraction(5, 12) / Fraction(3, 4)),  # from 1/3 to 1/2 over a quarter
        (1, Fraction(1, 2) * Fraction(1, 2)),
        (1.5, (Fraction(1, 4) + Fraction(1, 3)) / Fraction(3, 2)),
        (4, (Fraction(1, 4) + 3 * Fraction(2, 3)) / 4),
    ],
)
def test_partial_auc_is_the_area_under_the_line_divided_by_its_width(max_fp: float, area: Fraction) -> None:
    assert partial_auc(worked(), max_fp) == pytest.approx(float(area), abs=1e-15)


def test_cpm_is_the_mean_of_seven_sensitivities() -> None:
    expected = (0 + 0 + Fraction(1, 3) + 4 * Fraction(2, 3)) / 7
    assert cpm(worked()) == pytest.approx(float(expected), abs=1e-15)


def test_all_tied_scores_are_one_point() -> None:
    curve = froc(matched("abc", [(0, 0, 10), (1, 0, 10)], [(0, 0, 0.5), (0, 50, 0.5), (1, 60, 0.5), (2, 0, 0.5)]))
    assert (curve.fp_per_case.tolist(), curve.sensitivity.tolist()) == ([0, 1], [0, 0.5])
    assert sensitivity_at(curve, 0.5).value == 0.25


def test_the_lowest_point_is_kept_when_nothing_is_missed() -> None:
    curve = froc(matched("a", [(0, 0, 10)], [(0, 50, 0.9), (0, 0, 0.1)]))
    assert (curve.fp_per_case[-1], curve.sensitivity[-1]) == (1, 1)


def test_no_candidate_leaves_the_origin_alone() -> None:
    curve = froc(matched("a", [(0, 0, 10)], []))
    assert partial_auc(curve, 10) == 0
    assert sensitivity_at(curve, 1) == sensitivity_at(curve, 1).__class__(0.0, 0.0, True)


def test_without_lesions_all_is_undefined_with_a_reason_and_false_positives_stand() -> None:
    curve = froc(matched("abc", [], [(0, 0, 0.9), (1, 0, 0.4)]))
    assert curve.reason == NO_LESIONS
    assert curve.fp_per_case[-1] == 2 / 3
    measures = (partial_auc(curve, 1), cpm(curve), fp_at_sensitivity(curve, 0.5), sensitivity_at(curve, 1).value)
    assert measures == (None, None, None, None)


def test_false_positives_per_lesion_free_case() -> None:
    curve = froc(matched("abc", [(0, 0, 10)], [(0, 0, 0.9), (0, 50, 0.8), (1, 0, 0.7)]), per="lesion-free")
    assert (curve.fp_per_case.tolist(), curve.sensitivity.tolist()) == ([0, 0, 0.5], [0, 1, 1])


def test_without_lesion_free_cases_that_curve_is_undefined() -> None:
    assert froc(matched("a", [(0, 0, 10)], [(0, 50, 0.5)]), per="lesion-free").reason == NO_FREE_CASE


def test_scores_that_differ_in_the_last_bit_are_two_points() -> None:
    next_one = np.nextafter(0.5, 1)
    assert len(froc(matched("a", [(0, 0, 10)], [(0, 50, 0.5), (0, 60, next_one)])).threshold) == 3


def test_the_objective_is_the_partial_auc() -> None:
    cases, lesions, candidates = cohort("ab", LESIONS, MARKS)
    assert objective(candidates, lesions, cases, 1) == pytest.approx(0.25)
    assert objective(candidates, lesions, cases, 1, hit="fixed:0.5") == 0


def test_the_objective_without_lesions_is_an_error() -> None:
    cases, lesions, candidates = cohort("a", [], [])
    with pytest.raises(HakkenError, match="the validation cases have no included lesion"):
        objective(candidates, lesions, cases, 1)


@given(st.integers(0, 10_000), st.sampled_from(["ignore", "false-positive"]), st.sampled_from(["both", "one"]))
@settings(max_examples=60, deadline=None)
def test_a_curve_never_falls_and_ends_with_all_detections(seed: int, duplicates: str, double_hit: str) -> None:
    rules = Rules(duplicates=duplicates, double_hit=double_hit)  # type: ignore[arg-type]
    matching = match(*random_cohort(seed), rules)
    curve, counts = froc(matching), matching.counts
    assert (np.diff(curve.fp_per_case) >= 0).all()
    assert (np.diff(curve.sensitivity) >= 0).all()
    assert (np.diff(curve.threshold) < 0).all()
    assert (curve.fp_per_case[0], curve.sensitivity[0]) == (0, 0)
    assert curve.fp_per_case[-1] == pytest.approx(counts.false_positives / counts.cases)
    assert curve.sensitivity[-1] == pytest.approx(counts.true_positives / counts.lesions)


@given(st.integers(0, 10_000), st.sampled_from(["both", "one"]))
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_does_not_matter(seed: int, double_hit: str) -> None:
    cases, lesions, candidates = random_cohort(seed)
    order = np.random.default_rng(seed + 1).permutation(len(candidates))
    turn = np.random.default_rng(seed + 2).permutation(len(lesions))
    shuffled = Candidates.of(candidates.case[order], candidates.xyz[order], candidates.score[order])
    turned = Lesions.of(lesions.case[turn], lesions.xyz[turn], lesions.diameter_mm[turn], lesions.included[turn])
    rules = Rules(double_hit=double_hit)  # type: ignore[arg-type]
    same(froc(match(cases, lesions, candidates, rules)), froc(match(cases, turned, shuffled, rules)))


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_rising_transform_of_the_scores_changes_thresholds_alone(seed: int) -> None:
    cases, lesions, candidates = random_cohort(seed)
    moved = Candidates.of(candidates.case, candidates.xyz, np.exp(candidates.score / 3) - 7)
    one, other = froc(match(cases, lesions, candidates)), froc(match(cases, lesions, moved))
    assert one.fp_per_case.tolist() == other.fp_per_case.tolist()
    assert one.sensitivity.tolist() == other.sensitivity.tolist()


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_cohort_written_twice_has_the_same_curve(seed: int) -> None:
    cases, lesions, candidates = random_cohort(seed)
    count = len(cases)
    twice = (
        Cases.of([*cases.case_id, *(f"{name} again" for name in cases.case_id)]),
        Lesions.of(
            np.concatenate([lesions.case, lesions.case + count]),
            np.tile(lesions.xyz, (2, 1)),
            np.tile(lesions.diameter_mm, 2),
            np.tile(lesions.included, 2),
        ),
        Candidates.of(
            np.concatenate([candidates.case, candidates.case + count]),
            np.tile(candidates.xyz, (2, 1)),
            np.tile(candidates.score, 2),
        ),
    )
    same(froc(match(cases, lesions, candidates)), froc(match(*twice)))


@given(st.integers(0, 10_000), st.floats(0.05, 12))
@settings(max_examples=60, deadline=None)
def test_the_partial_auc_is_the_area_of_a_fine_sum(seed: int, max_fp: float) -> None:
    curve = froc(match(*random_cohort(seed)))
    grid = np.linspace(0, max_fp, 4001)
    heights = np.array([sensitivity_at(curve, at).value for at in grid[::40]])
    area = partial_auc(curve, max_fp)
    assert area is not None
    assert area == pytest.approx(np.interp(grid, curve.fp_per_case, curve.sensitivity).mean(), abs=2e-3)
    assert heights.min() - 1e-12 <= area <= heights.max() + 1e-12


def same(one: FrocCurve, other: FrocCurve) -> None:
    assert one.threshold.tolist() == other.threshold.tolist()
    np.testing.assert_allclose(one.fp_per_case, other.fp_per_case, rtol=1e-14)
    np.testing.assert_allclose(one.sensitivity, other.sensitivity, rtol=1e-14)
