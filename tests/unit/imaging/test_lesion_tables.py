from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.lesion_tables import read_lesion_table
from hakken.imaging.lesions import draw_lesions
from hakken.imaging.prepared import Lesion

GRID = Geometry((9, 9, 9))
PICTURE = Geometry((1, 40, 60), unit="px")
XRAY = Geometry((1, 40, 60), (0.5, 0.5, 1.0), (100.0, 200.0, 30.0))


def table(folder: Path, text: str) -> Path:
    path = folder / "lesions.csv"
    path.write_text(text)
    return path


def test_a_lesion_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lesions.csv"
    path.write_text("lesion,x,y,z,diameter_mm,class\n1,1.5,-2,3,6,solid\n2,0,0,0,2.5,\n")
    first, second = read_lesion_table(path, GRID)
    assert first == Lesion(1, 1.5, -2, 3, 6, pytest.approx(36 * math.pi), lesion_class="solid")
    assert second.lesion_class is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "lesion,x,y,z\n",
            "lesions.csv: column diameter_mm is missing; the table needs x, y, z, diameter_mm; there are lesion, x,",
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
        read_lesion_table(tmp_path / "lesions.csv", GRID)
    assert message in str(error.value)


def test_a_missing_or_binary_lesion_table(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match=r"none.csv: no such file"):
        read_lesion_table(tmp_path / "none.csv", GRID)
    (tmp_path / "lesions.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(HakkenError, match="not a text file in UTF-8"):
        read_lesion_table(tmp_path / "lesions.csv", GRID)


def test_rows_without_a_number_are_numbered(tmp_path: Path) -> None:
    path = table(tmp_path, "x,y,z,diameter_mm\n1,2,3,4\n5,6,7,8\n")
    assert [lesion.lesion for lesion in read_lesion_table(path, GRID)] == [1, 2]


@pytest.mark.parametrize("column", ["diameter", "diameter_px"])
def test_a_circle_of_a_picture_needs_no_z(tmp_path: Path, column: str) -> None:
    (lesion,) = read_lesion_table(table(tmp_path, f"x,y,{column},class\n30,20,18,polyp\n"), PICTURE)
    assert lesion == Lesion(1, 30.0, 20.0, 0.0, 18.0, math.pi * 81, lesion_class="polyp")


def test_circles_of_a_flat_image_of_known_pixels(tmp_path: Path) -> None:
    (lesion,) = read_lesion_table(table(tmp_path, "x,y,diameter_mm\n110,205,6\n"), XRAY)
    assert (lesion.centre, lesion.diameter, lesion.size) == ((110.0, 205.0, 30.0), 6.0, math.pi * 9)
    (lesion,) = read_lesion_table(table(tmp_path, "x,y,diameter_px\n20,10,12\n"), XRAY)
    assert (lesion.centre, lesion.diameter) == ((110.0, 205.0, 30.0), 6.0)
    (lesion,) = read_lesion_table(table(tmp_path, "x,y,z,diameter_mm\n110,205,30,6\n"), XRAY)
    assert (lesion.diameter, lesion.size) == (6.0, math.pi * 9)


@pytest.mark.parametrize("text", ["x1,y1,x2,y2\n10,20,14,28\n", "x,y,width,height\n10,20,4,8\n"])
@pytest.mark.parametrize(("grid", "step"), [(PICTURE, 1.0), (XRAY, 0.5)])
def test_a_box_is_the_pixels_between_its_corners(tmp_path: Path, text: str, grid: Any, step: float) -> None:
    (lesion,) = read_lesion_table(table(tmp_path, text), grid)
    assert (lesion.size, lesion.extent) == (32 * step**2, (4 * step, 8 * step))
    assert lesion.diameter == pytest.approx(2 * math.sqrt(32 / math.pi) * step)
    wanted = np.zeros((1, 40, 60), np.int16)
    wanted[0, 20:28, 10:14] = 1
    assert (draw_lesions([lesion], grid) == wanted).all()


@pytest.mark.parametrize(
    ("text", "grid", "message"),
    [
        (
            "x1,y1,x2,y2\n1,1,3,3\n",
            GRID,
            "x1, y1, x2, y2 are boxes, but the image is a volume; give its",
        ),
        ("x1,y1,x2,y2\n3,1,1,3\n", PICTURE, "row 2, column x2: the box is -2 wide and 2 high; give pixels above 0"),
        ("x,y,width,height\n3,1,1,0\n", PICTURE, "row 2, column height: the box is 1 wide and 0 high; give pixels"),
        (
            "x,y,diameter_mm\n3,1,1\n",
            PICTURE,
            "column diameter_mm: how large a pixel of this picture is in mm",
        ),
        ("x,y,diameter_px\n3,1,1\n", GRID, "column diameter_px: the image is a volume; give x, y, z, diameter_mm"),
        ("x,y,diameter_px\n3,1,-1\n", PICTURE, "row 2, column diameter_px: -1 is no diameter; give pixels above 0"),
        ("x,y,diameter_px\n3,1,1\n", Geometry((1, 5, 5), (1.0, 0.5, 1.0)), "the pixels are not square (1 x 0.5 mm)"),
        (
            "x1,y1,x2,y2\n0.1,0.2,0.5,0.75\n",
            PICTURE,
            "x1, y1, x2, y2 are all between 0 and 1, as shares of the",
        ),
        ("x,y\n3,1\n", PICTURE, "column diameter_px is missing; the table needs x, y, diameter_px or x1, y1, x2, y2"),
        ("y,diameter_px\n3,1\n", PICTURE, "column x is missing; the table needs x, y, diameter_px"),
    ],
)
def test_what_does_not_fit_the_image_is_told(tmp_path: Path, text: str, grid: Any, message: str) -> None:
    with pytest.raises(HakkenError) as error:
        read_lesion_table(table(tmp_path, text), grid)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "heading", ["X (mm),Y [mm],Z (mm),Diameter (mm)", "coordX,coordY,coordZ,diameter_mm", "x_mm,y_mm,z_mm,Diameter_mm"]
)
def test_columns_by_the_names_that_others_give_them(heading: str, tmp_path: Path) -> None:
    (lesion,) = read_lesion_table(table(tmp_path, f"{heading}\n1,2,3,4\n"), GRID)
    assert (*lesion.centre, lesion.diameter) == (1, 2, 3, 4)


