"""What CT and PET show of a normal body: densities in Hounsfield units (HU) and uptake of FDG as SUV (body weight).

As in `chest_pet_ct`, CT explains the uptake in part. Part of the rest follows from what is written of the examination:
blood and liver fade with the time after injection while brain, marrow and bladder gain, brain falls with age, muscle
differs between the sexes. What is left differs without a trace: the myocardium burns glucose or fat, bowel and brown
fat are on or off, muscles have worked or not, and urine stands in the ureters where it happens to.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from hakken.anatomy.shapes import Array, smooth_field
from hakken.anatomy.tomographs import AIR_HU, DENSITY
from hakken.phantoms._pet_ct import PATTERN_MM, STOUT, UPTAKE, Law
from hakken.phantoms.whole_body_pet_ct.body import Body
from hakken.phantoms.whole_body_pet_ct.facts import USUAL_AGE, USUAL_MINUTES, Facts

OWN_DENSITY = {
    "visceral fat": -98.0,
    "brain": 38.0,
    "white matter": 28.0,
    "csf": 8.0,
    "gland": 45.0,
    "thyroid": 95.0,
    "bowel": 35.0,
    "kidney": 32.0,
    "urine": 10.0,
    "ureter": 12.0,
    "bladder": 6.0,
}
OWN_UPTAKE = {
    "visceral fat": Law(0.50, 0.15, 0.10),
    "brain": Law(7.5, 0.18, 0.05),
    "white matter": Law(3.2, 0.18),
    "csf": Law(1.0, 0.20),
    "gland": Law(2.3, 0.35, 0.10),
    "thyroid": Law(1.3, 0.30),
    "bowel": Law(1.4, 0.30, 0.30),
    "kidney": Law(2.6, 0.20, 0.05),
    "urine": Law(9.0, 0.50),
    "ureter": Law(8.0, 0.60),
    "bladder": Law(14.0, 0.50),
    "myocardium": Law(3.2, 0.60, 0.20),
}
LAWS = UPTAKE | OWN_UPTAKE
TIMED = {
    **dict.fromkeys(("blood", "heart", "vessel", "lung"), -0.45),
    **dict.fromkeys(("liver", "spleen"), -0.30),
    **dict.fromkeys(("brain", "white matter"), 0.25),
    "muscle": -0.12,
    "marrow": 0.15,
    "myocardium": 0.30,
    "bladder": 0.60,
}
"""How much the logarithm of a tissue's SUV changes by hour after the injection."""
AGED = {"brain": -0.007, "white matter": -0.007}
"""The same by year of age."""
OF_WOMEN = {"muscle": -0.18, "bowel": 0.10}
BROWN_FAT, EXERCISE, METFORMIN, FASTED = 0.12, 0.12, 0.12, 0.5
"""The shares of examinations with active brown fat, worked muscles, hot bowel, and a myocardium that burns fat."""


def draw_density(body: Body, random: Generator) -> Array:
    """Return the body (z, y, x) in HU, as an ideal CT scanner would show it."""
    frame = body.frame
    values: dict[str, float | Array] = {
        name: hu + float(random.normal(0, 2)) for name, hu in (DENSITY | OWN_DENSITY).items()
    }
    texture = smooth_field(frame.grid.shape, frame.step, 12, random)
    values["liver"] = 64.0 - 26.0 * frame.stout + float(random.normal(0, 3))
    values["marrow"] = np.float32(110.0 + 130.0 * frame.young) + 25 * texture
    values["lung"] = np.float32(values["lung"]) + np.float32(0.3) * frame.axes[1] + 22 * texture
    return body.paint(values, AIR_HU)


def draw_levels(body: Body, facts: Facts, age: int, random: Generator) -> dict[str, float]:
    """Return the SUV of each tissue in one examination."""
    hours, years = (facts.minutes - USUAL_MINUTES) / 60, age - USUAL_AGE
    level = {name: law.median * float(np.exp(law.between * random.normal())) for name, law in LAWS.items()}
    for other in ("heart", "vessel"):  # blood is blood
        level[other] = level["blood"] * LAWS[other].median / LAWS["blood"].median
    if random.random() < FASTED:
        level["myocardium"] = level["heart"] * float(random.uniform(1.0, 1.3))
    if random.random() < METFORMIN:
        level["bowel"] *= 2.5
    level["liver"] *= 1.06 - 0.12 * body.frame.stout
    level["marrow"] *= 0.85 + 0.3 * body.frame.young
    stout = 1 + STOUT * (body.frame.stout - 0.5)
    woman = float(body.frame.sex == "F")
    for name in level:
        drift = TIMED.get(name, 0.0) * hours + AGED.get(name, 0.0) * years + OF_WOMEN.get(name, 0.0) * woman
        level[name] *= stout * float(np.exp(drift))
    return level


def draw_uptake(body: Body, level: dict[str, float], random: Generator) -> Array:
    """Return the body (z, y, x) in SUV without foci as an ideal PET scanner would show it."""
    frame, grid = body.frame, body.frame.grid
    pattern = smooth_field(grid.shape, frame.step, PATTERN_MM, random)
    values: dict[str, float | Array] = {
        name: np.float32(suv) * np.exp(np.float32(LAWS[name].uneven) * pattern) if LAWS[name].uneven else suv
        for name, suv in level.items()
    }
    if random.random() < EXERCISE:
        worked = smooth_field(grid.shape, frame.step, 160, random)
        values["muscle"] = values["muscle"] * (1 + np.float32(1.4) * np.clip(worked - np.float32(0.3), 0, 1))
        level["worked muscle"] = 1.0
    image = body.paint(values, 0.0)
    if random.random() < BROWN_FAT:
        glow, patches = float(random.uniform(1.5, 5)), smooth_field(grid.shape, frame.step, 22, random)
        image += np.float32(glow) * _brown_fat(body) * np.clip(0.4 + 0.8 * patches, 0, 1)
        level["brown fat"] = glow
    return image


def _brown_fat(body: Body) -> Array:
    """Return the share (z, y, x) that can be brown fat: fat above the collar bones and beside the spine."""
    frame = body.frame
    places = np.zeros(frame.grid.shape, np.float32)
    for side in (-1, 1):
        for one in (
            frame.ball("fat", (side * 62, 10, 285), (36, 32, 26)),
            frame.column("fat", ((330, side * 32, 52, 13), (540, side * 32, 52, 13))),
        ):
            np.maximum(places[one.slices], one.share, out=places[one.slices])
    return np.asarray(body.share("fat", "mediastinal fat") * places, np.float32)
