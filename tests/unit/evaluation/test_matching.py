from __future__ import annotations

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Candidates, Cases, Findings, Lesions, Overlaps
from hakken.evaluation.matching import Counts, Fate, Matching, Rules, match, match_findings, sphere_overlaps

from .helpers import Rows, cohort, matched, points, random_cohort


def fates(matching: Matching) -> list[str]:
    return [Fate(value).name.lower() for value in matching.fate]


@pytest.mark.parametrize(
    ("hit", "x", "found"),
    [
        ("distance", 4.99, True),
        ("distance", 5.0, False),
        ("distance-inclusive", 5.0, True),
        ("distance-inclusive", 5.01, False),
        ("fixed:3", 2.99, True),
        ("fixed:3", 3.0, False),
        ("fixed:7.5", 7.0, True),
    ],
)
def test_a_mark_hits_within_the_radius_of_its_rule(hit: str, x: float, found: bool) -> None:
    matching = matched("a", [(0, 0, 10)], [(0, x, 0.5)], rules=Rules(hit=hit))
    assert fates(matching) == ["true" if found else "false"]
    assert matching.lesion_score.tolist() == [0.5 if found else -np.inf]


def test_a_mark_does_not_hit_a_lesion_of_another_case() -> None:
    assert fates(matched("ab", [(0, 0, 10)], [(1, 0, 0.5)])) == ["false"]


def test_inside_asks_for_the_label_in_the_same_case_and_not_for_the_distance() -> None:
    cases, lesions, _ = cohort("ab", [(0, 0, 10), (0, 50, 10), (1, 0, 10)], [])
    marks = Candidates.of(
        [0, 0, 1, 1], [[99, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]], [0.4, 0.3, 0.2, 0.1], [2, 0, 3, 1]
    )
    matching = match(cases, lesions, marks, Rules(hit="inside"))
    assert matching.lesion_mark.tolist() == [-1, 0, 2]
    assert fates(matching) == ["true", "false", "true", "false"]


def test_inside_without_labels_is_an_error() -> None:
    with pytest.raises(HakkenError, match="candidates, column lesion: missing; hit rule `inside` needs"):
        matched("a", [(0, 0, 10)], [(0, 0, 0.5)], rules=Rules(hit="inside"))


def test_a_lesion_has_the_highest_score_of_its_marks_and_ignores_the_others() -> None:
    matching = matched("a", [(0, 0, 20)], [(0, 0, 0.3), (0, 1, 0.8), (0, 2, 0.5), (0, 100, 0.6)])
    assert matching.lesion_score.tolist() == [0.8]
    assert fates(matching) == ["duplicate", "true", "duplicate", "false"]
    assert matching.counts == Counts(1, 1, 4, 1, 1, 0, ignored_duplicates=2, ignored_excluded=0)


def test_further_marks_are_false_where_asked() -> None:
    rules = Rules(duplicates="false-positive")
    matching = matched("a", [(0, 0, 20)], [(0, 0, 0.3), (0, 1, 0.8), (0, 100, 0.6)], rules=rules)
    assert fates(matching) == ["false", "true", "false"]
    assert matching.counts == Counts(1, 1, 3, 1, 2, 0, ignored_duplicates=0, ignored_excluded=0)


def test_a_mark_in_two_lesions_hits_both() -> None:
    matching = matched("a", [(0, 0, 10), (0, 4, 10)], [(0, 2, 0.5)])
    assert matching.lesion_score.tolist() == [0.5, 0.5]
    assert matching.counts.true_positives == 2


def test_one_to_one_a_mark_in_two_lesions_hits_the_nearer() -> None:
    matching = matched("a", [(0, 0, 10), (0, 4, 10)], [(0, 2.5, 0.5)], rules=Rules(double_hit="one"))
    assert matching.lesion_score.tolist() == [-np.inf, 0.5]


def test_one_to_one_a_lower_mark_takes_the_lesion_that_is_left() -> None:
    marks = [(0, 2.5, 0.9), (0, 3.0, 0.4), (0, 2.0, 0.2)]
    matching = matched("a", [(0, 0, 10), (0, 4, 10)], marks, rules=Rules(double_hit="one"))
    assert matching.lesion_score.tolist() == [0.4, 0.9]
    assert fates(matching) == ["true", "true", "duplicate"]
    assert matching.counts.ignored_duplicates == 1


