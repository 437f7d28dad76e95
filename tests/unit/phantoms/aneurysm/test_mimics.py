"""What looks like an aneurysm and is none."""

from __future__ import annotations

import numpy as np
import pytest

from hakken.anatomy.head import Anatomy
from hakken.anatomy.shapes import Points
from hakken.phantoms.aneurysm.arteries import Arteries
from hakken.phantoms.aneurysm.mimics import Mimics, draw_mimics


@pytest.fixture(scope="module")
def found(adult: Anatomy, arteries: Arteries) -> list[Mimics]:
    return [draw_mimics(adult, arteries, 0.4, np.random.default_rng(seed)) for seed in range(10)]


def places(found: list[Mimics], kind: str) -> Points:
    return np.array([place for mimics in found for name, place in mimics.places if name == kind])


def test_kissing_vessels_touch_an_artery_from_outside(found: list[Mimics], arteries: Arteries) -> None:
    axes = places(found, "kissing vessel")
    assert 30 <= len(axes) <= 60
    # The axis lies 0.9 radii of 0.5 to 0.95 mm from the wall; another artery may be nearer.
    gaps = arteries.tubes.distance(axes)
    assert gaps.max() < 0.9
    assert np.median(gaps) > 0.3


def test_fat_lies_in_the_head_and_beside_arteries(found: list[Mimics], adult: Anatomy, arteries: Arteries) -> None:
    spots = places(found, "bright fat")
    assert len(spots) > 20
    assert arteries.tubes.distance(spots).min() >= 0.5
    assert adult.grid.sample(adult.wall.head, spots).min() >= 0.99


def test_every_loop_and_infundibulum_is_named(found: list[Mimics], arteries: Arteries) -> None:
    for mimics in found:
        kinds = [kind for kind, _ in mimics.places]
        assert kinds.count("vessel loop") == len(arteries.growth.loops) > 0
        assert kinds.count("infundibulum") == len(arteries.infundibula)


def test_veins_are_fainter_than_arteries(found: list[Mimics]) -> None:
    for mimics in found:
        thick = mimics.tubes.radii.max(-1) > 2.6
        assert thick.any()
        assert mimics.tubes.strength[thick].max() < 0.85
