"""What CT and PET show of a normal chest: densities in Hounsfield units (HU) and uptake of FDG as SUV (body weight).

CT explains the uptake in part. Of each tissue the mean is a law of the tissue, and stout patients take up more per
weight; a pale liver, which is a fatty one, takes up a little less and dense marrow a little more. The rest differs from
one examination to the next without a trace on CT: the myocardium burns glucose or fat, brown fat is on or off, marrow
is stirred up or not. So the right prediction from CT is a mean with a deviation, small in the lung and large there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hakken.anatomy.chest import Chest, spine_y
from hakken.anatomy.shapes import Array, smooth_field

AIR_HU = -1000.0
DENSITY = {
    "fat": -100.0,
    "muscle": 50.0,
    "disc": 80.0,
    "bone": 650.0,
    "cartilage": 110.0,
    "cord": 30.0,
    "mediastinal fat": -95.0,
    "lung": -850.0,
    "vessel": 40.0,
    "spleen": 48.0,
    "stomach": 30.0,
    "gas": AIR_HU,
    "heart": 42.0,
    "myocardium": 44.0,
    "blood": 40.0,
    "oesophagus": 35.0,
    "air": AIR_HU,
}
PATTERN_MM = 45.0
STOUT = 0.3
BROWN_FAT = 0.25
"""The share of examinations in which brown fat is active; on CT it is fat as any other."""


@dataclass(frozen=True)
class Law:
    """Uptake of one tissue: the median SUV over examinations, and the SD of its logarithm between them.

    ``uneven`` is the SD of its logarithm from place to place within one examination, over `PATTERN_MM`.
    """

    median: float
    between: float
    uneven: float = 0.0


# Medians are near what is usual for FDG at 60 minutes (liver 2.2, blood 1.6, lung 0.5); deviations are the phantom's.
UPTAKE = {
    "fat": Law(0.30, 0.15, 0.10),
    "muscle": Law(0.70, 0.15, 0.10),
    "disc": Law(0.70, 0.15),
    "bone": Law(0.80, 0.20),
    "cartilage": Law(0.60, 0.15),
    "marrow": Law(1.35, 0.30, 0.08),
    "cord": Law(1.40, 0.15),
    "mediastinal fat": Law(0.55, 0.15, 0.10),
    "lung": Law(0.45, 0.15, 0.08),
    "vessel": Law(1.10, 0.12),
    "liver": Law(2.20, 0.12, 0.03),
    "spleen": Law(1.85, 0.14, 0.03),
    "stomach": Law(1.90, 0.30, 0.15),
    "gas": Law(0.15, 0.10),
    "heart": Law(1.60, 0.12),
    "myocardium": Law(3.60, 0.60, 0.25),
    "blood": Law(1.60, 0.12),
    "oesophagus": Law(1.60, 0.25, 0.15),
    "air": Law(0.15, 0.10),
}


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