def test_a_mark_on_an_excluded_finding_is_dropped_unless_it_hits_an_included_one() -> None:
    lesions, included = [(0, 0, 10), (0, 4, 10)], [True, False]
    matching = matched("a", lesions, [(0, 8, 0.9), (0, 2, 0.5), (0, 50, 0.1)], included)
    assert fates(matching) == ["excluded", "true", "false"]
    assert matching.counts == Counts(1, 1, 3, 1, 1, 0, ignored_duplicates=0, ignored_excluded=1)


def test_the_cap_keeps_marks_strictly_above_the_next_score_of_the_case() -> None:
    marks = [(0, 60, 0.9), (0, 70, 0.5), (0, 80, 0.5), (0, 90, 0.1), (1, 60, 0.2), (1, 70, 0.1)]
    matching = matched("ab", [(0, 0, 10)], marks, rules=Rules(max_candidates=2))
    assert fates(matching) == ["false", "cut", "cut", "cut", "false", "false"]
    assert matching.counts.candidates == 3


def test_no_candidate_misses_every_lesion() -> None:
    assert matched("a", [(0, 0, 10)], []).counts == Counts(1, 1, 0, 0, 0, 1, 0, 0)


def test_no_lesion_makes_every_candidate_false() -> None:
    assert matched("a", [], [(0, 0, 0.5)]).counts == Counts(1, 0, 1, 0, 1, 0, 0, 0)


def test_exact_duplicate_rows_of_a_hit_are_one_hit_and_one_duplicate() -> None:
    assert fates(matched("a", [(0, 0, 10)], [(0, 0, 0.5), (0, 0, 0.5)])) == ["true", "duplicate"]


@pytest.mark.parametrize("table", ["lesions", "candidates"])
def test_a_case_number_outside_the_cohort_is_named_with_its_row(table: str) -> None:
    cases, lesions, candidates = cohort("a", [(0, 0, 5)], [(0, 0, 0.5)])
    if table == "lesions":
        lesions = Lesions.of([0, 1], np.zeros((2, 3)), [5, 5])
    else:
        candidates = Candidates.of([0, 1], np.zeros((2, 3)), [0.5, 0.5])
    with pytest.raises(HakkenError, match=f"{table}, row 3: case number 1 is not among the 1 of the cohort"):
        match(cases, lesions, candidates)


def test_an_unknown_hit_rule_is_an_error() -> None:
    with pytest.raises(
        HakkenError,
        match=r"^hit rule `near`: use distance, distance-inclusive, inside, fixed:MM or overlap:IOU$",
    ):
        Rules(hit="near")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("hit", ["distance", "distance-inclusive", "fixed:5"])
def test_hits_equal_those_of_every_pair_compared_by_hand(seed: int, hit: str) -> None:
    cases, lesions, candidates = random_cohort(seed)
    matching = match(cases, lesions, candidates, Rules(hit=hit))
    for row in range(len(lesions)):
        radius = 5.0 if hit == "fixed:5" else lesions.diameter_mm[row] / 2
        distance = np.linalg.norm(candidates.xyz - lesions.xyz[row], axis=1)
        hits = (candidates.case == lesions.case[row]) & (distance < radius)
        expected = candidates.score[hits].max(initial=-np.inf) if lesions.included[row] else -np.inf
        assert matching.lesion_score[row] == expected


def test_ten_thousand_cases_are_not_compared_with_one_another() -> None:
    count = 10_000
    xyz = np.random.default_rng(0).uniform(0, 200, (count, 3))
    matching = match(
        Cases.of([str(i) for i in range(count)]),
        Lesions.of(np.arange(count), xyz, np.full(count, 1.0)),
        Candidates.of(np.arange(count), xyz + 0.1, np.ones(count)),
    )
    assert matching.counts.true_positives == count


def sphere(case: int, x: float, diameter: float, score: float) -> tuple[float, ...]:
    return (case, x, score, diameter)


def overlapping(names: str, lesions: Rows, marks: Rows, rules: Rules) -> Matching:
    cases, truth, _ = cohort(names, lesions, [])
    found = Candidates.of(
        [row[0] for row in marks], points(marks), [row[2] for row in marks], diameter_mm=[row[3] for row in marks]
    )
    return match(cases, truth, found, rules)


