"""Average precision, the PI-CAI score and matching by score, by hand and against loops with exact fractions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from hakken.evaluation.findings import Candidates, Lesions, Overlaps
from hakken.evaluation.froc import froc
from hakken.evaluation.matching import Fate, Rules, match
from hakken.evaluation.measure import Settings, differences, measure
from hakken.evaluation.precision import average_precision, ranked_cases
from hakken.evaluation.roc import auc

from . import brute_force
from .helpers import cohort, matched, random_cohort
from .test_froc_brute_force import cohorts, expected, options
from .test_froc_brute_force import matched as of_cohort

SCORE = Rules(hit="overlap:0.1", double_hit="score", duplicates="false-positive")


def overlaps(*rows: tuple[int, int, float]) -> Overlaps:
    marks, lesions, iou = (np.array(column) for column in zip(*rows, strict=True))
    return Overlaps(marks, lesions, iou.astype(float))


def test_by_score_the_highest_mark_has_the_lesion_whatever_a_lower_one_overlaps() -> None:
    cases, lesions, marks = cohort("a", [(0, 0, 4)], [(0, 0, 0.9), (0, 1, 0.1)])
    pairs = overlaps((0, 0, 0.3), (1, 0, 0.6))
    by_score = match(cases, lesions, marks, SCORE, pairs)
    assert by_score.lesion_score.tolist() == [0.9]
    assert by_score.fate.tolist() == [Fate.TRUE, Fate.FALSE]
    curve = froc(by_score)
    assert (curve.threshold[1:].tolist(), curve.sensitivity.tolist()) == ([0.9, 0.1], [0, 1, 1])
    # the assignment as a whole takes the greater overlap, so that nothing is found above 0.1
    whole = match(cases, lesions, marks, Rules(hit="overlap:0.1", double_hit="one"), pairs)
    assert whole.lesion_score.tolist() == [0.1]


def test_by_score_a_mark_takes_the_best_lesion_that_is_free() -> None:
    # A (0.9) overlaps lesion 0 by 0.2 and lesion 1 by 0.5: it takes 1. B (0.8) overlaps 1 by 0.9 and 0 by 0.3: 1 is
    # taken, so it takes 0. C (0.7) overlaps 1 alone: nothing is left.
    cases, lesions, marks = cohort("a", [(0, 0, 4), (0, 9, 4)], [(0, 0, 0.9), (0, 1, 0.8), (0, 2, 0.7)])
    pairs = overlaps((0, 0, 0.2), (0, 1, 0.5), (1, 1, 0.9), (1, 0, 0.3), (2, 1, 1.0))
    found = match(cases, lesions, marks, SCORE, pairs)
    assert found.lesion_mark.tolist() == [1, 0]
    assert found.fate.tolist() == [Fate.TRUE, Fate.TRUE, Fate.FALSE]
    ignored = match(cases, lesions, marks, Rules(hit="overlap:0.1", double_hit="score"), pairs)
    assert (ignored.fate[2], ignored.counts.ignored_duplicates) == (Fate.DUPLICATE, 1)


def test_by_score_an_excluded_finding_takes_a_mark_only_where_no_included_one_does() -> None:
    cases, lesions, marks = cohort("a", [(0, 0, 4), (0, 9, 4)], [(0, 0, 0.9), (0, 9, 0.8)], [True, False])
    found = match(cases, lesions, marks, SCORE, overlaps((0, 0, 0.2), (0, 1, 0.9), (1, 1, 0.9)))
    assert found.fate.tolist() == [Fate.TRUE, Fate.EXCLUDED]


def test_by_score_distances_are_taken_from_the_nearest_on() -> None:
    rules = Rules(double_hit="score")
    found = matched("a", [(0, 0, 10), (0, 4, 10)], [(0, 2.5, 0.9), (0, 3.0, 0.4), (0, 2.0, 0.2)], rules=rules)
    assert found.lesion_score.tolist() == [0.4, 0.9]


@settings(max_examples=300, deadline=None)
@given(cohorts(), options)
def test_by_score_the_curve_at_a_threshold_is_that_of_the_marks_above_it(
    given_cohort: brute_force.Cohort, chosen: dict[str, Any]
) -> None:
    chosen = chosen | {"double_hit": "score", "most": None}
    whole = of_cohort(given_cohort, chosen)
    for threshold in range(4):
        marks = tuple(mark for mark in given_cohort.marks if mark.score >= threshold)
        rows = [row for row, mark in enumerate(given_cohort.marks) if mark.score >= threshold]
        iou = {(rows.index(mark), lesion): value for (mark, lesion), value in given_cohort.iou.items() if mark in rows}
        above = of_cohort(brute_force.Cohort(given_cohort.patient, given_cohort.lesions, marks, iou), chosen)
        found = whole.lesions.included & (whole.lesion_mark >= 0) & (whole.lesion_score >= threshold)
        assert above.counts.true_positives == found.sum()
        assert above.counts.false_positives == (whole.false & (whole.candidates.score >= threshold)).sum()


def coco(found: list[list[tuple[float, dict[int, float]]]], lesions: list[int], least: float) -> float:
    """AP of images as COCO's evaluator describes it, mark by mark; scores are distinct, so that no order is open."""
    ranked, total = [], sum(lesions)
    for image, marks in enumerate(found):
        free = set(range(lesions[image]))
        for score, iou in sorted(marks, key=lambda mark: -mark[0]):
            best = max((lesion for lesion in free if iou.get(lesion, 0) >= least), key=iou.__getitem__, default=None)
            free -= {best}
            ranked.append((score, best is not None))
    ranked.sort(key=lambda mark: -mark[0])
    hits = np.cumsum([hit for _, hit in ranked])
    precision = hits / np.arange(1, len(ranked) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    levels = [np.flatnonzero(100 * hits >= total * level) for level in range(101)]
    return float(np.mean([precision[places[0]] if len(places) else 0.0 for places in levels]))


@pytest.mark.parametrize("seed", range(20))
def test_the_101_points_are_those_of_coco(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lesions = rng.integers(0, 4, 12).tolist()
    lesions[0] = 2
    scores = iter(rng.permutation(1000) / 1000)
    found = [
        [
            (next(scores), {lesion: float(rng.uniform(0, 1)) for lesion in range(count) if rng.random() < 0.5})
            for _ in range(rng.integers(0, 6))
        ]
        for count in lesions
    ]
    case = [image for image, count in enumerate(lesions) for _ in range(count)]
    first = np.concatenate([[0], np.cumsum(lesions)])
    marks = [(image, score, iou) for image, row in enumerate(found) for score, iou in row]
    pairs = [(m, int(first[image]) + k, value) for m, (image, _, iou) in enumerate(marks) for k, value in iou.items()]
    cases, _, _ = cohort("abcdefghijkl", [], [])
    matching = match(
        cases,
        Lesions.of(case, np.zeros((len(case), 3)), np.ones(len(case))),
        Candidates.of([image for image, _, _ in marks], np.zeros((len(marks), 3)), [score for _, score, _ in marks]),
        Rules(hit="overlap:0.5", double_hit="score", duplicates="false-positive"),
        overlaps(*pairs),
    )
    assert average_precision(matching)["points_101"] == pytest.approx(coco(found, lesions, 0.5), abs=1e-12)


def test_three_averages_by_hand() -> None:
    # Marks by falling score: hit, false, hit, false, hit; three lesions of three cases. Precision 1, 1/2, 2/3, 2/4, 3/5
    lesions = [(0, 0, 10), (1, 0, 10), (2, 0, 10)]
    marks = [(0, 0, 0.9), (0, 50, 0.8), (1, 0, 0.7), (1, 50, 0.6), (2, 0, 0.5)]
    found = average_precision(matched("abc", lesions, marks))
    assert found["step"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert found["all_point"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    # recalls up to 0.33 have precision 1: 34 of the 101 levels; up to 0.66 2/3: 33; up to 1 3/5: 34
    assert found["points_101"] == pytest.approx((34 * 1 + 33 * 2 / 3 + 34 * 3 / 5) / 101)


def test_the_averages_differ_where_precision_rises_again() -> None:
    # false, hit, hit: precision 0, 1/2, 2/3; the highest at or below is 2/3 throughout
    found = average_precision(matched("ab", [(0, 0, 10), (1, 0, 10)], [(0, 50, 0.9), (0, 0, 0.8), (1, 0, 0.7)]))
    assert found == {
        "step": pytest.approx((1 / 2 + 2 / 3) / 2),
        "all_point": pytest.approx(2 / 3),
        "points_101": pytest.approx(2 / 3),
    }


@pytest.mark.parametrize("found", [7, 9, 3])
def test_a_recall_of_just_a_hundredth_reaches_its_level(found: int) -> None:
    # 7 of 10: 0.7 is not 0.7000000000000001, as a sum of hundredths has it
    lesions = [(0, 100 * number, 10) for number in range(10)]
    marks = [(0, 100 * number, 0.5) for number in range(found)]
    assert average_precision(matched("a", lesions, marks))["points_101"] == pytest.approx((10 * found + 1) / 101)


def test_without_lesion_or_mark() -> None:
    assert set(average_precision(matched("a", [], [(0, 0, 0.5)])).values()) == {None}
    assert set(average_precision(matched("a", [(0, 0, 10)], [])).values()) == {0.0}
    assert set(average_precision(matched("a", [(0, 0, 10)], [(0, 50, 0.5)])).values()) == {0.0}
    assert auc(ranked_cases(matched("a", [(0, 0, 10)], []))) is None  # no normal case
    assert auc(ranked_cases(matched("ab", [(0, 0, 10)], []))) == 0.5  # all cases are tied


def test_the_picai_score_by_hand() -> None:
    # Cases a and b have a lesion, c and d none. Highest marks: a 0.9 (hit), b none, c 0.4 (false), d none. Of the four
    # pairs a beats c and d, b loses to c and ties with d: AUC (1 + 1 + 0 + 1/2) / 4. AP: 1 of 2 at precision 1.
    lesions, marks = [(0, 0, 10), (1, 0, 10)], [(0, 0, 0.9), (2, 0, 0.4)]
    found = measure(matched("abcd", lesions, marks), Settings(2, (1,), resamples=50))
    assert found.case_auc.value == pytest.approx(5 / 8)
    assert found.average_precision["step"].value == pytest.approx(1 / 2)
    assert found.picai.value == pytest.approx((5 / 8 + 1 / 2) / 2)


def test_marks_that_are_dropped_do_not_make_a_case_suspicious() -> None:
    lesions, included = [(0, 0, 10), (1, 0, 10)], [True, False]
    found = matched("abc", lesions, [(0, 0, 0.5), (1, 0, 0.9), (2, 0, 0.4)], included)
    assert auc(ranked_cases(found)) == 1  # the mark of b lies on its excluded finding
    capped = match(*cohort("ab", lesions[:1], [(0, 0, 0.5), (1, 0, 0.9), (1, 5, 0.9)]), Rules(max_candidates=1))
    assert auc(ranked_cases(capped)) == 1  # both marks of b are cut


@settings(max_examples=300, deadline=None)
@given(cohorts(), options)
def test_the_averages_are_those_of_exact_fractions(given_cohort: brute_force.Cohort, chosen: dict[str, Any]) -> None:
    chosen = chosen | {"per": "case"}
    matching = of_cohort(given_cohort, chosen)
    plain = expected(given_cohort, chosen, matching)
    for name, value in average_precision(matching).items():
        wanted = float(plain.average_precision(name)) if plain.lesions else None
        assert value == (None if wanted is None else pytest.approx(wanted, abs=1e-12))


@settings(max_examples=40, deadline=None)
@given(cohorts(), options.filter(lambda chosen: not chosen["hit"].startswith(("overlap", "inside"))))
def test_replicates_are_the_averages_of_the_cohorts_they_stand_for(
    given_cohort: brute_force.Cohort, chosen: dict[str, Any]
) -> None:
    from hakken.evaluation.bootstrap import draw

    found = measure(of_cohort(given_cohort, chosen), Settings(2, (1,), (0.5,), 6, 1, chosen["per"]))
    if len(set(given_cohort.patient)) < 2:
        assert not len(found.replicates["PI-CAI score"])
        return
    plain, areas = [], []
    for times in draw(len(set(given_cohort.patient)), 6, 1).tolist():
        drawn = brute_force.resampled(given_cohort, times)
        one = brute_force.measure(drawn, **(chosen | {"per": "case"}))
        if one.lesions:
            plain.append([float(one.average_precision(name)) for name in ("step", "all_point", "points_101")])
            areas.append(auc(ranked_cases(of_cohort(drawn, chosen))))
    ours = [found.replicates[f"AP ({name})"] for name in ("step", "all_point", "points_101")]
    np.testing.assert_allclose(np.array(ours).T.reshape(-1, 3), np.array(plain).reshape(-1, 3), atol=1e-12)
    wanted = [np.nan if area is None else area for area in areas]
    np.testing.assert_allclose(found.replicates["AUC of the cases"], wanted, atol=1e-12)


def test_a_detector_does_not_differ_from_itself() -> None:
    found = measure(match(*random_cohort(3)), Settings(2, (1,), resamples=50))
    gap = differences(found, found)
    assert [(gap[name].value, gap[name].p) for name in ("AP (step)", "PI-CAI score")] == [(0, 1), (0, 1)]
