"""The head without lesions and vessels: scalp, skull, fluid, folded cortex, white matter, deep nuclei, ventricles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from hakken.cohort.phantom.shapes import Array, Grid, Points, ellipsoid, occupancy, paint_balls, polyline, smooth_field

CORTEX_MM = 2.6
FOLD_MM = 21.0
FINE_FOLDS = 2.4


@dataclass(frozen=True)
class Anatomy:
    """Occupancies (z, y, x) of the tissues, painted in this order, each over the one before, and distances in mm.

    ``depth``: below the pial surface, positive in tissue. ``hull``: below the brain's convex hull. ``fold``: signed,
    to the nearest sulcal sheet. ``radii``: the brain's semi-axes x, y, z. ``ventricles`` are also part of ``fluid``.
    """

    grid: Grid
    radii: tuple[float, float, float]
    scale: float
    head: Array
    muscle: Array
    skull: Array
    marrow: Array
    fluid: Array
    grey: Array
    white: Array
    nuclei: Array
    ventricles: Array
    texture: Array
    depth: Array
    hull: Array
    fold: Array


def draw_anatomy(shape_mm: tuple[float, float, float], step: float, age: int, random: Generator) -> Anatomy:
    """Draw a head of size ``shape_mm`` (x, y, z) on voxels of ``step`` mm; sulci and ventricles widen with age."""
    grid = Grid((round(shape_mm[2] / step), round(shape_mm[1] / step), round(shape_mm[0] / step)), step)
    scale = float(np.clip(min(shape_mm) / 130, 0.7, 1.2))
    radii = _brain_radii(shape_mm, scale, random)
    hull = -_hull_distance(grid, radii, random)
    wear = (age - 35) / 50
    fold = _folds(grid, radii, hull, random)
    depth = _pial_depth(grid, radii, hull, fold, 0.35 + 0.35 * wear, scale, random)
    ventricles = _ventricles(grid, radii, 0.85 + 0.45 * wear, random)
    head, muscle, skull, marrow = _envelope(grid, hull, radii, scale, random)
    grey = occupancy(-depth, step)
    thickness = np.float32(CORTEX_MM) + np.float32(0.35) * smooth_field(grid.shape, step, 25, random)
    return Anatomy(
        grid=grid,
        radii=radii,
        scale=scale,
        head=head,
        muscle=muscle,
        skull=skull,
        marrow=marrow,
        fluid=occupancy(-hull - np.float32(1.6 * scale), step),
        grey=grey,
        white=occupancy(thickness - depth, step),
        nuclei=_nuclei(grid, radii),
        ventricles=ventricles,
        texture=smooth_field(grid.shape, step, 7, random),
        depth=depth,
        hull=hull,
        fold=fold,
    )


def _brain_radii(shape_mm: tuple[float, ...], scale: float, random: Generator) -> tuple[float, float, float]:
    """Return the brain's semi-axes: what scalp, bone and fluid leave of the head."""
    wall = 12.5 * scale
    x, y, z = (size / 2 * random.uniform(0.94, 0.98) - wall for size in shape_mm)
    return float(x), float(y), float(z)


def _hull_distance(grid: Grid, radii: tuple[float, float, float], random: Generator) -> Array:
    """Return the distance to the brain's hull: an egg, wider at the back, flat below, slightly uneven."""
    x, y, z = grid.axes()
    width = 1 + np.float32(0.10 / radii[1]) * np.clip(y, -radii[1], radii[1])
    below = np.where(z < 0, np.float32(1.12), np.float32(1)).astype(np.float32)
    distance = ellipsoid((x / width, y, z * below), (0, 0, 0), radii)
    return distance + np.float32(1.2) * smooth_field(grid.shape, grid.step, 45, random)


def _folds(grid: Grid, radii: tuple[float, float, float], hull: Array, random: Generator) -> Array:
    """Return the signed distance to sulcal sheets, which stand upright on the surface, finer in the cerebellum.

    The sheets are where a random field is zero. Looking the field up below the surface rather than at the point
    itself makes the sheets follow the surface's normal.
    """
    x, y, z = grid.axes()
    near = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2)
    shrink = np.float32(0.82) / np.maximum(near, np.float32(0.35)) + np.float32(0.18)
    shrink *= np.where(_cerebellum(grid, radii) > 0, np.float32(FINE_FOLDS), np.float32(1))
    fine = 2.0
    shape = tuple(int(np.ceil(2 * FINE_FOLDS * 1.25 * radius / fine)) for radius in radii[::-1])
    field = smooth_field(shape, fine, FOLD_MM, random)
    places = [
        axis * shrink / np.float32(fine) + np.float32((size - 1) / 2)
        for axis, size in zip((z, y, x), shape, strict=True)
    ]
    value = ndimage.map_coordinates(field, np.stack(np.broadcast_arrays(*places)), order=1, mode="mirror")
    slope = np.sqrt(sum(part**2 for part in np.gradient(value, np.float32(grid.step)))) + np.float32(0.02)
    return np.asarray(np.clip(value / slope, -12, 12), np.float32)


def _cerebellum(grid: Grid, radii: tuple[float, float, float]) -> Array:
    """Return the signed distance to the tentorium, positive below and behind it."""
    x, y, z = grid.axes()
    roof = np.float32(-0.30 * radii[2]) + np.float32(0.28) * (y - np.float32(0.55 * radii[1]))
    roof = roof - np.float32(0.12) * np.abs(x)
    below: Array = np.minimum((roof - z) * np.float32(0.95), (y - np.float32(0.12 * radii[1])) * np.float32(0.9))
    return below


