"""What CT and PET show of a normal chest: densities in Hounsfield units (HU) and uptake of FDG as SUV (body weight).

CT explains the uptake in part. Of each tissue the mean is a law of the tissue, and stout patients take up more per
weight; a pale liver, which is a fatty one, takes up a little less and dense marrow a little more. The rest differs from
one examination to the next without a trace on CT: the myocardium burns glucose or fat, brown fat is on or off, marrow
is stirred up or not. So the right prediction from CT is a mean with a deviation, small in the lung and large there.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from hakken.anatomy.chest import Chest, spine_y
from hakken.anatomy.shapes import Array, smooth_field
from hakken.anatomy.tomographs import AIR_HU, DENSITY
from hakken.phantoms._pet_ct import PATTERN_MM, STOUT, UPTAKE

BROWN_FAT = 0.25
"""The share of examinations in which brown fat is active; on CT it is fat as any other."""


def draw_density(chest: Chest, random: Generator) -> Array:
    """Return the chest (z, y, x) in HU, as an ideal CT scanner would show it."""
    grid = chest.frame.grid
    liver, marrow = chest.frame.stout * -26.0 + 64.0, 110.0 + 130.0 * chest.frame.young
    texture = smooth_field(grid.shape, grid.step, 12, random)
    _, y, _ = grid.axes()
    dependent = np.float32(35) * y / np.float32(chest.frame.half[1])  # blood sinks to the back
    values: dict[str, float | Array] = {name: hu + float(random.normal(0, 2)) for name, hu in DENSITY.items()}
    values |= {"liver": liver + float(random.normal(0, 3)), "marrow": marrow + 25 * texture}
    values["lung"] = np.float32(values["lung"]) + dependent + 22 * texture
    return chest.paint(values, AIR_HU)


def draw_uptake(chest: Chest, random: Generator) -> tuple[Array, dict[str, float]]:
    """Return the chest (z, y, x) in SUV without foci as an ideal PET scanner would show it, and each tissue's SUV."""
    frame, grid = chest.frame, chest.frame.grid
    pattern = smooth_field(grid.shape, grid.step, PATTERN_MM * frame.scale, random)
    level = {name: law.median * float(np.exp(law.between * random.normal())) for name, law in UPTAKE.items()}
    for other in ("heart", "vessel"):  # blood is blood
        level[other] = level["blood"] * UPTAKE[other].median / UPTAKE["blood"].median
    level["liver"] *= 1.06 - 0.12 * frame.stout
    level["marrow"] *= 0.85 + 0.3 * frame.young
    stout = 1 + STOUT * (frame.stout - 0.5)
    level = {name: suv * stout for name, suv in level.items()}
    values: dict[str, float | Array] = {
        name: np.float32(suv) * np.exp(np.float32(UPTAKE[name].uneven) * pattern) if UPTAKE[name].uneven else suv
        for name, suv in level.items()
    }
    _, y, _ = grid.axes()
    values["lung"] = values["lung"] * (1 + np.float32(0.25) * y / np.float32(frame.half[1]))
    image = chest.paint(values, 0.0)
    active = random.random() < BROWN_FAT
    glow, patches = float(random.uniform(1.5, 5)), smooth_field(grid.shape, grid.step, 22 * frame.scale, random)
    if active:
        image += np.float32(glow) * _brown_fat(chest) * np.clip(0.4 + 0.8 * patches, 0, 1)
        level["brown fat"] = glow
    return image, level


def _brown_fat(chest: Chest) -> Array:
    """Return the share (z, y, x) that can be brown fat: fat above the collar bones and beside the spine."""
    frame = chest.frame
    (x, y, _), (a, _, c), scale = frame.grid.axes(), frame.half, frame.scale
    necks = [frame.fill(frame.ball((side * 0.36 * a, 0, 0.9 * c), (40, 38, 36))) for side in (-1, 1)]
    beside = np.hypot(np.abs(x) - 30 * scale, y - np.float32(spine_y(frame) + 4 * scale)) - 15 * scale
    places = np.maximum(np.maximum(*necks), frame.fill(np.asarray(beside, np.float32)))
    return np.asarray(chest.share("fat", "mediastinal fat") * places, np.float32)
