"""Nodules in the liver: lesions, and mimics that are as round but are knots of vessels and ducts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from scipy import ndimage
from scipy.special import ndtri

from hakken.anatomy.shapes import Array, Grid, Points, ellipsoid, occupancy, smooth_field
from hakken.phantoms import Levels
from hakken.phantoms.liver_eob.curves import MIMIC_SIGNS, Curve, lesion_curve, signed_curve

MEDIAN_MM, SPREAD = 16.0, 0.4
SMALLEST_MM, LARGEST_MM = 9.0, 40.0
APART_MM = 2.5
BUMPS = 0.10
TEXTURE = 0.03
KNOT_MM = (7.0, 13.0)
MIMICS = {"classes": (2, 6), "random_sign": (12, 20)}
"""How many mimics a case has at least and at most: many, where nothing but their curve tells them from lesions."""

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Nodule:
    """A nodule before it is placed: its class ('' has none), diameter in mm, and what it adds to the liver by phase."""

    name: str
    diameter_mm: float
    curve: Curve


@dataclass(frozen=True, eq=False)
class Placed:
    """A nodule at ``centre`` x, y, z in mm of the body's own space.

    ``share`` is the fraction of each voxel of the ``box`` (z, y, x) that it fills, ``texture`` what it adds there.
    """

    nodule: Nodule
    centre: Points
    box: Box
    share: Array
    texture: Array

    def whole(self, grid: Grid) -> Array:
        """Return the share on the whole grid (z, y, x)."""
        target = np.zeros(grid.shape, np.float32)
        target[self.box] = self.share
        return target

    def describe(self) -> dict[str, Any]:
        """Return what the truth file says about it, without its place."""
        named = {"class": self.nodule.name} if self.nodule.name else {}
        curve = [round(value, 4) for value in self.nodule.curve.tolist()]
        return named | {"diameter_mm": round(self.nodule.diameter_mm, 3), "curve": curve}


def draw_lesions(levels: Sequence[Levels], contrast: str, scale: float, random: Generator) -> list[Nodule]:
    """Draw the lesions of a case; ``scale`` is the size of this body relative to an adult's."""
    found = []
    for level in levels:
        name, curve = lesion_curve(contrast, level, random)
        found.append(Nodule(name, scale * diameter_at(level.size), curve))
    return found


def draw_mimics(tissues: dict[str, Curve], contrast: str, scale: float, random: Generator) -> list[Nodule]:
    """Draw the mimics of a case: knots of its vessels and ducts, or with `random_sign` nodules of lesions' sizes."""
    low, high = MIMICS[contrast]
    found = []
    for _ in range(int(random.integers(low, high + 1))):
        if contrast == "random_sign":
            size, bright, look = random.random(3).tolist()
            curve = signed_curve(MIMIC_SIGNS, bright < 0.5, look, random)
            found.append(Nodule("", scale * diameter_at(size), curve))
        else:
            tissue = str(random.choice(["portal", "hepatic", "duct"]))
            found.append(Nodule("", scale * random.uniform(*KNOT_MM), tissues[tissue] - tissues["liver"]))
    return found


def diameter_at(level: float) -> float:
    """Return the diameter in mm at a quantile of its law: log-normal, median 16 mm, no less than 9, no more than 40.

    >>> [round(diameter_at(level), 1) for level in (0.01, 0.5, 0.999)]
    [9.0, 16.0, 40.0]
    """
    return float(np.clip(MEDIAN_MM * np.exp(SPREAD * ndtri(level)), SMALLEST_MM, LARGEST_MM))


def place(
    lesions: Sequence[Nodule], mimics: Sequence[Nodule], liver: Array, grid: Grid, random: Generator
) -> tuple[list[Placed], list[Placed]]:
    """Put nodules into the ``liver`` (z, y, x), large ones first and lesions before mimics, so that none touch.

    What finds no room shrinks. A lesion that still finds none is put where there is most; a mimic is left out. Lesions
    are returned in their order.
    """
    depth = ndimage.distance_transform_edt(liver > 0.5, sampling=grid.step)
    voxels = np.argwhere(depth > grid.step)
    room = _Room(grid.points(voxels), depth[tuple(voxels.T)], [])
    order = sorted(range(len(lesions)), key=lambda number: -lesions[number].diameter_mm)
    placed = {number: _placed(lesions[number], room, liver, grid, random, needed=True) for number in order}
    others = [_placed(mimic, room, liver, grid, random, needed=False) for mimic in mimics]
    return [each for _, each in sorted(placed.items()) if each is not None], [one for one in others if one is not None]


