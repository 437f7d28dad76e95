"""The head without lesions and vessels: scalp, skull, fluid, folded cortex, white matter, deep nuclei, ventricles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hakken.anatomy.cortex import Brain, draw_brain, draw_folds, pial_depth
from hakken.anatomy.shapes import Array, Grid, Points, ellipsoid, occupancy, paint_balls, polyline, smooth_field

CORTEX_MM = 2.6


@dataclass(frozen=True)
class Wall:
    """What surrounds the brain, as occupancies (z, y, x): the head, which is fat elsewhere; muscle, bone, marrow."""

    head: Array
    muscle: Array
    skull: Array
    marrow: Array


@dataclass(frozen=True)
class Anatomy:
    """Occupancies (z, y, x) of the tissues, painted in this order, each over the one before, and distances in mm.

    ``depth``: below the pial surface, positive in tissue. ``hull``: below the brain's convex hull. ``fold``: signed,
    to the nearest sulcal sheet. ``radii``: the brain's semi-axes x, y, z. ``ventricles`` are also part of ``fluid``.
    """

    grid: Grid
    radii: tuple[float, float, float]
    scale: float
    wall: Wall
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
    brain = draw_brain(grid, _brain_radii(shape_mm, scale, random), scale, random)
    wear = float(np.clip((age - 35) / 50, 0, 1))
    fold = draw_folds(brain, random)
    depth = pial_depth(brain, fold, 0.35 + 0.35 * wear, random)
    thickness = np.float32(CORTEX_MM) + np.float32(0.35) * smooth_field(grid.shape, step, 25, random)
    return Anatomy(
        grid=grid,
        radii=brain.radii,
        scale=scale,
        wall=_wall(brain, random),
        fluid=occupancy(-brain.hull - np.float32(1.6 * scale), step),
        grey=occupancy(-depth, step),
        white=occupancy(thickness - depth, step),
        nuclei=_nuclei(brain),
        ventricles=_ventricles(brain, 0.85 + 0.45 * wear, random),
        texture=smooth_field(grid.shape, step, 7, random),
        depth=depth,
        hull=brain.hull,
        fold=fold,
    )


def paint_tissues(anatomy: Anatomy, tissues: Sequence[float]) -> Array:
    """Return the head (z, y, x) without vessels and lesions, white matter at 1, slightly uneven.

    ``tissues``: the intensities of scalp fat, muscle, skull, marrow, fluid, grey matter and nuclei.
    """
    image = np.full(anatomy.grid.shape, 0.01, np.float32)
    fat, muscle, skull, marrow, fluid, grey, nuclei = tissues
    layers = (
        (anatomy.wall.head, fat),
        (anatomy.wall.muscle, muscle),
        (anatomy.wall.skull, skull),
        (anatomy.wall.marrow, marrow),
        (anatomy.fluid, fluid),
        (anatomy.grey, grey),
        (anatomy.white, 1.0),
        (anatomy.nuclei * anatomy.grey, nuclei),
        (anatomy.ventricles, fluid),
    )
    for share, value in layers:
        image += (np.float32(value) - image) * share
    image *= 1 + np.float32(0.02) * anatomy.texture
    return image


def _brain_radii(shape_mm: tuple[float, ...], scale: float, random: Generator) -> tuple[float, float, float]:
    """Return the brain's semi-axes: what scalp, bone and fluid leave of the head."""
    x, y, z = (size / 2 * random.uniform(0.94, 0.98) - 12.5 * scale for size in shape_mm)
    return float(x), float(y), float(z)


def _wall(brain: Brain, random: Generator) -> Wall:
    """Draw scalp, muscle, skull and its marrow around the hull, and a neck below it."""
    grid, scale = brain.grid, np.float32(brain.scale)
    x, y, z = grid.axes()
    a, b, c = brain.radii
    bone = np.float32(5.2) * scale * (1 + np.float32(0.13) * smooth_field(grid.shape, grid.step, 50, random))
    skin = np.float32(4.6) * scale * (1 + np.float32(0.15) * smooth_field(grid.shape, grid.step, 40, random))
    inner = -brain.hull - np.float32(1.8) * scale
    outer = inner - bone
    neck = ellipsoid((x, y, z), (0, 0.15 * b, -1.6 * c), (0.75 * a, 0.72 * b, 2 * c))
    temples = outer - np.float32(0.75) * skin + np.float32(2.5 / c) * z + np.float32(1.2)
    return Wall(
        head=occupancy(np.minimum(outer - skin, neck), grid.step),
        muscle=occupancy(np.minimum(temples, neck + 4), grid.step),
        skull=occupancy(outer, grid.step),
        marrow=occupancy(np.abs(inner - bone / 2) - bone * np.float32(0.16), grid.step),
    )


def _nuclei(brain: Brain) -> Array:
    """Return the occupancy of thalamus, caudate and lentiform nucleus on both sides."""
    grid, (a, b, c) = brain.grid, brain.radii
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


def _ventricles(brain: Brain, width: float, random: Generator) -> Array:
    """Return the occupancy of the lateral ventricles (two arches of tubes), the third and the fourth ventricle."""
    grid, (a, b, c) = brain.grid, brain.radii
    target = np.zeros(grid.shape, np.float32)
    for side in (-1.0, 1.0):
        path, thickness = _arch(brain.radii, side)
        swell = width * random.uniform(0.9, 1.1)
        paint_balls(target, grid, path, thickness * swell * a)
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
