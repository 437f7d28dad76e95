"""Chest and lungs: trees of vessels and airways, and what is no nodule: fissures, scars, bits of widened vessel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy import ndimage

from hakken.anatomy.chest import Chest, draw_chest
from hakken.anatomy.scanners import Pose
from hakken.anatomy.shapes import Array, Grid, occupancy
from hakken.anatomy.tubes import Lumen, Tubes, along, join, paint_tubes
from hakken.core.volume import Geometry
from hakken.phantoms.lung_nodule import Options
from hakken.phantoms.lung_nodule.trees import draw_trees

FISSURE_MM = 0.5
PLUGS, SCARS = 4, 3
"""At most so many widened bits of vessel or airway, and plates of scar at the pleura: none of them is a nodule."""


@dataclass(frozen=True)
class Lungs:
    """A chest with vessels and airways.

    ``lung`` (z, y, x) is the share of each voxel that is lung, with what runs through it; ``depth`` (z, y, x) in mm how
    far inside the lungs a voxel lies, 0 outside; ``vessels`` are without what is widened.
    """

    chest: Chest
    lung: Array
    depth: Array
    vessels: Tubes


def draw_lungs(phantom: Options, age: int, random: Generator) -> Lungs:
    """Draw a chest whose lungs hold vessels, airways, fissures and scars."""
    plain = draw_chest(phantom.shape_mm, phantom.spacing_mm, age, random)
    grid = plain.frame.grid
    lung = plain.share("lung", "vessel")
    depth = np.asarray(ndimage.distance_transform_edt(lung > 0.5) * grid.step, np.float32)
    trees = draw_trees(plain, depth, random)
    vessels = join([trees.vessels, *_plugs(trees.vessels, plain.frame.scale, random)])
    added = {
        "vessel": _painted(vessels, grid) * lung,
        "airway wall": np.maximum(_painted(trees.walls, grid), 0) * lung,
        "air/3": _painted(trees.lumina, grid) * lung,
    }
    sheets = np.maximum(_fissures(plain, random), _scars(plain, depth, random)) * lung
    layers: dict[str, Array] = {}
    for name, share in plain.layers.items():
        if name != "vessel":
            layers[name] = share
        if name == "lung":
            layers |= {"vessel/2": sheets, **added}
    return Lungs(replace(plain, layers=layers), lung, depth, trees.vessels)


def _painted(tubes: Tubes, grid: Grid) -> Array:
    """Return the share (z, y, x) of the grid's voxels that tubes fill."""
    edge = (grid.step, grid.step, grid.step)
    first = grid.points(np.zeros((1, 3)))[0]
    geometry = Geometry(grid.shape, edge, (float(first[0]), float(first[1]), float(first[2])))
    lumen = Lumen.empty(geometry)
    paint_tubes(lumen, tubes, geometry, Pose(np.eye(3), np.zeros(3), np.zeros(3)))
    return lumen.share


def _plugs(vessels: Tubes, scale: float, random: Generator) -> list[Tubes]:
    """Return short bits of vessel that are twice as wide as the rest: long, but round in one slice."""
    thin = np.flatnonzero(vessels.radii.max(-1) < 1.6 * scale)
    plugs = []
    for number in random.choice(thin, int(random.integers(PLUGS + 1))).tolist():
        start, end = vessels.ends[number]
        way = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
        line = start + np.linspace(0, float(random.uniform(10, 18)), 5)[:, None] * way
        radius = float(random.uniform(1.2, 2.6))
        plugs.append(along(line, radius * np.array([0.6, 1.0, 1.0, 1.0, 0.6]), np.ones(5)))
    return plugs


def _fissures(chest: Chest, random: Generator) -> Array:
    """Return the share (z, y, x) of thin sheets between the lobes: one slanting through each lung."""
    frame = chest.frame
    x, y, z = frame.grid.axes()
    total = np.zeros(frame.grid.shape, np.float32)
    for side in (-1.0, 1.0):
        slant, height = float(random.uniform(0.9, 1.5)), float(random.uniform(-0.15, 0.15)) * frame.half[2]
        bow = np.float32(0.004) * (x - np.float32(side * 0.4 * frame.half[0])) ** 2
        away = np.abs(z - np.float32(slant) * (y - np.float32(0.1 * frame.half[1])) - np.float32(height) + bow)
        sheet = occupancy(np.asarray(away / np.hypot(1, slant) - FISSURE_MM / 2, np.float32), frame.grid.step)
        total = np.maximum(total, np.minimum(sheet, np.float32(FISSURE_MM / frame.grid.step)) * (x * side > 0))
    return total.astype(np.float32)


def _scars(chest: Chest, depth: Array, random: Generator) -> Array:
    """Return the share (z, y, x) of plates near the pleura, five times as wide as they are thick."""
    grid = chest.frame.grid
    total = np.zeros(grid.shape, np.float32)
    near = np.flatnonzero((depth > 1) & (depth < 12))
    for _ in range(int(random.integers(SCARS + 1))):
        place = grid.points(np.stack(np.unravel_index([random.choice(near)], grid.shape), -1))[0]
        axes = np.linalg.qr(random.normal(size=(3, 3)))[0]
        thick, wide, long = random.uniform((0.7, 4, 5), (1.3, 8, 12)).astype(np.float32)
        offsets = [axis - np.float32(at) for axis, at in zip(grid.axes(), place, strict=True)]
        turned = [sum(np.float32(row[k]) * offsets[k] for k in range(3)) for row in axes]
        far = np.maximum(np.abs(turned[0]) - thick, np.hypot(turned[1] / wide, turned[2] / long) * wide - wide)
        np.maximum(total, np.minimum(occupancy(far, grid.step), min(1.0, 2 * thick / grid.step)), out=total)
    return total