@dataclass(frozen=True, eq=False)
class _Room:
    """Points (n, 3) mm of the liver, how deep (n,) mm they lie in it, and who is there: centres and radii in mm."""

    points: Points
    depth: Points
    taken: list[tuple[Points, float]]

    def clearance(self) -> Points:
        """Return how far (n,) mm each point lies from the nearest nodule's surface."""
        far = [np.linalg.norm(self.points - centre, axis=1) - radius for centre, radius in self.taken]
        return np.min(far, axis=0) if far else np.full(len(self.points), np.inf)

    def find(self, radius: float, random: Generator) -> Points | None:
        """Return a random place with room for a nodule of this radius in mm, or None."""
        deep = self.depth >= min(0.8 * radius, 0.9 * float(self.depth.max()))
        free = np.flatnonzero(deep & (self.clearance() >= radius + APART_MM))
        return self.points[int(random.choice(free))] if len(free) else None


def _placed(nodule: Nodule, room: _Room, liver: Array, grid: Grid, random: Generator, *, needed: bool) -> Placed | None:
    """Return a nodule in its place, smaller where there is no room; None where there is none and it is not needed."""
    diameter, smallest = nodule.diameter_mm, 0.6 * nodule.diameter_mm
    centre = room.find(diameter / 2, random)
    while centre is None and diameter > smallest:
        diameter *= 0.9
        centre = room.find(diameter / 2, random)
    if centre is None and not needed:
        return None
    if centre is None:
        centre = room.points[int(np.argmax(np.minimum(room.clearance(), room.depth)))]
    room.taken.append((centre, diameter / 2))
    return _shaped(Nodule(nodule.name, diameter, nodule.curve), centre, liver, grid, random)


def _shaped(nodule: Nodule, centre: Points, liver: Array, grid: Grid, random: Generator) -> Placed:
    """Return a nodule as an uneven ellipsoid, cut off where the liver (z, y, x) ends."""
    radius = nodule.diameter_mm / 2
    stretch = np.exp(random.normal(0, 0.1, 3))
    radii = radius * stretch / np.cbrt(stretch.prod())
    middle, reach = grid.voxels(centre[None])[0], 1.4 * radii.max() / grid.step + 2
    low = np.clip(np.floor(middle - reach), 0, None).astype(int)
    high = np.minimum(np.ceil(middle + reach).astype(int) + 1, grid.shape)
    z, y, x = (slice(start, stop) for start, stop in zip(low.tolist(), high.tolist(), strict=True))
    axes = grid.axes()
    inside = (axes[0][..., x], axes[1][:, y], axes[2][z])
    shape = tuple((high - low).tolist())
    bumps = np.float32(BUMPS * radius) * smooth_field(shape, grid.step, max(1.2 * radius, 4.0), random)
    surface = ellipsoid(inside, tuple(centre.tolist()), tuple(radii.tolist())) + bumps
    share = occupancy(surface, grid.step) * np.clip(2 * liver[z, y, x], 0, 1)
    texture = np.float32(TEXTURE) * smooth_field(shape, grid.step, max(0.7 * radius, 3.0), random)
    return Placed(nodule, centre, (z, y, x), np.asarray(share, np.float32), texture)


def paint(signal: Array, placed: Placed, liver: Curve) -> None:
    """Paint a nodule into ``signal`` (phase, z, y, x) in place; ``liver`` is what its tissue shows by phase."""
    for phase, value in enumerate((liver + placed.nodule.curve).tolist()):
        part = signal[phase][placed.box]
        part += (np.float32(max(value, 0.05)) + placed.texture - part) * placed.share
