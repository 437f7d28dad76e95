from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume

TILT = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)


def test_a_voxel_lies_where_its_header_says() -> None:
    geometry = Geometry((4, 5, 6), (0.5, 2.0, 3.0), (10.0, 20.0, 30.0), (1, 0, 0, 0, -1, 0, 0, 0, 1))
    assert geometry.to_world([[1, 2, 3]]).tolist() == [[11.5, 16.0, 33.0]]
    assert geometry.to_voxel([[11.5, 16.0, 33.0]]).tolist() == [[1, 2, 3]]
    assert geometry.centre == (11.25, 16.0, 34.5)
    assert geometry.voxel_mm3 == 3


def test_oblique_axes_are_the_columns_of_the_direction() -> None:
    geometry = Geometry((2, 2, 2), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), TILT)
    assert geometry.to_world([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) == pytest.approx(
        np.array([[0.8, 0.6, 0.0], [-0.72, 0.96, 1.6], [1.44, -1.92, 1.8]])
    )


def test_directions_agree_with_simpleitk() -> None:
    import SimpleITK as sitk

    from hakken.imaging.convert import from_image, to_image

    volume = Volume(np.arange(24.0).reshape(2, 3, 4), (0.5, 2.0, 3.0), (1.0, -2.0, 3.0), TILT)
    image = to_image(volume)
    assert image.TransformIndexToPhysicalPoint((3, 2, 1)) == pytest.approx(volume.to_world([[1, 2, 3]])[0])
    assert image[3, 2, 1] == volume.array[1, 2, 3]
    again = from_image(image)
    assert again.matches(volume)
    assert np.array_equal(again.array, volume.array)
    assert to_image(Volume(np.ones((1, 1, 1), bool))).GetPixelID() == sitk.sitkUInt8


@given(
    st.tuples(*[st.floats(0.1, 10)] * 3),
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
)
def test_there_and_back_is_exact(spacing: Any, origin: Any, angles: Any, voxel: Any) -> None:
    direction = tuple(Rotation.from_euler("xyz", angles, degrees=True).as_matrix().ravel())
    geometry = Geometry((3, 4, 5), spacing, origin, direction)
    assert geometry.to_voxel(geometry.to_world([voxel]))[0] == pytest.approx(voxel, abs=1e-8)
    assert Geometry.from_dict(geometry.as_dict()) == geometry


def test_grids_match_within_the_tolerance_at_every_corner() -> None:
    geometry = Geometry((10, 10, 101))
    assert geometry.matches(Geometry((10, 10, 101), origin=(0.0005, 0.0, 0.0)))
    assert not geometry.matches(Geometry((10, 10, 101), (1.0001, 1.0, 1.0)))  # 0.01 mm at the far corner
    assert not geometry.matches(Geometry((10, 10, 100)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape_zyx": (0, 4, 4)}, "image of shape (0, 4, 4): three axes (z, y, x) with voxels are needed"),
        ({"spacing": (1.0, 0.0, 1.0)}, "image with spacing (1.0, 0.0, 1.0) mm: every spacing must be a number above 0"),
        ({"spacing": (1.0, float("nan"), 1.0)}, "image with spacing (1.0, nan, 1.0) mm: every spacing must be"),
        ({"direction": (1, 0.5, 0, 0, 1, 0, 0, 0, 1)}, "the axes must be orthogonal and of length 1"),
    ],
)
def test_an_impossible_grid_is_an_error(changes: Any, message: str) -> None:
    with pytest.raises(HakkenError) as error:
        Geometry(**({"shape_zyx": (2, 2, 2)} | changes))
    assert message in str(error.value)


def test_a_volume_has_three_axes_and_fits_its_grid() -> None:
    with pytest.raises(HakkenError, match=r"image with 2 axes: three axes \(z, y, x\) are needed"):
        Volume(np.zeros((3, 3)))
    with pytest.raises(HakkenError, match=r"array of shape \(2, 2, 2\) does not fit a grid of shape \(2, 2, 3\)"):
        Volume.on(Geometry((2, 2, 3)), np.zeros((2, 2, 2)))
    assert Volume(np.zeros((1, 3, 3))).is_flat
    assert not Volume(np.zeros((2, 3, 3))).is_flat


def test_a_grid_is_shown_in_one_line() -> None:
    assert str(Geometry((2, 3, 4), (0.5, 1.0, 2.0))) == (
        "4x3x2 voxels of 0.5 1 2 mm, origin 0 0 0, direction 1 0 0 0 1 0 0 0 1"
    )
