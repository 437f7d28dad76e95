from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.files import read_volume
from hakken.imaging.masks import find_mask, is_stripped, without_rim
from hakken.imaging.pieces import filled, largest

from .conftest import Head


def dice(one: Any, other: Any) -> Any:
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def test_the_brain_is_found_inside_the_skull(head: Head) -> None:
    mask = find_mask(head.fixed, "brain")
    assert dice(mask, head.brain) > 0.95
    assert np.count_nonzero(mask & head.brain) > 0.97 * np.count_nonzero(head.brain)
    scalp = ndimage.distance_transform_edt(~head.brain, sampling=3.0) > 8
    assert not (mask & scalp).any()


@pytest.mark.parametrize("seed", range(3))
def test_the_brain_mask_bears_noise_bias_and_other_spacings(head: Head, seed: Any) -> None:
    random = np.random.default_rng(seed)
    z, y, x = np.indices(head.brain.shape)
    bias = 1 + 0.25 * np.sin(z / 20 + seed) * np.cos(y / 25 + x / 30)
    array = np.abs(head.fixed.array * bias + random.normal(0, 40, head.brain.shape))
    thick = Volume(array[::2], (3.0, 3.0, 6.0), head.fixed.origin, head.fixed.direction)
    assert dice(find_mask(thick, "brain"), head.brain[::2]) > 0.92


def test_lesions_at_the_surface_and_inside_stay_inside(head: Head) -> None:
    array = head.fixed.array.copy()
    depth = ndimage.distance_transform_edt(head.brain, sampling=3.0)
    bright, dark = np.zeros((2, *array.shape), bool)
    for place, kind in [((22, 12, 20), bright), ((22, 44, 24), dark), ((30, 30, 10), bright)]:
        kind[((np.indices(array.shape) - np.reshape(place, (3, 1, 1, 1))) ** 2).sum(axis=0) <= 5] = True
    array[bright], array[dark] = 1200, 150
    mask = find_mask(Volume.on(head.fixed.geometry, array), "brain")
    assert mask[(bright | dark) & (depth > 3)].all()


def test_a_stripped_image_is_taken_as_it_is(head: Head) -> None:
    array = np.where(head.brain, head.fixed.array + 1, 0)
    array[20, 26, 20:24] = 0
    assert is_stripped(array)
    assert not is_stripped(head.fixed.array)
    assert np.array_equal(find_mask(Volume.on(head.fixed.geometry, array), "brain"), head.brain)


def test_real_stripped_brains_keep_every_lesion(shared_data: Path) -> None:
    folder = shared_data / "open_ms" / "patient26"
    image, lesions = (read_volume(folder / f"{name}.nii.gz") for name in ("T1POST", "lesions"))
    mask = find_mask(image, "brain")
    assert mask[image.array != 0].all()
    assert mask[lesions.array > 0].all()
    assert 1.0e6 < np.count_nonzero(mask) < 1.6e6  # mm³, as brains are


def test_nonzero_fills_cavities_and_none_takes_everything() -> None:
    array = np.zeros((5, 7, 7))
    array[1:4, 1:6, 1:6] = 3
    array[2, 3, 3] = 0
    expected = np.zeros(array.shape, bool)
    expected[1:4, 1:6, 1:6] = True
    assert np.array_equal(find_mask(Volume(array), "nonzero"), expected)
    assert find_mask(Volume(array), "none").all()


@pytest.mark.parametrize(("modality", "air", "tissue", "lung"), [("ct", -1000, 40, -850), ("mr", 5, 300, 20)])
def test_the_body_is_one_piece_with_its_lungs_and_without_the_table(
    modality: Any, air: Any, tissue: Any, lung: Any
) -> None:
    array = np.full((6, 40, 40), air, float)
    array[:, 8:30, 6:34] = tissue
    array[1:5, 12:22, 10:18] = lung
    array[:, 36:38, :] = tissue  # the table
    array += np.random.default_rng(0).normal(0, 2, array.shape)
    expected = np.zeros(array.shape, bool)
    expected[:, 8:30, 6:34] = True
    assert dice(find_mask(Volume(array), "body", modality), expected) > 0.98


