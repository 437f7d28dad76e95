"""Grids, distances, smooth fields and balls."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.anatomy.shapes import Grid, ellipsoid, occupancy, paint_balls, polyline, smooth_field

GRID = Grid((21, 31, 41), 1.0)


def test_points_and_voxels_are_inverse() -> None:
    points = np.array([[0.0, 0, 0], [20, 15, 10], [-3.5, 2, 7]])
    assert np.allclose(GRID.voxels(points), [[10, 15, 20], [20, 30, 40], [17, 17, 16.5]])
    assert np.allclose(GRID.points(GRID.voxels(points)), points)
    x, y, z = GRID.axes()
    assert (x[0, 0, 0], y[0, 0, 0], z[0, 0, 0]) == (-20, -15, -10)


def test_sample_and_gradient_of_a_plane() -> None:
    x, y, z = GRID.axes()
    field = (2 * x - y + 0.5 * z).astype(np.float32)
    points = np.array([[1.3, -2.2, 3.1], [0, 0, 0]])
    assert np.allclose(GRID.sample(field, points), [2 * 1.3 + 2.2 + 0.5 * 3.1, 0], atol=1e-4)
    assert np.allclose(GRID.gradient(field, points), [[2, -1, 0.5]] * 2, atol=1e-4)


def test_distance_to_a_sphere_is_exact() -> None:
    distance = ellipsoid(GRID.axes(), (1, 0, 0), (6, 6, 6))
    assert distance[10, 15, 20 + 1 + 9] == pytest.approx(3, abs=1e-3)
    assert distance[10, 15, 20 + 1 + 4] == pytest.approx(-2, abs=1e-3)


def test_occupancy_is_a_half_at_the_surface() -> None:
    assert occupancy(np.array([-1, -0.25, 0, 0.5, 9], np.float32), 1.0).tolist() == [1, 0.75, 0.5, 0, 0]


def test_a_ball_fills_its_volume() -> None:
    target = np.zeros(GRID.shape, np.float32)
    paint_balls(target, GRID, np.array([[0.3, 0.2, -0.4]]), np.array([6.0]))
    assert target.sum() == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.02)
    assert target.max() == 1


def test_a_thin_tube_fills_its_share() -> None:
    target = np.zeros(GRID.shape, np.float32)
    points = np.stack([np.arange(-15, 15.1, 0.5), np.zeros(61), np.zeros(61)], axis=-1)
    paint_balls(target, GRID, points, np.full(61, 0.4), tube=True)
    assert target[10, 15, 20] == pytest.approx(np.pi * 0.16)


def test_balls_beyond_the_border_are_cut() -> None:
    target = np.zeros(GRID.shape, np.float32)
    paint_balls(target, GRID, np.array([[20.0, 15, 10], [90, 0, 0]]), np.array([2.0, 2.0]))
    assert target[20, 30, 40] == 1
    assert np.count_nonzero(target) < 27


def test_smooth_fields_are_smooth_repeatable_and_of_unit_spread() -> None:
    field = smooth_field((60, 60, 60), 1.0, 12, np.random.default_rng(3))
    assert np.array_equal(field, smooth_field((60, 60, 60), 1.0, 12, np.random.default_rng(3)))
    assert 0.75 < field.std() < 1.25
    assert np.abs(np.diff(field, axis=0)).max() < 1
    assert field.dtype == np.float32


def test_a_field_does_not_depend_on_the_voxel_size() -> None:
    coarse = smooth_field((20, 20, 20), 2.0, 10, np.random.default_rng(3))
    fine = smooth_field((40, 40, 40), 1.0, 10, np.random.default_rng(3))
    assert np.allclose(fine[::2, ::2, ::2], coarse, atol=1e-4)


def test_polylines_pass_through_their_knots() -> None:
    knots = np.array([[0.0, 1], [2, 5], [3, 4]])
    line = polyline(knots, 4)
    assert len(line) == 9
    assert np.allclose(line[::4], knots)
