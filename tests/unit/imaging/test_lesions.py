from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.lesions import (
    draw_spheres,
    equivalent_diameter,
    keep_each,
    label_lesions,
    lesions_of_mask,
    measure_lesions,
    read_lesion_table,
)
from hakken.imaging.prepared import Lesion

TILT = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)


def sphere(number: Any, x: Any, y: Any, z: Any, diameter: Any) -> Any:
    return Lesion(number, x, y, z, diameter, math.pi / 6 * diameter**3)


def test_a_lesion_is_measured_in_mm() -> None:
    labels = np.zeros((4, 5, 6), np.int16)
    labels[1:3, 2, 3:5] = 7  # four voxels of 0.5 * 2 * 3 = 3 mm³
    geometry = Geometry(labels.shape, (0.5, 2.0, 3.0), (10.0, 20.0, 30.0))
    (lesion,) = measure_lesions(labels, geometry)
    assert (lesion.lesion, lesion.kind) == (7, "included")
    assert lesion.centre == (10 + 0.5 * 3.5, 20 + 2 * 2, 30 + 3 * 1.5)
    assert lesion.volume_mm3 == 12
    assert lesion.diameter_mm == pytest.approx((72 / math.pi) ** (1 / 3))


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
    assert label_lesions(mask, "binary").max() == 2
    mask[1, 1, 1] = 5
    assert sorted(np.unique(label_lesions(mask, "instances")).tolist()) == [0, 1, 5]
    labels, lesions = lesions_of_mask(Volume(mask), "instances")
    assert [lesion.lesion for lesion in lesions] == [1, 5]
    assert labels.dtype == np.int16


def test_small_lesions_are_excluded_findings() -> None:
    labels = np.zeros((1, 1, 5), np.int16)
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
    labels = draw_spheres(lesions, geometry)
    measured = measure_lesions((labels > 0).astype(np.int16), geometry)[0]
    assert measured.centre == pytest.approx((x, y, z), abs=0.1)
    assert measured.diameter_mm == pytest.approx(10, rel=0.02)
    assert measure_lesions(labels, geometry)[1].diameter_mm == pytest.approx(4, rel=0.04)


def test_a_lesion_between_the_voxels_keeps_the_nearest_one() -> None:
    geometry = Geometry((3, 3, 3), (4.0, 4.0, 4.0))
    labels = draw_spheres([sphere(3, 5.5, 4, 4, 0.5), sphere(4, 99, 0, 0, 3)], geometry)
    assert np.argwhere(labels).tolist() == [[1, 1, 1]]
    assert labels[1, 1, 1] == 3
    untouched = keep_each(labels, [sphere(3, 0, 0, 0, 1)], geometry)
    assert np.count_nonzero(untouched) == 1


def test_a_lesion_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lesions.csv"
    path.write_text("lesion,x,y,z,diameter_mm,class\n1,1.5,-2,3,6,solid\n2,0,0,0,2.5,\n")
    first, second = read_lesion_table(path)
    assert first == Lesion(1, 1.5, -2, 3, 6, pytest.approx(36 * math.pi), lesion_class="solid")
    assert second.lesion_class is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "lesion,x,y,z\n",
            "lesions.csv: column diameter_mm is missing; the table needs lesion, x, y, z, diameter_mm",
        ),
        ("lesion,x,y,z,diameter_mm\n1,a,2,3,4\n", "lesions.csv, row 2, column x: `a` is not a number"),
        ("lesion,x,y,z,diameter_mm\n1,1,2,3\n", "lesions.csv, row 2: 4 cells, the heading has 5"),
        ("lesion,x,y,z,diameter_mm\n1,nan,2,3,4\n", "row 2, column x: `nan` is not finite; give a number"),
        (
            "lesion;x;y;z;diameter_mm\n1;1,5;2;3;4\n",
            "row 2, column x: `1,5` is not a number; write decimals with",
        ),
        ("lesion,x,y,z,diameter_mm\n1,1,2,3,0\n", "row 2, column diameter_mm: 0 is no diameter; give mm above 0"),
        ("lesion,x,y,z,diameter_mm\n1.5,1,2,3,4\n", "row 2, column lesion: `1.5` is no lesion number"),
        (
            "lesion,x,y,z,diameter_mm\n1,1,2,3,4\n1,2,2,3,4\n",
            "row 3, column lesion: lesion 1 stands there twice",
        ),
    ],
)
def test_a_wrong_lesion_table_names_the_row(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "lesions.csv").write_text(text)
    with pytest.raises(HakkenError) as error:
        read_lesion_table(tmp_path / "lesions.csv")
    assert message in str(error.value)


def test_a_missing_or_binary_lesion_table(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"none.csv: no such file"):
        read_lesion_table(tmp_path / "none.csv")
    (tmp_path / "lesions.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(HakkenError, match="not a text file in UTF-8"):
        read_lesion_table(tmp_path / "lesions.csv")