def test_iou_of_spheres_by_hand() -> None:
    _, lesions, _ = cohort("a", [(0, 0, 4), (0, 100, 2)], [])
    marks = [sphere(0, 0, 4, 1), sphere(0, 2, 4, 1), sphere(0, 0.5, 2, 1), sphere(0, 4, 4, 1), sphere(0, 100, 4, 1)]
    found = Candidates.of([0] * 5, points(marks), [1.0] * 5, diameter_mm=[row[3] for row in marks])
    pairs = sphere_overlaps(lesions, found)
    iou = {(mark, lesion): value for mark, lesion, value in zip(pairs.mark, pairs.lesion, pairs.iou, strict=True)}
    # Radii 2 and 2, centres 2 apart: they share pi * 2^2 * (4 + 16) / 24 = 10 pi / 3 of 2 * 32 pi / 3 - 10 pi / 3 =
    # 54 pi / 3; a small sphere inside a large one shares all of itself, 1 / 8; where they touch they share nothing.
    assert iou == {
        (0, 0): pytest.approx(1.0),
        (1, 0): pytest.approx(10 / 54),
        (2, 0): pytest.approx(1 / 8),
        (4, 1): pytest.approx(1 / 8),
    }


@pytest.mark.parametrize(("limit", "found"), [("0.125", 2), ("0.13", 1), (".18", 1), ("1", 0), ("1.0", 0)])
def test_a_mark_that_overlaps_enough_hits(limit: str, found: int) -> None:
    marks = [sphere(0, 2, 4, 0.9), sphere(0, 100, 4, 0.8)]
    counts = overlapping("a", [(0, 0, 4), (0, 100, 2)], marks, Rules(hit=f"overlap:{limit}")).counts
    assert (counts.true_positives, counts.false_positives) == (found, 2 - found)


def test_one_to_one_overlaps_are_as_many_as_can_be_before_they_are_large() -> None:
    cases, lesions, candidates = cohort("a", [(0, 0, 4), (0, 9, 4)], [(0, 0, 0.9), (0, 1, 0.3)])
    # A 0.9 with lesion 0 alone would be the most; A with 1 and B with 0, 0.1 + 0.2, are two pairs
    overlaps = Overlaps(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.1, 0.2]))
    matching = match(cases, lesions, candidates, Rules(hit="overlap:0.1", double_hit="one"), overlaps)
    assert matching.lesion_mark.tolist() == [1, 0]


def test_one_to_one_overlaps_are_assigned_so_that_the_most_is_shared() -> None:
    # IoU of the marks with lesions 0 and 1: A 0.5 and 0.4, B 0.45 and none. By score A would take lesion 0 and B
    # nothing; 0.4 + 0.45 is more than 0.5.
    cases, lesions, candidates = cohort("a", [(0, 0, 4), (0, 9, 4)], [(0, 0, 0.9), (0, 1, 0.3)])
    overlaps = Overlaps(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.5, 0.4, 0.45]))
    rules = Rules(hit="overlap:0.1", double_hit="one")
    matching = match(cases, lesions, candidates, rules, overlaps)
    assert matching.lesion_mark.tolist() == [1, 0]
    # too far an overlap is no pair, whatever an assignment would make of it
    strict = match(cases, lesions, candidates, Rules(hit="overlap:0.42", double_hit="one"), overlaps)
    assert strict.lesion_mark.tolist() == [0, -1]
    assert strict.fate.tolist() == [Fate.TRUE, Fate.DUPLICATE]


def test_overlaps_need_diameters() -> None:
    with pytest.raises(HakkenError, match=r"^candidates, column diameter_mm: missing; hit rule `overlap` needs the "):
        match(*cohort("a", [(0, 0, 4)], [(0, 0, 1)]), Rules(hit="overlap:0.1"))


@pytest.mark.parametrize("hit", ["overlap:0", "overlap:1.1", "overlap:", "overlap:-0.1", "overlap:0.0"])
def test_an_overlap_lies_above_0_and_at_most_at_1(hit: str) -> None:
    with pytest.raises(HakkenError, match=r"^hit rule"):
        Rules(hit=hit)


def test_parts_of_findings_keep_their_overlaps() -> None:
    cases, lesions, candidates = cohort("ab", [(0, 0, 4), (1, 0, 4)], [(0, 0, 0.9), (1, 0, 0.3), (1, 5, 0.2)])
    overlaps = Overlaps(np.array([0, 1]), np.array([0, 1]), np.array([0.5, 0.4]))
    whole = Findings(cases, lesions, candidates, overlaps)
    rules = Rules(hit="overlap:0.1")
    assert match_findings(whole, rules).counts.true_positives == 2
    part = match_findings(whole.of_cases(np.array([False, True])), rules)
    assert (part.lesion_score.tolist(), part.counts.false_positives) == ([0.3], 1)
    alone = match_findings(whole.of_findings(np.array([False, True]), np.array([True, True, False])), rules)
    assert (alone.lesion_score.tolist(), alone.counts.false_positives) == ([0.3], 1)