def test_a_unit_that_is_none_of_ours_is_no_name(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match="column x is missing"):
        read_lesion_table(table(tmp_path, "X (cm),Y (cm),Z (cm),diameter_mm\n1,2,3,4\n"), GRID)


def test_excluded_findings(tmp_path: Path) -> None:
    path = table(tmp_path, "x,y,z,diameter_mm,kind\n1,2,3,4,excluded\n2,2,3,4,\n3,2,3,4,included\n")
    assert [lesion.kind for lesion in read_lesion_table(path, GRID)] == ["excluded", "included", "included"]
    path = table(tmp_path, "x,y,z,diameter_mm,kind\n1,2,3,4,benign\n")
    with pytest.raises(HakkenError, match="row 2, column kind: `benign` is neither `included` nor `excluded`"):
        read_lesion_table(path, GRID)


def test_rows_of_other_cases_are_left_out(tmp_path: Path) -> None:
    path = table(tmp_path, "case_id,lesion,x,y,z,diameter_mm\na,1,1,2,3,4\nb,1,2,2,3,4\nb,2,3,2,3,4\n")
    assert [lesion.x for lesion in read_lesion_table(path, GRID, "b")] == [2, 3]
    with pytest.raises(HakkenError) as caught:
        read_lesion_table(path, GRID, "c")
    assert str(caught.value) == (
        f"{path}: column case_id: no row is of case c (there are a, b); name the table of this case, or write `none` "
        "for it if it has no lesions"
    )
    assert read_lesion_table(table(tmp_path, "case_id,x,y,z,diameter_mm\n"), GRID, "c") == ()
