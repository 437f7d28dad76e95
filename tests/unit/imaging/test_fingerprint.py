"""Digests and fingerprints: the same for the same image however it is stored."""

from __future__ import annotations

import time
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from hakken.core.volume import Volume
from hakken.imaging.files import read_volume
from hakken.imaging.fingerprint import content_digest, fingerprint, mask_digest

RANDOM = np.random.default_rng(3)
IMAGE = RANDOM.integers(-500, 1500, (7, 9, 11)).astype(np.int16)
PICTURE = RANDOM.integers(0, 256, (24, 32)).astype(np.uint8)


def orders(array: NDArray[Any]) -> list[NDArray[Any]]:
    """The array in all 48 orders that flips and permutations of its axes give."""
    return [
        array.transpose(axes)[tuple(slice(None, None, step) for step in steps)]
        for axes in permutations(range(3))
        for steps in product((1, -1), repeat=3)
    ]


def test_an_image_stored_in_any_order_has_one_digest() -> None:
    assert len({content_digest(Volume(np.ascontiguousarray(order))) for order in orders(IMAGE)}) == 1


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=4),
        elements=st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("-inf")]),
    )
)
def test_of_few_values_too_and_of_symmetric_images(array: NDArray[np.float32]) -> None:
    assert len({content_digest(Volume(order)) for order in orders(array)}) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, IMAGE.size - 1), st.integers(1, 9))
def test_one_changed_pixel_changes_the_digest(place: int, step: int) -> None:
    changed = IMAGE.copy()
    changed.flat[place] += step
    assert content_digest(Volume(changed)) != content_digest(Volume(IMAGE))


def test_the_values_of_an_image_in_other_places_are_another_image() -> None:
    shuffled = np.sort(IMAGE, axis=None).reshape(IMAGE.shape)
    rolled = np.roll(IMAGE, 1, axis=2)
    assert len({content_digest(Volume(array)) for array in (IMAGE, shuffled, rolled)}) == 3


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
def test_other_types_of_equal_values_have_one_digest(kind: type) -> None:
    assert content_digest(Volume(IMAGE.astype(kind))) == content_digest(Volume(IMAGE))


def test_header_and_format_are_no_part_of_the_content(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(IMAGE)
    image.SetSpacing((0.7, 0.8, 3.0))
    image.SetOrigin((-80.0, 12.5, 40.0))
    turned = sitk.DICOMOrient(image, "PIR")
    assert turned.GetSize() != image.GetSize()
    names = ["a.nii.gz", "a.mha", "b.nii", "b.mha"]
    for name, one in zip(names, (image, image, turned, turned), strict=True):
        sitk.WriteImage(one, str(tmp_path / name))
    assert {content_digest(read_volume(tmp_path / name)) for name in names} == {content_digest(Volume(IMAGE))}


def test_pictures_by_their_pixels(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif", "a.bmp"):
        sitk.WriteImage(sitk.GetImageFromArray(PICTURE), str(tmp_path / name))
    sitk.WriteImage(sitk.GetImageFromArray(np.rot90(PICTURE).copy()), str(tmp_path / "turned.png"))
    known = content_digest(Volume(PICTURE[None]))
    assert {content_digest(read_volume(path)) for path in tmp_path.iterdir()} == {known}


def test_masks_by_their_regions_whatever_the_labels() -> None:
    mask = np.zeros((4, 8, 8), np.int16)
    mask[1, 2:5, 2:6] = 1
    assert mask_digest(Volume(mask)) == mask_digest(Volume(mask * 255))
    assert mask_digest(Volume(mask)) == mask_digest(Volume(mask[:, :, ::-1].astype(np.float32)))
    other = mask.copy()
    other[2, 3, 3] = 2
    assert mask_digest(Volume(other)) not in {None, mask_digest(Volume(mask))}


@pytest.mark.parametrize("marked", [0, 7])
def test_masks_that_two_cases_share_by_chance_have_no_digest(marked: int) -> None:
    mask = np.zeros((1, 8, 8), np.uint8)
    mask[0, 0, :marked] = 1
    assert mask_digest(Volume(mask)) is None
    mask[0, 1, 0] = mask[0, 1, 1] = 1
    assert (mask_digest(Volume(mask)) is None) == (marked == 0)


def test_a_mask_of_everything_has_no_digest() -> None:
    assert mask_digest(Volume(np.ones((1, 8, 8), np.uint8))) is None


@pytest.mark.parametrize("value", [0, 7, np.nan, 1e30])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 50), (6, 40, 50)])
def test_constant_images_have_no_fingerprint(shape: tuple[int, int, int], value: float) -> None:
    assert fingerprint(Volume(np.full(shape, value, np.float32))) is None


@pytest.mark.parametrize("shape", [(1, 5, 700), (1, 224, 224), (2, 30, 31), (80, 20, 12)])
def test_the_shape_of_a_fingerprint_depends_on_the_axes_alone(shape: tuple[int, int, int]) -> None:
    found = fingerprint(Volume(RANDOM.normal(size=shape)))
    assert found is not None
    assert found.shape == ((64, 64) if shape[0] == 1 else (32, 32, 32))
    assert found.dtype == np.int8


def test_one_bright_pixel_is_seen() -> None:
    array = np.zeros((1, 64, 64), np.float32)
    array[0, 20, 30] = 1
    found = fingerprint(Volume(array))
    assert found is not None


def test_broken_pixels_are_taken_as_dark() -> None:
    array = RANDOM.normal(10, 1, (1, 64, 64)).astype(np.float32)
    broken, dark = array.copy(), array.copy()
    broken[0, 3, 4], broken[0, 9, 9], dark[0, 3, 4], dark[0, 9, 9] = np.nan, np.inf, array.min(), array.min()
    assert np.array_equal(fingerprint(Volume(broken)), fingerprint(Volume(dark)))


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_gain_and_offset_leave_no_trace(gain: float, offset: float) -> None:
    array = RANDOM.integers(0, 4000, (1, 70, 90)).astype(np.float64)
    one, other = fingerprint(Volume(array)), fingerprint(Volume(array * gain + offset))
    assert one is not None
    assert other is not None
    assert np.abs(one.astype(int) - other).max() <= 1


def test_the_surroundings_of_a_body_are_blank() -> None:
    array = np.zeros((24, 64, 64), np.float32)
    array[4:20, 16:48, 16:48] = RANDOM.normal(100, 10, (16, 32, 32))
    found = fingerprint(Volume(array))
    assert found is not None
    assert not found[:4].any()
    assert found[10:20, 12:20, 12:20].any()


@pytest.mark.slow
def test_a_large_volume_takes_less_than_two_seconds() -> None:
    volume = Volume(RANDOM.integers(-1000, 2000, (200, 512, 512), np.int16))
    start = time.process_time()
    fingerprint(volume)
    assert time.process_time() - start < 2
