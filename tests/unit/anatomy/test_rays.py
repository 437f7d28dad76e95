"""Rays through a body: where they go, what thin parts add to them, and what a detector makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.anatomy.rays import (
    DETECTOR_MM,
    SOURCE_MM,
    Beads,
    Detector,
    Stance,
    balls,
    draw_stance,
    exposed,
    joined,
    thickness,
    tube,
)
from hakken.anatomy.shapes import ellipsoid, occupancy

STILL = Stance(np.eye(3), np.zeros(3))
LARGER = SOURCE_MM / (SOURCE_MM - DETECTOR_MM)


def test_the_first_row_is_on_top_and_the_middle_at_0() -> None:
    detector = Detector((3, 5), 2.0)
    x, z = detector.axes()
    assert x[0].tolist() == [-4, -2, 0, 2, 4]
    assert z[:, 0].tolist() == [2, 0, -2]
    places = np.array([(4.0, 2.0), (0.0, 0.0), (-3.0, -1.0)])
    assert detector.pixels(places).tolist() == [[0, 4], [1, 2], [1.5, 0.5]]
    assert np.allclose(detector.places(detector.pixels(places)), places)


def test_coarser_detectors_are_as_large() -> None:
    fine = Detector((1024, 768), 0.35)
    coarse = fine.coarser(1.2)
    assert coarse.shape == (299, 224)
    assert coarse.step * coarse.shape[1] == pytest.approx(768 * 0.35)
    assert Detector((20, 20), 3.0).coarser(1.2) == Detector((20, 20), 3.0)


@pytest.mark.parametrize("seed", range(3))
def test_what_lies_on_a_ray_is_seen_at_its_pixel(seed: int) -> None:
    stance = draw_stance(8, 4, np.random.default_rng(seed))
    detector = Detector((9, 7), 20.0)
    rows, columns = np.indices(detector.shape)
    for x, y, z in stance.depths(detector, 150, 75):
        places, larger = stance.project(np.stack([x, y, z], -1).reshape(-1, 3).astype(float))
        assert np.allclose(detector.pixels(places), np.stack([rows, columns], -1).reshape(-1, 2), atol=1e-3)
        assert ((larger > 0.99) & (larger < 1.2)).all()


def test_what_is_nearer_to_the_source_is_seen_larger() -> None:
    places, larger = STILL.project(np.array([(10.0, 0, 20), (10, 100, 20), (10, -130, 20)]))
    assert larger == pytest.approx([1800 / 1670, 1800 / 1570, 1.0])
    assert places[2] == pytest.approx([10, 20])


def test_a_ball_looked_up_along_the_rays_is_as_thick_as_its_chords() -> None:
    detector, step = Detector((61, 61), 2.0), 3.0
    seen = np.zeros(detector.shape)
    for x, y, z in STILL.depths(detector, 150, step):
        seen += step * occupancy(ellipsoid((x, y, z), (0, 0, 0), (40, 40, 40)), step)
    far = np.hypot(*detector.axes()) / LARGER
    chord = 2 * np.sqrt(np.clip(40**2 - far**2, 0, None))
    inside = far < 34
    assert np.abs(seen - chord)[inside].max() < 2.5
    assert seen.sum() == pytest.approx(chord.sum(), rel=0.02)


@settings(max_examples=30, deadline=None)
@given(radius=st.floats(0.2, 12), step=st.floats(0.3, 6), place=st.tuples(st.floats(-30, 30), st.floats(-30, 30)))
def test_the_volume_of_a_tube_is_kept_however_thin_it_is(
    radius: float, step: float, place: tuple[float, float]
) -> None:
    line = np.linspace((place[0] - 20, 0, place[1]), (place[0] + 20, 0, place[1] + 5), 200)
    detector = Detector((round(200 / step), round(200 / step)), step)
    seen = thickness(tube(line, radius), STILL, detector).sum() * step**2 / LARGER**2
    assert seen == pytest.approx(np.pi * radius**2 * np.hypot(40, 5), rel=1e-3)


def test_the_marrow_of_a_tube_is_what_lies_below_its_wall() -> None:
    bone = tube(np.linspace((0, 0, 0), (0, 0, 40.0), 90), 5.0)
    assert bone.thinner(1.5).volumes.sum() == pytest.approx(np.pi * 3.5**2 * 40)
    assert bone.thinner(6).volumes.sum() == 0
    assert bone.times(0.5).volumes.sum() == pytest.approx(np.pi * 25 * 20)


def test_no_part_adds_nothing() -> None:
    none = balls(np.zeros((0, 3)), np.zeros(0))
    assert not thickness(none, STILL, Detector((8, 8), 1.0)).any()
    both = joined([none, balls(np.zeros((1, 3)), 2.0)])
    assert isinstance(both, Beads)
    assert both.volumes.tolist() == pytest.approx([4 / 3 * np.pi * 8])


def test_what_arrives_has_the_closed_form_and_the_noise_of_its_photons() -> None:
    detector, random = Detector((200, 200), 0.5), np.random.default_rng(0)
    even = np.full(detector.shape, 2.0, np.float32)
    seen = exposed(even, detector, photons=1e5, scatter=0.1, blur_mm=0.01, random=random)
    arriving = 1.1 * np.exp(-2)
    assert seen.mean() == pytest.approx(-np.log(arriving), abs=1e-3)
    assert seen.std() == pytest.approx(1 / np.sqrt(1e5 * 0.25 * arriving), rel=0.02)
