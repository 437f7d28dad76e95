"""The brain's surface: its hull, the sulci that fold it, and the great clefts between its parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from hakken.anatomy.shapes import Array, Grid, ellipsoid, smooth_field

FOLD_MM = 16.0
FINE_FOLDS = 1.8
SULCUS_MM = 14.0


@dataclass(frozen=True)
class Brain:
    """The brain's outline: semi-axes x, y, z in mm, ``hull``: depth (z, y, x) in mm below its convex surface.

    ``scale`` is the size of the head relative to an adult's.
    """

    grid: Grid
    radii: tuple[float, float, float]
    scale: float
    hull: Array


def draw_brain(grid: Grid, radii: tuple[float, float, float], scale: float, random: Generator) -> Brain:
    """Draw the hull: an egg, wider at the back, flat below, slightly uneven."""
    x, y, z = grid.axes()
    width = 1 + np.float32(0.10 / radii[1]) * np.clip(y, -radii[1], radii[1])
    below = np.asarray(np.where(z < 0, 1.12, 1), np.float32)
    distance = ellipsoid((x / width, y, z * below), (0, 0, 0), radii)
    uneven = np.float32(1.2) * smooth_field(grid.shape, grid.step, 45, random)
    return Brain(grid, radii, scale, -distance - uneven)


def draw_folds(brain: Brain, random: Generator) -> Array:
    """Return the signed distance in mm to sulcal sheets, which stand upright on the hull, finer in the cerebellum.

    The sheets are where a random field is zero. The field is looked up nearer to the hull than the point itself, which
    makes the sheets follow the hull's normal.
    """
    axes, radii = brain.grid.axes(), brain.radii
    near = np.sqrt(sum((axis / np.float32(radius)) ** 2 for axis, radius in zip(axes, radii, strict=True)))
    stretch = np.float32(0.82) / np.maximum(near, np.float32(0.35)) + np.float32(0.18)
    stretch *= np.where(_cerebellum(brain) > 0, np.float32(FINE_FOLDS), np.float32(1))
    field = smooth_field(tuple(int(1.25 * FINE_FOLDS * radius) for radius in radii[::-1]), 2.0, FOLD_MM, random)
    pairs = zip(axes[::-1], field.shape, strict=True)
    places = np.stack([axis * stretch / 2 + np.float32((size - 1) / 2) for axis, size in pairs])
    value = ndimage.map_coordinates(field, places, order=1, mode="mirror")
    slope = np.sqrt(sum(part**2 for part in np.gradient(value, np.float32(brain.grid.step))))
    return np.asarray(np.clip(value / (slope + np.float32(0.02)), -12, 12), np.float32)


def pial_depth(brain: Brain, fold: Array, half: float, random: Generator) -> Array:
    """Return the depth in mm below the brain's surface, folds and clefts included; ``half`` a sulcus' width in mm."""
    grid = brain.grid
    reach = np.float32(SULCUS_MM * brain.scale) + np.float32(3.5) * smooth_field(grid.shape, grid.step, 30, random)
    depth = np.minimum(brain.hull, np.maximum(np.abs(fold) - np.float32(half), brain.hull - reach))
    bend = np.float32(0.9) * smooth_field((1, grid.shape[1], 1), grid.step, 40, random)
    for cleft in (_between_hemispheres(brain, bend), _lateral(brain), _below_tent(brain), _around_stem(brain)):
        np.minimum(depth, cleft - np.float32(half + 0.35), out=depth)
    return depth


def _between_hemispheres(brain: Brain, bend: Array) -> Array:
    """Return the distance to the sheet between the hemispheres, which ends above the corpus callosum."""
    x, _, _ = axes = brain.grid.axes()
    a, b, c = brain.radii
    core = ellipsoid(axes, (0, 0, -2), (a, 0.62 * b, 0.42 * c))
    return np.asarray(np.maximum(np.abs(x - bend), -core))


def _lateral(brain: Brain) -> Array:
    """Return the distance to the lateral (Sylvian) fissures, which part the temporal lobes from above."""
    x, y, z = brain.grid.axes()
    a, b, c = (np.float32(radius) for radius in brain.radii)
    sheet = np.abs(z + np.float32(0.20) * c + np.float32(0.22) * y - np.float32(0.25) * np.abs(x))
    ends = np.maximum(np.float32(0.55) * a - np.abs(x), np.abs(y + np.float32(0.12) * b) - b / 3)
    return np.asarray(np.maximum(sheet, ends))


def _below_tent(brain: Brain) -> Array:
    """Return the distance to the sheet between cerebrum and cerebellum."""
    return np.maximum(np.abs(_tent(brain)), _front(brain))


def _around_stem(brain: Brain) -> Array:
    """Return the distance to the cistern around the brain stem."""
    x, y, z = brain.grid.axes()
    a, b, c = (np.float32(radius) for radius in brain.radii)
    stem = ellipsoid((x, y, z), (0, float(b) / 12, float(-c)), (float(a) * 0.24, float(b) * 0.22, float(c) * 0.72))
    return np.asarray(np.maximum(np.abs(stem), y - np.float32(0.2) * b))


def _tent(brain: Brain) -> Array:
    """Return the signed distance to the tentorium, positive below it."""
    x, y, z = brain.grid.axes()
    roof = np.float32(-0.26 * brain.radii[2]) - np.float32(0.30) * (y - np.float32(0.45 * brain.radii[1]))
    return np.asarray((roof - np.float32(0.35) * np.abs(x) - z) * np.float32(0.9), np.float32)


def _front(brain: Brain) -> Array:
    """Return the signed distance to the front of the cerebellum, negative behind it."""
    _, y, z = brain.grid.axes()
    return np.asarray((np.float32(0.16 * brain.radii[1]) - y - np.float32(0.35) * z) * np.float32(0.9), np.float32)


def _cerebellum(brain: Brain) -> Array:
    """Return where the cerebellum is: positive below its tent and behind its front."""
    return np.minimum(_tent(brain), -_front(brain))
