from __future__ import annotations

import json

import numpy as np
import pytest

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
    assert "sensitivity at 1 false positives per case: the curve ends at 0.5, the last value is given" in warnings
    assert "false positives at sensitivity 0.9: not reached, the highest sensitivity is 0.5" in warnings
    assert "2 patients: intervals from so few are rough and rather too narrow" in warnings


def test_one_patient_has_an_interval_over_findings_and_a_warning() -> None:
    cases, lesions, candidates = random_cohort(1)
    content = measure(match(Cases.of(cases.case_id, ["p"] * len(cases)), lesions, candidates), SETTINGS).as_dict()
    assert content["bootstrap"]["unit"] == "finding"
    assert content["partial_auc"]["low"] < content["partial_auc"]["high"]
    assert content["warnings"][-1].startswith("one patient: intervals resample the lesions")


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
