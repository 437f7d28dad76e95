"""A chest on X-rays: what is where, what is denser than what, and what a mirrored or a large heart changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hakken.anatomy.chest_build import draw_build
from hakken.anatomy.chest_film import RIB_CONTRAST, FilmChest, Shadows, View, draw_film_chest
from hakken.anatomy.rays import Detector, Stance

DETECTOR = Detector((72, 72), 5.0)
STILL = Stance(np.eye(3), np.zeros(3))


@pytest.fixture(scope="module")
def chest() -> FilmChest:
    return draw_film_chest("M", 60, np.random.default_rng(3))


@pytest.fixture(scope="module")
def shadows(chest: FilmChest) -> Shadows:
    return View(chest, STILL, DETECTOR).shadows()


def halves(field: np.ndarray) -> tuple[float, float]:
    """What lies on the right of the patient, which is on the left of the picture, and on the left."""
    middle = field.shape[1] // 2
    return float(field[:, :middle].sum()), float(field[:, middle:].sum())


def test_heart_and_larger_right_lung_are_where_they_belong(shadows: Shadows) -> None:
    right, left = halves(shadows.heart)
    assert left > 1.8 * right
    right, left = halves(shadows.lung)
    assert right > 1.05 * left
    right, left = halves(shadows.abdomen)
    assert right > 1.03 * left, "the right dome is the higher one"
    assert not shadows.fluid.any()


def test_lungs_let_through_more_than_the_middle_and_the_abdomen(shadows: Shadows) -> None:
    free = (shadows.lung > 100) & (shadows.heart < 1) & (shadows.abdomen < 1)
    lung = np.median(shadows.attenuation[free])
    assert lung < 0.75 * np.median(shadows.attenuation[shadows.heart > 40])
    assert lung < 0.6 * np.median(shadows.attenuation[shadows.abdomen > 100])
    assert shadows.attenuation.min() >= 0
    assert shadows.attenuation[0, 0] < 0.1, "beside the neck is air"


def test_a_mirrored_heart_lies_on_the_right_and_the_spine_stays(chest: FilmChest, shadows: Shadows) -> None:
    turned = View(chest.with_build(replace(chest.build, side=-1.0)), STILL, DETECTOR).shadows()
    assert np.abs(turned.heart - shadows.heart[:, ::-1]).max() < 0.5
    lungs = replace(chest.build, side=-1.0)
    assert np.median(np.abs(chest.with_build(lungs).vessels.points[:, 0] + chest.vessels.points[:, 0])) < 1e-9
    assert chest.with_build(lungs).bones is chest.bones


def test_a_large_heart_is_wider_and_leaves_less_lung(chest: FilmChest, shadows: Shadows) -> None:
    large = replace(chest.build, heart=1.35 * chest.build.heart)
    found = View(chest.with_build(large), STILL, DETECTOR).shadows()
    wide = [(one.heart > 15).any(0).sum() for one in (shadows, found)]
    assert wide[1] > 1.2 * wide[0]
    assert found.lung.sum() < 0.98 * shadows.lung.sum()


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_an_effusion_fills_one_side_from_below(chest: FilmChest, shadows: Shadows, side: float) -> None:
    fluid = replace(chest.build, fluid=(side, chest.build.diaphragm))
    found = View(chest.with_build(fluid), STILL, DETECTOR).shadows()
    right, left = halves(found.fluid)
    assert (right if side < 0 else left) > 0.99 * (right + left) > 0
    rows = np.flatnonzero(found.fluid.sum(1) > 1)
    assert rows.min() > DETECTOR.shape[0] // 2
    denser = found.attenuation - shadows.attenuation
    assert denser[found.fluid > 30].min() > 0.2
    assert np.abs(denser[found.fluid == 0]).max() < 1e-3


def test_ribs_add_what_is_said_of_them(chest: FilmChest) -> None:
    view = View(chest, STILL, Detector((720, 720), 0.5))
    shade = 0.0205 * (view.through(chest.bones) - view.through(chest.marrow) / 2)
    ribs = shade[300:420, 120:200]  # the middle of the right lung: ribs cross, or lie alone, or there are gaps
    alone = np.median([row.max() for row in np.array_split(ribs.mean(1), 8)])
    assert 0.6 * RIB_CONTRAST < alone < 1.8 * RIB_CONTRAST


def test_women_are_smaller_and_breathing_in_lowers_the_diaphragm() -> None:
    random = np.random.default_rng(0)
    builds = {sex: [draw_build(sex, random) for _ in range(60)] for sex in "FM"}
    means = {sex: np.mean([one.scale for one in found]) for sex, found in builds.items()}
    assert means["F"] < 0.95 * means["M"]
    assert all(one.breast > 0 for one in builds["F"])
    assert not any(one.breast for one in builds["M"])
    depths = [(one.diaphragm / one.scale, one.air) for one in builds["M"]]
    assert np.ptp([depth for depth, _ in depths]) > 20
    assert np.corrcoef(np.array(depths).T)[0, 1] > 0.3, "lungs that hold more air are thinner"
