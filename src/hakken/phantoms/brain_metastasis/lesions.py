"""Metastases: where they grow, how large, how irregular and how bright; and bright spots that are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from hakken.anatomy.blobs import Blob, draw_blob
from hakken.anatomy.head import CORTEX_MM, Anatomy
from hakken.anatomy.shapes import Array, Grid, Points
from hakken.phantoms.brain_metastasis.vessels import Vessels

MEDIAN_MM = 6.0
SPREAD = 0.5
SMALLEST_MM, LARGEST_MM = 2.0, 25.0
APART_MM = 3.0


@dataclass(frozen=True)
class Metastasis:
    """A lesion: its shape, what it looks like on the two channels (white matter is 1), and why it is hard.

    ``core`` is the radius of the dark necrotic centre as a fraction of the lesion's, 0 where there is none; ``edema``
    the width in mm of the darker rim in white matter.
    """

    blob: Blob
    diameter_mm: float
    enhanced: float
    plain: float
    core: float
    edema: float
    faint: bool
    at_vessel: bool

    @property
    def necrotic(self) -> bool:
        """Whether the centre is dark."""
        return self.core > 0

    def describe(self) -> dict[str, Any]:
        """Return what the truth file says about the lesion, without its place."""
        flags = {"faint": self.faint, "necrotic": self.necrotic, "at_vessel": self.at_vessel}
        return {"diameter_mm": round(self.diameter_mm, 3), **flags}


def draw_diameter(random: Generator) -> float:
    """Return a diameter in mm of a log-normal law with median 6 mm, truncated to 2 to 25 mm."""
    while True:
        diameter = MEDIAN_MM * float(np.exp(SPREAD * random.standard_normal()))
        if SMALLEST_MM <= diameter <= LARGEST_MM:
            return diameter


def draw_metastases(anatomy: Anatomy, vessels: Vessels, count: int, random: Generator) -> tuple[Metastasis, ...]:
    """Draw ``count`` lesions that do not touch each other, largest first.

    Most lie where grey and white matter meet, one in four beside a vessel. A lesion for which there is no room is
    drawn smaller, so the number is always met.
    """
    found: list[Metastasis] = []
    for wanted in sorted((draw_diameter(random) for _ in range(count)), reverse=True):
        diameter, at_vessel = wanted, bool(random.random() < 0.25) and len(vessels.points) > 0
        place = None
        while place is None:
            places = _beside(vessels, diameter, random) if at_vessel else _junction(anatomy, random)
            place = _free(anatomy, places, diameter, found)
            diameter = diameter if place is not None else max(SMALLEST_MM, 0.85 * diameter)
        found.append(_metastasis(place, diameter, at_vessel, random))
    return tuple(found)


def draw_spots(anatomy: Anatomy, random: Generator) -> tuple[Metastasis, ...]:
    """Draw one to five small spots that are bright on both channels (old blood, fat): only the plain T1 tells them."""
    count = int(random.integers(1, 6))
    places = _junction(anatomy, random)[:count]
    spots = []
    for place in places:
        diameter = float(random.uniform(2.5, 7))
        bright = float(random.uniform(1.25, 1.6))
        blob = draw_blob(place, diameter / 2, 0.15, random)
        spots.append(Metastasis(blob, diameter, bright, 0.93 * bright, 0.0, 0.0, False, False))
    return tuple(spots)


def paint(lesion: Metastasis, anatomy: Anatomy, enhanced: Array, plain: Array) -> None:
    """Paint a lesion into both channels (z, y, x) on the head's grid, in place, edema first."""
    blob, grid = lesion.blob, anatomy.grid
    box, offsets = _box(grid, blob, lesion.edema)
    shape = tuple(part.stop - part.start for part in box)
    distance = blob.distance(offsets)
    rim = np.clip(0.5 - (distance - lesion.edema) / 4, 0, 1).reshape(shape) * anatomy.white[box] * (lesion.edema > 0)
    share = min(1.0, 4 / 3 * np.pi * blob.radius**3 / grid.step**3)
    body = np.clip(0.5 - distance / grid.step, 0, share).reshape(shape)
    core = np.clip(0.5 - (distance + (1 - lesion.core) * blob.radius) / grid.step, 0, 1).reshape(shape)
    core *= lesion.necrotic
    for image, value, centre in ((enhanced, lesion.enhanced, 0.42), (plain, lesion.plain, 0.45)):
        part = image[box]
        part -= (0.26 * rim * part).astype(np.float32)
        part += ((value - part) * body).astype(np.float32)
        part += ((centre - part) * core).astype(np.float32)


