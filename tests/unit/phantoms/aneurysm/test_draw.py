"""Whole cases of time-of-flight angiography."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hakken.cohort.phantom import PhantomCase, phantom_cases, spread_levels
from hakken.phantoms import OneImage
from hakken.phantoms.aneurysm.draw import draw_case
from hakken.study import Study

KINDS = {"kissing vessel", "bright fat", "infundibulum", "vessel loop"}


def pick(study: Study, scanner: str, fewest: int = 1) -> PhantomCase:
    """Return a case of a scanner with at least so many lesions."""
    return next(case for case in phantom_cases(study) if case.scanner == scanner and case.lesions >= fewest)


@pytest.fixture(scope="module", params=["A", "B", "C"])
def angiogram(request: pytest.FixtureRequest, aneurysm_study: Study) -> OneImage:
    levels = tuple(spread_levels(3, np.random.default_rng(0)))
    return draw_case(replace(pick(aneurysm_study, request.param), lesions=3, levels=levels), aneurysm_study)


def test_labels_match_the_truth(angiogram: OneImage) -> None:
    labels = angiogram.lesions
    assert labels.matches(angiogram.image)
    assert labels.array.dtype == angiogram.image.array.dtype == np.int16
    truths = angiogram.truth["lesions"]
    assert sorted(np.unique(labels.array)) == [0, 1, 2, 3]
    assert [truth["lesion"] for truth in truths] == [1, 2, 3]
    for truth in truths:
        voxels = np.argwhere(labels.array == truth["lesion"])
        points = labels.to_world(voxels)
        assert np.linalg.norm(points.mean(0) - truth["centre"]) < 0.25 * truth["diameter_mm"] + 0.8
        reach = 0.75 * truth["diameter_mm"] + 1
        assert np.linalg.norm(points - truth["centre"], axis=-1).max() < reach


def test_the_geometry_is_the_scanner_s(angiogram: OneImage) -> None:
    image, scanner = angiogram.image, angiogram.truth["scanner"]
    assert image.spacing == {"A": (1, 1, 1), "B": (1, 1, 1.2), "C": (1, 1, 1.4)}[scanner]
    direction = np.reshape(image.direction, (3, 3))
    if scanner == "B":
        assert np.count_nonzero(np.abs(np.round(direction, 3)) % 1) >= 4
    else:
        assert np.allclose(direction, np.diag([1, 1, 1] if scanner == "A" else [-1, -1, 1]))
    size = np.array(image.array.shape[::-1]) * image.spacing
    assert (size > np.array([88, 98, 68])).all()


def test_lesions_are_bright_and_so_is_much_else(aneurysm_study: Study) -> None:
    """Arteries fill far more of the bright voxels than aneurysms do: a threshold finds arteries."""
    for case in [case for case in phantom_cases(aneurysm_study) if case.lesions][:3]:
        found = draw_case(case, aneurysm_study)
        array, inside = found.image.array, found.lesions.array > 0
        tissue = np.median(array[array > np.quantile(array, 0.6)])
        assert np.median(array[inside]) > 1.25 * tissue
        bright = array >= np.median(array[inside])
        assert bright.sum() > 10 * (bright & inside).sum()


def test_mimics_are_no_lesions(angiogram: OneImage) -> None:
    mimics = angiogram.truth["mimics"]
    kinds = {mimic["kind"] for mimic in mimics}
    assert {"kissing vessel", "bright fat"} <= kinds <= KINDS
    lesions = np.array([truth["centre"] for truth in angiogram.truth["lesions"]])
    for mimic in mimics:
        voxel = np.round(angiogram.lesions.to_voxel(np.array([mimic["centre"]]))[0]).astype(int)
        if (voxel >= 0).all() and (voxel < angiogram.lesions.array.shape).all():
            apart = np.linalg.norm(lesions - mimic["centre"], axis=-1).min()
            assert angiogram.lesions.array[tuple(voxel)] == 0 or apart < 5


def test_a_case_without_lesions(aneurysm_study: Study) -> None:
    case = next(case for case in phantom_cases(aneurysm_study) if case.lesions == 0)
    found = draw_case(case, aneurysm_study)
    assert not found.lesions.array.any()
    assert found.truth["lesions"] == []
    assert found.image.array.max() > 4 * np.median(found.image.array)


def with_voxels(study: Study, spacing_mm: float) -> Study:
    assert study.cohort.phantom is not None
    phantom = study.cohort.phantom.model_copy(update={"spacing_mm": spacing_mm})
    return study.model_copy(update={"cohort": study.cohort.model_copy(update={"phantom": phantom})})


def test_both_visits_show_the_same_arteries(aneurysm_study: Study) -> None:
    case, study = pick(aneurysm_study, "A"), with_voxels(aneurysm_study, 2.0)
    visit = draw_case(replace(case, origin="test/900"), study).truth
    stranger = draw_case(replace(case, origin="test/901", body="test/901"), study).truth
    first = draw_case(case, study).truth
    assert visit["variants"] == first["variants"]
    assert stranger["variants"] != first["variants"]


def test_the_anatomy_does_not_depend_on_the_voxel_size(aneurysm_study: Study) -> None:
    """Arteries drawn at 0.8 and 1.0 mm are the same, so that a small run shows what a large one will."""
    case = pick(aneurysm_study, "A")
    fine, coarse = (draw_case(case, with_voxels(aneurysm_study, size)).truth["lesions"] for size in (0.8, 1.0))
    assert fine == coarse


def test_slabs_fall_from_entry_to_exit() -> None:
    from hakken.anatomy.tubes import Lumen
    from hakken.core.volume import Geometry
    from hakken.phantoms.aneurysm.draw import SCANNERS, _expose

    geometry = Geometry((100, 8, 8), (1, 1, 1))
    ones = np.ones(geometry.shape_zyx, np.float32)
    image = np.zeros_like(ones)
    _expose(image, Lumen(ones, ones), SCANNERS["A"], geometry, np.random.default_rng(1))
    profile = image[:, 4, 4]
    jumps = np.flatnonzero(np.diff(profile) > 0.2 * profile.max() / 4)
    assert all(29 <= later - earlier <= 34 for earlier, later in pairwise(jumps) if later - earlier > 5)
    assert profile.min() < 0.85 * profile.max()
