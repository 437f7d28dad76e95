from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion
from hakken.inference.clicks import Click, VolumeOfInterest, between, clicks_on, diameters, exact_clicks

from ..miniature import GEOMETRY, RADIUS, prepare_case, save_case

GRID = Geometry((20, 24, 28), (1.0, 1.0, 1.0), (5.0, -3.0, 2.0))


def ramp(geometry: Geometry) -> np.ndarray:
    """Return at each voxel x + 10 y + 100 z, in mm."""
    places = np.moveaxis(np.indices(geometry.shape_zyx), 0, -1).reshape(-1, 3)
    return (geometry.to_world(places) @ [1.0, 10.0, 100.0]).reshape(geometry.shape_zyx).astype(np.float32)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.5, 2.0)])
@pytest.mark.parametrize("size", [1.5, 4.0])
def test_what_is_cut_lies_where_it_did(spacing: tuple[float, float, float], size: float) -> None:
    """Linear values are interpolated without error, whether voxels are finer or coarser than those of the case."""
    geometry = replace(GRID, spacing=spacing, shape_zyx=(40, 40, 60))
    x, y, z = geometry.centre
    volume = VolumeOfInterest.around(Click((x + 0.3, y - 0.2, z), size), 2.0, 4, geometry)
    steps = (np.arange(4) - 2) * size / 2
    expected = (x + 0.3 + steps) + 10 * (y - 0.2 + steps[:, None]) + 100 * (z + steps[:, None, None])
    assert volume.cut(ramp(geometry)) == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_axes_are_those_of_the_patient_whatever_the_grid_is() -> None:
    x, y, z = GEOMETRY.centre
    volume = VolumeOfInterest.around(Click((x, y, z), 5.0), 2.0, 4, GEOMETRY)
    steps = (np.arange(4) - 2) * 2.5
    expected = x + steps + 10 * (y + steps[:, None]) + 100 * (z + steps[:, None, None])
    assert volume.cut(ramp(GEOMETRY)) == pytest.approx(expected, rel=1e-4, abs=1e-3)


def test_noise_between_the_points_is_not_folded_in() -> None:
    noise = np.random.default_rng(0).normal(0, 1, GRID.shape_zyx).astype(np.float32)
    fine = VolumeOfInterest.around(Click(GRID.centre, 8.0), 2.0, 16, GRID)
    coarse = VolumeOfInterest.around(Click(GRID.centre, 8.0), 2.0, 4, GRID)
    assert coarse.cut(noise).std() < 0.5 * fine.cut(noise).std()


@pytest.mark.parametrize(("voxels", "least"), [(8, 0.85), (24, 0.93)])
def test_flags_come_back(voxels: int, least: float) -> None:
    """A ball that is cut and put back is where it was, and as large."""
    places = GRID.to_world(np.moveaxis(np.indices(GRID.shape_zyx), 0, -1).reshape(-1, 3))
    ball = (np.linalg.norm(places - GRID.centre, axis=1) <= 5).reshape(GRID.shape_zyx)
    volume = VolumeOfInterest.around(Click(GRID.centre, 10.0), 2.0, voxels, GRID)
    back = volume.whole(volume.back(volume.cut_flags(ball[volume.box])) >= 0.5)
    dice = 2 * (back & ball).sum() / (back.sum() + ball.sum())
    assert dice > least


def test_beyond_the_case_nothing_is_set_and_values_are_those_of_the_border() -> None:
    corner = tuple(GRID.to_world([(0, 0, 0)])[0].tolist())
    volume = VolumeOfInterest.around(Click(corner, 4.0), 2.0, 8, GRID)  # type: ignore[arg-type]
    share = volume.cut_flags(np.ones([part.stop - part.start for part in volume.box], bool))
    assert share[0, 0, 0] == 0
    assert share[-1, -1, -1] == 1
    assert volume.cut(np.full(GRID.shape_zyx, 7, np.float32)).tolist() == np.full((8, 8, 8), 7.0).tolist()


def test_the_piece_that_is_clicked_on_or_the_nearest() -> None:
    volume = VolumeOfInterest.around(Click(GRID.centre, 10.0), 2.0, 8, GRID)
    flags = np.zeros([part.stop - part.start for part in volume.box], bool)
    z, y, x = (round(at) - part.start for at, part in zip(volume.middle, volume.box, strict=True))
    flags[z, y, x + 2] = flags[z + 1, y + 1, x + 3] = True  # they share a corner
    flags[z, y - 5, x] = True
    kept = volume.clicked(flags)
    assert kept.sum() == 2
    assert kept[z, y, x + 2]
    assert volume.clicked(np.zeros_like(flags)).sum() == 0


