"""The upper abdomen without tumours in three phases of CT; its shapes are those of `hakken.anatomy.abdomen`.

Densities are in Hounsfield units, unenhanced, early (arterial) and late (delayed). They vary between patients: fat
darkens the liver, and the early phase comes sooner or later after the contrast agent has reached the aorta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hakken.anatomy.abdomen import draw_body, draw_liver, draw_mobility, lay_slab, layers
from hakken.anatomy.shapes import Array, Grid, smooth_field
from hakken.phantoms.liver_phases.lesions import Phases

AIR_HU, LUNG_HU = -1000.0, -830.0


@dataclass(frozen=True, eq=False)
class Abdomen:
    """A body on its grid: the occupancy of the liver (z, y, x), what it looks like, and how far breathing moves it.

    ``density`` (3, z, y, x) is the HU by phase without tumours, ``liver_hu`` that of the liver's tissue alone.
    ``mobility`` (z, y, x) is 1 for what moves with the diaphragm and 0 for the wall and the spine.
    """

    grid: Grid
    scale: float
    liver: Array
    liver_hu: Phases
    density: Array
    mobility: Array


def draw_abdomen(shape_mm: tuple[float, float, float], step: float, random: Generator) -> Abdomen:
    """Draw the body of a patient: a slab of size ``shape_mm`` (x, y, z) on voxels of ``step`` mm."""
    slab = lay_slab(shape_mm, step)
    values = _densities(random)
    body = draw_body(slab, random)
    liver = draw_liver(slab, body, random)
    density = np.full((3, *slab.grid.shape), AIR_HU, np.float32)
    for share, tissue in layers(slab, body, liver, random):
        for phase, value in enumerate(values[tissue]):
            density[phase] += (np.float32(value) - density[phase]) * share
    mottled = smooth_field(slab.grid.shape, step, 9 * slab.scale, random)
    density += np.asarray((2.0, 2.5, 2.5), np.float32)[:, None, None, None] * (mottled * liver)
    return Abdomen(slab.grid, slab.scale, liver, values["liver"], density, draw_mobility(slab, body))


def _densities(random: Generator) -> dict[str, Phases]:
    """Draw how dense each tissue is by phase; ``timing`` is how late the early phase is, -1 to 1."""
    timing = random.uniform(-1, 1)
    fatty = random.choice([0.0, -14.0], p=[0.8, 0.2])
    plain = 58 + fatty + random.normal(0, 4)
    late = 38 + random.normal(0, 5)
    blood = 42 + random.normal(0, 3)
    return {
        "skin": (-100, -100, -100),
        "muscle": (54, 59, 66),
        "rib": (380, 385, 385),
        "fat": (-95, -92, -90),
        "lung": (LUNG_HU, LUNG_HU, LUNG_HU),
        "stomach": (18, 20, 22),
        "spleen": (47, 118 + 12 * timing, 108),
        "kidney": (32, 150 + 15 * timing, 160),
        "vertebra": (190, 195, 200),
        "canal": (12, 12, 14),
        "liver": (plain, plain + 13 + 7 * timing, plain + late),
        "aorta": (blood, 290 - 30 * timing, 132),
        "cava": (blood, 78 + 20 * timing, 126),
        "hepatic": (blood, 58 + 12 * timing, plain + late + 24),
        "portal": (blood, 105 + 45 * timing, plain + late + 30),
        "gall_bladder": (9, 9, 10),
    }
