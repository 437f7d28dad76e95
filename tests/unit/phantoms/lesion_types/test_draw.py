"""Three kinds of lesions: bright on dark, dark on bright, and a ring, in images of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hakken.cohort.phantom import phantom_cases
from hakken.phantoms import OneImage
from hakken.phantoms.lesion_types.draw import draw_case
from hakken.study import Study

PHANTOM: dict[str, Any] = {
    "generator": "lesion_types",
    "cases": {"train": 18, "validation": 3, "test": 3},
    "shape_mm": [56, 56, 56],
    "spacing_mm": 2,
}


def study_of(**phantom: Any) -> Study:
    content = {"name": "kinds", "seed": 7, "cohort": {"phantom": PHANTOM | phantom}}
    return Study.model_validate(content | {"channels": {"image": {"modality": "mr"}}, "reference": "image"})


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[OneImage]]:
    study = study_of()
    found: dict[str, list[OneImage]] = {}
    for case in phantom_cases(study):
        found.setdefault(case.kind, []).append(draw_case(case, study))
    return found


def test_each_kind_is_as_frequent(drawn: dict[str, list[OneImage]]) -> None:
    assert {kind: len(cases) for kind, cases in drawn.items()} == {"bright": 8, "dark": 8, "ring": 8}


def test_a_lesion_has_the_volume_that_was_drawn(drawn: dict[str, list[OneImage]]) -> None:
    for case in (one for cases in drawn.values() for one in cases):
        (lesion,) = case.truth["lesions"]
        volume = (case.lesions.array == 1).sum() * case.lesions.geometry.voxel_mm3
        assert 2 * (3 * volume / (4 * np.pi)) ** (1 / 3) == pytest.approx(lesion["diameter_mm"], rel=0.2)
        assert 0.14 * 56 - 1e-3 <= lesion["diameter_mm"] <= 0.42 * 56


def contrast(case: OneImage, eroded: int) -> float:
    """Return by how much the lesion, without so many layers of voxels, is brighter than what is around it."""
    from scipy import ndimage

    inside, image = case.lesions.array > 0, case.image.array.astype(float)
    around = ndimage.binary_dilation(inside, iterations=3) & ~ndimage.binary_dilation(inside, iterations=1)
    core = ndimage.binary_erosion(inside, iterations=eroded) if eroded else inside
    return float(np.median(image[core]) - np.median(image[around]))


def test_kinds_stand_off_in_their_own_way(drawn: dict[str, list[OneImage]]) -> None:
    assert min(contrast(case, 0) for case in drawn["bright"]) > 5
    assert max(contrast(case, 0) for case in drawn["dark"]) < -5
    large = [case for case in drawn["ring"] if case.truth["lesions"][0]["diameter_mm"] > 16]
    assert large
    for case in large:
        from scipy import ndimage

        inside = case.lesions.array > 0
        rim = inside & ~ndimage.binary_erosion(inside, iterations=2)
        core = ndimage.binary_erosion(inside, iterations=3)
        assert np.median(case.image.array[rim]) > np.median(case.image.array[core]) + 15


def test_a_case_does_not_depend_on_the_others() -> None:
    more = study_of(cases={"train": 18, "validation": 3, "test": 6})
    first, other = (
        next(draw_case(case, study) for case in phantom_cases(study) if case.origin == "validation/2")
        for study in (study_of(), more)
    )
    assert np.array_equal(first.image.array, other.image.array)
