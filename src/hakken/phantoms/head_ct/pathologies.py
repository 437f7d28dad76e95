"""What is abnormal on an emergency head CT: haemorrhages, infarcts and tumours, of varied place, size and density.

Lesions are occupancies (z, y, x) on the head's grid with a density in Hounsfield units (HU); lengths are in mm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hakken.anatomy.head import Anatomy
from hakken.anatomy.shapes import Array, occupancy, smooth_field
from hakken.phantoms import Levels
from hakken.phantoms._laws import kind_at

SMALLEST_MM3 = 150.0
ATTEMPTS = 20
OEDEMA_HU = 20.0


@dataclass(frozen=True)
class Pathology:
    """One lesion: its kind, ``share`` (z, y, x) of each voxel that it fills, and what it changes.

    ``hu`` is its density and ``strength`` how far it replaces what it fills, 0 to 1. ``oedema`` is the share of white
    matter around it, which is no part of the lesion, that turns to `OEDEMA_HU`.
    """

    kind: str
    share: Array
    hu: float
    strength: float = 1.0
    oedema: Array | None = None

    def paint(self, image: Array) -> None:
        """Paint the lesion into ``image`` (z, y, x) in HU, in place, oedema first."""
        if self.oedema is not None:
            image += (np.float32(OEDEMA_HU) - image) * self.oedema
        image += (np.float32(self.hu) - image) * (self.share * np.float32(self.strength))


def draw_pathologies(anatomy: Anatomy, levels: Sequence[Levels], random: Generator) -> tuple[Pathology, ...]:
    """Draw a lesion for each of ``levels`` into one head; they do not overlap.

    Kind, size and density are those of the level. A lesion for which no room is found is left out, but the first one
    always finds it.
    """
    found: list[Pathology] = []
    taken = np.zeros(anatomy.grid.shape, np.float32)
    for level in levels:
        for _ in range(ATTEMPTS):
            lesion = _KINDS[kind_at(level.kind, SHARES)](anatomy, level, random)
            free = lesion.share * (1 - taken)
            if free.sum() * anatomy.grid.step**3 >= SMALLEST_MM3 and free.max() > 0.6:
                found.append(Pathology(lesion.kind, free, lesion.hu, lesion.strength, lesion.oedema))
                taken = np.maximum(taken, (lesion.share > 0).astype(np.float32))
                break
    return tuple(found)


def between(low: float, high: float, level: float) -> float:
    """Return the value at ``level``, 0 to 1, of an even law.

    >>> between(4.5, 13, 0.5)
    8.75
    """
    return low + level * (high - low)


def _parenchymal(anatomy: Anatomy, level: Levels, random: Generator) -> Pathology:
    """Return a haemorrhage in the brain, mostly deep, with a rim of oedema."""
    radius = between(4.5, 13, level.size) * anatomy.scale
    distance = _lump(anatomy, radius, random)
    inside = occupancy(-anatomy.hull, anatomy.grid.step)
    rim = occupancy(distance - np.float32(random.uniform(1, 5)), anatomy.grid.step) * anatomy.white
    share = occupancy(distance, anatomy.grid.step) * inside
    return Pathology("parenchymal haemorrhage", share, between(55, 78, level.look), oedema=np.float32(0.8) * rim)


def _subdural(anatomy: Anatomy, level: Levels, random: Generator) -> Pathology:
    """Return a crescent along one hemisphere: acute blood is bright, old blood as dark as the brain or darker."""
    thickness = between(3.5, 9, level.size) * anatomy.scale
    hu = float(np.interp(level.look, [0, 0.2, 0.2, 0.4, 0.4, 1], [14, 24, 38, 50, 52, 75]))
    share = _shell(anatomy, thickness, float(random.uniform(45, 75)), 4, random)
    return Pathology("subdural haemorrhage", share, hu)


def _epidural(anatomy: Anatomy, level: Levels, random: Generator) -> Pathology:
    """Return a lens of blood between skull and dura, which sutures confine."""
    thickness = between(5, 13, level.size) * anatomy.scale
    share = _shell(anatomy, thickness, float(random.uniform(22, 36)), 2, random)
    return Pathology("epidural haemorrhage", share, between(55, 75, level.look))


def _subarachnoid(anatomy: Anatomy, level: Levels, random: Generator) -> Pathology:
    """Return blood in the fluid of sulci and cisterns around one place, densest there."""
    grid = anatomy.grid
    seed = random.choice(np.flatnonzero((np.abs(anatomy.fold) < 1.5) & (anatomy.hull > 1) & (anatomy.hull < 14)))
    centre = grid.points(np.stack(np.unravel_index([seed], grid.shape), -1))[0]
    reach = between(16, 30, level.size) * anatomy.scale
    distance = _distance(anatomy, centre) + np.float32(0.15 * reach) * smooth_field(grid.shape, grid.step, 18, random)
    spread = np.clip((np.float32(reach) - distance) / np.float32(0.4 * reach), 0, 1)
    fluid = anatomy.fluid * (1 - anatomy.grey) * (1 - anatomy.ventricles)
    widened = np.clip(2 * fluid, 0, 1)  # blood swells the sulci that it fills
    return Pathology("subarachnoid haemorrhage", widened * spread, between(48, 68, level.look))


def _infarct(anatomy: Anatomy, level: Levels, random: Generator) -> Pathology:
    """Return a territory of brain that is darker, by little at first, and has lost the border of grey and white."""
    radius = between(9, 20, level.size) * anatomy.scale
    brain = anatomy.grey * (1 - anatomy.ventricles)
    share = occupancy(_lump(anatomy, radius, random, hull_mm=0.35 * radius), anatomy.grid.step) * brain
    return Pathology("infarct", share, between(14, 21, level.look), strength=float(random.uniform(0.5, 1)))


def _tumour(anatomy: Anatomy, level: Levels, random: Generator) -> Pathology:
    """Return a mass somewhat denser than brain, in a wide oedema of the white matter."""
    radius = between(4.5, 11, level.size) * anatomy.scale
    distance = _lump(anatomy, radius, random)
    rim = occupancy(distance - np.float32(random.uniform(3, 9)), anatomy.grid.step) * anatomy.white
    inside = occupancy(-anatomy.hull, anatomy.grid.step)
    share = occupancy(distance, anatomy.grid.step) * inside
    return Pathology("tumour", share, between(40, 56, level.look), oedema=np.float32(0.9) * rim)


SHARES = {
    "parenchymal haemorrhage": 0.24,
    "subdural haemorrhage": 0.20,
    "epidural haemorrhage": 0.10,
    "subarachnoid haemorrhage": 0.14,
    "infarct": 0.20,
    "tumour": 0.12,
}
_KINDS: dict[str, Callable[[Anatomy, Levels, Generator], Pathology]] = {
    "parenchymal haemorrhage": _parenchymal,
    "subdural haemorrhage": _subdural,
    "epidural haemorrhage": _epidural,
    "subarachnoid haemorrhage": _subarachnoid,
    "infarct": _infarct,
    "tumour": _tumour,
}


def _lump(anatomy: Anatomy, radius: float, random: Generator, hull_mm: float | None = None) -> Array:
    """Return the signed distance (z, y, x) to an uneven ball in the brain, at least ``hull_mm`` below its hull."""
    grid, depth = anatomy.grid, 0.8 * radius if hull_mm is None else hull_mm
    room = (anatomy.hull > min(depth, 0.6 * float(anatomy.hull.max()))) & (anatomy.grey > 0.5)
    seed = random.choice(np.flatnonzero(room & (anatomy.ventricles < 0.1)))
    centre = grid.points(np.stack(np.unravel_index([seed], grid.shape), -1))[0]
    stretch = random.uniform(0.8, 1.25, 3)
    uneven = np.float32(0.14 * radius) * smooth_field(grid.shape, grid.step, 1.6 * radius, random)
    return np.asarray(_distance(anatomy, centre, stretch) - np.float32(radius) + uneven, np.float32)


def _distance(anatomy: Anatomy, centre: np.ndarray[tuple[int], np.dtype[np.float64]], stretch: object = 1.0) -> Array:
    """Return the distance in mm (z, y, x) to a point x, y, z, each axis divided by ``stretch``."""
    scales = np.broadcast_to(np.asarray(stretch, float), 3)
    squares = [
        ((axis - np.float32(place)) / np.float32(scale)) ** 2
        for axis, place, scale in zip(anatomy.grid.axes(), centre, scales, strict=True)
    ]
    return np.asarray(np.sqrt(squares[0] + squares[1] + squares[2]), np.float32)


def _shell(anatomy: Anatomy, thickness: float, half: float, power: int, random: Generator) -> Array:
    """Return the share (z, y, x) of a collection of blood below the skull of one side.

    It is ``thickness`` mm thick at its middle and ends ``half`` degrees from there; the higher the ``power``, the more
    suddenly: 2 makes a lens, 4 a crescent.
    """
    grid, (x, y, z) = anatomy.grid, anatomy.grid.axes()
    a, b, c = (np.float32(radius) for radius in anatomy.radii)
    side = float(random.choice([-1.0, 1.0]))
    turn, rise = np.radians(random.uniform(-55, 55)), np.radians(random.uniform(-5, 50))
    middle = np.array([side * np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)], np.float32)
    far = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) + np.float32(1e-6)
    cosine = (x / a * middle[0] + y / b * middle[1] + z / c * middle[2]) / far
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1))) / np.float32(half)
    profile = np.float32(thickness) * (1 - angle**power)
    profile += np.float32(0.12 * thickness) * smooth_field(grid.shape, grid.step, 20, random)
    gap = np.float32(1.6 * anatomy.scale)  # from the skull's inside to the hull
    within = occupancy(-anatomy.hull - gap, grid.step) * occupancy(anatomy.hull - (profile - gap), grid.step)
    return np.asarray(within * occupancy(1.0 - np.float32(side) * x, grid.step) * (angle < 1), np.float32)
