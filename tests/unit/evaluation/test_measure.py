from __future__ import annotations

import json

import numpy as np
import pytest

from hakken.evaluation.caution import NO_WIDTH
from hakken.evaluation.findings import Cases
from hakken.evaluation.matching import match
from hakken.evaluation.measure import Settings, curve_band, measure, operating_point, own_threshold, per_patient

from .helpers import matched, random_cohort

SETTINGS = Settings(maximum_fp=4, at=(1, 3, 8.4), resamples=200, seed=1)


def test_a_measurement_is_plain_json_with_intervals_around_its_values() -> None:
    content = measure(match(*random_cohort(1, cases=40)), SETTINGS).as_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    entries = [content["cpm"], content["partial_auc"], *content["sensitivity_at"].values()]
    assert all(entry["low"] <= entry["value"] <= entry["high"] for entry in entries)
    assert content["partial_auc"]["raw"] == pytest.approx(4 * content["partial_auc"]["value"])
    assert list(content["sensitivity_at"]) == ["1", "3", "8.4"]
    assert content["bootstrap"] == {"resamples": 200, "skipped": 0, "seed": 1, "unit": "patient"}
    assert content["counts"]["patients"] == 20


def test_undefined_values_are_null_with_a_reason() -> None:
    content = measure(matched("ab", [], [(0, 0, 0.5)]), SETTINGS).as_dict()
    assert content["partial_auc"]["value"] is None
    assert content["cpm"] == {"value": None, "low": None, "high": None}
    assert content["warnings"] == [
        "sensitivity, partial AUC and CPM are null: no included lesion, so sensitivity is not defined"
    ]


def test_weak_values_are_warned_of() -> None:
    warnings = measure(matched("ab", [(0, 0, 10), (1, 0, 10)], [(0, 0, 0.5), (0, 50, 0.1)]), SETTINGS).warnings
    assert (
        "sensitivity at 1, 3 and 8.4 false positives per case: the curve ends at 0.5, the last value is given"
        in warnings
    )
    assert "false positives at sensitivity 0.7 and 0.9: not reached, the highest sensitivity is 0.5" in warnings
    few = "2 patients: intervals from so few are rough and rather too narrow; they are no certainty"
    assert few in warnings


def test_one_patient_has_an_interval_over_findings_and_a_warning() -> None:
    cases, lesions, candidates = random_cohort(1)
    content = measure(match(Cases.of(cases.case_id, ["p"] * len(cases)), lesions, candidates), SETTINGS).as_dict()
    assert content["bootstrap"]["unit"] == "finding"
    assert content["partial_auc"]["low"] < content["partial_auc"]["high"]
    assert content["warnings"][0].startswith("one patient: intervals resample the lesions")


def test_the_band_encloses_the_curve_where_it_is_reported_and_ends_there() -> None:
    measurement = measure(match(*random_cohort(1, cases=40)), Settings(2, (1,), resamples=200))
    low, high = curve_band(measurement)
    inside = measurement.curve.fp_per_case <= 2
    assert np.isfinite(low[inside]).all() and np.isnan(low[~inside]).all()
    assert (low[inside] <= high[inside]).all()


def test_the_own_threshold_gives_the_point_it_was_chosen_for() -> None:
    measurement = measure(match(*random_cohort(2, cases=30)), SETTINGS)
    threshold = own_threshold(measurement, 2.0)
    assert threshold is not None
    false = operating_point(measurement, threshold).fp_per_case.value
    assert false is not None and 1.5 < false <= 2.0


def test_sensitivity_per_patient_weighs_cases_alike() -> None:
    lesions = [(0.0, 0.0, 10.0), (0.0, 20.0, 10.0), (0.0, 40.0, 10.0), (1.0, 0.0, 10.0)]
    matching = matched("abc", lesions, [(0, 0, 0.9), (1, 0, 0.2)])
    assert per_patient(matching) == {"pooled": 0.5, "mean_over_cases": pytest.approx(2 / 3)}
    assert per_patient(matching, 0.5) == {"pooled": 0.25, "mean_over_cases": pytest.approx(1 / 6)}
    assert per_patient(matched("a", [], [])) == {"pooled": None, "mean_over_cases": None}


def test_none_of_four_has_an_interval_with_a_width() -> None:
    cohort = ("abcd", [(case, 0, 10) for case in range(4)], [(case, 90, 0.5) for case in range(4)])
    found = measure(matched(*cohort), SETTINGS)
    ends = found.sensitivity_at["3"][1]
    # Wilson's interval of 0 of 4: z² / (4 + z²) = 3.8415 / 7.8415
    assert (ends.value, ends.low, ends.high) == (0, 0, pytest.approx(0.4899, abs=1e-4))
    assert "no lesion is found in any resample, so the interval is Wilson's over the patients" in found.about(
        "sensitivity at 3 false positives per case"
    )
    assert found.about("partial AUC") == NO_WIDTH


def test_lesions_of_one_patient_are_one_where_all_are_found() -> None:
    # four lesions of two patients, all found: Wilson's interval of 2 of 2, from 1 / (1 + z² / 2)
    cohort = ("abcd", [(case, 0, 10) for case in (0, 0, 1, 1)], [(case, 0, 0.5) for case in (0, 1)])
    ends = measure(matched(*cohort), SETTINGS).sensitivity_at["1"][1]
    assert (ends.value, ends.low, ends.high) == (1, pytest.approx(0.3424, abs=1e-4), 1)


@pytest.mark.parametrize(("patients", "said"), [(2, True), (10, True), (11, False)])
def test_intervals_from_at_most_ten_patients_are_no_certainty(patients: int, said: bool) -> None:
    names = [chr(ord("a") + number) for number in range(patients)]
    found = measure(matched("".join(names), [(0, 0, 10), (1, 0, 10)], [(0, 0, 0.5)]), SETTINGS)
    line = f"{patients} patients: intervals from so few are rough and rather too narrow; they are no certainty"
    assert (line in found.warnings) == said
