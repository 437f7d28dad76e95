"""Nodules: how large, how dense, of which shape, and what they hang on; and what looks like one and is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator
from scipy.special import ndtr, ndtri

from hakken.anatomy.blobs import draw_blob
from hakken.anatomy.shapes import Array, Grid, Points
from hakken.anatomy.tubes import Tubes
from hakken.phantoms import Levels
from hakken.phantoms._laws import kind_at
from hakken.phantoms.lung_nodule.lungs import Lungs

MEDIAN_MM, SPREAD = 6.5, 0.5
SMALLEST_MM, LARGEST_MM = 3.0, 20.0
ATTACHMENTS = {"isolated": 0.5, "vessel": 0.25, "pleura": 0.25}
"""What nodules hang on, and how many of them; the phantom's own law."""

PART_SOLID, PART_SOLID_FROM_MM = 0.3, 5.0
"""How many nodules are part-solid, among those that are large enough to show a core."""

APART_MM = 4.0
PLACES = 400
THICK_MM = 1.0
"""Vessels of this radius on bear nodules, and isolated ones keep away from them."""


class Shape(Protocol):
    """A body about a centre of its own."""

    def distance(self, offsets: Points) -> Points:
        """Return the signed distance in mm, negative inside, of points (n, 3) given relative to the centre."""
        ...


Shapes = Callable[[float, Generator], Shape]
"""Draws a shape of a diameter in mm: that of the ball of its volume."""


@dataclass(frozen=True)
class Nodule:
    """A nodule: its place x, y, z in mm in the chest's space, its diameter, what it hangs on, and its shape.

    ``density``, 0 to 1, is how far it replaces the lung by soft tissue, ``core`` the radius of its solid middle as a
    fraction of its own, 0 where it is solid throughout, and ``level``, -1 to 1, how bright it is for its kind.
    """

    centre: Points
    diameter_mm: float
    attachment: str
    shape: Shape
    density: float
    core: float
    level: float

    @property
    def is_solid(self) -> bool:
        """Whether it is as dense at its rim as in its middle."""
        return self.core == 0

    def describe(self) -> dict[str, Any]:
        """Return what the truth file says about the nodule, without its place."""
        return {
            "class": self.attachment,
            "diameter_mm": round(self.diameter_mm, 3),
            "texture": "solid" if self.is_solid else "part-solid",
        }

    def share(self, grid: Grid) -> tuple[tuple[slice, slice, slice], Array, Array]:
        """Return a box of the grid, the share of each of its voxels that the nodule fills, and how solid it is there.

        In all it fills its own volume and no more: a wall that is spread over a voxel would swell a small one.
        """
        box, offsets = _box(grid, self.centre, 0.95 * self.diameter_mm + 2 * grid.step)
        distance = self.shape.distance(offsets.reshape(-1, 3)).reshape(offsets.shape[:3])
        voxels = np.pi / 6 * self.diameter_mm**3 / grid.step**3
        share = np.clip(0.5 - distance / grid.step, 0, 1)
        share *= min(1.0, voxels / max(float(share.sum()), 1e-9))
        radius = self.diameter_mm / 2
        inner = np.clip(0.5 - (distance + (1 - self.core) * radius) / grid.step, 0, 1) if self.core else 0.0
        solid = self.density + (1 - self.density) * inner
        return box, np.asarray(share, np.float32), np.asarray(np.broadcast_to(solid, share.shape), np.float32)


def size_at(level: float) -> float:
    """Return the diameter in mm at a quantile of a log-normal law with median 6.5 mm, truncated to 3 to 20 mm.

    >>> [round(size_at(level), 2) for level in (0, 0.5, 1)]
    [3.0, 6.7, 20.0]
    """
    low, high = ndtr(np.log(np.array([SMALLEST_MM, LARGEST_MM]) / MEDIAN_MM) / SPREAD)
    return MEDIAN_MM * float(np.exp(SPREAD * ndtri(low + level * (high - low))))


def drawn_shape(diameter_mm: float, random: Generator) -> Shape:
    """Draw an irregular body of this diameter."""
    return draw_blob(np.zeros(3), diameter_mm / 2, float(random.uniform(0.06, 0.16)), random)


