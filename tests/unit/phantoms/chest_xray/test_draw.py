"""Chest X-rays: true to their truth, masses as dense as tissue, and whole images that do not give findings away."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from hakken.anatomy.chest_build import LUNG, SOFT
from hakken.anatomy.chest_film import RIB_CONTRAST, View, draw_film_chest
from hakken.anatomy.rays import Detector, draw_stance
from hakken.cohort.phantom import PhantomCase, phantom_cases
from hakken.core.seeds import derive_seed
from hakken.evaluation.case_scores import CaseScores, area
from hakken.evaluation.findings import Cases
from hakken.imaging.lesions import measure_lesions
from hakken.phantoms import Levels, OneImage
from hakken.phantoms.chest_xray import Finding
from hakken.phantoms.chest_xray.draw import HIGHEST, draw_case
from hakken.phantoms.chest_xray.masses import BRIGHTEST, FAINTEST, PLACES, Mass, draw_masses, painted
from hakken.study import Study

SMALLEST_MM, LARGEST_MM = 8.0, 35.0  # unless a study says otherwise

pytestmark = pytest.mark.xdist_group("chest x-ray")  # Its fixtures are made once, on one worker.

PHANTOM: dict[str, Any] = {
    "generator": "chest_xray",
    "cases": {"train": 18, "validation": 12, "test": 20},
    "spacing_mm": 6.0,
}


def study_of(seed: int = 3, **phantom: Any) -> Study:
    content: dict[str, Any] = {"name": "films", "seed": seed, "cohort": {"phantom": PHANTOM | phantom}}
    return Study.model_validate(content | {"channels": {"XR": {"modality": "xray"}}, "reference": "XR"})


@pytest.fixture(scope="module")
def study() -> Study:
    return study_of()


@pytest.fixture(scope="module")
def films(study: Study) -> list[tuple[PhantomCase, OneImage]]:
    """Return the test cases."""
    return [(case, draw_case(case, study)) for case in phantom_cases(study) if case.part == "test"]


def test_half_of_the_images_are_normal_and_each_part_holds_masses_of_all_sizes(study: Study) -> None:
    for part in ("train", "validation", "test"):
        cases = [case for case in phantom_cases(study) if case.part == part]
        assert sum(case.lesions == 0 for case in cases) == len(cases) // 2
        sizes = sorted(level.size for case in cases for level in case.levels)
        assert np.allclose(sizes, (np.arange(len(sizes)) + 0.5) / len(sizes))


def test_an_image_is_flat_and_its_masses_are_where_the_truth_says(films: list[tuple[PhantomCase, OneImage]]) -> None:
    for case, film in films:
        assert film.image.array.dtype == np.int16
        assert film.image.array.shape == (1, 60, 60)
        assert film.lesions.matches(film.image)
        found = {lesion.lesion: lesion for lesion in measure_lesions(film.lesions.array, film.lesions.geometry)}
        assert len(found) == len(film.truth["lesions"]) == case.lesions
        for truth in film.truth["lesions"]:
            lesion = found[truth["lesion"]]
            assert lesion.centre == pytest.approx(truth["centre"], abs=1e-3)
            assert SMALLEST_MM <= truth["diameter_mm"] <= LARGEST_MM
            if truth["diameter_mm"] > 18:
                assert lesion.diameter == pytest.approx(truth["diameter_mm"], rel=0.25)
            assert truth["class"] == "mass"


def test_masses_add_what_tissue_as_thick_adds_so_that_they_are_fainter_and_denser_than_ribs(
    films: list[tuple[PhantomCase, OneImage]],
) -> None:
    """A ball of soft tissue adds 0.0138 a mm of its diameter where lung was: 0.48 at 35 mm; a rib 0.15."""
    truths = [truth for _, film in films for truth in film.truth["lesions"]]
    parts = [truth["contrast"] / ((SOFT - LUNG) * truth["diameter_mm"]) for truth in truths]
    assert FAINTEST - 0.001 <= min(parts) < 0.55
    assert 0.85 < max(parts) <= BRIGHTEST + 0.001
    contrasts = sorted(truth["contrast"] for truth in truths)
    assert contrasts[0] < RIB_CONTRAST / 2
    assert contrasts[-1] > 1.2 * RIB_CONTRAST


def test_a_study_says_how_large_masses_are() -> None:
    asked = study_of(diameters_mm=[12, 48], cases={"train": 1, "validation": 1, "test": 24})
    cases = [case for case in phantom_cases(asked) if case.part == "test" and case.lesions]
    found = [truth["diameter_mm"] for case in cases for truth in draw_case(case, asked).truth["lesions"]]
    assert 12 <= min(found) < 14
    assert 42 < max(found) <= 48
    assert np.median(found) == pytest.approx(24, rel=0.15)
    with pytest.raises(ValidationError, match=r"`diameters_mm` must be \[smallest, largest\]"):
        study_of(diameters_mm=[20, 20])


def test_masses_lie_free_behind_heart_and_diaphragm_and_over_ribs(study: Study) -> None:
    random = np.random.default_rng(0)
    view = View(draw_film_chest("F", 50, random), draw_stance(5, 2, random), Detector((120, 120), 3.0))
    shadows = view.shadows()
    kinds = (np.arange(50) + 0.5) / 50
    found = [draw_masses(view, shadows, (Levels(0.2, kind, 0.5),), (8.0, 35.0), random)[0] for kind in kinds]
    assert Counter(mass.place for mass in found) == {name: round(50 * share) for name, share in PLACES}
    assert 5 < sum(mass.describe()["on_rib"] for mass in found) < 45
    across = {name: np.array([mass.middle for mass in found if mass.place == name]) for name, _ in PLACES}
    assert across["apex"][:, 1].min() > across["diaphragm"][:, 1].max()


def test_masses_of_an_image_lie_apart() -> None:
    random = np.random.default_rng(1)
    view = View(draw_film_chest("M", 50, random), draw_stance(5, 2, random), Detector((60, 60), 6.0))
    levels = tuple(Levels(0.9, 0.1 * kind, 0.5) for kind in range(4))
    masses = draw_masses(view, view.shadows(), levels, (8.0, 35.0), random)
    for number, mass in enumerate(masses):
        for other in masses[:number]:
            apart = np.hypot(*np.subtract(mass.middle, other.middle))
            assert apart > 0.5 * (mass.diameter_mm + other.diameter_mm)


@pytest.mark.parametrize("step", [0.5, 2.8, 6.0])
def test_a_round_mass_has_its_area_and_its_contrast_on_pixels_of_any_size(step: float) -> None:
    mass = Mass((7.3, -11.9), 24.0, 0.1, 0.5, np.zeros((4, 2)), "lung", 0.0)
    detector = Detector((round(120 / step), round(120 / step)), step)
    found = painted(mass, detector)
    assert found.share.sum() * step**2 == pytest.approx(np.pi * 12**2, rel=0.02)
    assert found.added.sum() * step**2 == pytest.approx(0.1 * 2 / 3 * np.pi * 12**2, rel=0.02)  # half of a ball
    assert found.added.max() < 0.1
    rows, columns = np.average(np.argwhere(found.share), axis=0, weights=found.share[found.share > 0])
    assert detector.places(np.array([(rows, columns)]))[0] == pytest.approx(mass.middle, abs=0.1 * step)


def test_exposure_varies_by_a_fifth_and_detectors_differ(films: list[tuple[PhantomCase, OneImage]]) -> None:
    gains = [film.truth["exposure"]["gain"] for _, film in films]
    assert min(gains) > 0.8
    assert max(gains) < 1.2
    assert max(gains) - min(gains) > 0.25
    assert {case.scanner for case, _ in films} == {"A", "B", "C"}
    assert all(0 <= film.image.array.min() < film.image.array.max() <= HIGHEST for _, film in films)


def test_both_examinations_of_a_patient_show_one_chest_in_two_stances(study: Study) -> None:
    cases = [case for case in phantom_cases(study) if case.part == "train"]
    later = next(case for case in cases if case.visit)
    earlier = next(case for case in cases if case.patient == later.patient)
    chests = [
        draw_film_chest(case.sex, case.age, np.random.default_rng(derive_seed(study.seed, "phantom chest", case.body)))
        for case in (earlier, later)
    ]
    assert chests[0].build == chests[1].build
    assert np.array_equal(chests[0].vessels.points, chests[1].vessels.points)
    assert not np.array_equal(draw_case(earlier, study).image.array, draw_case(later, study).image.array)


@pytest.fixture(scope="module")
def normals(study: Study, films: list[tuple[PhantomCase, OneImage]]) -> list[np.ndarray]:
    """Return the abnormal test cases without their findings."""
    return [draw_case(replace(case, lesions=0, levels=()), study).image.array for case, _ in films if case.lesions]


@pytest.mark.parametrize("finding", get_args(Finding))
def test_whole_images_do_not_give_findings_away(
    finding: Finding, films: list[tuple[PhantomCase, OneImage]], normals: list[np.ndarray]
) -> None:
    """The same chests in the same stance and exposure with and without a finding: chance is no part of it."""
    asked = study_of(findings=[finding])
    abnormal = [draw_case(case, asked).image.array for case, _ in films if case.lesions]
    assert len(abnormal) == len(normals) == 10
    cases = Cases.of([str(number) for number in range(20)])
    for statistic in (np.mean, np.std, np.min, np.max):
        scores = np.array([statistic(one) for one in (*abnormal, *normals)], float)
        reached = area(CaseScores(cases, np.repeat([True, False], 10), scores))
        assert reached is not None
        assert 0.45 <= reached <= 0.60, (finding, statistic.__name__, reached)


def test_without_its_masses_an_image_is_the_same_elsewhere(
    films: list[tuple[PhantomCase, OneImage]], normals: list[np.ndarray]
) -> None:
    shown = [film for case, film in films if case.lesions]
    for film, normal in zip(shown, normals, strict=True):
        denser = film.image.array.astype(int) - normal
        assert denser[film.lesions.array > 0].mean() > 10
        assert np.median(np.abs(denser[film.lesions.array == 0])) <= 1


@pytest.mark.parametrize("finding", ["effusion", "large_heart", "mirrored_heart"])
def test_findings_of_organs_are_one_region_each_with_a_class(finding: str) -> None:
    asked = study_of(findings=[finding])
    case = next(case for case in phantom_cases(asked) if case.lesions > 1)
    film = draw_case(case, asked)
    (truth,) = film.truth["lesions"]
    assert truth["class"] == finding
    assert np.unique(film.lesions.array).tolist() == [0, 1]
    assert 20 < np.count_nonzero(film.lesions.array) < 900


def test_several_findings_share_the_abnormal_cases() -> None:
    asked = study_of(findings=["mass", "effusion"], spacing_mm=8.0, cases={"train": 1, "validation": 1, "test": 24})
    cases = [case for case in phantom_cases(asked) if case.part == "test" and case.lesions == 1]
    classes = Counter(draw_case(case, asked).truth["lesions"][0]["class"] for case in cases[:9])
    assert set(classes) == {"mass", "effusion"}


def test_a_draw_at_tiny_costs_well_below_a_second() -> None:
    asked = study_of(spacing_mm=2.8125)
    case = phantom_cases(asked)[0]
    before = time.process_time()
    draw_case(case, asked)
    assert time.process_time() - before < 1.0
