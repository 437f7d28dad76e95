"""What enhances and is no lesion: sinuses, arteries, veins of cortex, sulci and white matter, dura, plexus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hakken.anatomy.head import Anatomy
from hakken.anatomy.shapes import Array, Points, occupancy, paint_balls, polyline, smooth_field

STEP_MM = 1.2


@dataclass(frozen=True)
class Vessels:
    """``blood`` and ``membrane`` (dura, choroid plexus): enhancing fractions (z, y, x).

    ``points`` (n, 3) mm and ``radii`` (n,) mm are beads along veins and arteries beside which a lesion may grow.
    """

    blood: Array
    membrane: Array
    points: Points
    radii: Points


@dataclass(frozen=True)
class Beads:
    """A bundle of tubes as balls in a row: points (n, 3) mm, radii (n,) mm, strength (n,) of their enhancement."""

    points: Points
    radii: Points
    strength: Points


@dataclass(frozen=True)
class Start:
    """Where tubes start: points (n, 3) mm, heading (n, 3), length (n,) in steps, radii (n,) mm at the start."""

    points: Points
    heading: Points
    length: NDArray[np.int64]
    radii: Points


def draw_vessels(anatomy: Anatomy, random: Generator) -> Vessels:
    """Draw the vessels and membranes of one head."""
    area = float(anatomy.radii[0] * anatomy.radii[1]) / 2000
    veins = _surface_veins(anatomy, round(26 * area), random)
    sulcal = _sulcal_vessels(anatomy, round(60 * area), random)
    deep = _deep_veins(anatomy, round(22 * area), random)
    loops = _loops(anatomy, round(9 * area), random)
    trunks = _trunks(anatomy, random)
    blood = np.zeros(anatomy.grid.shape, np.float32)
    for bundle in (deep, sulcal, loops, veins, trunks):
        paint_balls(blood, anatomy.grid, bundle.points, bundle.radii, bundle.strength, tube=True)
    points = np.concatenate([veins.points, sulcal.points, deep.points])
    depth = anatomy.grid.sample(anatomy.hull, points)
    near = depth > 1.5
    radii = np.concatenate([veins.radii, sulcal.radii, deep.radii])
    return Vessels(blood, _membranes(anatomy, random), points[near], radii[near])


def _surface_veins(anatomy: Anatomy, count: int, random: Generator) -> Beads:
    """Return veins that run from the sagittal sinus down over the convexity, just below the hull."""
    _, b, c = anatomy.radii
    angle = random.uniform(-0.4, 1.15, count) * np.pi / 2
    start = np.stack([random.choice([-3.0, 3.0], count), b * np.sin(angle), c * np.cos(angle)], axis=-1)
    heading = np.stack([np.sign(start[:, 0]) * 2, random.normal(0, 0.7, count), np.zeros(count)], axis=-1)
    length = random.integers(14, 46, count)
    radii = random.uniform(0.55, 1.35, count)
    return _wander(anatomy, Start(start, heading, length, radii), random, hull_mm=0.6)


def _sulcal_vessels(anatomy: Anatomy, count: int, random: Generator) -> Beads:
    """Return vessels that wander within the sulci and the fissure between the hemispheres."""
    sheet = np.flatnonzero((np.abs(anatomy.fold) < 1) & (anatomy.hull > 2) & (anatomy.hull < 9 * anatomy.scale))
    chosen = random.choice(sheet, count)
    start = anatomy.grid.points(np.stack(np.unravel_index(chosen, anatomy.grid.shape), axis=-1))
    heading = random.normal(size=(count, 3))
    length = random.integers(5, 26, count)
    radii = random.uniform(0.45, 1.15, count)
    return _wander(anatomy, Start(start, heading, length, radii), random, in_fold=True)


def _loops(anatomy: Anatomy, count: int, random: Generator) -> Beads:
    """Return short thick bits of vessel in sulci and cortex, where one loops or swells: alone, each is a lesion."""
    sheet = np.flatnonzero((np.abs(anatomy.depth) < 1.5) & (anatomy.hull > 2))
    chosen = random.choice(sheet, count)
    start = anatomy.grid.points(np.stack(np.unravel_index(chosen, anatomy.grid.shape), axis=-1))
    length, radii = random.integers(2, 5, count), random.uniform(1.0, 2.4, count)
    return _wander(anatomy, Start(start, random.normal(size=(count, 3)), length, radii), random)


def _deep_veins(anatomy: Anatomy, count: int, random: Generator) -> Beads:
    """Return thin veins that cross the white matter between ventricle and cortex, nearly straight."""
    direction = random.normal(size=(count, 3)) * (1, 1, 0.8)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    start = direction * np.asarray(anatomy.radii) * random.uniform(0.3, 0.6, (count, 1))
    length = random.integers(6, 18, count)
    radii = random.uniform(0.35, 0.75, count)
    return _wander(anatomy, Start(start, direction, length, radii), random)


def _wander(
    anatomy: Anatomy, start: Start, random: Generator, *, hull_mm: float | None = None, in_fold: bool = False
) -> Beads:
    """Return tubes that turn at random and taper; with ``hull_mm`` they keep this depth, or stay in their sulcus."""
    places, widths, alive = [], [], []
    point, heading, length, count = start.points, start.heading, start.length, len(start.points)
    strength = random.uniform(0.55, 1, count)
    rhythm, phase = random.uniform(0.25, 0.7, count), random.uniform(0, 7, count)
    for step in range(int(length.max())):
        if hull_mm is not None:
            point, heading = _held(anatomy, anatomy.hull, hull_mm, point, heading)
        if in_fold:
            point, heading = _held(anatomy, anatomy.fold, 0.0, point, heading)
        heading = heading / np.linalg.norm(heading, axis=-1, keepdims=True)
        places.append(point)
        widths.append(start.radii * (1 - 0.5 * step / length) * (1 + 0.22 * np.sin(rhythm * step + phase)))
        alive.append(step < length)
        point = point + heading * STEP_MM
        heading = heading + 0.28 * random.normal(size=heading.shape)
    kept = np.concatenate(alive)
    every = np.tile(strength, len(places))
    return Beads(np.concatenate(places)[kept], np.concatenate(widths)[kept], every[kept])


def _held(anatomy: Anatomy, field: Array, level: float, point: Points, heading: Points) -> tuple[Points, Points]:
    """Move points towards the surface where ``field`` is ``level``, and turn headings along it."""
    slope = anatomy.grid.gradient(field, point)
    norm = (slope**2).sum(-1, keepdims=True) + 1e-3
    error = np.clip(level - anatomy.grid.sample(field, point), -2, 2)[:, None]
    return point + 0.7 * error * slope / norm, heading - (heading * slope).sum(-1, keepdims=True) * slope / norm


def _trunks(anatomy: Anatomy, random: Generator) -> Beads:
    """Return the large vessels: sagittal, straight and transverse sinus, middle and anterior cerebral arteries."""
    a, b, c = anatomy.radii
    angle = np.linspace(-0.75, 1.62, 14)
    sagittal = np.stack([random.normal(0, 0.4, 14), b * np.sin(angle), c * np.cos(angle)], -1) * 1.01
    straight = np.array([(0, 0.28, 0.06), (0, 0.45, -0.05), (0, 0.7, -0.22), (0, 0.96, -0.36)]) * (a, b, c)
    tubes = [
        _tube(sagittal, np.linspace(1.2, 3.4, 14) * anatomy.scale, 0.95),
        _tube(straight, np.array([0.9, 1.2, 1.5, 2.2]) * anatomy.scale, 0.95),
    ]
    for side in (-1, 1):
        transverse = np.array([(0, 0.98, -0.36), (0.45, 0.88, -0.40), (0.78, 0.55, -0.46), (0.84, 0.3, -0.52)])
        middle = np.array([(0.1, -0.2, -0.62), (0.3, -0.24, -0.52), (0.55, -0.2, -0.42), (0.8, -0.1, -0.25)])
        front = np.array([(0.03, -0.24, -0.62), (0.03, -0.5, -0.3), (0.03, -0.6, 0.15), (0.03, -0.35, 0.6)])
        inner = np.array([(0.06, -0.14, 0.20), (0.05, 0.05, 0.21), (0.04, 0.2, 0.14), (0.01, 0.29, 0.06)])
        for line, radius in ((transverse, 2.6), (middle, 1.2), (front, 0.9), (inner, 0.8)):
            jitter = random.normal(0, 0.02, line.shape)
            knots = (line + jitter) * (side * a, b, c)
            tubes.append(_tube(knots, np.full(len(line), radius * random.uniform(0.7, 1.1)) * anatomy.scale, 0.9))
    return Beads(*(np.concatenate(parts) for parts in zip(*tubes, strict=True)))


def _tube(knots: Points, radii: Points, strength: float) -> tuple[Points, Points, Points]:
    """Return points, radii and strength of beads along a smooth curve through ``knots`` (n, 3) mm."""
    pieces = int(np.ceil(np.linalg.norm(np.diff(knots, axis=0), axis=-1).max() / STEP_MM))
    line = polyline(np.column_stack([knots, radii]), pieces)
    return line[:, :3], line[:, 3], np.full(len(line), strength)


def _membranes(anatomy: Anatomy, random: Generator) -> Array:
    """Return the enhancing fraction of dura in patches, choroid plexus, and granulations beside the sagittal sinus."""
    grid = anatomy.grid
    patchy = np.clip(0.45 + 0.5 * smooth_field(grid.shape, grid.step, 35, random), 0, 1)
    dura = occupancy(np.abs(anatomy.hull + np.float32(1.5 * anatomy.scale)) - np.float32(0.6), grid.step) * patchy
    a, b, c = anatomy.radii
    side = np.array([-1.0, 1.0])[:, None] * np.array([1.0, 0, 0]) + np.array([0, 1.0, 1.0])
    middle = side * (0.29 * a, 0.38 * b, 0.11 * c)
    plexus = (middle[:, None] + random.normal(0, 1.3, (2, 7, 3)) * (0.7, 1.5, 1)).reshape(-1, 3)
    paint_balls(dura, grid, plexus, random.uniform(0.7, 1.9, len(plexus)) * anatomy.scale, 0.8)
    angle = random.uniform(-0.3, 1.2, 6)
    height = np.stack([random.normal(0, 5, 6), b * np.sin(angle), c * np.cos(angle)], -1)
    paint_balls(dura, grid, height, random.uniform(0.8, 2.2, 6) * anatomy.scale, 0.9)
    return np.asarray(dura)
