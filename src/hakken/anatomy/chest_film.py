"""A chest as X-rays see it: large organs looked up along the rays, bones and vessels painted, all of it summed.

The space is that of `hakken.anatomy.rays`. Attenuation is per mm at about 70 keV, one number for each tissue.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from hakken.anatomy import chest_tubes
from hakken.anatomy.chest_build import LUNG, SOFT, Build, draw_build
from hakken.anatomy.rays import Beads, Detector, Stance, joined, thickness
from hakken.anatomy.shapes import Array, occupancy

BONE, CALCIUM, VERTEBRA = 0.0205, 0.045, 0.010
"""What bone, calcium and the marrow of the spine have more than soft tissue."""
CORTEX_MM = 1.5
RIB_CONTRAST = 2 * chest_tubes.RIB_MM * BONE * 0.75
"""What a rib adds to the attenuation in its middle, its marrow being half as dense as its cortex."""
DEPTH_MM = 3.5
"""Distance of the depths at which rays are looked at, and the width of the surfaces of what is looked up there."""
REACH_MM = 150.0
FINEST_MM = 1.2
"""No finer than this are the large organs looked up."""


@dataclass(frozen=True)
class Shadows:
    """What rays go through on a detector (rows, columns): attenuation, and mm of lung, heart, abdomen and fluid."""

    attenuation: Array
    lung: Array
    heart: Array
    abdomen: Array
    fluid: Array


@dataclass(frozen=True)
class FilmChest:
    """One chest: its build, and its thin parts by what they add to the attenuation per mm."""

    build: Build
    bones: Beads
    marrow: Beads
    vessels: Beads
    airways: Beads
    spots: Beads
    nipples: Beads

    def with_build(self, build: Build) -> FilmChest:
        """Return the same chest with other organs, whose vessels go with them."""
        turned = build.side / self.build.side * np.array([1.0, 0, 0]) + np.array([0.0, 1, 1])
        return replace(self, build=build, vessels=replace(self.vessels, points=self.vessels.points * turned))


@dataclass(frozen=True)
class View:
    """A chest as it stands before a detector."""

    chest: FilmChest
    stance: Stance
    detector: Detector

    def shadows(self) -> Shadows:
        """Return what the rays go through."""
        organs, chest = _organs(self), self.chest
        thin = (
            (chest.bones, BONE),
            (chest.marrow, -BONE / 2),
            (_of_lungs(chest.vessels, chest.build), SOFT - LUNG),
            (chest.airways, -SOFT),
            (_of_lungs(chest.spots, chest.build), CALCIUM),
            (chest.nipples, SOFT),
        )
        total = organs.attenuation
        for beads, more in thin:
            total = total + np.float32(more) * self.through(beads)
        return replace(organs, attenuation=np.maximum(total, 0))

    def through(self, beads: Beads) -> Array:
        """Return mm of thin parts (rows, columns) on each ray."""
        return thickness(beads, self.stance, self.detector)


def draw_film_chest(sex: str, age: int, random: Generator) -> FilmChest:
    """Draw a chest from its measures to its vessels."""
    build = draw_build(sex, random)
    bones = joined([chest_tubes.ribs(build, random), chest_tubes.girdle(build, random), chest_tubes.arches(build)])
    return FilmChest(
        build=build,
        bones=bones,
        marrow=bones.thinner(CORTEX_MM),
        vessels=chest_tubes.vessels(build, random),
        airways=chest_tubes.airways(build),
        spots=chest_tubes.spots(build, age, random),
        nipples=chest_tubes.nipples(build, random),
    )


def _organs(view: View) -> Shadows:
    """Return what rays go through of all that is large, looked up on a coarser detector where it is fine."""
    build, coarse = view.chest.build, view.detector.coarser(FINEST_MM)
    sums = np.zeros((5, *coarse.shape), np.float32)
    for x, y, z in view.stance.depths(coarse, REACH_MM, DEPTH_MM):
        body, lung = (occupancy(of(x, y, z), DEPTH_MM) for of in (build.body, build.lungs))
        spine = occupancy(build.spine(x, y, z), DEPTH_MM)
        below = occupancy(np.maximum(build.cavity(x, y, z), z - build.dome(x, y)), DEPTH_MM)
        gas = occupancy(build.stomach_gas(x, y, z), DEPTH_MM) * below
        fluid = occupancy(build.effusion(x, z), DEPTH_MM) * lung if build.fluid else np.zeros_like(lung)
        dense = SOFT * body * (1 - gas) + (build.air - SOFT) * (lung - fluid) + VERTEBRA * spine
        heart = occupancy(build.heart_at(x, y, z), DEPTH_MM)
        sums += np.stack([dense, lung, heart, below, fluid])
    sums *= DEPTH_MM
    return Shadows(*(_finer(one, view.detector.shape) for one in sums))


def _finer(field: Array, shape: tuple[int, int]) -> Array:
    """Return a field (rows, columns) of the same extent on finer pixels, linearly interpolated."""
    if field.shape == shape:
        return field
    spans = [(np.arange(fine) + 0.5) * coarse / fine - 0.5 for fine, coarse in zip(shape, field.shape, strict=True)]
    for axis, places in enumerate(spans):
        low = np.clip(np.floor(places).astype(int), 0, field.shape[axis] - 2)
        part = np.clip(places - low, 0, 1).astype(np.float32)
        part = part[:, None] if axis == 0 else part[None]
        field = np.take(field, low, axis) * (1 - part) + np.take(field, low + 1, axis) * part
    return field


def _of_lungs(beads: Beads, build: Build) -> Beads:
    """Return what of thin parts lies in the lungs."""
    x, y, z = beads.points.T.astype(np.float32)
    return beads.times(occupancy(build.lungs(x, y, z), DEPTH_MM).astype(float))
