from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.lesions import (
    draw_lesions,
    equivalent_diameter,
    keep_each,
    label_lesions,
    lesions_of_mask,
    measure_lesions,
    minimum_size,
    placed,
)
from hakken.imaging.prepared import Lesion
from hakken.study import Cohort

TILT = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)


INSTANCES, BINARY = (Cohort(table="c.csv", labels=labels) for labels in ("instances", "binary"))


def sphere(number: Any, x: Any, y: Any, z: Any, diameter: Any) -> Any:
    return Lesion(number, x, y, z, diameter, math.pi / 6 * diameter**3)


def test_a_lesion_is_measured_in_mm() -> None:
    labels = np.zeros((4, 5, 6), np.int16)
    labels[1:3, 2, 3:5] = 7  # four voxels of 0.5 * 2 * 3 = 3 mm³
    geometry = Geometry(labels.shape, (0.5, 2.0, 3.0), (10.0, 20.0, 30.0))
    (lesion,) = measure_lesions(labels, geometry)
    assert (lesion.lesion, lesion.kind) == (7, "included")
    assert lesion.centre == (10 + 0.5 * 3.5, 20 + 2 * 2, 30 + 3 * 1.5)
    assert lesion.size == 12
    assert lesion.diameter == pytest.approx((72 / math.pi) ** (1 / 3))


def test_the_centre_follows_an_oblique_header() -> None:
    labels = np.zeros((3, 3, 3), np.int16)
    labels[2, 1, 0] = 1
    geometry = Geometry(labels.shape, (1.0, 2.0, 3.0), (5.0, 6.0, 7.0), TILT)
    assert measure_lesions(labels, geometry)[0].centre == pytest.approx(
        (5 - 0.36 * 2 + 0.48 * 6, 6 + 0.48 * 2 - 0.64 * 6, 7 + 0.8 * 2 + 0.6 * 6)
    )


def test_corners_connect_in_binary_masks_and_numbers_part_in_instances() -> None:
    mask = np.zeros((3, 3, 4), np.int16)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[0, 0, 3] = 1
    assert label_lesions(mask, BINARY).max() == 2
    mask[1, 1, 1] = 5
    assert sorted(np.unique(label_lesions(mask, INSTANCES)).tolist()) == [0, 1, 5]
    labels, lesions = lesions_of_mask(Volume(mask), INSTANCES)
    assert [lesion.lesion for lesion in lesions] == [1, 5]
    assert labels.dtype == np.int16


def test_small_lesions_are_excluded_findings() -> None:
    labels = np.zeros((2, 1, 5), np.int16)
    labels[0, 0, :2], labels[0, 0, 4] = 1, 2
    assert [one.kind for one in measure_lesions(labels, Geometry(labels.shape), 2)] == ["included", "excluded"]


def test_no_lesion_no_measurement() -> None:
    assert measure_lesions(np.zeros((2, 2, 2), np.int16), Geometry((2, 2, 2))) == ()


def test_the_sphere_of_equal_volume() -> None:
    assert equivalent_diameter(math.pi / 6 * 1000) == pytest.approx(10)


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), TILT])
def test_spheres_have_their_volume_and_place(direction: Any) -> None:
    geometry = Geometry((40, 40, 40), (0.5, 0.6, 0.7), (3.0, -4.0, 5.0), direction)
    x, y, z = geometry.centre
    lesions = (sphere(1, x, y, z, 10), sphere(2, x, y, z, 4))
    labels = draw_lesions(lesions, geometry)
    measured = measure_lesions((labels > 0).astype(np.int16), geometry)[0]
    assert measured.centre == pytest.approx((x, y, z), abs=0.1)
    assert measured.diameter == pytest.approx(10, rel=0.02)
    assert measure_lesions(labels, geometry)[1].diameter == pytest.approx(4, rel=0.04)


def test_a_lesion_between_the_voxels_keeps_the_nearest_one() -> None:
    geometry = Geometry((3, 3, 3), (4.0, 4.0, 4.0))
    labels = draw_lesions([sphere(3, 5.5, 4, 4, 0.5), sphere(4, 99, 0, 0, 3)], geometry)
    assert np.argwhere(labels).tolist() == [[1, 1, 1]]
    assert labels[1, 1, 1] == 3
    untouched = keep_each(labels, [sphere(3, 0, 0, 0, 1)], geometry)
    assert np.count_nonzero(untouched) == 1


def disc(rows: int, columns: int, centre: tuple[float, float], diameter: float) -> Any:
    y, x = np.indices((rows, columns))
    return (np.hypot(y - centre[0], x - centre[1]) <= diameter / 2)[None]


@pytest.mark.parametrize("thickness", [1.0, 5.0])
@pytest.mark.parametrize("unit", ["px", "mm"])
def test_a_disc_of_180_pixels_measures_180(unit: Any, thickness: float) -> None:
    mask = disc(288, 384, (140.0, 190.0), 180)
    geometry = Geometry(mask.shape, (1.0, 1.0, thickness), unit=unit)
    (lesion,) = measure_lesions(mask.astype(np.int16), geometry)
    assert lesion.diameter == pytest.approx(180, abs=0.3)
    assert lesion.size == np.count_nonzero(mask)  # an area, whatever the thickness of the slice
    assert lesion.centre == (190.0, 140.0, 0.0)


