"""Masses on a chest X-ray: where in the lungs they lie, how large they are, and what they add to the attenuation.

A mass is drawn on the detector, where its size is measured, at the place where rays through a point of a lung arrive.
Its outline is lobed; what it adds falls from its middle to its edge, and in the middle is a part of what a ball of
soft tissue of its diameter adds in the lung: small masses are faint, large ones may be denser than ribs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.anatomy.chest_build import LUNG, SOFT
from hakken.anatomy.chest_film import FilmChest, Shadows, View
from hakken.anatomy.rays import Detector
from hakken.anatomy.shapes import Array, Points
from hakken.phantoms import Levels

FAINTEST, BRIGHTEST = 0.4, 1.0
"""What masses add to the attenuation, as a part of what a ball of soft tissue as large adds in the lung: faint ones are
ragged or hold air, at 1 they are solid."""
PLACES = (("lung", 0.60), ("heart", 0.14), ("diaphragm", 0.14), ("apex", 0.12))
"""How many masses lie free, behind the heart, below the dome of the diaphragm, behind the collar bone."""
TRIED = 1500
APART_MM = 4.0
FINE = 4
"""Points along the edge of a pixel at which masses are looked at."""


@dataclass(frozen=True)
class Mass:
    """A mass: its middle x, z on the detector in mm, how large, how dense, how sharp (a power), and its outline.

    ``lobes`` (k, 2) are the amplitudes, as parts of the radius, and phases of 2, 3, ... waves around it. ``place`` is
    one of `PLACES`; ``ribs`` are mm of bone before its middle.
    """

    middle: tuple[float, float]
    diameter_mm: float
    contrast: float
    power: float
    lobes: NDArray[np.float64]
    place: str
    ribs: float

    def describe(self) -> dict[str, Any]:
        """Return what the truth file says of it, without its place in the image."""
        return {
            "class": "mass",
            "diameter_mm": round(self.diameter_mm, 3),
            "contrast": round(self.contrast, 4),
            "place": self.place,
            "on_rib": self.ribs > 3,
        }

    def depth(self, x: Array, z: Array) -> Array:
        """Return how far inside places lie: 1 in the middle, 0 from the outline on."""
        across, high = x - self.middle[0], z - self.middle[1]
        angle = np.arctan2(high, across)
        radius = self.diameter_mm / 2 * np.ones_like(angle)
        for waves, (height, phase) in enumerate(self.lobes, start=2):
            radius = radius * (1 + height * np.sin(waves * angle + phase))
        return np.asarray(np.clip(1 - (across**2 + high**2) / radius**2, 0, None), np.float32)


@dataclass(frozen=True)
class Painted:
    """What a mass adds to the attenuation (rows, columns), and which share of each pixel lies within its outline."""

    added: Array
    share: Array


def draw_masses(
    view: View, shadows: Shadows, levels: tuple[Levels, ...], diameters_mm: tuple[float, float], random: Generator
) -> list[Mass]:
    """Draw a mass for each of ``levels``: sizes and densities are their quantiles, and so are the places.

    Between the two ``diameters_mm`` there are as many per octave.
    """
    chest, detector = view.chest, view.detector
    points, room = _points_in_lungs(chest, random)
    places, _ = view.stance.project(points)
    fields = {"heart": shadows.heart, "abdomen": shadows.abdomen, "ribs": view.through(chest.bones)}
    seen = {name: _sampled(field, detector, places) for name, field in fields.items()}
    found: list[Mass] = []
    for level in levels:
        smallest, largest = diameters_mm
        diameter = smallest * (largest / smallest) ** level.size
        wanted = _place(level.kind)
        fits = _fitting(wanted, points, seen, chest)
        scores = np.where(fits, 1000.0, 0) + np.minimum(room, 0.4 * diameter)
        scores -= 2000.0 * ~_free(places, diameter, found, detector)
        chosen = int(np.argmax(scores))
        found.append(
            Mass(
                middle=(float(places[chosen, 0]), float(places[chosen, 1])),
                diameter_mm=diameter,
                contrast=(SOFT - LUNG) * diameter * (FAINTEST + (BRIGHTEST - FAINTEST) * level.look),
                power=float(random.uniform(0.5, 1.1)),
                lobes=np.column_stack([random.normal(0, 0.05, 4), random.uniform(0, 2 * np.pi, 4)]),
                place=wanted if fits[chosen] else "lung",
                ribs=float(seen["ribs"][chosen]),
            )
        )
    return found


def painted(mass: Mass, detector: Detector) -> Painted:
    """Return what a mass adds to each pixel, as the mean over the pixel, and which share of it lies within."""
    fine = detector.step / FINE
    row, column = detector.pixels(np.array([mass.middle]))[0]
    reach = int(np.ceil(0.75 * mass.diameter_mm / detector.step)) + 1
    added, share = np.zeros((2, *detector.shape), np.float32)
    rows, columns = (
        slice(max(round(at) - reach, 0), max(min(round(at) + reach + 1, size), 0))
        for at, size in zip((row, column), detector.shape, strict=True)
    )
    offsets = (np.arange(FINE) - (FINE - 1) / 2) * fine
    x, z = detector.axes()
    across = (x[0, columns, None] + offsets).reshape(1, -1)
    high = (z[rows, 0, None] - offsets).reshape(-1, 1)
    depth = mass.depth(across, high)
    cells = (rows.stop - rows.start, FINE, columns.stop - columns.start, FINE)
    added[rows, columns] = mass.contrast * (depth**mass.power * (depth > 0)).reshape(cells).mean((1, 3))
    share[rows, columns] = (depth > 0).reshape(cells).mean((1, 3))
    return Painted(added, share)


def _points_in_lungs(chest: FilmChest, random: Generator) -> tuple[Points, Points]:
    """Return points (n, 3) of the lungs, and how far (n,) each is from their surface."""
    across, along = chest.build.half
    low = chest.build.diaphragm - 60 * chest.build.scale
    points = random.uniform((-across, -along, low), (across, along, chest.build.apex), (TRIED, 3))
    x, y, z = points.T.astype(np.float32)
    room = -chest.build.lungs(x, y, z).astype(float)
    return points[room > 2], room[room > 2]


def _sampled(field: Array, detector: Detector, places: Points) -> Points:
    """Return a field (rows, columns) at places (n, 2) x, z in mm."""
    return np.asarray(ndimage.map_coordinates(field, detector.pixels(places).T, order=1, mode="nearest"), float)


def _place(level: float) -> str:
    """Return the place at a quantile.

    >>> _place(0.1), _place(0.7), _place(0.99)
    ('lung', 'heart', 'apex')
    """
    borders = np.cumsum([share for _, share in PLACES])[:-1]
    return PLACES[int(np.searchsorted(borders, level))][0]


def _fitting(place: str, points: Points, seen: dict[str, Points], chest: FilmChest) -> NDArray[np.bool_]:
    """Return which points (n, 3) of the lungs are seen at a place."""
    high = points[:, 2] > chest.build.apex - 36 * chest.build.scale
    heart, below = seen["heart"] > 15, seen["abdomen"] > 15
    if place == "heart":
        return heart & ~below
    if place == "diaphragm":
        return below
    return high if place == "apex" else ~high & (seen["heart"] < 1) & (seen["abdomen"] < 1)


def _free(places: Points, diameter: float, others: list[Mass], detector: Detector) -> NDArray[np.bool_]:
    """Return where (n,) a mass lies on the detector as a whole and touches no other."""
    half = np.array(detector.shape[::-1]) * detector.step / 2 - diameter / 2
    free = (np.abs(places) <= half).all(1)
    for other in others:
        far = np.linalg.norm(places - other.middle, axis=1)
        free &= far > 0.6 * (diameter + other.diameter_mm) + APART_MM
    return np.asarray(free)
