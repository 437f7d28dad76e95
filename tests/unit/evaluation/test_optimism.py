"""What the choice of the best of many costs, by FROC, by ROC and by any mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from hakken.evaluation.bootstrap import resample
from hakken.evaluation.findings import Candidates, Cases, Floats, Ints, Lesions
from hakken.evaluation.froc import froc, partial_auc, rows_partial_auc
from hakken.evaluation.matching import Matching, match
from hakken.evaluation.optimism import Optimism, Shortlist, optimism, replicated, replicated_areas
from hakken.evaluation.roc import auc, rank

from .helpers import matched, random_cohort

BOUNDS = (0.0, 1.0)


def of_curves(matchings: Sequence[Matching], max_fp: float, resamples: int, seed: int) -> Optimism:
    """What the choice by the partial AUC costs, as outcome `candidates` asks for it."""
    values = np.array([partial_auc(froc(one), max_fp) for one in matchings], float)
    drawn = [resample(one, resamples, seed) for one in matchings]
    rows = np.array([one.measure(lambda x, y: rows_partial_auc(x, y, max_fp))[0] for one in drawn])
    return optimism(values, rows, resamples=resamples, skipped=drawn[0].skipped, seed=seed, bounds=BOUNDS)


def of_measure(measure: Callable[[Floats], Floats], patient: Ints, resamples: int, seed: int) -> Optimism:
    """What the choice by any measure costs."""
    values, drawn, skipped = replicated(measure, patient, resamples, seed)
    return optimism(values, drawn, resamples=resamples, skipped=skipped, seed=seed, bounds=BOUNDS)


def of_cases(positive: np.ndarray, scores: np.ndarray, resamples: int, seed: int) -> Optimism:
    """What the choice by the AUC costs, each case of a patient of its own."""
    values, drawn, skipped = replicated_areas(positive, np.arange(len(positive)), scores, resamples, seed)
    return optimism(values, drawn, resamples=resamples, skipped=skipped, seed=seed, bounds=BOUNDS)


def models(seed: int, strengths: np.ndarray, cases: int = 30) -> list[Matching]:
    """Detectors of one lesion a case each, whose marks on lesions score higher by ``strengths``; three false marks."""
    rng = np.random.default_rng(seed)
    cohort, lesions = (
        Cases.of([str(n) for n in range(cases)]),
        Lesions.of(range(cases), np.zeros((cases, 3)), [5] * cases),
    )
    case = np.repeat(np.arange(cases), 4)
    xyz = np.tile([[0, 0, 0], [50, 0, 0], [60, 0, 0], [70, 0, 0]], (cases, 1))
    marks = [rng.normal(np.where(np.arange(4 * cases) % 4 == 0, strength, 0.0), 1) for strength in strengths]
    return [match(cohort, lesions, Candidates.of(case, xyz, score)) for score in marks]


def test_the_best_of_many_equal_models_is_corrected_towards_what_it_is_worth() -> None:
    truth = np.mean([partial_auc(froc(one), 1) for one in models(99, np.ones(4), cases=3000)])
    found = [of_curves(models(seed, np.ones(20)), 1, 200, seed) for seed in range(12)]
    naive = np.mean([one.naive.value for one in found]) - truth
    corrected = np.mean([one.corrected.value for one in found]) - truth
    assert naive > 0.05
    assert abs(corrected) < naive / 2
    assert np.mean([one.again for one in found]) < 0.5


def test_a_model_far_ahead_is_always_chosen_and_hardly_corrected() -> None:
    found = of_curves(models(0, np.array([0.2, 3.5, 0.1])), 1, 300, 0)
    assert (found.chosen, found.again) == (1, 1.0)
    assert abs(found.optimism) < 0.01
    assert found.corrected.value == pytest.approx(found.naive.value - found.optimism)
    assert found.corrected.low == pytest.approx(found.naive.low - found.optimism)


def test_one_model_is_no_choice() -> None:
    matching = match(*random_cohort(3))
    found = of_curves([matching], 3, 400, 1)
    assert (found.chosen, found.models, found.again) == (0, 1, 1.0)
    assert found.naive.value == partial_auc(froc(matching), 3)
    assert abs(found.optimism) < 0.02


def test_by_hand_with_two_patients() -> None:
    # Patient a's lesion is found by the first model, b's by the second, no false positive: each is worth 1/2. A
    # resample aa makes the first 1 and the second 0, bb the reverse, ab 1/2 each. The best is 1, 1 or 1/2: on average
    # 3/4 where the four draws are equally frequent, so the optimism is near 1/4 and the corrected value near 1/4.
    lesions = [(0.0, 0.0, 5.0), (1.0, 0.0, 5.0)]
    pair = [matched("ab", lesions, [(float(place), 0.0, 0.5)]) for place in (0, 1)]
    found = of_curves(pair, 1, 4000, 0)
    assert found.naive.value == 0.5
    assert found.optimism == pytest.approx(0.25, abs=0.02)
    assert found.again == pytest.approx(0.75, abs=0.03)
    assert found.skipped == 0


def test_the_same_seed_gives_the_same_and_order_of_models_only_breaks_ties() -> None:
    group = models(5, np.array([0.5, 1.0, 1.5]))
    one, same, turned = (of_curves(given, 1, 100, 3) for given in (group, group, group[::-1]))
    assert one == same
    assert turned.chosen == 2 - one.chosen
    assert turned.optimism == pytest.approx(one.optimism)


def test_any_measure_is_chosen_by_as_the_partial_auc_is() -> None:
    # The two patients of the example above, measured by a mean of values: 1 and 0 for the first model, 0 and 1 for the
    # second.
    values = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = of_measure(lambda counts: values @ counts.T / counts.sum(1), np.array([0, 1]), 4000, 0)
    assert (found.chosen, found.naive.value, found.skipped) == (0, 0.5, 0)
    assert found.optimism == pytest.approx(0.25, abs=0.02)
    assert found.corrected.value == pytest.approx(0.25, abs=0.02)


def test_resamples_without_a_value_are_skipped_and_counted() -> None:
    # The second of three patients has no value: a resample of it alone has none.
    def measure(counts: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return (counts[:, [0]] / (counts[:, [0]] + counts[:, [2]])).T

    found = of_measure(measure, np.array([0, 1, 2]), 2700, 0)
    assert found.naive.value == 0.5
    assert found.skipped == pytest.approx(100, abs=40)  # 1 of 27
    assert found.naive.low == 0.0


def test_a_patient_counts_with_all_cases() -> None:
    values = np.array([[1.0, 1.0, 0.0]])
    found = of_measure(lambda counts: values @ counts.T / counts.sum(1), np.array([0, 0, 1]), 500, 1)
    assert found.naive.value == pytest.approx(2 / 3)
    assert (found.naive.low, found.naive.high) == (0.0, 1.0)


def test_one_model_costs_nothing_to_choose_and_many_equal_ones_do() -> None:
    rng = np.random.default_rng(0)
    positive = np.arange(30) < 15
    scores = rng.random((20, 30)) + 0.3 * positive
    alone = of_cases(positive, scores[:1], 400, 1)
    # With nothing to choose from, only the noise of 400 resamples is left (SD of an AUC of 30 cases about 0.1).
    assert abs(alone.optimism) < 0.02
    assert alone.again == 1
    many = of_cases(positive, scores, 400, 1)
    assert many.optimism > 0.02
    assert many.corrected.value == pytest.approx((many.naive.value or 0) - many.optimism)
    assert many.naive.value == max(auc(rank(positive, row)) or 0 for row in scores)


def test_areas_need_both_kinds() -> None:
    with pytest.raises(ValueError, match="no AUC to choose by"):
        replicated_areas(np.ones(3, bool), np.arange(3), np.random.default_rng(0).random((2, 3)), 100, 0)


def test_a_corrected_value_stays_within_what_the_measure_can_be() -> None:
    values, drawn = np.array([0.05, 0.0]), np.array([[0.0, 0.5], [0.6, 0.0]])
    found = optimism(values, drawn, resamples=2, skipped=0, seed=0, bounds=BOUNDS)
    assert found.optimism == pytest.approx((0.6 + 0.45) / 2)
    assert found.corrected.value == 0.0
    free = optimism(values, drawn, resamples=2, skipped=0, seed=0, bounds=(-np.inf, 1.0))
    assert free.corrected.value == pytest.approx(0.05 - found.optimism)


def test_both_steps_of_a_choice_are_repeated() -> None:
    # Three models; by their first values 0 and 2 are on a list of two, by their means 2 is the better of them, although
    # model 1 has the highest mean of all. In the first resample 1 and 2 are on the list and 1 is chosen: 0.9, which is
    # 0.2 above its 0.7. In the second 0 and 1 (equal to 2, and before it) are, and 0 is chosen: 0.6, 0.2 above its 0.4.
    # In the third 0 and 2 are, and 2 is chosen: 0.5, its own value. So the optimism is 0.4 / 3.
    first = np.array([0.6, 0.1, 0.5])
    drawn_first = np.array([[0.1, 0.6, 0.9], [0.5, 0.2, 0.1], [0.4, 0.2, 0.5]])
    means = np.array([0.4, 0.7, 0.5])
    drawn = np.array([[0.9, 0.6, 0.4], [0.9, 0.1, 0.9], [0.3, 0.8, 0.5]])
    found = optimism(
        means,
        drawn,
        resamples=3,
        skipped=0,
        seed=0,
        bounds=BOUNDS,
        shortlist=Shortlist(first, drawn_first, 2),
    )
    assert (found.chosen, found.naive.value) == (2, 0.5)
    assert found.optimism == pytest.approx(0.4 / 3)
    assert found.corrected.value == pytest.approx(0.5 - 0.4 / 3)
    assert found.again == pytest.approx(1 / 3)


def test_what_needs_no_list_is_always_chosen_from() -> None:
    # The third model is no trial of the search: the list of one holds the first, and the third is better.
    values = np.array([0.5, 0.9, 0.6])
    found = optimism(
        values,
        values[:, None] + np.zeros(4),
        resamples=4,
        skipped=0,
        seed=0,
        bounds=BOUNDS,
        shortlist=Shortlist(np.array([0.5, 0.4]), np.array([[0.5], [0.4]]) + np.zeros(4), 1),
    )
    assert (found.chosen, found.optimism, found.again) == (2, 0.0, 1.0)
