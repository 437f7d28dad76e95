from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.evaluation.roc import Choice
from hakken.evaluation.roc_measure import Cohort, Settings, measure
from hakken.evaluation.roc_warnings import warnings

from .test_roc import POSITIVE, SCORE


def cohort(seed: int = 0, cases: int = 80, per_patient: int = 1, shift: float = 1.0) -> Cohort:
    rng = np.random.default_rng(seed)
    positive = np.arange(cases) % 2 == 0
    first = 1 / (1 + np.exp(-rng.normal(shift * positive)))
    second = 1 / (1 + np.exp(-rng.normal(0.3 * positive)))
    return Cohort(positive, np.arange(cases) // per_patient, {"score": first, "score_b": second})


def with_scores(*scores: np.ndarray, positive: np.ndarray = POSITIVE) -> Cohort:
    names = ("score", "score_b")[: len(scores)]
    return Cohort(positive, np.arange(len(positive)), dict(zip(names, scores, strict=True)))


def test_the_same_seed_gives_the_same_result_and_another_gives_another() -> None:
    results = [json.dumps(measure(cohort(), Settings(resamples=200, seed=seed)).as_dict()) for seed in (4, 4, 5)]
    assert results[0] == results[1]
    assert results[0] != results[2]


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_every_interval_of_the_area_holds_it(seed: int) -> None:
    found = measure(cohort(seed), Settings(resamples=200, seed=seed)).scores[0]
    assert found.auc is not None and found.delong is not None
    for ends in (found.delong.wald, found.delong.logit, found.auc_ends):
        assert ends.low is not None and ends.high is not None
        assert 0 <= ends.low <= found.auc <= ends.high <= 1


def test_bootstrap_and_delong_agree_on_independent_cases() -> None:
    found = measure(cohort(1, 400), Settings(resamples=2000)).scores[0]
    assert found.delong is not None
    wald, boot = found.delong.wald, found.auc_ends
    assert (boot.low, boot.high) == pytest.approx((wald.low, wald.high), abs=0.01)


def test_repeated_cases_of_a_patient_do_not_narrow_clustered_and_bootstrap_intervals() -> None:
    once = cohort(2, 60)
    thrice = Cohort(
        np.tile(once.positive, 3), np.tile(once.patient, 3), {name: np.tile(s, 3) for name, s in once.scores.items()}
    )
    one, three = (measure(given, Settings(resamples=300)).scores[0] for given in (once, thrice))
    assert one.delong is not None and three.delong is not None and three.clustered is not None
    assert one.clustered is None
    assert three.clustered.se == pytest.approx(one.delong.se)
    assert three.auc_ends == one.auc_ends
    assert three.delong.se is not None and one.delong.se is not None
    assert three.delong.se < 0.6 * one.delong.se
    assert warnings(measure(thrice, Settings(resamples=0)))[0].startswith("180 cases of 60 patients: DeLong's, ")


def test_points_by_hand() -> None:
    found = measure(with_scores(SCORE), Settings(thresholds=(0.6,), resamples=50)).scores[0]
    points = {point.name: point for point in found.points}
    assert list(points) == ["youden", "sensitivity 0.9", "specificity 0.9", "threshold 0.6"]
    assert [points[name].threshold for name in points] == [0.8, 0.3, 0.8, 0.6]
    assert [point.chosen for point in points.values()] == ["here", "here", "here", "given"]
    fixed = points["threshold 0.6"]
    assert fixed.counts == {"tp": 3, "fp": 2, "tn": 2, "fn": 1}
    shares = {name: (part.count, part.total) for name, (part, _) in fixed.measures.items()}
    assert shares == {"sensitivity": (3, 4), "specificity": (2, 4), "ppv": (3, 5), "npv": (2, 3), "accuracy": (5, 8)}


def test_thresholds_from_elsewhere_are_applied_not_chosen() -> None:
    found = measure(with_scores(SCORE), Settings(resamples=50), {"score": [0.65, 0.15, None]})
    points = found.scores[0].points
    assert [(point.threshold, point.chosen) for point in points] == [
        (0.65, "elsewhere"),
        (0.15, "elsewhere"),
        (None, "elsewhere"),
    ]
    assert points[0].counts == {"tp": 2, "fp": 1, "tn": 3, "fn": 2}
    assert points[2].measures["sensitivity"][0].value is None
    said = warnings(found)
    assert not any("optimistic" in line for line in said)
    assert "score, specificity 0.9: null, no finite threshold was found on the other table" in said


def test_a_threshold_chosen_anew_in_each_resample_varies_more_than_a_fixed_one() -> None:
    given = Cohort(cohort(3).positive, cohort(3).patient, {"score": cohort(3).scores["score"]})
    chosen = measure(given, Settings(choices=(Choice("specificity", 0.9),), resamples=1000)).scores[0].points[0]
    assert chosen.threshold is not None
    plan = Settings(choices=(), thresholds=(chosen.threshold,), resamples=1000)
    fixed = measure(given, plan).scores[0].points[0]
    widths = []
    for point in (chosen, fixed):
        ends = point.measures["sensitivity"][1]
        assert ends.low is not None and ends.high is not None
        widths.append(ends.high - ends.low)
    assert widths[0] > widths[1]


def test_a_comparison_with_itself_and_its_sign() -> None:
    same = measure(with_scores(SCORE, 2 * SCORE), Settings(resamples=50))
    assert same.comparison is not None
    assert (same.comparison.delong.value, same.comparison.delong.p) == (0, None)
    assert (same.comparison.bootstrap.low, same.comparison.bootstrap.high) == (0, 0)
    assert "comparison: z and p are null, the difference of the AUCs has no variance on these cases" in warnings(same)
    two = measure(cohort(), Settings(resamples=200)).comparison
    assert two is not None and two.delong.z is not None and two.bootstrap.low is not None
    assert two.delong.value > 0 < two.delong.z


def test_one_class_is_null_with_a_reason() -> None:
    found = measure(with_scores(SCORE, positive=np.ones(8, bool)), Settings(thresholds=(0.6,), resamples=50))
    content = found.as_dict()["scores"]["score"]
    assert (content["auc"]["value"], content["auc"]["delong"], content["curve"]) == (None, None, None)
    assert content["partial_auc"]["raw"]["value"] is None
    assert content["operating_points"]["threshold 0.6"]["sensitivity"]["count"] == 5
    assert content["operating_points"]["threshold 0.6"]["specificity"]["value"] is None
    assert content["calibration"]["brier"]["value"] > 0
    said = warnings(found)
    assert said[0] == "AUC, partial AUC, curve and their intervals are null: no case has label 0"
    assert "score, threshold 0.6: specificity is null, it would divide by 0" in said
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("score", "sentence"),
    [
        (
            POSITIVE + SCORE / 10,
            "every positive case scores above every negative one, so DeLong's and the bootstrap interval have no width",
        ),
        (
            SCORE / 10 - POSITIVE,
            "every positive case scores below every negative one, so DeLong's and the bootstrap interval have no width",
        ),
        (np.full(8, 0.5), "all cases have the same score, so DeLong's and the bootstrap interval have no width"),
        (SCORE + 1, "calibration is null, scores lie outside [0, 1]"),
        (-SCORE, "the AUC is below 0.5; higher scores must speak for label 1, and the direction is never flipped"),
    ],
)
def test_what_a_reader_must_know(score: np.ndarray, sentence: str) -> None:
    said = warnings(measure(with_scores(score), Settings(resamples=1000)))
    assert any(line.startswith(f"score: {sentence}") for line in said)
    assert any(line.startswith("8 patients: intervals from so few") for line in said)
    # 2 of 2^8 = 256 draws hold one class only: about 8 of 1000.
    skipped = next(line for line in said if line.endswith("of 1000 resamples held one class only and were skipped"))
    assert 1 <= int(skipped.split()[0]) <= 20


