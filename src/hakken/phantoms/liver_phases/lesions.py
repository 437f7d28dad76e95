"""Liver tumours whose enhancement over three phases depends on their histology, with the overlap that grading has.

A tumour is told by what it adds to the liver around it, in HU, unenhanced, in the early (arterial) and in the late
(delayed) phase, by its size, and by signs that come more or less often: a capsule that enhances late, a rim that
enhances early, a necrosis that never does. With increasing grade a hepatocellular carcinoma gains arterial and loses
portal blood: early ones hardly differ from the liver, well differentiated ones enhance a little, moderately
differentiated ones enhance early and wash out, poorly differentiated ones enhance less, are large and decay. Tumours
with cholangiocellular components enhance at the rim and keep the contrast agent, or look like a hepatocellular one.

All numbers are the phantom's own. Who knew them and measured each tumour without error would name 65 % of balanced
classes rightly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import ndimage
from scipy.special import ndtri

from hakken.anatomy.shapes import Array, Grid, Points, occupancy, smooth_field
from hakken.phantoms import Levels

Phases = tuple[float, float, float]
"""A value of the unenhanced, the early and the late phase."""


@dataclass(frozen=True)
class Appearance:
    """One way a class looks, in ``share`` of its tumours.

    ``contrast`` and ``spread``: mean and SD of the HU added to the liver by phase. ``diameter_mm``: median, and
    ``diameter_spread`` the SD of its logarithm. ``capsule``, ``rim``, ``necrosis``: how probable each sign is.
    """

    share: float
    contrast: Phases
    spread: Phases
    diameter_mm: float
    diameter_spread: float
    capsule: float
    rim: float
    necrosis: float


LAWS: dict[str, tuple[Appearance, ...]] = {
    "early": (Appearance(1.0, (-3, -3, -7), (6, 14, 12), 15, 0.38, capsule=0.05, rim=0.03, necrosis=0.03),),
    "well": (Appearance(1.0, (-7, 15, -10), (6, 17, 12), 19, 0.40, capsule=0.15, rim=0.05, necrosis=0.05),),
    "moderate": (Appearance(1.0, (-11, 35, -21), (7, 20, 13), 27, 0.44, capsule=0.55, rim=0.10, necrosis=0.20),),
    "poor": (Appearance(1.0, (-14, 20, -30), (7, 22, 15), 34, 0.47, capsule=0.35, rim=0.25, necrosis=0.50),),
    "non_hcc": (
        Appearance(0.6, (-14, 6, 0), (7, 16, 18), 31, 0.47, capsule=0.08, rim=0.60, necrosis=0.25),
        Appearance(0.4, (-12, 26, -14), (7, 20, 16), 31, 0.45, capsule=0.30, rim=0.35, necrosis=0.30),
    ),
}
"""How each histological class looks; `hakken.cohort.phantom.generators` says how frequent it is."""

SMALLEST_MM, LARGEST_MM = 7.0, 70.0
BUMPS = 0.13
TEXTURE_HU = 4.0
RIM: Phases = (0.0, 38.0, 10.0)
CAPSULE: Phases = (0.0, -8.0, 32.0)
NECROSIS_HU = 22.0


@dataclass(frozen=True)
class Tumour:
    """A tumour before it is placed: class, diameter in mm, HU added by phase, and which signs it shows."""

    kind: str
    diameter_mm: float
    contrast: Phases
    capsule: bool
    rim: bool
    necrosis: bool


@dataclass(frozen=True, eq=False)
class Placed:
    """A tumour at ``centre`` x, y, z in mm of the body's own space.

    ``share`` (z, y, x) is the fraction of a voxel that it fills; ``density`` (3, z, y, x) its HU by phase.
    """

    tumour: Tumour
    centre: Points
    share: Array
    density: Array


def draw_tumour(kind: str, level: Levels, scale: float, random: Generator) -> Tumour:
    """Draw a tumour of a class; ``scale`` is the size of this body relative to an adult's.

    Size, which way the class looks, and the contrast of the early phase are those of the ``level``.
    """
    looks = LAWS[kind]
    look = looks[int(np.searchsorted(np.cumsum([one.share for one in looks])[:-1], level.kind))]
    diameter = float(np.exp(np.log(look.diameter_mm) + look.diameter_spread * ndtri(level.size)))
    early, _, late = random.normal(look.contrast, look.spread).tolist()
    middle = float(look.contrast[1] + look.spread[1] * ndtri(level.look))
    capsule, rim, necrosis = (random.random(3) < (look.capsule, look.rim, look.necrosis)).tolist()
    return Tumour(
        kind=kind,
        diameter_mm=float(np.clip(diameter, SMALLEST_MM, LARGEST_MM)) * scale,
        contrast=(early, middle, late),
        capsule=capsule,
        rim=rim,
        necrosis=necrosis,
    )


def place_tumour(tumour: Tumour, liver: Array, liver_hu: Phases, grid: Grid, random: Generator) -> Placed:
    """Put a tumour where the ``liver`` (z, y, x), an occupancy of ``liver_hu`` by phase, is thick enough."""
    radius = tumour.diameter_mm / 2
    depth = np.asarray(ndimage.distance_transform_edt(liver > 0.5, sampling=grid.step), np.float32)
    deep = np.argwhere(depth >= min(0.9 * radius + grid.step, 0.9 * float(depth.max())))
    centre = grid.points(deep[int(random.integers(len(deep)))][None])[0]
    x, y, z = (axis - np.float32(place) for axis, place in zip(grid.axes(), centre, strict=True))
    bumps = 1 + np.float32(BUMPS) * smooth_field(grid.shape, grid.step, max(0.9 * tumour.diameter_mm, 6.0), random)
    surface = np.sqrt(x**2 + y**2 + z**2) * np.clip(bumps, 0.6, 1.4) - np.float32(radius)
    share = occupancy(surface, grid.step) * np.clip(liver * 2, 0, 1)
    texture = np.float32(TEXTURE_HU) * smooth_field(grid.shape, grid.step, max(0.35 * tumour.diameter_mm, 4.0), random)
    contrast = np.add(tumour.contrast, liver_hu).astype(np.float32)
    density = contrast[:, None, None, None] + texture
    for sign, present, shell in ((RIM, tumour.rim, 0.35 * radius), (CAPSULE, tumour.capsule, max(1.5, 0.08 * radius))):
        if present:
            outer = occupancy(-surface - np.float32(shell), grid.step)
            density += np.asarray(sign, np.float32)[:, None, None, None] * outer
    if tumour.necrosis:
        density += (np.float32(NECROSIS_HU) - density) * _dead(tumour, surface, grid, random)
    return Placed(tumour, centre, np.asarray(share, np.float32), np.asarray(density, np.float32))


def _dead(tumour: Tumour, surface: Array, grid: Grid, random: Generator) -> Array:
    """Return the occupancy (z, y, x) of necrosis, an uneven region in the middle; ``surface``: distance to it, mm."""
    field = smooth_field(grid.shape, grid.step, max(0.5 * tumour.diameter_mm, 5.0), random)
    depth = np.float32(tumour.diameter_mm / 2 * random.uniform(0.4, 0.65))
    return occupancy(surface + depth + np.float32(0.08 * tumour.diameter_mm) * field, grid.step)
