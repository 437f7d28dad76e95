"""Aneurysms: sizes, sites, shapes, and the voxels that are theirs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hakken.anatomy.scanners import Pose
from hakken.anatomy.tubes import Lumen, Tubes, along
from hakken.cohort.phantom import spread_levels
from hakken.core.volume import Geometry
from hakken.phantoms.aneurysm.aneurysms import (
    TERRITORIES,
    Placed,
    Sac,
    draw_aneurysms,
    paint_sac,
    site_at,
    size_at,
)
from hakken.phantoms.aneurysm.arteries import Arteries, Site

SITE = Site("ICA", "ICA terminus, left", np.zeros(3), np.array([0.0, 0, 1]), 1.5, True)
STILL = Pose(np.eye(3), np.zeros(3), np.zeros(3))


def ball(radius: float) -> Sac:
    """Return a round sac 10 mm above the origin."""
    return Sac(SITE, np.array([0.0, 0, 10]), np.array([0.0, 0, 1]), radius, radius, None, radius, 0.9, 0.4)


def far_vessel() -> Tubes:
    return along(np.array([[50.0, 0, 0], [60, 0, 0]]), np.ones(2), np.ones(2))


def test_published_frequencies_are_whole() -> None:
    assert sum(TERRITORIES.values()) == pytest.approx(100)


def test_sizes_follow_the_truncated_law() -> None:
    sizes = np.array([size_at((number + 0.5) / 4000) for number in range(4000)])
    assert sizes.min() >= 2
    assert sizes.max() <= 10
    assert (np.diff(sizes) > 0).all()
    # The normal law of ln(size / 4.2) / 0.45 between ln(2 / 4.2) / 0.45 = -1.649 and ln(10 / 4.2) / 0.45 = 1.928 has
    # F = 0.0496 and 0.9731; its middle is F = 0.5113, 0.0284 SD: 4.2 exp(0.45 * 0.0284) = 4.25. Below 3 mm, 0.748 SD
    # under the median with F = 0.2273, are (0.2273 - 0.0496) / (0.9731 - 0.0496) = 0.192.
    assert np.median(sizes) == pytest.approx(4.25, rel=0.002)
    assert (sizes < 3).mean() == pytest.approx(0.192, abs=0.001)


def test_distance_and_signal_of_a_round_sac() -> None:
    points = np.array([[0.0, 0, 10], [0, 0, 15], [0, 3, 10], [4, 0, 7]])
    assert np.allclose(ball(3).distance(points), [-3, 2, 0, 2])
    # Flow 0.9 at the neck, 0.9 - 0.4 at the tip, and 0.9 - 0.4 * 0.5^1.5 = 0.7586 in the middle.
    assert np.allclose(ball(3).signal(np.array([[0.0, 0, 7], [0, 0, 13], [0, 0, 10]])), [0.9, 0.5, 0.7586], atol=1e-4)


def test_a_bleb_belongs_to_the_sac() -> None:
    sac = replace(ball(3), bleb=(np.array([0.0, 0, 14]), 1.5))
    assert np.allclose(sac.distance(np.array([[0.0, 0, 14], [0, 0, 15.5]])), [-1.5, 0])
    assert sac.describe()["lobulated"]


def test_voxels_of_a_sac_are_those_outside_the_artery() -> None:
    geometry = Geometry((61, 61, 61), (0.5, 0.5, 0.5), (-15, -15, -5))
    lumen = Lumen.empty(geometry)
    alone = paint_sac(lumen, ball(4), far_vessel(), Placed(geometry, STILL))
    assert len(alone) * 0.125 == pytest.approx(4 / 3 * np.pi * 64, rel=0.02)
    assert lumen.share.sum() * 0.125 == pytest.approx(4 / 3 * np.pi * 64, rel=0.03)
    through = along(np.array([[-20.0, 0, 10], [20, 0, 10]]), np.full(2, 2.0), np.ones(2))
    cut = paint_sac(Lumen.empty(geometry), ball(4), through, Placed(geometry, STILL))
    assert (through.distance(geometry.to_world(cut)) > 0).all()
    # Napkin ring: a ball of 4 mm with a bore of 2 mm keeps 4/3 pi (16 - 4)^1.5 = 174.1 mm3.
    assert len(cut) * 0.125 == pytest.approx(174.1, rel=0.03)


def test_a_sac_between_voxels_has_one() -> None:
    geometry = Geometry((21, 21, 21), (2.0, 2.0, 2.0), (-19, -19, -9))
    found = paint_sac(Lumen.empty(geometry), ball(0.5), far_vessel(), Placed(geometry, STILL))
    assert len(found) == 1


def test_aneurysms_sit_on_arteries_apart_from_each_other(arteries: Arteries) -> None:
    for seed in range(12):
        random = np.random.default_rng(seed)
        sacs = draw_aneurysms(arteries, spread_levels(3, random), random)
        assert len(sacs) == 3
        assert len({sac.site.name for sac in sacs}) == 3
        assert [sac.diameter_mm for sac in sacs] == sorted((sac.diameter_mm for sac in sacs), reverse=True)
        for sac in sacs:
            gap = arteries.tubes.distance(sac.centre[None])[0]
            assert gap < sac.diameter_mm / 2, "the sac touches its artery"
            assert 2 <= sac.diameter_mm <= 10
            assert 0.45 * 0.72 * sac.diameter_mm < sac.neck_mm < sac.diameter_mm
        assert [sac.diameter_mm for sac in sacs] == pytest.approx([size_at(n / 6) for n in (5, 3, 1)])


def test_the_dome_stands_on_its_neck(arteries: Arteries) -> None:
    """Most of a sac is outside of all arteries, or it could not be seen."""
    kept = []
    geometry = Geometry((200, 240, 200), (0.6, 0.6, 0.6), (-60, -72, -75))
    for seed in range(25):
        (level,) = spread_levels(25, np.random.default_rng(0))[seed : seed + 1]
        (sac,) = draw_aneurysms(arteries, [level], np.random.default_rng(seed))
        voxels = paint_sac(Lumen.empty(geometry), sac, arteries.tubes, Placed(geometry, STILL))
        kept.append(len(voxels) * geometry.voxel_mm3 / (4 / 3 * np.pi * sac.half * sac.waist**2))
    assert np.median(kept) > 0.8
    assert min(kept) > 0.4


def test_sites_follow_the_published_frequencies(arteries: Arteries) -> None:
    sites = Counter(site_at(arteries, [], (number + 0.5) / 2000).territory for number in range(2000))
    for territory, percent in TERRITORIES.items():
        assert sites[territory] == pytest.approx(20 * percent, abs=2)


def test_no_aneurysm(arteries: Arteries) -> None:
    assert draw_aneurysms(arteries, [], np.random.default_rng(1)) == ()
