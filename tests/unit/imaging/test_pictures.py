from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from hakken.core.volume import Volume
from hakken.imaging.pictures import registration_picture

from .conftest import Head


def test_aligned_images_are_grey_after_and_coloured_before(head: Head) -> None:
    shift = sitk.TranslationTransform(3, (12.0, 0.0, 6.0))
    moved = Volume(head.fixed.array, head.fixed.spacing, tuple(np.add(head.fixed.origin, shift.GetOffset())))
    picture = registration_picture(head.fixed, moved, shift)
    assert picture.dtype == np.uint8
    assert picture.shape[0] >= 300
    assert picture.shape[1] > picture.shape[0]
    halves = np.array_split(picture.astype(int), 2, axis=1)
    colour = [np.abs(half[..., 0] - half[..., 1]).mean() for half in halves]
    assert colour[1] < 0.02 * colour[0]
    assert np.array_equal(picture[..., 0], picture[..., 2])  # magenta and green, no other hue


def test_the_same_images_give_the_same_picture(head: Head) -> None:
    first, second = (registration_picture(head.fixed, head.moving, sitk.Transform()) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_flat_image_is_shown_in_its_own_plane() -> None:
    flat = Volume(np.random.default_rng(0).normal(size=(1, 30, 40)), (3.0, 3.0, 1.0))
    picture = registration_picture(flat, flat, sitk.Transform())
    assert picture.shape[0] == 360
    assert 2 * 450 < picture.shape[1] < 2 * 520  # twice 4 : 3, and a gap
