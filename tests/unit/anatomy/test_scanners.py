"""Poses, grids and what a scanner does to a picture."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.anatomy.scanners import SCANNERS, Pose, draw_pose, lay_grid, scan, spoil
from hakken.anatomy.shapes import Grid

HEAD = Grid((40, 50, 44), 2.0)
STILL = Pose(np.eye(3), np.zeros(3), np.zeros(3))


def test_a_pose_is_its_matrix_and_can_be_undone() -> None:
    pose = draw_pose(6, 5, np.array([3.0, -2, 8]), np.random.default_rng(1))
    points = np.random.default_rng(2).normal(0, 40, (20, 3))
    moved = pose.apply(points)
    assert np.allclose(np.column_stack([points, np.ones(20)]) @ pose.matrix.T, np.column_stack([moved, np.ones(20)]))
    assert np.allclose(pose.undo(moved), points)
    assert np.allclose(pose.rotation @ pose.rotation.T, np.eye(3))


def test_displacements_are_bounded() -> None:
    for seed in range(30):
        pose = draw_pose(6, 5, np.zeros(3), np.random.default_rng(seed))
        assert 3 <= np.linalg.norm(pose.shift) <= 6
        angle = np.degrees(np.arccos((np.trace(pose.rotation) - 1) / 2))
        assert 2.5 - 1e-6 <= angle <= 5 + 1e-6
    still = draw_pose(0, 0, np.zeros(3), np.random.default_rng(0))
    assert np.allclose(still.matrix, np.eye(4))


@pytest.mark.parametrize("name", "ABC")
def test_scanners_are_right_handed_and_hold_the_head(name: str) -> None:
    scanner = SCANNERS[name]
    assert np.linalg.det(scanner.axes) == pytest.approx(1)
    pose = draw_pose(8, 4, np.zeros(3), np.random.default_rng(3))
    geometry = lay_grid(scanner, HEAD, 2.0, pose)
    assert geometry.spacing == pytest.approx((2, 2, 2 * scanner.slices))
    half = np.array([44, 50, 40])
    tips = np.concatenate([np.diag(half), -np.diag(half)]) * 0.97
    voxels = geometry.to_voxel(pose.apply(tips))
    assert (voxels > -1.5).all()
    assert (voxels < np.array(geometry.shape_zyx) + 0.5).all()


def test_the_three_orientations_differ() -> None:
    assert lay_grid(SCANNERS["A"], HEAD, 2, STILL).direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert lay_grid(SCANNERS["B"], HEAD, 2, STILL).direction == (0, 0, -1, 1, 0, 0, 0, -1, 0)
    tilt = np.degrees(np.arccos(SCANNERS["C"].axes[2, 2]))
    assert 10 <= tilt <= 15


@pytest.mark.parametrize("name", "ABC")
def test_a_scan_shows_the_head_where_it_lies(name: str) -> None:
    x, y, z = HEAD.axes()
    image = (x + 2 * y - 3 * z + 500).astype(np.float32)
    pose = draw_pose(8, 4, np.zeros(3), np.random.default_rng(5))
    geometry = lay_grid(SCANNERS[name], HEAD, 2.0, pose)
    found = scan(image, HEAD, geometry, pose)
    voxels = np.argwhere(found > 0)[::997]
    points = pose.undo(geometry.to_world(voxels))
    inside = (np.abs(points) < np.array([42, 48, 38])).all(-1)
    expected = points @ [1, 2, -3] + 500
    assert np.allclose(found[tuple(voxels[inside].T)], expected[inside], atol=0.02)


def test_spoiling_is_repeatable_rician_and_scaled() -> None:
    scanner = SCANNERS["C"]
    geometry = lay_grid(scanner, HEAD, 2.0, STILL)
    empty = np.zeros(geometry.shape_zyx, np.float32)
    air = spoil(empty, scanner, geometry, np.random.default_rng(4))
    assert np.array_equal(air, spoil(empty, scanner, geometry, np.random.default_rng(4)))
    assert air.dtype == np.int16
    assert air.mean() == pytest.approx(scanner.noise * scanner.gain * np.sqrt(np.pi / 2), rel=0.03)
    flat = spoil(empty + 1, scanner, geometry, np.random.default_rng(4)) / scanner.gain
    assert 0.5 < np.quantile(flat, 0.01) < np.quantile(flat, 0.99) < 2
    assert flat.std() > 1.2 * scanner.noise