def _metastasis(place: Points, diameter: float, at_vessel: bool, random: Generator) -> Metastasis:
    large = diameter > 8
    faint = bool(random.random() < (0.2 if large else 0.3))
    core = random.uniform(0.5, 0.75) if large and random.random() < 0.6 else 0.0
    bleeding = random.random() < 0.07
    return Metastasis(
        blob=draw_blob(place, diameter / 2, 0.13 if large else 0.10, random),
        diameter_mm=diameter,
        enhanced=float(random.uniform(1.12, 1.30) if faint else random.uniform(1.4, 1.95)),
        plain=float(random.uniform(1.1, 1.4) if bleeding else random.uniform(0.62, 0.9)),
        core=float(core),
        edema=float(random.uniform(2, 7)) if large and random.random() < 0.7 else 0.0,
        faint=faint,
        at_vessel=at_vessel,
    )


def _junction(anatomy: Anatomy, random: Generator, draws: int = 3000) -> Points:
    """Return random points (n, 3) mm: three in four where grey and white matter meet, the others anywhere inside."""
    random_voxels = random.integers(0, np.asarray(anatomy.grid.shape), (draws * 4, 3))
    index = tuple(random_voxels.T)
    border = np.abs(anatomy.depth[index] - CORTEX_MM) < 1.5
    deep = (anatomy.depth[index] > 1.5) & (anatomy.ventricles[index] < 0.05)
    kept = deep & (anatomy.hull[index] > 1.5) & (border | (random.random(len(border)) < 0.12))
    return anatomy.grid.points(random_voxels[kept] + random.uniform(-0.5, 0.5, (int(kept.sum()), 3)))


def _beside(vessels: Vessels, diameter: float, random: Generator) -> Points:
    """Return points (n, 3) mm from which a lesion of this diameter just touches a vessel."""
    chosen = random.integers(0, len(vessels.points), 400)
    away = random.normal(size=(400, 3))
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    return vessels.points[chosen] + away * (vessels.radii[chosen] + 0.45 * diameter)[:, None]


def _free(anatomy: Anatomy, places: Points, diameter: float, found: list[Metastasis]) -> Points | None:
    """Return the first place inside the brain where a lesion touches no other one and no ventricle."""
    grid = anatomy.grid
    fits = grid.sample(anatomy.hull, places) > 0.5 * diameter + 0.5
    fits &= grid.sample(anatomy.ventricles, places) < 0.05
    fits &= grid.sample(anatomy.depth, places) > 0.5
    for other in found:
        gap = (
            np.linalg.norm(places - np.asarray(other.blob.centre), axis=-1) - (diameter + other.diameter_mm) / 2 * 1.25
        )
        fits &= gap > APART_MM
    index = np.flatnonzero(fits)
    return places[index[0]] if len(index) else None


def _box(grid: Grid, blob: Blob, margin: float) -> tuple[tuple[slice, slice, slice], Points]:
    """Return the slices around a blob and its voxels' offsets (n, 3) x, y, z in mm from the blob's centre."""
    reach = blob.radius * (1 + blob.height) + margin + 2 + 2 * grid.step
    middle = grid.voxels(np.asarray([blob.centre]))[0]
    low = np.clip(np.floor(middle - reach / grid.step), 0, np.asarray(grid.shape) - 1).astype(int)
    high = np.clip(np.ceil(middle + reach / grid.step) + 1, 1, grid.shape).astype(int)
    axes = [np.arange(start, stop) for start, stop in zip(low, high, strict=True)]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    box = tuple(slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return (box[0], box[1], box[2]), grid.points(voxels) - np.asarray(blob.centre)
