"""The evaluation against the reference numbers: LUNA16's official script, and edge cases with agreed answers."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.evaluation.bootstrap import resample
from hakken.evaluation.findings import Candidates, Cases, Lesions
from hakken.evaluation.froc import cpm, fp_at_sensitivity, froc, partial_auc, rows_sensitivity_at, sensitivity_at
from hakken.evaluation.matching import Matching, Rules, match

CAPS = {"cap100": 100, "nocap": None}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def points(table: list[dict[str, str]]) -> np.ndarray:
    return np.array([[float(row[axis]) for axis in "xyz"] for row in table]).reshape(-1, 3)


def load(folder: Path) -> tuple[Cases, Lesions, Candidates]:
    truth, marks = rows(folder / "lesions.csv"), rows(folder / "candidates.csv")
    cases = Cases.of([row["case_id"] for row in rows(folder / "cases.csv")])
    lesions = Lesions.of(
        cases.index([row["case_id"] for row in truth], "lesions"),
        points(truth),
        [float(row["diameter_mm"]) for row in truth],
        [row["kind"] == "included" for row in truth],
        unknown_diameter=10,
    )
    scores = [float(row["score"]) for row in marks]
    return (
        cases,
        lesions,
        Candidates.of(cases.index([row["case_id"] for row in marks], "candidates"), points(marks), scores),
    )


@pytest.fixture(scope="module")
def luna(reference_data: Path) -> Path:
    return reference_data / "evaluation" / "luna16_rule"


@pytest.fixture(scope="module", params=list(CAPS))
def measured(request: pytest.FixtureRequest, luna: Path) -> tuple[Matching, dict[str, Any]]:
    expected = json.loads((luna / "expected.json").read_text())[request.param]
    return match(*load(luna), Rules(max_candidates=CAPS[request.param])), expected


def test_luna16_counts(measured: tuple[Matching, dict[str, Any]]) -> None:
    matching, expected = measured
    official = expected["counts"]["value"]
    assert asdict(matching.counts) == {
        "cases": 40,
        "lesions": official["Total number of nodules"],
        "candidates": official["Total number of candidates"],
        "true_positives": official["True positives"],
        "false_positives": official["False positives"],
        "missed": official["False negatives"],
        "ignored_duplicates": official["Ignored candidates which were double detections on a nodule"],
        "ignored_excluded": official["Ignored candidates on excluded nodules"],
    }


def test_luna16_sensitivities_and_cpm(measured: tuple[Matching, dict[str, Any]]) -> None:
    matching, expected = measured
    curve = froc(matching)
    for at, value in expected["sens_at_fp"]["value"].items():
        assert sensitivity_at(curve, float(at)).value == pytest.approx(value, abs=1e-9)
    assert cpm(curve) == pytest.approx(expected["cpm"]["value"], abs=1e-9)


def test_luna16_what_the_script_leaves_out(measured: tuple[Matching, dict[str, Any]]) -> None:
    matching, expected = measured
    curve, derived = froc(matching), expected["derived_by_oracle"]
    for at, value in derived["sens_at_fp_step"].items():
        assert sensitivity_at(curve, float(at)).step == pytest.approx(value, abs=1e-9)
    for level, value in derived["fp_at_sens_first_point"].items():
        assert fp_at_sensitivity(curve, float(level)) == (None if value is None else pytest.approx(value, abs=1e-9))
    for most, value in derived["pauc_trapezoid_normalised"].items():
        assert partial_auc(curve, float(most)) == pytest.approx(value, abs=1e-9)
    assert curve.sensitivity[-1] == pytest.approx(derived["max_sensitivity"], abs=1e-9)
    assert curve.fp_per_case[-1] == pytest.approx(derived["max_fp_per_case"], abs=1e-9)


def test_luna16_bootstrap_within_its_own_noise(measured: tuple[Matching, dict[str, Any]]) -> None:
    matching, expected = measured
    resamples = resample(matching, 1000, 0)
    run, tolerance = expected["bootstrap"]["runs"][0], expected["bootstrap"]["tol"]
    for at in run["mean"]:
        (replicates,) = resamples.measure(partial(rows_sensitivity_at, at=float(at)))
        assert replicates.mean() == pytest.approx(run["mean"][at], abs=tolerance["mean"])
        for tail, bound in ((0.025, "lb"), (0.975, "ub")):
            assert np.quantile(replicates, tail) == pytest.approx(run[bound][at], abs=tolerance["bound"])


@pytest.mark.parametrize("cap", CAPS)
def test_luna16_with_marks_at_the_radius_counted(luna: Path, cap: str) -> None:
    expected = json.loads((luna / "expected.json").read_text())[cap]["with_rule_le"]
    matching = match(*load(luna), Rules(hit="distance-inclusive", max_candidates=CAPS[cap]))
    assert matching.counts.true_positives == expected["n_detected"]
    assert cpm(froc(matching)) == pytest.approx(expected["cpm"], abs=1e-9)


def test_luna16_every_operating_point(luna: Path) -> None:
    table = rows(luna / "expected_froc_curve_full.csv")
    curve = froc(match(*load(luna), Rules(max_candidates=100)))
    for name, values in (("fp_per_case", curve.fp_per_case), ("sensitivity", curve.sensitivity)):
        np.testing.assert_allclose(values, [float(row[name]) for row in table], atol=1e-12)
    np.testing.assert_allclose(curve.threshold, [float(row["threshold"]) for row in table])


@pytest.fixture(scope="module")
def edges(reference_data: Path) -> Path:
    return reference_data / "evaluation" / "edge_cases"


def answer(edges: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((edges / "expected.json").read_text())[name]["recommended"]
    return content


def curve_points(matching: Matching) -> list[list[float]]:
    curve = froc(matching)
    return [[x, y] for x, y in zip(curve.fp_per_case.tolist(), curve.sensitivity.tolist(), strict=True)]


def test_no_lesions_at_all(edges: Path) -> None:
    expected = answer(edges, "e01_no_lesions_at_all")
    curve = froc(match(*load(edges / "e01_no_lesions_at_all")))
    assert curve.reason is not None
    assert curve.fp_per_case[-1] == pytest.approx(expected["fp_per_case_max"])
    assert (cpm(curve), partial_auc(curve, 1)) == (expected["cpm"], expected["pauc"])
    assert sensitivity_at(curve, 1).value is expected["sensitivity"]


def test_all_ties(edges: Path) -> None:
    expected = answer(edges, "e03_all_ties")
    matching = match(*load(edges / "e03_all_ties"))
    assert curve_points(matching) == expected["curve"]
    for at, value in expected["sens_at_fp_linear"].items():
        assert sensitivity_at(froc(matching), float(at)).value == value
    for at, value in expected["sens_at_fp_step"].items():
        assert sensitivity_at(froc(matching), float(at)).step == value


def test_several_candidates_on_one_lesion(edges: Path) -> None:
    expected = answer(edges, "e04_several_candidates_on_one_lesion")
    matching = match(*load(edges / "e04_several_candidates_on_one_lesion"))
    counts = matching.counts
    assert counts.true_positives == expected["n_detected"]
    assert counts.false_positives == expected["n_fp"]
    assert counts.ignored_duplicates == expected["doubles"]
    assert matching.lesion_score.tolist() == [expected["tp_score"]]
    assert curve_points(matching) == expected["curve"]


def test_a_nan_score_is_an_error_that_names_the_row(edges: Path) -> None:
    with pytest.raises(HakkenError, match="candidates, row 2, column score: nan"):
        load(edges / "e07_nan_score")


def test_a_lesion_of_an_unknown_case_is_an_error_that_names_the_row(edges: Path) -> None:
    with pytest.raises(HakkenError, match="lesions, row 3: case `zz`"):
        load(edges / "e13_lesion_of_unknown_case")