def test_a_square_and_a_ring_are_as_wide_as_the_disc_of_their_area() -> None:
    mask = np.zeros((1, 60, 90), np.int16)
    mask[0, 10:50, 10:50] = 1  # a square of 40
    mask[0, 10:50, 50:90] = 2
    mask[0, 20:40, 60:80] = 0  # a ring of 40 around a hole of 20
    square, ring = measure_lesions(mask, Geometry(mask.shape, (0.5, 0.5, 3.0)))
    assert (square.size, ring.size) == (400.0, 300.0)  # mm²: 20 mm x 20 mm; less 10 mm x 10 mm
    assert (square.diameter, ring.diameter) == (2 * math.sqrt(400 / math.pi), 2 * math.sqrt(300 / math.pi))
    assert ring.centre == (0.5 * 69.5, 0.5 * 29.5, 0.0)


@given(st.floats(1, 60), st.floats(0.1, 3), st.floats(0.1, 20), st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)))
@settings(max_examples=60, deadline=None)
def test_what_is_drawn_is_measured_as_large(pixels: float, step: float, thickness: float, within: Any) -> None:
    geometry = Geometry((1, 80, 80), (step, step, thickness))
    x, y, z = geometry.to_world([[0, 39.5 + within[0], 39.5 + within[1]]])[0].tolist()
    diameter = pixels * step
    drawn = draw_lesions([Lesion(1, x, y, z, diameter, math.pi / 4 * diameter**2)], geometry)
    (lesion,) = measure_lesions(drawn, geometry)
    assert lesion.diameter == pytest.approx(diameter, abs=1.5 * step)
    assert math.dist(lesion.centre, (x, y, z)) <= 0.8 * step


def test_a_box_is_drawn_as_a_box_on_any_grid() -> None:
    box = Lesion(1, 20.0, 10.0, 0.0, 5.0, 32.0, extent=(8.0, 4.0))
    fine = draw_lesions([box], Geometry((1, 40, 80), (0.5, 0.5, 1.0)))
    assert np.count_nonzero(fine) == 17 * 9  # 16 to 24 and 8 to 12 mm, both ends among them
    coarse = draw_lesions([box], Geometry((1, 10, 20), (2.0, 2.0, 1.0), (1.0, 1.0, 0.0)))
    rows, columns = np.nonzero(coarse[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 5, 8, 11)


def test_a_mask_near_whole_numbers_is_read_as_whole() -> None:
    mask = np.zeros((3, 3, 4), np.float32)
    mask[0, 0, 0], mask[1, 1, 3] = 0.9999999, 2.00001
    assert sorted(np.unique(label_lesions(mask, INSTANCES)).tolist()) == [0, 1, 2]
    mask[2, 2, 2] = 1e-7
    assert np.count_nonzero(label_lesions(mask, BINARY)) == 2


def test_a_threshold_makes_grey_rims_lesion_or_not() -> None:
    mask = np.array([[[0, 40, 127, 128, 255, 90, 0, 0]]], np.uint8)
    study = Cohort(table="c.csv", labels="binary", mask_threshold=128)
    assert label_lesions(mask, study).tolist() == [[[0, 0, 0, 1, 1, 0, 0, 0]]]


def test_noise_has_too_many_pieces() -> None:
    mask = np.zeros((1, 400, 400), np.uint8)
    mask[0, ::2, ::2] = 1
    with pytest.raises(HakkenError, match="the lesion mask falls into 40000 pieces; it holds noise, or is no mask"):
        label_lesions(mask, BINARY)


@pytest.mark.parametrize(
    ("key", "shape", "unit", "size", "message"),
    [
        ("minimum_lesion_mm3", (4, 9, 9), "mm", 7.0, None),
        ("minimum_lesion_mm2", (1, 9, 9), "mm", 7.0, None),
        ("minimum_lesion_px2", (1, 9, 9), "px", 7.0, None),
        (
            "minimum_lesion_mm3",
            (1, 9, 9),
            "mm",
            0,
            "these are flat images whose sizes are in mm²; use `minimum_lesion_mm2`",
        ),
        (
            "minimum_lesion_mm2",
            (1, 9, 9),
            "px",
            0,
            "these are flat images whose sizes are in px²; use `minimum_lesion_px2`",
        ),
        (
            "minimum_lesion_mm2",
            (4, 9, 9),
            "mm",
            0,
            "these are volumes whose sizes are in mm³; use `minimum_lesion_mm3`",
        ),
    ],
)
def test_a_minimum_is_a_volume_or_an_area(key: str, shape: Any, unit: Any, size: float, message: str | None) -> None:
    cohort, geometry = Cohort(table="c.csv", **{key: 7.0}), Geometry(shape, unit=unit)
    if message is None:
        assert minimum_size(cohort, geometry) == size
        assert minimum_size(INSTANCES, geometry) == 0
        return
    with pytest.raises(HakkenError) as error:
        minimum_size(cohort, geometry)
    assert str(error.value) == f"cohort.{key}: {message}"


def test_a_picture_of_a_mask_lies_on_the_flat_image_of_its_size() -> None:
    picture = Volume(np.ones((1, 3, 4), np.uint8), unit="px")
    image = Geometry((1, 3, 4), (0.2, 0.2, 1.0), (5.0, 6.0, 7.0))
    assert placed(picture, image).geometry == image
    assert placed(picture, Geometry((1, 3, 5))) is picture
    known = Volume(np.ones((1, 3, 4), np.uint8))
    assert placed(known, image) is known
