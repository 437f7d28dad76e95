"""The FROC analysis against loops over single findings with exact fractions, on tiny cohorts full of ties."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.evaluation.bootstrap import draw, resample
from hakken.evaluation.froc import (
    froc,
    rows_cpm,
    rows_fp_at_sensitivity,
    rows_partial_auc,
    rows_sensitivity_at,
)
from hakken.evaluation.matching import Fate, Matching, Rules, match_findings
from hakken.evaluation.measure import Settings, per_patient
from hakken.evaluation.measure import measure as package

from .brute_force import Cohort, Lesion, Mark, Result, assigned, findings, kept, measure, resampled

AT = (Fraction(1, 8), Fraction(1, 2), Fraction(1), Fraction(4, 3), Fraction(7))
LEVELS = (Fraction(1, 4), Fraction(1, 2), Fraction(1))
MOST = (Fraction(1, 3), Fraction(1), Fraction(5))
HITS = ("distance", "distance-inclusive", "fixed:2", "fixed:1.5", "inside", "overlap:0.25", "overlap:0.5")

small = st.integers(0, 3)
points = st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 1))


@st.composite
def cohorts(draw: st.DrawFn, patients: int = 3) -> Cohort:
    """A handful of findings on a lattice, so that places, distances, scores and overlaps are often equal."""
    cases = draw(st.integers(1, 4))
    case = st.integers(0, cases - 1)
    lesion = st.builds(Lesion, case, points, st.integers(1, 6), st.sampled_from([True, True, False]))
    lesions = tuple(draw(st.lists(lesion, max_size=4)))
    inside = st.integers(-1, len(lesions) - 1)
    marks = tuple(draw(st.lists(st.builds(Mark, case, points, small, inside), max_size=7)))
    names = st.integers(0, patients - 1).map(lambda number: f"p{number}")
    iou = {
        (m, k): Fraction(draw(st.integers(1, 8)), 8)
        for m, mark in enumerate(marks)
        for k, truth in enumerate(lesions)
        if mark.case == truth.case and draw(st.booleans())
    }
    return Cohort(tuple(draw(st.lists(names, min_size=cases, max_size=cases))), lesions, marks, iou)


options = st.fixed_dictionaries(
    {
        "hit": st.sampled_from(HITS),
        "duplicates": st.sampled_from(["ignore", "false-positive"]),
        "double_hit": st.sampled_from(["both", "one", "score"]),
        "most": st.sampled_from([None, 1, 2, 3]),
        "per": st.sampled_from(["case", "lesion-free"]),
    }
)


def rules(chosen: dict[str, Any]) -> Rules:
    return Rules(chosen["hit"], chosen["duplicates"], chosen["double_hit"], chosen["most"])


def matched(cohort: Cohort, chosen: dict[str, Any]) -> Matching:
    rows = range(len(cohort.lesions)), range(len(cohort.marks))
    return match_findings(findings(cohort, *rows), rules(chosen))


def taken(matching: Matching) -> set[tuple[int, int]]:
    """The pairs of a mark and a lesion that were taken, one mark a lesion."""
    return {(mark, lesion) for lesion, mark in enumerate(matching.lesion_mark.tolist()) if mark >= 0}


def expected(cohort: Cohort, chosen: dict[str, Any], matching: Matching) -> Result:
    """What must come out; which of equally good assignments of overlaps is taken is left to the package."""
    if chosen["hit"].startswith("overlap") and chosen["double_hit"] == "one":
        return measure(cohort, **chosen, pairs=taken(matching))
    return measure(cohort, **chosen)


@settings(max_examples=400, deadline=None)
@given(cohorts(), options)
def test_counts_and_curve(cohort: Cohort, chosen: dict[str, Any]) -> None:
    matching = matched(cohort, chosen)
    plain = expected(cohort, chosen, matching)
    assert asdict(matching.counts) == plain.counts
    curve = froc(matching, chosen["per"])
    if not plain.lesions or not plain.cases:
        assert curve.reason is not None
        return
    assert curve.threshold[1:].tolist() == sorted({*plain.false, *plain.found}, reverse=True)
    assert curve.fp_per_case.tolist() == [float(x) for x, _ in plain.points]
    assert curve.sensitivity.tolist() == [float(y) for _, y in plain.points]


@settings(max_examples=200, deadline=None)
@given(cohorts(), options)
def test_what_is_read_off_the_curve(cohort: Cohort, chosen: dict[str, Any]) -> None:
    matching = matched(cohort, chosen)
    plain = expected(cohort, chosen, matching)
    for most in MOST:
        wanted = Settings(float(most), tuple(map(float, AT)), tuple(map(float, LEVELS)), 5, 0, chosen["per"])
        found = package(matching, wanted).as_dict()
        if not plain.lesions or not plain.cases:
            assert found["cpm"] == {"value": None, "low": None, "high": None}
            continue
        assert found["partial_auc"]["value"] == pytest.approx(float(plain.partial_auc(most)), abs=1e-12)
        assert found["partial_auc"]["raw"] == pytest.approx(float(plain.partial_auc(most) * most), abs=1e-12)
        assert found["cpm"]["value"] == pytest.approx(float(plain.cpm()), abs=1e-12)
        for x, entry in zip(AT, found["sensitivity_at"].values(), strict=True):
            assert entry["value"] == pytest.approx(float(plain.at(x)), abs=1e-12)
            assert entry["step"] == float(plain.step(x))
            assert entry["extrapolated"] == (x > plain.points[-1][0])
        for level, entry in zip(LEVELS, found["fp_at_sensitivity"].values(), strict=True):
            reached = plain.false_positives_at(level)
            assert entry["value"] == (None if reached is None else float(reached))
        shares = per_patient(matching)
        assert shares["pooled"] == plain.counts["true_positives"] / plain.lesions
        assert shares["mean_over_cases"] == pytest.approx(float(sum(plain.by_case) / len(plain.by_case)))


@settings(max_examples=300, deadline=None)
@given(cohorts(), st.sampled_from(["overlap:0.25", "overlap:0.5"]), st.sampled_from([None, 2]))
def test_overlaps_one_to_one_are_the_best_of_all_assignments(cohort: Cohort, hit: str, most: int | None) -> None:
    chosen = {"hit": hit, "duplicates": "ignore", "double_hit": "one", "most": most}
    matching = matched(cohort, chosen)
    pairs = measure(cohort, **chosen, pairs=set()).pairs
    ours = taken(matching)
    assert ours <= pairs
    assert len({mark for mark, _ in ours}) == len(ours)
    assert (len(ours), sum((cohort.iou[pair] for pair in ours), Fraction(0))) == assigned(cohort, pairs)


@settings(max_examples=400, deadline=None)
@given(cohorts(), options, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_number(cohort: Cohort, chosen: dict[str, Any], shuffle: Any) -> None:
    rows = list(range(len(cohort.lesions))), list(range(len(cohort.marks)))
    wanted = Settings(2.0, (0.5, 1.0), (0.5,), 20, 3, chosen["per"])
    first = package(match_findings(findings(cohort, *rows), rules(chosen)), wanted)
    for part in rows:
        shuffle.shuffle(part)
    second = package(match_findings(findings(cohort, *rows), rules(chosen)), wanted)
    assert first.as_dict() == second.as_dict()
    assert (first.curve.threshold.tolist(), first.curve.sensitivity.tolist()) == (
        second.curve.threshold.tolist(),
        pytest.approx(second.curve.sensitivity.tolist(), nan_ok=True),
    )


@settings(max_examples=60, deadline=None)
@given(cohorts(), options.filter(lambda chosen: chosen["hit"] in HITS[:4]), st.integers(0, 99))
def test_replicates_are_the_numbers_of_the_cohorts_they_stand_for(
    cohort: Cohort, chosen: dict[str, Any], seed: int
) -> None:
    matching = matched(cohort, chosen)
    resamples = resample(matching, 6, seed, per=chosen["per"])
    measures = (
        rows_cpm,
        lambda x, y: rows_partial_auc(x, y, 2.0),
        lambda x, y: rows_sensitivity_at(x, y, 0.5),
        lambda x, y: rows_fp_at_sensitivity(x, y, 0.5),
    )
    plain = []
    for times in draw(len(set(cohort.patient)), 6, seed).tolist():
        one = measure(resampled(cohort, times), **chosen)
        if one.lesions and one.cases:
            reached = one.false_positives_at(Fraction(1, 2))
            values = (one.cpm(), one.partial_auc(Fraction(2)), one.at(Fraction(1, 2)))
            plain.append([*map(float, values), np.inf if reached is None else float(reached)])
    assert resamples.skipped == 6 - len(plain)
    ours = np.array(resamples.measure(*measures)).reshape(4, -1).T
    np.testing.assert_allclose(ours, np.array(plain).reshape(-1, 4), atol=1e-12)


@given(cohorts(), st.integers(1, 4))
def test_the_cap_keeps_what_lies_above_the_next_score(cohort: Cohort, most: int) -> None:
    matching = matched(cohort, {"hit": "distance", "duplicates": "ignore", "double_hit": "both", "most": most})
    assert np.flatnonzero(matching.fate != Fate.CUT).tolist() == kept(cohort, most)