def test_all_tied_scores() -> None:
    found = measure(with_scores(np.full(8, 0.5)), Settings(resamples=100))
    assert (found.scores[0].auc, found.scores[0].corrected) == (0.5, pytest.approx(0.5))
    assert "score, specificity 0.9: null, no finite threshold keeps that specificity" in warnings(found)


def test_one_patient_and_one_case_of_a_class() -> None:
    single = Cohort(POSITIVE, np.zeros(8, np.int64), {"score": SCORE})
    said = warnings(measure(single, Settings()))
    assert "one patient: there is no bootstrap over patients, so its intervals are null" in said
    assert "score: the clustered variance is null, it needs two patients with cases of each class" in said
    lonely = measure(with_scores(SCORE, positive=np.arange(8) == 2), Settings(resamples=100))
    assert lonely.scores[0].delong is not None and lonely.scores[0].delong.se is None
    assert "score: the variance of the AUC is null, a class with one case has none" in warnings(lonely)


def test_the_band_holds_the_curve_and_is_written_without_nan() -> None:
    found = measure(cohort(6, 100), Settings(resamples=300))
    content = found.as_dict()["scores"]["score"]["curve"]
    grid, low, high = (np.array(content["band"][name]) for name in ("fpr", "low", "high"))
    at = np.interp(grid, content["fpr"], content["tpr"])
    assert ((low <= at + 0.05) & (at <= high + 0.05)).mean() > 0.95
    assert content["threshold"][0] is None
    bare = measure(cohort(6, 100), Settings(resamples=0)).as_dict()["scores"]["score"]["curve"]["band"]
    assert set(bare["low"]) == {None}
    assert not any(math.isnan(value) for value in content["band"]["low"])
