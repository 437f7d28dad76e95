"""Distances to vessels and what they fill of voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.anatomy.scanners import Pose
from hakken.anatomy.tubes import Lumen, Tubes, along, curve, join, paint_tubes
from hakken.core.volume import Geometry

STILL = Pose(np.eye(3), np.zeros(3), np.zeros(3))


def straight(radius: float, strength: float = 1.0, start: float = -10.0, stop: float = 10.0) -> Tubes:
    """Return a vessel along x through the origin."""
    points = np.array([[start, 0, 0], [0.5 * (start + stop), 0, 0], [stop, 0, 0]])
    return along(points, np.full(3, radius), np.full(3, strength))


def test_distances_by_hand() -> None:
    tube = straight(2)
    points = np.array([[0.0, 0, 0], [3, 5, 0], [13, 0, 4], [-10, 0, -2]])
    # On the axis 2 mm inside; 5 - 2; from the end (10, 0, 0) it is hypot(3, 4) - 2; on the wall.
    assert np.allclose(tube.distance(points), [-2, 3, 3, 0])


def test_a_radius_that_changes_along_a_piece() -> None:
    cone = along(np.array([[0.0, 0, 0], [10, 0, 0]]), np.array([1.0, 3.0]), np.ones(2))
    # In the middle the radius is 2, at a quarter 1.5.
    assert np.allclose(cone.distance(np.array([[5.0, 4, 0], [2.5, 0, 1]])), [2, -0.5])


def test_no_vessel_is_infinitely_far() -> None:
    none = straight(2).near(np.array([0.0, 90, 0]), 10)
    assert len(none) == 0
    assert np.isinf(none.distance(np.zeros((2, 3)))).all()


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_near_pieces_suffice_for_near_distances(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(0, 8, (12, 3))
    tubes = along(points, random.uniform(0.4, 2, 12), np.ones(12))
    place = points[4]
    assert np.allclose(tubes.near(place, 30).distance(place[None]), tubes.distance(place[None]))


@pytest.mark.parametrize("radius", [0.9, 1.4, 2.5])
@pytest.mark.parametrize("spacing", [(0.6, 0.6, 0.6), (0.5, 0.5, 0.8)])
def test_a_painted_tube_has_its_volume(radius: float, spacing: tuple[float, float, float]) -> None:
    geometry = Geometry((41, 61, 61), spacing, (-30 * spacing[0], -30 * spacing[1], -20 * spacing[2]))
    lumen = Lumen.empty(geometry)
    turn = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    paint_tubes(lumen, straight(radius, 0.7), geometry, Pose(turn, np.array([0.2, 0.1, -0.3]), np.zeros(3)))
    # A cylinder of 20 mm with two half balls at its ends.
    expected = np.pi * radius**2 * 20 + 4 / 3 * np.pi * radius**3
    assert lumen.share.sum() * geometry.voxel_mm3 == pytest.approx(expected, rel=0.02)
    assert np.allclose(lumen.signal, 0.7 * lumen.share, atol=1e-6)
    assert lumen.share.max() == 1


def test_a_thin_tube_fills_its_share_of_a_voxel_only() -> None:
    geometry = Geometry((21, 21, 41), (1, 1, 1), (-20, -10, -10))
    lumen = Lumen.empty(geometry)
    paint_tubes(lumen, straight(0.4), geometry, STILL)
    assert lumen.share[10, 10, 20] == pytest.approx(np.pi * 0.16)


def test_overlapping_vessels_and_the_border() -> None:
    geometry = Geometry((9, 9, 9), (1, 1, 1), (-4, -4, -4))
    lumen = Lumen.empty(geometry)
    paint_tubes(lumen, join([straight(2, 0.3), straight(2, 0.8), straight(1, 1.0, 40, 60)]), geometry, STILL)
    assert lumen.share[4, 4, 4] == 1
    assert lumen.signal[4, 4, 4] == pytest.approx(0.8)
    assert lumen.share[0].max() == 0


def test_curves_pass_through_their_knots_in_small_steps() -> None:
    knots = np.array([[0.0, 0, 0], [8, 3, 0], [12, 10, 4], [10, 20, 9]])
    line = curve(knots, 0.7)
    assert np.linalg.norm(np.diff(line, axis=0), axis=-1).max() < 1.4
    for knot in knots:
        assert np.linalg.norm(line - knot, axis=-1).min() < 0.6
    assert np.allclose(line[[0, -1]], knots[[0, -1]])