def test_a_moved_volume_with_its_click_gives_the_same_mask(tmp_path: Path) -> None:
    """Whole voxels, and any shift of where the scanner's origin lies."""
    image = np.random.default_rng(1).normal(0, 1, (30, 30, 30)).astype(np.float32)
    moved = np.roll(image, (2, -3, 1), (0, 1, 2))
    here = Geometry(image.shape, (1.5, 1.5, 1.5), (10.0, -20.0, 30.0))
    there = Geometry(image.shape, (1.5, 1.5, 1.5), (-7.3, 11.1, 4.7))
    first = VolumeOfInterest.around(Click(tuple(here.to_world([(14.2, 15.1, 15.7)])[0]), 9.0), 2.0, 8, here)  # type: ignore[arg-type]
    other = VolumeOfInterest.around(Click(tuple(there.to_world([(16.2, 12.1, 16.7)])[0]), 9.0), 2.0, 8, there)  # type: ignore[arg-type]
    cut = first.cut(image)
    assert cut == pytest.approx(other.cut(moved), abs=1e-5)
    one, two = (volume.whole(volume.clicked(volume.back(cut) > 0.2)) for volume in (first, other))
    assert one.any()
    assert np.array_equal(np.roll(one, (2, -3, 1), (0, 1, 2)), two)


def test_a_window_of_ct_and_a_z_score_of_mr_give_the_same_range() -> None:
    values = np.random.default_rng(2).gamma(3, 60, (9, 9, 9)).astype(np.float32)
    window = (values - 40) / 400
    score = (values - values.mean()) / values.std()
    assert between(window) == pytest.approx(between(score), abs=1e-5)
    assert (between(window).min(), between(window).max()) == (0, 1)
    assert set(between(np.full((3, 3), 8.0, np.float32)).ravel().tolist()) == {0.5}


def test_clicks_are_off_by_the_share_and_the_same_for_all_models(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [(8, 8, 8), (14, 18, 16)])
    exact = exact_clicks(case)
    assert {number: click.size for number, click in exact.items()} == {1: 1.5 * (2 * int(RADIUS) + 1), 2: 7.5}
    assert exact[1].centre == case.lesions[0].centre
    found = clicks_on(case, 0.1, 3)
    assert found == clicks_on(replace(case, patient="b"), 0.1, 3)
    assert found != clicks_on(replace(case, pixel_digest="other"), 0.1, 3)
    assert found[1] != found[2]
    assert clicks_on(case, 0.0, 3) == exact
    random = np.random.default_rng(0)
    clicks = [exact[1].moved(0.1, random) for _ in range(400)]
    away = [np.linalg.norm(np.subtract(click.centre, exact[1].centre)) / exact[1].size for click in clicks]
    assert 0.09 < max(away) <= 0.1 + 1e-9
    assert np.mean(away) == pytest.approx(0.075, abs=0.005)  # three quarters of the radius of a ball
    assert all(0.9 <= click.size / exact[1].size <= 1.1 for click in clicks)


def test_lesions_that_do_not_count_are_not_clicked_on(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [(8, 8, 8), (14, 18, 16)])
    small = tuple(replace(lesion, kind="excluded") if lesion.lesion == 2 else lesion for lesion in case.lesions)
    assert list(exact_clicks(replace(case, lesions=small))) == [1]


def test_the_share_of_a_ball(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [(8, 8, 8)])
    assert diameters(case, exact_clicks(case)) == {1: pytest.approx(2 * RADIUS * 1.5 / 7.5)}


def test_a_flat_image_is_refused(tmp_path: Path) -> None:
    flat = Geometry((1, 20, 20))
    labels = np.zeros(flat.shape_zyx, np.int16)
    labels[0, 4:8, 4:8] = 1
    case = save_case(
        tmp_path, "f", np.zeros((2, *flat.shape_zyx)), geometry=flat, labels=labels, lesions=[Lesion(1, 5, 5, 0, 4, 16)]
    )
    with pytest.raises(HakkenError, match="case f: is a flat image; volumes of interest are cut from volumes"):
        exact_clicks(case)
