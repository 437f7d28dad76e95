from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from hakken.core.volume import Volume
from hakken.imaging.brain_surface import brain_near

EDGE = 2.0
N = 61
FAR = np.sqrt(((np.indices((N, N, N)) - N // 2) ** 2).sum(axis=0)) * EDGE  # mm from the middle
BRAIN = FAR < 40


def ball(brain: Any = 100.0, bone: Any = 10.0, scalp: Any = 120.0) -> Any:
    """A head: brain to 40 mm, bone to 48 mm, scalp to 54 mm, air."""
    return np.select([FAR < 40, FAR < 48, FAR < 54], [brain, bone, scalp], 0.0).astype(np.float32)


def found(array: Any, radius: float = 40.0, modality: str = "mr") -> Any:
    """The brain near a template that is a ball."""
    return brain_near(Volume(array, (EDGE,) * 3), (radius - FAR).astype(np.float32), modality)


@pytest.mark.parametrize("radius", [36.0, 40.0, 44.0])
def test_the_image_says_where_the_surface_is(radius: float) -> None:
    mask = found(ball(), radius)
    assert mask[FAR < 40 - EDGE].all()
    assert not mask[FAR > 40 + EDGE].any()


def test_voxels_half_of_which_are_brain_belong_to_it() -> None:
    array = ball()
    array[(FAR >= 38) & (FAR < 40)] = 55  # grey matter and bone; the darkest tissue is 72
    array[(FAR >= 40) & (FAR < 42)] = 30  # mostly bone
    mask = found(array)
    assert mask[FAR < 40].mean() > 0.99
    assert mask[(FAR >= 42) & (FAR < 46)].mean() == 0


def test_brightness_is_that_of_the_place() -> None:
    z = np.indices((N, N, N))[0]
    mask = found(ball() * (1.6 - z / N))  # from 1.6 to 0.6
    assert mask[BRAIN].mean() > 0.98
    assert not mask[FAR > 42].any()


def test_a_brain_may_bulge_where_it_is_thick() -> None:
    offset = np.indices((N, N, N)) - np.reshape((N // 2, N // 2, N // 2 + 10), (3, 1, 1, 1))
    bulge = (np.sqrt((offset**2).sum(axis=0)) * EDGE < 32) & ~BRAIN  # 12 mm out
    array = ball()
    array[ndimage.binary_dilation(bulge, iterations=2) & ~BRAIN] = 10
    array[bulge] = 100
    assert found(array)[bulge].mean() > 0.9


def test_lesions_at_the_surface_are_inside_whatever_their_brightness() -> None:
    spot = (np.indices((N, N, N)) - np.reshape((N // 2, N // 2, N // 2 + 18), (3, 1, 1, 1))) ** 2
    lesion = (spot.sum(axis=0) <= 4) & (FAR < 38)
    for value in (20, 300):
        array = ball()
        array[lesion] = value
        assert found(array)[lesion].all(), value


def test_fluid_around_the_brain_is_left_out_where_it_is_bright() -> None:
    array = ball()
    array[(FAR >= 36) & (FAR < 40)] = 250
    array[FAR < 12] = 250  # ventricles
    mask = found(array, 38.0)
    assert mask[FAR < 34].all()
    assert mask[(FAR >= 38) & (FAR < 40)].mean() < 0.1


def test_ct_takes_what_the_bone_encloses() -> None:
    mask = found(ball(35.0, 900.0, 20.0) - np.where(FAR >= 54, 1000, 0).astype(np.float32), modality="ct")
    assert mask[FAR < 40 - EDGE].all()
    assert not mask[FAR >= 40].any()


def test_a_template_beside_the_image_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="the template lies outside of the image"):
        found(ball(), -60.0)
