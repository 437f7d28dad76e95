"""One case of the phantom, from its seed to its image and its truth. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from hakken.anatomy.shapes import Array, Grid, Points, occupancy, paint_balls, polyline, smooth_field
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import Levels, OneImage, PhantomCase, options_of
from hakken.phantoms.lesion_types import Options
from hakken.study import Study

SMALLEST, LARGEST = 0.14, 0.42
"""Diameters of lesions, as shares of the smallest extent of the image."""


@dataclass(frozen=True)
class Look:
    """What a kind of lesion looks like: tissue and its grain, and how far lesion, core and strands stand off from it.

    ``grain`` is the wavelength in mm of what varies by ``rough``, all in units of the image.
    """

    tissue: float
    grain: float
    rough: float
    lesion: float
    core: float
    strand: float


@dataclass(frozen=True, eq=False)
class Body:
    """A lesion: its centre x, y, z and radius in mm, and by which factor it stands off from the tissue."""

    centre: Points
    radius: float
    strength: float


LOOKS = {
    "bright": Look(tissue=60, grain=22, rough=9, lesion=55, core=55, strand=50),
    "dark": Look(tissue=150, grain=5, rough=14, lesion=-55, core=-55, strand=-50),
    "ring": Look(tissue=100, grain=11, rough=9, lesion=45, core=-20, strand=45),
}
SCANNERS = {"A": (4.0, 0.6, 1.0), "B": (6.0, 0.9, 1.3), "C": (5.0, 0.7, 0.8)}
"""Of each scanner the SD of its noise, its blur in voxels, and the gain that its grey levels are multiplied by."""


def draw_case(case: PhantomCase, study: Study) -> OneImage:
    """Draw one case; it depends on the study's seed and phantom and on the case alone."""
    phantom = options_of(study, Options)
    random = np.random.default_rng(derive_seed(study.seed, "phantom lesion", case.origin))
    shape = tuple(max(8, round(extent / phantom.spacing_mm)) for extent in phantom.shape_mm[::-1])
    grid, look = Grid((shape[0], shape[1], shape[2]), phantom.spacing_mm), LOOKS[case.kind]
    image = _tissue(grid, look, random)
    labels = np.zeros(grid.shape, np.int16)
    told = []
    for number, level in enumerate(case.levels[: case.lesions], start=1):
        body = _body(level, phantom.shape_mm, random)
        distance = _surface(grid, body, random)
        image += np.float32(look.strand) * _strands(grid, body, random)
        _paint(image, distance, look, body, grid.step)
        labels[(distance < 0) | (distance == distance.min())] = number
        told.append({"lesion": number, "class": case.kind, "diameter_mm": round(2 * body.radius, 3)})
    noise, blur, gain = SCANNERS[case.scanner]
    image = ndimage.gaussian_filter(image, blur) * np.float32(gain)
    image += random.normal(0, noise, grid.shape).astype(np.float32)
    geometry = _geometry(grid, random)
    return OneImage(
        image=Volume.on(geometry, np.clip(np.round(image), 0, 2000).astype(np.int16)),
        lesions=Volume.on(geometry, labels),
        truth={"case_id": case.case_id, "scanner": case.scanner, "kind": case.kind, "lesions": told},
    )


def _tissue(grid: Grid, look: Look, random: Generator) -> Array:
    """Return the tissue (z, y, x), and beyond a wavy surface somewhere at the side other tissue."""
    image = look.tissue + look.rough * smooth_field(grid.shape, grid.step, look.grain, random)
    x, y, z = grid.axes()
    normal = random.normal(size=3)
    normal /= np.linalg.norm(normal)
    half = min(grid.shape) * grid.step / 2
    beyond = random.uniform(0.45, 0.8) * half - (normal[0] * x + normal[1] * y + normal[2] * z)
    beyond = beyond + 2 * smooth_field(grid.shape, grid.step, 20, random)
    other = random.choice([-0.6, 0.6]) * look.tissue
    return np.asarray(image + other * occupancy(beyond.astype(np.float32), grid.step)[()], np.float32)


def _body(level: Levels, shape_mm: Sequence[float], random: Generator) -> Body:
    """Return a lesion of this level of size and contrast, near the middle of the image."""
    diameter = min(shape_mm) * SMALLEST * (LARGEST / SMALLEST) ** level.size
    return Body(random.uniform(-0.14, 0.14, 3) * np.asarray(shape_mm), float(diameter) / 2, 0.7 + 0.6 * level.look)


def _surface(grid: Grid, body: Body, random: Generator) -> Array:
    """Return the signed distance in mm (z, y, x) to a bumpy ellipsoid of the volume of a ball, negative inside."""
    radius = body.radius
    axes = np.exp(random.uniform(-0.3, 0.3, 3))
    axes *= radius / np.cbrt(axes.prod())
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    points = np.stack(np.broadcast_arrays(*grid.axes()), -1) - body.centre
    far = np.linalg.norm(points @ turn / axes, axis=-1)
    bumps = 0.12 * smooth_field(grid.shape, grid.step, max(1.4 * radius, 4 * grid.step), random)
    return np.asarray((far - 1 - bumps) * radius, np.float32)


def _strands(grid: Grid, body: Body, random: Generator) -> Array:
    """Return the occupancy (z, y, x) of two to four strands, the first of which touches the lesion."""
    filled = np.zeros(grid.shape, np.float32)
    half = np.asarray(grid.shape[::-1]) * grid.step / 2
    for number in range(int(random.integers(2, 5))):
        away = random.normal(size=3)
        away /= np.linalg.norm(away)
        middle = body.centre + away * body.radius * (1.0 if number == 0 else random.uniform(1.3, 2.2))
        along = np.cross(away, random.normal(size=3))
        along /= max(float(np.linalg.norm(along)), 1e-6)
        ends = np.stack([middle - along * half.min(), middle, middle + along * half.min()])
        ends += random.normal(0, 0.08 * half.min(), ends.shape) * np.array([[1], [0], [1]])
        points = polyline(ends, max(8, int(2 * half.min() / grid.step)))
        paint_balls(filled, grid, points, np.full(len(points), max(0.22 * body.radius, 0.8 * grid.step)))
    return filled


def _paint(image: Array, distance: Array, look: Look, body: Body, step: float) -> None:
    """Paint a lesion in place: what stands off from the tissue around, and of a ring its core."""
    inside = occupancy(distance.copy(), step)
    flat = image + (look.tissue - image) * np.float32(0.6)
    lesion = flat + np.float32(look.lesion * body.strength)
    if look.core != look.lesion:
        core = occupancy(distance + np.float32(max(0.35 * body.radius, 1.5 * step)), step)
        lesion += (flat + np.float32(look.core * body.strength) - lesion) * core
    image += (lesion - image) * inside


def _geometry(grid: Grid, random: Generator) -> Geometry:
    x, y, z = random.uniform(-100, 100, 3).round(2).tolist()
    return Geometry(grid.shape, (grid.step,) * 3, (x, y, z))
