"""Uptake above a multiple of the liver's, on bodies of the phantom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.baselines import brightest_components
from hakken.baselines.liver_multiple import MULTIPLES, fit, liver_uptake, predict, words
from hakken.cohort.phantom import phantom_cases
from hakken.core.errors import HakkenError
from hakken.imaging.preparation import prepare_case
from hakken.imaging.prepared import PreparedCase, save_prepared
from hakken.phantoms.whole_body_pet_ct.draw import draw_case
from hakken.study import Study
from hakken.study.reading import load_study

from ..methods.expectation.test_learn import expectation

pytestmark = pytest.mark.xdist_group("liver multiple")
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def study() -> Study:
    whole = load_study(ROOT / "config/studies/pet_ct_whole_body.yaml", "tiny")
    phantom = whole.cohort.phantom
    assert phantom is not None
    cases = phantom.cases.model_copy(update={"train": 1, "validation": 3, "test": 1})
    small = phantom.model_copy(update={"cases": cases, "spacing_mm": 8.0})
    return whole.model_copy(update={"cohort": whole.cohort.model_copy(update={"phantom": small})})


@pytest.fixture(scope="module")
def bodies(study: Study, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[PreparedCase, dict[str, Any]]]:
    folder, found = tmp_path_factory.mktemp("bodies"), []
    for case in phantom_cases(study)[1:4]:
        drawn = draw_case(case, study)
        facts = {"weight": 70.0, "minutes": 60.0, "age": float(case.age), "sex": 0.0, "arms": 1.0}
        images = drawn.images(study)
        one = prepare_case(images, {}, drawn.lesions, study, case_id=case.case_id, patient=case.patient, scalars=facts)
        kept = save_prepared(folder, one.case, one.image, one.mask, one.labels, body=one.body)
        found.append((kept, drawn.truth))
    return found


def test_the_liver_takes_up_what_the_phantom_says(
    bodies: list[tuple[PreparedCase, dict[str, Any]]], study: Study
) -> None:
    for case, truth in bodies:
        assert liver_uptake(case, study) == pytest.approx(truth["uptake_suv"]["liver"], rel=0.15)


def test_the_multiple_with_the_highest_objective_is_taken(
    bodies: list[tuple[PreparedCase, dict[str, Any]]], study: Study
) -> None:
    cases = [case for case, _ in bodies]
    values = fit(cases, study)
    assert list(values["tried"]) == [f"{one:g}" for one in MULTIPLES]
    assert values["tried"][f"{values['multiple']:g}"] == max(values["tried"].values())
    assert words(values, study) == f"components of PET from {values['multiple']:g} x liver on, ranked by their maximum"
    found = predict(values, cases[0], study)
    suv = np.expm1(found["candidates"].score * np.log1p(40))
    level = values["multiple"] * (liver_uptake(cases[0], study) or 0)
    assert suv.min() >= level * (1 - 1e-3)
    assert found["case_scores"] <= found["candidates"].highest


def test_thresholds_of_a_logarithmic_channel_are_suv(
    bodies: list[tuple[PreparedCase, dict[str, Any]]], study: Study
) -> None:
    values = brightest_components.fit([case for case, _ in bodies], study)
    assert list(values["tried"]) == ["1.5", "2", "2.5", "3", "4", "5", "6", "8"]
    assert " from " in brightest_components.words(values, study)


def test_a_study_without_regions_is_refused() -> None:
    with pytest.raises(HakkenError, match="baseline `liver_multiple`: give the study `body_regions`"):
        fit([], expectation())
