"""The upper abdomen without findings: body wall, liver with its vessels, the organs around it, and breathing.

The body's own space: x to its left, y to its back, z to its crown, in mm, origin in the middle of the grid. What the
tissues look like is up to the phantom: here they have shapes and names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from hakken.anatomy.shapes import Array, Grid, Points, ellipsoid, occupancy, paint_balls, smooth_field

ADULT_MM = 330.0
"""Width for which the lengths below are given."""

VESSEL_MM = 1.6
PORTAL, HEPATIC = 46, 30
"""Terminal branches of the portal vein and of the hepatic veins."""

COVER = 0.35

TISSUES = (
    *("skin", "muscle", "rib", "fat", "lung", "stomach", "spleen", "kidney", "vertebra", "canal"),
    *("liver", "aorta", "cava", "hepatic", "portal", "gall_bladder"),
)
"""What `layers` yields: `hepatic` and `portal` are the veins of the liver, `canal` is that of the spine."""


@dataclass(frozen=True, eq=False)
class Slab:
    """The grid, half of its size x, y, z in mm, and the size of the body relative to an adult's."""

    grid: Grid
    half: Points
    scale: float

    @property
    def hilum(self) -> Points:
        """Where portal vein and bile ducts enter the liver, x, y, z in mm."""
        return self.half * (-0.14, 0.10, -0.20)


def lay_slab(shape_mm: tuple[float, float, float], step: float) -> Slab:
    """Return a slab of size ``shape_mm`` (x, y, z) on voxels of ``step`` mm."""
    grid = Grid((round(shape_mm[2] / step), round(shape_mm[1] / step), round(shape_mm[0] / step)), step)
    return Slab(grid, np.asarray(shape_mm) / 2, shape_mm[0] / ADULT_MM)


def draw_body(slab: Slab, random: Generator) -> Array:
    """Return the signed distance (z, y, x) in mm to the skin, negative inside: an elliptic cylinder."""
    x, y, _ = slab.grid.axes()
    a, b = (float(edge) - 6 * slab.scale for edge in slab.half[:2] * random.uniform(0.95, 1.0, 2))
    radius = np.sqrt((x / np.float32(a)) ** 2 + (y / np.float32(b)) ** 2) + np.float32(1e-6)
    slope = np.sqrt((x / np.float32(a**2)) ** 2 + (y / np.float32(b**2)) ** 2) + np.float32(1e-6)
    flat = radius * (radius - 1) / slope
    return np.broadcast_to(flat, slab.grid.shape).astype(np.float32)


def draw_liver(slab: Slab, body: Array, random: Generator) -> Array:
    """Return the occupancy (z, y, x) of the liver: two lobes with an uneven surface, within ``body``."""
    (a, b, c), axes = slab.half, slab.grid.axes()
    right, left = random.uniform(0.92, 1.08, (2, 3))
    lobes = [
        ((-0.40 * a, -0.02 * b, -0.05 * c), (0.44 * a * right[0], 0.62 * b * right[1], 0.86 * c * right[2])),
        ((0.02 * a, -0.36 * b, 0.15 * c), (0.46 * a * left[0], 0.30 * b * left[1], 0.48 * c * left[2])),
    ]
    uneven = smooth_field(slab.grid.shape, slab.grid.step, 40 * slab.scale, random)
    surface = np.minimum(*(ellipsoid(axes, *lobe) for lobe in lobes)) + np.float32(2.5 * slab.scale) * uneven
    return occupancy(surface, slab.grid.step) * occupancy(body + np.float32(30 * slab.scale), slab.grid.step)


def layers(slab: Slab, body: Array, liver: Array, random: Generator) -> Iterator[tuple[Array, str]]:
    """Yield the tissues as occupancies (z, y, x) with their names (`TISSUES`), in the order in which they are painted.

    ``body`` and ``liver`` are those of `draw_body` and `draw_liver`.
    """
    grid, scale, (a, b, c) = slab.grid, slab.scale, slab.half.tolist()
    _, _, z = grid.axes()

    def organ(place: tuple[float, float, float], size: tuple[float, float, float]) -> Array:
        jitter = random.uniform(0.93, 1.07, 3)
        radii = (size[0] * a * jitter[0], size[1] * b * jitter[1], size[2] * c * jitter[2])
        return occupancy(ellipsoid(grid.axes(), (place[0] * a, place[1] * b, place[2] * c), radii), grid.step)

    def tube(x: float, y: float, radius: float) -> Array:
        far = np.hypot(grid.axes()[0] - np.float32(x * a), grid.axes()[1] - np.float32(y * b))
        return np.broadcast_to(occupancy(far - np.float32(radius * scale), grid.step), grid.shape)

    yield occupancy(body, grid.step), "skin"
    yield occupancy(body + np.float32(16 * scale), grid.step), "muscle"
    ribs = np.cos(2 * np.pi * (z / np.float32(26 * scale)) + np.abs(grid.axes()[0]) / np.float32(30 * scale)) > 0.5
    yield occupancy(np.abs(body + np.float32(22 * scale)) - np.float32(3 * scale), grid.step) * ribs, "rib"
    yield occupancy(body + np.float32(29 * scale), grid.step), "fat"
    dome = occupancy(body + np.float32(31 * scale), grid.step) * occupancy(np.float32(0.62 * c) - z, grid.step)
    yield dome, "lung"
    yield organ((0.34, -0.18, 0.0), (0.24, 0.32, 0.55)), "stomach"
    yield organ((0.58, 0.30, 0.15), (0.19, 0.28, 0.55)), "spleen"
    for side in (-1, 1):
        yield organ((side * 0.42, 0.42, -0.80), (0.14, 0.17, 0.50)), "kidney"
    yield tube(0, 0.50, 19), "vertebra"
    yield tube(0, 0.66, 8), "canal"
    yield liver, "liver"
    yield tube(0.06, 0.27, 10), "aorta"
    yield tube(-0.10, 0.22, 11), "cava"
    cava = np.array([-0.10 * a, 0.20 * b, 0.40 * c])
    yield draw_tree(slab, liver, cava, HEPATIC, random), "hepatic"
    yield draw_tree(slab, liver, slab.hilum, PORTAL, random), "portal"
    yield organ((-0.20, -0.46, -0.62), (0.10, 0.14, 0.22)) * (1 - COVER * liver), "gall_bladder"


