from __future__ import annotations

import time

import numpy as np
import pytest

from hakken.evaluation import bootstrap
from hakken.evaluation.bootstrap import Resamples, band, draw, estimate, resample
from hakken.evaluation.findings import Candidates, Cases, Lesions
from hakken.evaluation.froc import (
    Per,
    cpm,
    fp_at_sensitivity,
    froc,
    partial_auc,
    rows_cpm,
    rows_fp_at_sensitivity,
    rows_partial_auc,
    rows_sensitivity_at,
    sensitivity_at,
)
from hakken.evaluation.matching import Rules, match

from .helpers import matched, random_cohort


def written_out(
    cases: Cases, lesions: Lesions, candidates: Candidates, counts: np.ndarray
) -> tuple[Cases, Lesions, Candidates]:
    """The cohort that a resample stands for, with every drawn patient written out as often as it was drawn."""
    chosen = np.repeat(np.arange(len(cases)), counts[cases.patient_index])
    rights = [np.flatnonzero(lesions.case == case) for case in chosen]
    marks = [np.flatnonzero(candidates.case == case) for case in chosen]
    owner = [np.repeat(np.arange(len(chosen)), [len(rows) for rows in group]) for group in (rights, marks)]
    right, mark = np.concatenate(rights), np.concatenate(marks)
    return (
        Cases.of([str(number) for number in range(len(chosen))]),
        Lesions.of(owner[0], lesions.xyz[right], lesions.diameter_mm[right], lesions.included[right]),
        Candidates.of(owner[1], candidates.xyz[mark], candidates.score[mark]),
    )


def curves(resamples: Resamples) -> tuple[np.ndarray, np.ndarray]:
    x, y = zip(*resamples.blocks(), strict=True)
    return np.concatenate(x), np.concatenate(y)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    resamples = resample(match(*random_cohort(1)), 50, 0)
    whole = curves(resamples)
    monkeypatch.setattr(bootstrap, "BLOCK", 70)
    assert len(list(resamples.blocks())) > 10
    assert [part.tobytes() for part in curves(resamples)] == [part.tobytes() for part in whole]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("per", ["case", "lesion-free"])
@pytest.mark.parametrize("rules", [Rules(), Rules(duplicates="false-positive", double_hit="one")])
def test_each_replicate_equals_the_curve_of_the_cohort_it_stands_for(seed: int, per: Per, rules: Rules) -> None:
    cohort = random_cohort(seed)
    resamples = resample(match(*cohort, rules), 8, seed, per=per)
    all_x, all_y = curves(resamples)
    for row, counts in enumerate(resamples.draws.counts):
        curve = froc(match(*written_out(*cohort, counts), rules), per)
        x, y = all_x[row : row + 1], all_y[row : row + 1]
        assert rows_partial_auc(x, y, 3)[0] == pytest.approx(partial_auc(curve, 3), abs=1e-12)
        assert rows_cpm(x, y)[0] == pytest.approx(cpm(curve), abs=1e-12)
        for at in (0.1, 0.5, 1, 7.3, 100):
            assert rows_sensitivity_at(x, y, at)[0] == pytest.approx(sensitivity_at(curve, at).value, abs=1e-12)
        for level in (0.2, 0.55, 0.999):
            reached = fp_at_sensitivity(curve, level)
            assert rows_fp_at_sensitivity(x, y, level)[0] == pytest.approx(np.inf if reached is None else reached)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    matching = match(*random_cohort(1))
    one, same, other = (resample(matching, 50, seed) for seed in (3, 3, 4))
    assert curves(one)[1].tobytes() == curves(same)[1].tobytes()
    assert curves(one)[1].tobytes() != curves(other)[1].tobytes()


def test_every_resample_draws_as_many_patients_as_there_are() -> None:
    assert (draw(7, 100, 0).sum(axis=1) == 7).all()