def draw_nodules(lungs: Lungs, levels: Sequence[Levels], shapes: Shapes, random: Generator) -> tuple[Nodule, ...]:
    """Draw a nodule for each of ``levels``, the largest first; they keep apart.

    Of many places the one is taken that fits best: every nodule finds one.
    """
    vessels = lungs.vessels
    thick = vessels.radii.min(-1) > THICK_MM * lungs.chest.frame.scale
    bearing = Tubes(vessels.ends[thick], vessels.radii[thick], vessels.strength[thick])
    found: list[Nodule] = []
    for level in sorted(levels, key=lambda each: each.size, reverse=True):
        diameter, attachment = size_at(level.size), kind_at(level.kind, ATTACHMENTS)
        centre = _place(lungs, bearing, (diameter, attachment), found, random)
        part = level.look < PART_SOLID and diameter >= PART_SOLID_FROM_MM
        found.append(
            Nodule(
                centre=centre,
                diameter_mm=diameter,
                attachment=attachment,
                shape=shapes(diameter, random),
                density=float(random.uniform(0.25, 0.5)) if part else 1.0,
                core=float(random.uniform(0.35, 0.65)) if part else 0.0,
                level=2 * level.look - 1,
            )
        )
    return tuple(found)


def _place(
    lungs: Lungs, vessels: Tubes, wanted: tuple[float, str], found: Sequence[Nodule], random: Generator
) -> Points:
    """Return the place (3,) where a nodule of this diameter hangs best on what it is to hang on."""
    diameter, attachment = wanted
    (chest, depth), radius = (lungs.chest, lungs.depth), diameter / 2
    grid = chest.frame.grid
    inside = np.flatnonzero(depth > 0.3 * radius)
    voxels = np.stack(np.unravel_index(random.choice(inside, PLACES), depth.shape), -1)
    places = grid.points(voxels + random.uniform(-0.5, 0.5, voxels.shape))
    if attachment == "vessel":
        places = _beside(vessels, radius, random)
    deep = grid.sample(depth, places)
    misfit = np.abs(deep - 0.45 * radius) if attachment == "pleura" else np.maximum(radius + 1.5 - deep, 0)
    misfit += 3 * np.maximum(np.abs(places[:, 2]) + radius + 4 - chest.frame.half[2], 0)
    for other in found:
        gap = np.linalg.norm(places - other.centre, axis=-1) - radius - other.diameter_mm / 2
        misfit += 3 * np.maximum(APART_MM - gap, 0)
    best = np.argsort(misfit, kind="stable")[:40]
    if attachment != "vessel":
        away = np.array([vessels.near(place, radius + 4).distance(place[None])[0] for place in places[best]])
        misfit[best] += np.maximum(radius + 1.5 - away, 0)
    return np.asarray(places[best[np.argmin(misfit[best])]])


def _beside(vessels: Tubes, radius: float, random: Generator) -> Points:
    """Return places (n, 3) mm from which a nodule of this radius just touches a vessel that is thinner than it."""
    slim = np.flatnonzero(vessels.radii.max(-1) < max(radius, 1.3 * float(vessels.radii.min())))
    chosen = random.choice(slim, PLACES)
    start, end = vessels.ends[chosen, 0], vessels.ends[chosen, 1]
    away = np.cross(end - start, random.normal(size=(PLACES, 3)))
    away /= np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9)
    far = vessels.radii[chosen].mean(-1) + random.uniform(0.6, 0.95, PLACES) * radius
    return np.asarray((start + end) / 2 + away * far[:, None])


def _box(grid: Grid, centre: Points, reach: float) -> tuple[tuple[slice, slice, slice], Points]:
    """Return the slices around a point (3,) and their voxels' offsets (z, y, x, 3) x, y, z in mm from it."""
    middle = grid.voxels(centre[None])[0]
    low = np.clip(np.floor(middle - reach / grid.step), 0, np.asarray(grid.shape) - 1).astype(int)
    high = np.clip(np.ceil(middle + reach / grid.step) + 1, 1, grid.shape).astype(int)
    z, y, x = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    voxels = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in (z, y, x)), indexing="ij"), -1)
    return (z, y, x), (grid.points(voxels.reshape(-1, 3)) - centre).reshape(voxels.shape)