def draw_mobility(slab: Slab, body: Array) -> Array:
    """Return how much of the diaphragm's way each place takes, 0 to 1, less far below it."""
    scale, half, (x, y, z) = slab.scale, slab.half, slab.grid.axes()
    wall = _smooth(-(body + np.float32(24 * scale)) / np.float32(26 * scale))
    spine = np.hypot(x, y - np.float32(0.55 * half[1])) - np.float32(30 * scale)
    share = wall * _smooth(spine / np.float32(26 * scale))
    return np.asarray(share * (np.float32(0.85) + np.float32(0.15 / half[2]) * z), np.float32)


def breathe(image: Array, mobility: Array, grid: Grid, breath: Points) -> Array:
    """Return ``image`` (z, y, x), 0 outside, after the diaphragm moved by ``breath`` x, y, z in mm.

    Each place shows what has moved there: a point p of the body moves by ``mobility`` (p) * ``breath``.
    """
    if not breath.any():
        return image
    way = breath[::-1] / grid.step  # z, y, x in voxels
    places = np.indices(image.shape, dtype=np.float32)
    share = mobility
    for _ in range(2):  # p = x - mobility(p) breath, by iteration
        origin = places - share * np.asarray(way, np.float32)[:, None, None, None]
        share = ndimage.map_coordinates(mobility, origin, order=1, mode="nearest")
    return np.asarray(ndimage.map_coordinates(image, origin, order=1, mode="nearest"), np.float32)


def draw_tree(
    slab: Slab, liver: Array, root: Points, count: int, random: Generator, *, tip_mm: float = VESSEL_MM
) -> Array:
    """Return the occupancy (z, y, x) of vessels from ``root`` to ``count`` places in the liver.

    The places are joined to the nearest node of the growing tree, near ones first; the cube of a vessel's radius is the
    sum of those of its branches (Murray, Proc Natl Acad Sci 1926;12:207-214).
    """
    grid, scale = slab.grid, slab.scale
    voxels = np.argwhere(liver > 0.9)
    places = grid.points(voxels[random.integers(len(voxels), size=count)])
    places = places[np.argsort(np.linalg.norm(places - root, axis=1))]
    nodes, parents = [root], [-1]
    for place in places:
        known = np.asarray(nodes)
        nearest = int(np.argmin(np.linalg.norm(known - place, axis=1)))
        middle = (known[nearest] + place) / 2 + random.normal(0, 2.5 * scale, 3)
        nodes += [middle, place]
        parents += [nearest, len(nodes) - 2]
    leaves = np.ones(len(nodes))
    for node in range(len(nodes) - 1, 0, -1):  # children come after their parents
        leaves[parents[node]] += leaves[node]
    target = np.zeros(grid.shape, np.float32)
    points, radii = _beads(np.asarray(nodes), parents, tip_mm * scale * np.cbrt(leaves / 2), grid.step)
    paint_balls(target, grid, points, radii, tube=True)
    return target


def _smooth(part: Array) -> Array:
    """Return 0 to 1, with a slope that begins and ends at 0, as ``part`` goes from 0 to 1."""
    clipped = np.clip(part, 0, 1)
    return np.asarray(clipped**2 * (3 - 2 * clipped), np.float32)


def _beads(nodes: Points, parents: list[int], radii: Points, step: float) -> tuple[Points, Points]:
    """Return points and radii along all pieces, from each node to its parent, closer than a voxel."""
    places, widths = [], []
    for node, parent in enumerate(parents[1:], start=1):
        count = max(2, int(np.ceil(np.linalg.norm(nodes[node] - nodes[parent]) / (0.7 * step))))
        along = np.linspace(0, 1, count)[:, None]
        places.append(nodes[node] * (1 - along) + nodes[parent] * along)
        widths.append(np.full(count, radii[node]))
    return np.concatenate(places), np.concatenate(widths)