def _pial_depth(
    grid: Grid, radii: tuple[float, float, float], hull: Array, fold: Array, half: float, scale: float, random: Generator
) -> Array:
    """Return the depth below the pial surface of hull, sulci, the fissure between the hemispheres and the tentorium.

    ``half`` is half the width of a sulcus in mm.
    """
    x, y, z = grid.axes()
    reach = np.float32(11 * scale) + np.float32(2.5) * smooth_field(grid.shape, grid.step, 30, random)
    sulci = np.maximum(np.abs(fold) - np.float32(half), hull - reach)
    bend = np.float32(0.9) * smooth_field((1, grid.shape[1], 1), grid.step, 40, random)
    core = ellipsoid((x, y, z), (0, 0, -2), (radii[0], 0.62 * radii[1], 0.42 * radii[2]))
    fissure = np.maximum(np.abs(x - bend) - np.float32(half + 0.3), -core)
    tentorium = np.abs(_cerebellum(grid, radii)) - np.float32(half + 0.4)
    depth: Array = np.minimum(np.minimum(hull, sulci), np.minimum(fissure, tentorium))
    return depth


def _envelope(
    grid: Grid, hull: Array, radii: tuple[float, float, float], scale: float, random: Generator
) -> tuple[Array, Array, Array, Array]:
    """Return the occupancies of head (fat), muscle, skull and its marrow, around the hull and a neck below it."""
    x, y, z = grid.axes()
    thick = np.float32(5.2 * scale) * (1 + np.float32(0.13) * smooth_field(grid.shape, grid.step, 50, random))
    inner = -hull - np.float32(1.8 * scale)
    outer = inner - thick
    skin = np.float32(4.6 * scale) * (1 + np.float32(0.15) * smooth_field(grid.shape, grid.step, 40, random))
    neck = ellipsoid((x, y, z), (0, 0.15 * radii[1], -1.45 * radii[2]), (0.75 * radii[0], 0.72 * radii[1], radii[2]))
    head = occupancy(np.minimum(outer - skin, neck), grid.step)
    temples = outer - np.float32(0.75) * skin + np.float32(2.5) * (z / np.float32(radii[2])) + np.float32(1.2)
    muscle = occupancy(np.minimum(temples, neck + 4), grid.step)
    marrow = occupancy(np.abs(inner - thick / 2) - thick * np.float32(0.16), grid.step)
    return head, muscle, occupancy(outer, grid.step), marrow


def _nuclei(grid: Grid, radii: tuple[float, float, float]) -> Array:
    """Return the occupancy of thalamus, caudate and lentiform nucleus on both sides."""
    a, b, c = radii
    parts = [
        ((0.16 * a, 0.14 * b, 0.00 * c), (0.13 * a, 0.17 * b, 0.17 * c)),
        ((0.24 * a, -0.20 * b, 0.14 * c), (0.09 * a, 0.16 * b, 0.13 * c)),
        ((0.42 * a, -0.05 * b, -0.02 * c), (0.11 * a, 0.24 * b, 0.19 * c)),
    ]
    x, y, z = grid.axes()
    side = np.abs(x)
    target = np.full(grid.shape, np.inf, np.float32)
    for centre, size in parts:
        np.minimum(target, ellipsoid((side, y, z), centre, size), out=target)
    return occupancy(target, grid.step) * np.float32(0.9)


def _ventricles(grid: Grid, radii: tuple[float, float, float], width: float, random: Generator) -> Array:
    """Return the occupancy of the lateral ventricles (two arches of tubes), the third and the fourth ventricle."""
    target = np.zeros(grid.shape, np.float32)
    for side in (-1.0, 1.0):
        path, thickness = _arch(radii, side)
        swell = width * random.uniform(0.9, 1.1)
        paint_balls(target, grid, path, thickness * swell * radii[0])
    a, b, c = radii
    third = ellipsoid(grid.axes(), (0, 0.10 * b, -0.04 * c), (0.035 * a * width + 0.3, 0.22 * b, 0.20 * c))
    fourth = ellipsoid(grid.axes(), (0, 0.34 * b, -0.52 * c), (0.10 * a, 0.07 * b, 0.11 * c))
    for shape in (third, fourth):
        np.maximum(target, occupancy(shape, grid.step), out=target)
    return target


def _arch(radii: tuple[float, float, float], side: float) -> tuple[Points, Points]:
    """Return points (n, 3) mm and radii (as fractions of the brain's half width) along one lateral ventricle."""
    knots = np.array(
        [
            (0.20, -0.46, 0.08, 0.050),
            (0.17, -0.34, 0.18, 0.085),
            (0.13, -0.12, 0.27, 0.085),
            (0.15, 0.14, 0.28, 0.080),
            (0.27, 0.36, 0.16, 0.110),
            (0.33, 0.42, 0.02, 0.105),
            (0.38, 0.34, -0.14, 0.060),
            (0.46, 0.12, -0.26, 0.045),
        ]
    )
    horn = np.array([(0.27, 0.36, 0.16, 0.10), (0.26, 0.52, 0.10, 0.065), (0.24, 0.64, 0.06, 0.035)])
    line = np.concatenate([polyline(knots, 8), polyline(horn, 8)])
    return line[:, :3] * np.asarray(radii) * (side, 1, 1), line[:, 3]
