"""Cases by their highest candidate: the ROC, the threshold and what it gives."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.evaluation.case_scores import (
    CaseScores,
    area,
    choice_of,
    choose_threshold,
    measure_cases,
)
from hakken.evaluation.findings import Cases


def scored(abnormal: list[float], normal: list[float]) -> CaseScores:
    """Cases with these scores, each of a patient of its own."""
    names = [f"a{number}" for number in range(len(abnormal))] + [f"n{number}" for number in range(len(normal))]
    flags = np.array([True] * len(abnormal) + [False] * len(normal))
    return CaseScores(Cases.of(names), flags, np.array([*abnormal, *normal]))


HAND = scored([0.9, 0.5, 0.2], [0.4, 0.1])  # the example of the reference page


def test_the_example_of_the_reference_page() -> None:
    assert area(HAND) == pytest.approx(5 / 6)
    found = measure_cases(HAND, "youden", resamples=200, seed=0).as_dict()
    point = found["operating_point"]
    assert (point["rule"], point["threshold"], point["chosen"]) == ("youden", 0.5, "here")
    assert (point["tp"], point["fn"], point["tn"], point["fp"]) == (2, 1, 2, 0)
    assert point["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert (point["specificity"]["value"], point["ppv"]["value"]) == (1, 1)
    assert point["npv"]["value"] == pytest.approx(2 / 3)
    assert found["counts"] == {"cases": 5, "abnormal": 3, "normal": 2, "patients": 5}
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("rule", "threshold"),
    # 2 of 3 are reached at 0.5, all 3 at 0.2; both normal cases are spared from 0.5 on, one of two from 0.2 on.
    [
        ("youden", 0.5),
        ("sensitivity:0.6", 0.5),
        ("sensitivity:0.9", 0.2),
        ("specificity:0.9", 0.5),
        ("specificity:0.5", 0.2),
    ],
)
def test_each_rule_chooses_its_threshold(rule: str, threshold: float) -> None:
    assert choose_threshold(HAND, rule) == threshold
    assert measure_cases(HAND, rule, resamples=100, seed=0).threshold == threshold


def test_a_frozen_threshold_is_applied_as_it_is() -> None:
    # At 0.15: abnormal 3 of 3, normal 1 of 2 spared; no score of these cases lies there.
    found = measure_cases(HAND, "youden", resamples=100, seed=0, threshold=0.15)
    point = found.as_dict()["operating_point"]
    assert (point["threshold"], point["chosen"]) == (0.15, "elsewhere")
    assert (point["tp"], point["fn"], point["tn"], point["fp"]) == (3, 0, 1, 1)


def test_the_published_proportions_come_back_with_wilson_intervals() -> None:
    """Sato et al. 2018: 15 of 22 abnormal and 14 of 16 normal cases, reported as 68 % and 88 %."""
    published = scored([2.0] * 15 + [0.5] * 7, [0.5] * 14 + [2.0] * 2)
    point = measure_cases(published, "youden", resamples=100, seed=0, threshold=1.0).as_dict()["operating_point"]
    assert f"{point['sensitivity']['value']:.2f} {point['specificity']['value']:.2f}" == "0.68 0.88"
    # Wilson for 15 of 22: (0.6818 + 0.0873) / 1.1746 -+ 0.1843 = 0.473 to 0.836
    assert point["sensitivity"]["wilson"]["low"] == pytest.approx(0.473, abs=5e-4)
    assert point["sensitivity"]["wilson"]["high"] == pytest.approx(0.836, abs=5e-4)


def test_errors_of_reconstruction_are_not_blamed_for_calibration() -> None:
    found = measure_cases(scored([30.0, 20.0], [5.0, 1.0]), "youden", resamples=100, seed=0)
    assert not [line for line in found.warnings if "calibration" in line]


def test_one_kind_alone_has_no_area_and_says_why() -> None:
    alone = scored([0.5, 0.4], [])
    assert area(alone) is None
    assert choose_threshold(alone, "youden") is None
    found = measure_cases(alone, "youden", resamples=100, seed=0)
    assert found.threshold is None
    assert found.as_dict()["auc"]["value"] is None
    assert "AUC, partial AUC, curve and their intervals are null: no case has label 0" in found.warnings


@given(
    st.lists(st.floats(0, 1e3), min_size=1, max_size=12),
    st.lists(st.floats(0, 1e3), min_size=1, max_size=12),
)
def test_the_area_is_the_share_of_ordered_pairs(abnormal: list[float], normal: list[float]) -> None:
    pairs = [(a > n) + (a == n) / 2 for a in abnormal for n in normal]
    assert area(scored(abnormal, normal)) == pytest.approx(sum(pairs) / len(pairs))


def test_the_words_of_a_rule() -> None:
    assert choice_of("youden").level is None
    assert (choice_of("specificity:.85").kind, choice_of("specificity:.85").level) == ("specificity", 0.85)
