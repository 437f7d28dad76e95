from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.cohort.phantom import phantom_cases
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume, triple
from hakken.imaging.brain import find_brain
from hakken.imaging.convert import grid_image, to_image
from hakken.imaging.files import read_volume
from hakken.imaging.pieces import closed, depth, distance, signed_distance
from hakken.imaging.registration import resample
from hakken.imaging.template import brain_template
from hakken.phantoms.brain_metastasis.draw import draw_case
from hakken.study.reading import load_study

from .conftest import Head

ROOT = Path(__file__).parents[3]


def dice(one: Any, other: Any) -> Any:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def matrix(path: Path) -> sitk.AffineTransform:
    read = sitk.ReadTransform(str(path))
    parameters = read.GetParameters()
    transform = sitk.AffineTransform(3)
    transform.SetCenter(read.GetFixedParameters())
    transform.SetMatrix(parameters[:9])
    transform.SetTranslation(parameters[9:])
    return transform


def published(folder: Path, date: str, kind: str, image: Volume) -> Any:
    """The published mask on the image's own grid: from its points to FLAIR's and on to the common space."""
    to_common = [matrix(folder / f"{date}_FLAIR_to_common_space.txt").GetInverse()]
    if kind != "FLAIR":
        to_common.append(matrix(folder / f"{date}_{kind}_intrastudy_to_FLAIR.txt").GetInverse())
    mask = to_image(read_volume(folder / "brainmask_common_space.nii.gz"))
    chain = sitk.CompositeTransform([sitk.Transform(one) for one in to_common])
    moved = sitk.Resample(mask, grid_image(image.geometry), chain, sitk.sitkNearestNeighbor)
    return sitk.GetArrayFromImage(moved) > 0


@pytest.mark.parametrize(("date", "kind"), [("study1", "T1W"), ("study2", "T1W"), ("study1", "FLAIR")])
def test_real_heads_agree_with_their_published_mask(shared_data: Path, date: str, kind: str) -> None:
    folder = shared_data / "open_ms_longitudinal"
    if not folder.is_dir():
        pytest.skip(f"{folder}: not there")
    image = read_volume(folder / f"{date}_{kind}.nii.gz")
    assert dice(find_brain(image, "mr"), published(folder, date, kind, image)) > 0.95


def seen(image: Volume, truth: Any, grid: Geometry) -> tuple[Volume, Any]:
    """A real head and its mask as another acquisition would show them."""
    mask = Volume.on(image.geometry, truth.astype(np.float32))
    return resample(image, grid, sitk.Transform()), resample(mask, grid, sitk.Transform()).array > 0.5


@pytest.mark.parametrize("made", ["slices of 5 mm", "oblique"])
def test_real_heads_made_thick_or_oblique_keep_their_brain(shared_data: Path, made: str) -> None:
    """The images are made from a real one by resampling; they were not acquired so."""
    folder = shared_data / "open_ms_longitudinal"
    if not folder.is_dir():
        pytest.skip(f"{folder}: not there")
    image = read_volume(folder / "study1_T1W.nii.gz")
    corners = image.geometry.corners()
    low, middle = corners.min(axis=0), corners.mean(axis=0)
    if made == "oblique":
        turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), np.deg2rad(25), np.deg2rad(10), np.deg2rad(15)).GetMatrix()
        corner = middle - np.reshape(turn, (3, 3)) @ (120.0, 120.0, 100.0)
        grid = Geometry((100, 120, 120), (2.0, 2.0, 2.0), triple(corner), turn)
    else:
        x, y, z = (np.ceil((corners.max(axis=0) - low) / (1.2, 1.2, 5.0)).astype(int) + 1).tolist()
        grid = Geometry((z, y, x), (1.2, 1.2, 5.0), triple(low))
    volume, truth = seen(image, published(folder, "study1", "T1W", image), grid)
    assert dice(find_brain(volume, "mr"), truth) > 0.93


def test_the_order_of_the_voxels_does_not_matter(head: Head) -> None:
    mask = find_brain(head.fixed, "mr")
    image = sitk.DICOMOrient(to_image(head.fixed), "RAS")
    turned = Volume(sitk.GetArrayFromImage(image), head.fixed.spacing, image.GetOrigin(), tuple(image.GetDirection()))
    assert dice(find_brain(turned, "mr")[:, ::-1, ::-1], mask) > 0.99


def test_lesions_of_the_phantom_lie_inside() -> None:
    study = load_study(ROOT / "config" / "studies" / "brain_metastasis.yaml", "tiny")
    for case in phantom_cases(study)[:2]:
        drawing = draw_case(case, study)
        met = drawing.lesions.array[find_brain(drawing.enhanced, "mr")]
        assert np.array_equal(np.unique(met[met > 0]), np.arange(1, case.lesions + 1)), case.case_id


def test_the_number_of_threads_does_not_matter(head: Head) -> None:
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    masks = []
    for threads in (1, 2):
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
        masks.append(find_brain(head.fixed, "mr"))
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert np.array_equal(*masks)


def test_an_image_without_a_head_is_refused() -> None:
    with pytest.raises(HakkenError) as error:
        find_brain(Volume(np.zeros((20, 20, 20), np.float32), (4.0, 4.0, 4.0)), "mr")
    assert str(error.value) == (
        "the brain mask is empty: no head in the image; look at the image, or give a mask of your own in a column "
        "`mask` (`preparation.mask: given`)"
    )


def test_the_template_is_the_average_brain() -> None:
    template = brain_template()
    surface = sitk.GetArrayFromImage(template.surface)
    assert 1700 < np.count_nonzero(surface > 0) * 8 / 1000 < 2100  # ml
    assert abs(template.centre[0]) < 2  # its halves are alike
    assert template.top == pytest.approx(80, abs=6)


def test_depths_and_closings_are_in_millimetres() -> None:
    mask = np.zeros((1, 1, 9), bool)
    mask[0, 0, [2, 3, 5, 6]] = True
    spacing = (1.0, 1.0, 2.0)
    assert depth(mask, spacing).ravel().tolist() == [0, 0, 2, 2, 0, 2, 2, 0, 0]
    assert distance(mask, spacing).ravel().tolist() == [4, 2, 0, 0, 2, 0, 0, 2, 4]
    assert signed_distance(mask, spacing).ravel().tolist() == [-4, -2, 2, 2, -2, 2, 2, -2, -4]
    assert closed(mask, spacing, 3.0).ravel().tolist() == [False, False, True, True, True, True, True, False, False]
