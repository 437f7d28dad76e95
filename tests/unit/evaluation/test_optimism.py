from __future__ import annotations

import numpy as np
import pytest

from hakken.evaluation.findings import Candidates, Cases, Lesions
from hakken.evaluation.froc import froc, partial_auc
from hakken.evaluation.matching import Matching, match
from hakken.evaluation.optimism import optimism, optimism_by

from .helpers import matched, random_cohort


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
    found = [optimism(models(seed, np.ones(20)), 1, 200, seed) for seed in range(12)]
    naive = np.mean([one.naive.value for one in found]) - truth
    corrected = np.mean([one.corrected.value for one in found]) - truth
    assert naive > 0.05
    assert abs(corrected) < naive / 2
    assert np.mean([one.again for one in found]) < 0.5


def test_a_model_far_ahead_is_always_chosen_and_hardly_corrected() -> None:
    found = optimism(models(0, np.array([0.2, 3.5, 0.1])), 1, 300, 0)
    assert (found.chosen, found.again) == (1, 1.0)
    assert abs(found.optimism) < 0.01
    assert found.corrected.value == pytest.approx(found.naive.value - found.optimism)
    assert found.corrected.low == pytest.approx(found.naive.low - found.optimism)


def test_one_model_is_no_choice() -> None:
    matching = match(*random_cohort(3))
    found = optimism([matching], 3, 400, 1)
    assert (found.chosen, found.models, found.again) == (0, 1, 1.0)
    assert found.naive.value == partial_auc(froc(matching), 3)
    assert abs(found.optimism) < 0.02


def test_by_hand_with_two_patients() -> None:
    # Patient a's lesion is found by the first model, b's by the second, no false positive: each is worth 1/2. A
    # resample aa makes the first 1 and the second 0, bb the reverse, ab 1/2 each. The best is 1, 1 or 1/2: on average
    # 3/4 where the four draws are equally frequent, so the optimism is near 1/4 and the corrected value near 1/4.
    lesions = [(0.0, 0.0, 5.0), (1.0, 0.0, 5.0)]
    pair = [matched("ab", lesions, [(float(place), 0.0, 0.5)]) for place in (0, 1)]
    found = optimism(pair, 1, 4000, 0)
    assert found.naive.value == 0.5
    assert found.optimism == pytest.approx(0.25, abs=0.02)
    assert found.again == pytest.approx(0.75, abs=0.03)
    assert found.skipped == 0


def test_the_same_seed_gives_the_same_and_order_of_models_only_breaks_ties() -> None:
    group = models(5, np.array([0.5, 1.0, 1.5]))
    one, same, turned = optimism(group, 1, 100, 3), optimism(group, 1, 100, 3), optimism(group[::-1], 1, 100, 3)
    assert one == same
    assert turned.chosen == 2 - one.chosen
    assert turned.optimism == pytest.approx(one.optimism)


def test_without_lesions_there_is_nothing_to_choose_by() -> None:
    with pytest.raises(ValueError, match="no partial AUC"):
        optimism([matched("ab", [], [(0, 0, 0.5)])], 1, 10, 0)


def test_any_measure_is_chosen_by_as_the_partial_auc_is() -> None:
    # The two patients of the example above, measured by a mean of values: 1 and 0 for the first model, 0 and 1 for the
    # second.
    values = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = optimism_by(lambda counts: values @ counts.T / counts.sum(1), np.array([0, 1]), 4000, 0)
    assert (found.chosen, found.naive.value, found.skipped) == (0, 0.5, 0)
    assert found.optimism == pytest.approx(0.25, abs=0.02)
    assert found.corrected.value == pytest.approx(0.25, abs=0.02)


def test_resamples_without_a_value_are_skipped_and_counted() -> None:
    # The second of three patients has no value: a resample of it alone has none.
    def measure(counts: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return (counts[:, [0]] / (counts[:, [0]] + counts[:, [2]])).T

    found = optimism_by(measure, np.array([0, 1, 2]), 2700, 0)
    assert found.naive.value == 0.5
    assert found.skipped == pytest.approx(100, abs=40)  # 1 of 27
    assert found.naive.low == 0.0


def test_a_patient_counts_with_all_cases() -> None:
    values = np.array([[1.0, 1.0, 0.0]])
    found = optimism_by(lambda counts: values @ counts.T / counts.sum(1), np.array([0, 0, 1]), 500, 1)
    assert found.naive.value == pytest.approx(2 / 3)
    assert (found.naive.low, found.naive.high) == (0.0, 1.0)