def test_faint_uptake_belongs_to_the_body() -> None:
    array = np.zeros((8, 30, 30))
    array[:, 5:25, 5:25] = 0.8
    array[3:5, 10:13, 10:13] = 15
    mask = find_mask(Volume(array, (4.0, 4.0, 4.0)), "body", "pet")
    assert mask[array > 0].all()
    assert not mask[:, :3, :].any()  # a rim of 5 mm is added, no more


def test_flat_images_have_masks_too() -> None:
    array = np.zeros((1, 20, 20))
    array[0, 4:16, 4:16] = 100
    array[0, 8:10, 8:10] = 0
    expected = np.zeros(array.shape, bool)
    expected[0, 4:16, 4:16] = True
    for kind in ("nonzero", "body"):
        assert np.array_equal(find_mask(Volume(array), kind, "xray"), expected)


def test_an_empty_mask_is_an_error() -> None:
    with pytest.raises(
        HakkenError, match="the nonzero mask is empty; look at the image, or choose another preparation"
    ):
        find_mask(Volume(np.zeros((3, 3, 3))), "nonzero")


def test_largest_and_filled() -> None:
    mask = np.array([[[1, 1, 0, 1]]], bool)
    assert largest(mask).ravel().tolist() == [True, True, False, False]
    assert not filled(np.zeros((2, 2, 2), bool)).any()


def head_ct(spacing: Any) -> Any:
    """Return a head in HU and what its skull encloses: brain within 40 mm, bone to 48 mm, scalp to 54 mm, a neck."""
    shape = tuple(round(130 / step) for step in spacing[::-1])
    z, y, x = ((np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing[::-1], strict=True))
    far = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    column = np.sqrt(y[:, None] ** 2 + x**2)[None]
    below = z[:, None, None] < 0
    image = np.full(shape, -1000.0, np.float32)
    image[(far < 54) | (below & (column < 30))] = 20
    image[(far < 48) & (far >= 40)] = 900
    image[far < 40] = 32
    image[(far < 50) & below & (column < 6)] = 32  # the foramen magnum
    image[(far < 40) & (x > 33)] = 70  # blood below the bone
    image[(np.abs(z)[:, None, None] < 4) & (column < 4)] = 300  # a calcification
    return Volume(image, spacing), far < 40


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.0, 1.0, 4.0)])
def test_the_brain_on_ct_is_what_the_skull_encloses(spacing: Any) -> None:
    volume, inside = head_ct(spacing)
    mask = find_mask(volume, "brain", "ct")
    assert dice(mask, inside) > 0.96
    assert (mask & inside)[volume.array == 70].mean() > 0.8  # slices of 4 mm lose some of the rim
    assert mask[(volume.array == 300)].all()
    assert not mask[volume.array == 900].any()
    assert not mask[volume.array == 20].any()


def test_a_ct_without_a_head_has_no_brain() -> None:
    with pytest.raises(
        HakkenError,
        match="the brain mask is empty: no head in the image; look at the image",
    ):
        find_mask(Volume(np.full((20, 20, 20), -1000.0, np.float32)), "brain", "ct")


def test_a_rim_is_left_out_in_millimetres() -> None:
    mask = np.zeros((7, 9, 9), bool)
    mask[1:6, 1:8, 1:8] = True
    assert without_rim(mask, (1.0, 1.0, 1.0), 0) is mask
    assert np.argwhere(without_rim(mask, (1.0, 1.0, 1.0), 1.0)).min(0).tolist() == [2, 2, 2]
    assert np.argwhere(without_rim(mask, (1.0, 1.0, 3.0), 2.0)).min(0).tolist() == [2, 3, 3]  # slices 3 mm thick
    with pytest.raises(HakkenError) as error:
        without_rim(mask, (1.0, 1.0, 1.0), 3.0)
    assert str(error.value) == "the mask is nowhere deeper than 3 mm; lower preparation.rim_mm"


def test_the_border_of_the_image_has_no_rim() -> None:
    assert without_rim(np.ones((1, 5, 5), bool), (1.0, 1.0, 1.0), 2.0).all()
