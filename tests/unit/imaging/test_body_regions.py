"""Regions of the body on CT: against the labels of the phantom, on a real abdomen, and what is not in the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.cohort.phantom import phantom_cases
from hakken.core.volume import Geometry, Volume
from hakken.imaging.body import find_body
from hakken.imaging.body_regions import (
    find_landmarks,
    label_regions,
    liver_sphere,
    region_at,
    slice_levels,
)
from hakken.imaging.files import read_volume
from hakken.imaging.registration import resample
from hakken.phantoms.whole_body_pet_ct.draw import draw_case
from hakken.study import BODY_REGIONS, Study

pytestmark = pytest.mark.xdist_group("body regions")
REAL = Path(__file__).parents[4] / "shared/data/totalsegmentator_tests"
IDENTITY = sitk.Transform()


def on_patient_axes(ct: Volume, labels: Volume, step: float) -> tuple[Any, Any, Any, Any]:
    """CT in HU, body, labels (z, y, x) on a grid with the axes of the patient, and its spacing."""
    corners = ct.geometry.to_world([[0, 0, 0], [size - 1 for size in ct.geometry.shape_zyx]])
    low, high = corners.min(0), corners.max(0)
    x, y, z = (np.floor((high - low) / step).astype(int) + 1).tolist()
    grid = Geometry((z, y, x), (step,) * 3, tuple(low.tolist()))
    body = Volume.on(ct.geometry, find_body(ct, "ct").astype(np.uint8))
    return (
        resample(ct, grid, IDENTITY, outside=-1000.0).array,
        resample(body, grid, IDENTITY, nearest=True).array > 0,
        resample(labels, grid, IDENTITY, nearest=True).array,
        grid.spacing,
    )


@pytest.fixture(scope="module")
def bodies() -> list[tuple[Any, Any, Any, Any]]:
    """Some bodies of the phantom with their true labels."""
    phantom = {"generator": "whole_body_pet_ct", "cases": {"train": 1, "validation": 1, "test": 4}, "spacing_mm": 6}
    channels = {"CT": {"modality": "ct"}, "PET": {"modality": "pet"}}
    study = Study.model_validate(
        {"name": "b", "seed": 5, "cohort": {"phantom": phantom}, "channels": channels, "reference": "PET"}
    )
    drawn = [draw_case(case, study) for case in phantom_cases(study)[2:]]
    return [on_patient_axes(one.ct, one.regions, 9.0) for one in drawn]


def test_levels_are_those_of_the_labelled_phantom(bodies: list[tuple[Any, Any, Any, Any]]) -> None:
    for ct, body, truth, spacing in bodies:
        labels = label_regions(ct, body, spacing)
        compared = (truth > 0) & (truth < 7) & (labels > 0) & (labels < 7)
        assert (labels == truth)[compared].mean() > 0.9
        assert set(np.unique(labels).tolist()) == set(range(len(BODY_REGIONS) + 1))


def test_organs_of_urine_lie_apart_and_little_else_does(bodies: list[tuple[Any, Any, Any, Any]]) -> None:
    apart: dict[int, list[Any]] = {7: [], 8: [], 9: []}
    for ct, body, truth, spacing in bodies:
        labels = label_regions(ct, body, spacing)
        for number, found in apart.items():
            found.append(labels[truth == number] >= 7)
        assert (labels >= 7).sum() < 0.15 * body.sum()
        assert not (labels[truth <= 3] >= 8).any(), "no ureter above the diaphragm"
    shares = {BODY_REGIONS[number - 1]: np.concatenate(found).mean() for number, found in apart.items()}
    assert min(shares.values()) > 0.9, shares


def test_the_sphere_for_the_liver_lies_in_the_abdomen(bodies: list[tuple[Any, Any, Any, Any]]) -> None:
    for ct, body, truth, spacing in bodies:
        sphere = liver_sphere(ct, body, spacing)
        assert sphere is not None
        assert sphere.sum() * np.prod(spacing) == pytest.approx(4 / 3 * np.pi * 15**3, rel=0.5)
        assert set(np.unique(truth[sphere])) <= {3, 4}
        assert 20 < np.median(ct[sphere]) < 90


def test_an_image_of_the_chest_alone_has_no_landmarks_below(bodies: list[tuple[Any, Any, Any, Any]]) -> None:
    ct, body, truth, spacing = bodies[0]
    rows = np.flatnonzero((truth == 3).any((1, 2)))
    part = slice(rows[0] + 8, rows[-1] - 4)
    marks = find_landmarks(ct[part], body[part], spacing)
    assert (marks.crest, marks.crotch, marks.chin) == (None, None, None)
    labels = label_regions(ct[part], body[part], spacing)
    assert set(np.unique(labels[labels > 0])) == {BODY_REGIONS.index("chest") + 1}


def test_air_has_no_region() -> None:
    ct, body = np.full((6, 8, 8), -1000.0), np.zeros((6, 8, 8), bool)
    assert not label_regions(ct, body, (4.0, 4.0, 4.0)).any()
    assert region_at(np.zeros((6, 8, 8), np.uint8), np.array([[1, 2, 3]])) == [""]
    assert liver_sphere(ct, body, (4.0, 4.0, 4.0)) is None


def test_slices_are_of_the_level_that_most_of_them_is() -> None:
    regions = np.array([[[4, 4, 7]], [[9, 9, 5]], [[0, 0, 0]], [[3, 0, 0]]], np.uint8)
    assert slice_levels(regions).tolist() == [4, 5, 0, 3]


@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared/data/totalsegmentator_tests")
@pytest.mark.parametrize("step", [4.0, 9.0])
def test_a_real_abdomen_and_pelvis(step: float) -> None:
    """CT from the middle of the liver to the hips, with a machine's labels of organs."""
    ct = read_volume(REAL / "example_ct.nii.gz")
    organs = read_volume(REAL / "example_seg_fast_force_split.nii.gz")
    values, body, truth, spacing = on_patient_axes(ct, organs, step)
    marks = find_landmarks(values, body, spacing)
    hips = np.flatnonzero(np.isin(truth, (77, 78)).any((1, 2)))
    assert marks.crest is not None
    assert abs(marks.crest - hips[-1]) * step <= 10, "the crest is the top of the hip bones"
    assert (marks.apex, marks.diaphragm, marks.crotch) == (None, None, None), "neither lungs nor thighs are in it"
    labels = label_regions(values, body, spacing)
    for label, name in ((2, "kidneys"), (3, "kidneys"), (21, "bladder")):
        own = labels[truth == label]
        assert (own == BODY_REGIONS.index(name) + 1).mean() > 0.8, name
    assert (labels[truth == 5] == BODY_REGIONS.index("abdomen") + 1).mean() > 0.8, "the liver"