def test_resamples_without_lesions_are_skipped_and_counted() -> None:
    resamples = resample(matched("ab", [(0, 0, 10)], [(0, 0, 0.5)]), 1000, 0)
    drawn = draw(2, 1000, 0)
    assert resamples.skipped == (drawn[:, 0] == 0).sum() > 0
    assert len(resamples) + resamples.skipped == resamples.drawn == 1000


def test_without_any_lesion_all_resamples_are_skipped_and_there_is_no_interval() -> None:
    resamples = resample(matched("ab", [], [(0, 0, 0.5)]), 20, 0)
    assert resamples.skipped == 20
    assert [part.shape for part in resamples.measure(rows_cpm, rows_cpm)] == [(0,), (0,)]
    assert np.isnan(band(resamples, np.array([0.0, 1.0]))).all()


def test_patients_are_drawn_and_not_cases() -> None:
    cases = Cases.of(["a1", "a2", "b1", "b2"], ["a", "a", "b", "b"])
    lesions = Lesions.of([0, 2], np.zeros((2, 3)), [5, 5])
    candidates = Candidates.of([1], np.zeros((1, 3)), [0.5])
    resamples = resample(match(cases, lesions, candidates), 200, 0)
    assert set(curves(resamples)[0][:, -1]) == {0, 0.25, 0.5}


def test_the_interval_holds_the_value_and_is_the_percentiles() -> None:
    replicates = np.arange(1001) / 1000
    ends = estimate(0.5, replicates)
    assert (ends.low, ends.high) == (pytest.approx(0.025), pytest.approx(0.975))


def test_an_end_among_resamples_that_never_reach_a_sensitivity_is_none() -> None:
    ends = estimate(1.0, np.concatenate([np.ones(500), np.full(500, np.inf)]))
    assert (ends.low, ends.high) == (1.0, None)


def test_the_band_at_a_point_is_the_interval_there() -> None:
    matching = match(*random_cohort(5))
    resamples = resample(matching, 200, 0)
    low, high = band(resamples, np.array([0.5, 2.0]))
    ends = estimate(0.0, *resamples.measure(lambda x, y: rows_sensitivity_at(x, y, 2.0)))
    assert (low[1], high[1]) == (pytest.approx(ends.low), pytest.approx(ends.high))


def test_a_single_patient_is_resampled_by_its_findings() -> None:
    cases, lesions, candidates = random_cohort(2)
    alone = Cases.of(cases.case_id, ["p"] * len(cases))
    matching = match(alone, lesions, candidates)
    resamples = resample(matching, 2000, 0, unit="finding")
    counts = matching.counts
    x, y = curves(resamples)
    spread = y[:, -1].std()
    share = counts.true_positives / counts.lesions
    assert spread == pytest.approx(np.sqrt(share * (1 - share) / counts.lesions), rel=0.1)
    assert x[:, -1].mean() == pytest.approx(counts.false_positives / counts.cases, rel=0.02)
    assert x[:, -1].std() == pytest.approx(np.sqrt(counts.false_positives) / counts.cases, rel=0.1)


def test_a_thousand_resamples_of_seventy_cases_take_less_than_half_a_second() -> None:
    matching = match(*random_cohort(0, cases=70, decimals=9))
    start = time.process_time()
    resample(matching, 1000, 0).measure(lambda x, y: rows_partial_auc(x, y, 10))
    assert time.process_time() - start < 0.5


def test_of_lesions_at_one_place_it_does_not_matter_which_row_was_found() -> None:
    cases = Cases.of(["a"])
    candidates = Candidates.of([0], np.zeros((1, 3)), [0.5], [1])
    one, other = (
        match(cases, Lesions.of([0] * 3, np.zeros((3, 3)), [5] * 3, label=label), candidates, Rules("inside"))
        for label in ([1, 2, 3], [3, 2, 1])
    )
    one, other = (resample(matching, 50, 0, unit="finding") for matching in (one, other))
    assert curves(one)[1].tobytes() == curves(other)[1].tobytes()
