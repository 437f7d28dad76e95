"""Sizes, shapes and places of the metastases."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.anatomy.blobs import Blob, ball_directions
from hakken.anatomy.head import Anatomy, draw_anatomy
from hakken.phantoms.brain_metastasis.lesions import (
    APART_MM,
    Metastasis,
    draw_diameter,
    draw_metastases,
    draw_spots,
    paint,
)
from hakken.phantoms.brain_metastasis.vessels import Vessels, draw_vessels


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return draw_anatomy((110, 130, 100), 2.0, 60, np.random.default_rng(1))


@pytest.fixture(scope="module")
def vessels(anatomy: Anatomy) -> Vessels:
    return draw_vessels(anatomy, np.random.default_rng(2))


def ball(radius: float, centre: tuple[float, float, float] = (0.0, 0.0, 20.0)) -> Blob:
    return Blob(centre, radius, np.zeros((1, 3)), np.zeros(1), 0.0)


def test_diameters_follow_the_truncated_law() -> None:
    random = np.random.default_rng(0)
    sizes = np.array([draw_diameter(random) for _ in range(4000)])
    assert sizes.min() >= 2
    assert sizes.max() <= 25
    assert np.median(sizes) == pytest.approx(6, rel=0.05)
    assert np.std(np.log(sizes)) == pytest.approx(0.48, abs=0.03)


def test_distance_of_a_smooth_ball() -> None:
    assert np.allclose(ball(3).distance(np.array([[0.0, 0, 5], [1, 0, 0], [0, 3, 0]])), [2, -2, 0])


def test_irregular_bodies_keep_their_volume(anatomy: Anatomy, vessels: Vessels) -> None:
    directions = ball_directions()
    assert np.allclose(np.linalg.norm(directions, axis=-1), 1)
    for lesion in draw_metastases(anatomy, vessels, 8, np.random.default_rng(5)):
        surface = 1 - lesion.blob.distance(directions)
        volume = 4 / 3 * np.pi * (surface**3).mean()
        assert (6 * volume / np.pi) ** (1 / 3) == pytest.approx(lesion.diameter_mm, rel=1e-6)
        assert surface.std() / surface.mean() > 0.02


@pytest.mark.parametrize("seed", range(4))
def test_lesions_lie_in_tissue_apart_from_each_other(anatomy: Anatomy, vessels: Vessels, seed: int) -> None:
    lesions = draw_metastases(anatomy, vessels, 8, np.random.default_rng(seed))
    assert len(lesions) == 8
    centres = np.array([lesion.blob.centre for lesion in lesions])
    sizes = np.array([lesion.diameter_mm for lesion in lesions])
    assert (anatomy.grid.sample(anatomy.hull, centres) > sizes / 2).all()
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1) - (sizes[:, None] + sizes[None]) / 2
    assert gaps[~np.eye(8, dtype=bool)].min() > APART_MM


def test_lesions_beside_vessels_touch_them(anatomy: Anatomy, vessels: Vessels) -> None:
    found = [draw_metastases(anatomy, vessels, 8, np.random.default_rng(seed)) for seed in range(6)]
    beside = [lesion for lesions in found for lesion in lesions if lesion.at_vessel]
    assert beside
    for lesion in beside:
        away = np.linalg.norm(vessels.points - np.asarray(lesion.blob.centre), axis=-1) - vessels.radii
        assert away.min() < 0.75 * lesion.diameter_mm


def test_painting_stays_inside_and_reaches_the_intensity(anatomy: Anatomy) -> None:
    lesion = Metastasis(ball(8), 16.0, 1.7, 0.6, 0.6, 0.0, False, False)
    enhanced, plain = (np.ones(anatomy.grid.shape, np.float32) for _ in range(2))
    paint(lesion, anatomy, enhanced, plain)
    x, y, z = anatomy.grid.axes()
    far = np.sqrt(x**2 + y**2 + (z - 20) ** 2)
    assert (enhanced[far > 9.01] == 1).all()
    assert np.allclose(enhanced[(far > 6) & (far < 7)], 1.7)
    assert np.allclose(plain[(far > 6) & (far < 7)], 0.6)
    assert (enhanced[far < 3] < 0.5).all()


def test_edema_darkens_white_matter_only(anatomy: Anatomy) -> None:
    lesion = Metastasis(ball(4), 8.0, 1.7, 0.6, 0.0, 6.0, False, False)
    enhanced, plain = (np.ones(anatomy.grid.shape, np.float32) for _ in range(2))
    paint(lesion, anatomy, enhanced, plain)
    changed = plain < 0.99
    assert changed.any()
    x, y, z = anatomy.grid.axes()
    outside = np.sqrt(x**2 + y**2 + (z - 20) ** 2) > 6
    assert (anatomy.white[changed & outside] > 0).all()


def test_spots_are_bright_on_both_channels(anatomy: Anatomy) -> None:
    spots = draw_spots(anatomy, np.random.default_rng(1))
    assert 1 <= len(spots) <= 5
    assert all(spot.enhanced > 1.2 and spot.plain > 1.1 for spot in spots)
