"""The wall of a colon as a colonoscope sees it: lumen, folds, vessels, stains, and the polyps that grow on it.

A wall is a relief over a plane, drawn larger than one frame so that the camera can move over it. Lengths are in pixels
of the published frame (384 x 288), the plane's origin is where the camera first looks; arrays are ordered (y, x) or
(colour, y, x). A height points to the camera, a colour is the share of red, green and blue light that comes back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hakken.anatomy.shapes import Array, occupancy, smooth_field

TISSUE = (0.86, 0.46, 0.38)
BLOOD = (0.82, 0.55, 0.60)  # of the tissue's light, that a vessel lets back
STAIN = (0.66, 0.47, 0.20)
KINDS = {"sessile": 0.5, "pedunculated": 0.2, "flat": 0.3}
TINTS = {"red": (1.06, 0.76, 0.76), "pale": (1.08, 1.28, 1.26), "like its surroundings": (1.0, 1.0, 1.0)}
RADIUS, SPREAD, SMALLEST, LARGEST = 46.0, 0.4, 18.0, 95.0
ATTEMPTS = 20


@dataclass(frozen=True)
class Plane:
    """Square pixels of edge ``step``, ``shape`` (y, x), the origin in their middle."""

    shape: tuple[int, int]
    step: float

    def axes(self) -> tuple[Array, Array]:
        """Return the coordinates x (1, X) and y (Y, 1)."""
        y, x = (((np.arange(n) - (n - 1) / 2) * self.step).astype(np.float32) for n in self.shape)
        return x[None, :], y[:, None]

    def field(self, wavelength: float, random: Generator) -> Array:
        """Return a smooth random field (y, x) of SD about 1 that varies over ``wavelength``, at least two pixels."""
        return smooth_field(self.shape, self.step, max(wavelength, 2 * self.step), random)


@dataclass(frozen=True)
class Polyp:
    """One polyp: what it is, where (x, y), how large, and the ``share`` (y, x) of each pixel that it covers."""

    kind: str
    tint: str
    centre: tuple[float, float]
    radius: float
    share: Array


@dataclass(frozen=True)
class Wall:
    """A wall with its polyps: ``height`` (y, x), ``colour`` (3, y, x), ``depth`` (y, x) of the lumen."""

    plane: Plane
    height: Array
    colour: Array
    depth: Array
    polyps: tuple[Polyp, ...]


def draw_wall(plane: Plane, count: int, view: tuple[float, float], random: Generator) -> Wall:
    """Draw a wall with ``count`` polyps, their centres in the middle of a ``view`` (width, height) around the origin.

    A polyp for which there is no room beside the others is left out; the first one always finds it.
    """
    depth, around = _lumen(plane, view, random)
    height = 5 * plane.field(130, random) + 0.8 * plane.field(24, random) + _folds(plane, around, random)
    colour = _mucosa(plane, random)
    polyps: list[Polyp] = []
    taken = np.zeros(plane.shape, np.float32)
    for _ in range(count):
        for _ in range(ATTEMPTS):
            polyp, profile = _polyp(plane, view, random)
            if not (polyp.share * taken).any():
                polyps.append(polyp)
                taken += polyp.share
                height += profile - np.float32(0.8) * height * polyp.share
                colour = _grown(colour, polyp, plane, random)
                break
    return Wall(plane, height, _stained(colour, taken, plane, random), depth, tuple(polyps))


def _lumen(plane: Plane, view: tuple[float, float], random: Generator) -> tuple[Array, Array]:
    """Return how far the wall recedes (y, x), and the distance (y, x) from the lumen's centre, bent a little."""
    x, y = plane.axes()
    angle, far = random.uniform(0, 2 * np.pi), random.uniform(0.2, 0.7)
    place = far * view[0] * np.cos(angle), far * view[1] * np.sin(angle)
    distance = np.hypot(x - np.float32(place[0]), (y - np.float32(place[1])) * np.float32(random.uniform(0.9, 1.3)))
    around = np.asarray(distance + 14 * plane.field(160, random), np.float32)
    size = random.uniform(0.22, 0.4) * view[0]
    return np.asarray(random.uniform(180, 420) * np.exp(-((around / size) ** 2)), np.float32), around


def _folds(plane: Plane, around: Array, random: Generator) -> Array:
    """Return the height (y, x) of the haustral folds: arcs around the lumen, as wide and as high as many polyps."""
    height = np.zeros(plane.shape, np.float32)
    radius = random.uniform(50, 110)
    while radius < 420:
        width, share = random.uniform(9, 20), 0.6 + 0.5 * plane.field(150, random)
        crest = np.exp(-(((around - radius) / width) ** 2))
        height += np.float32(random.uniform(8, 22)) * crest.astype(np.float32) * np.clip(share, 0, 1)
        radius += random.uniform(55, 120)
    return height


def _mucosa(plane: Plane, random: Generator) -> Array:
    """Return the colour (3, y, x) of mucosa: pink of varying tone, reddened in places, with branching vessels."""
    tissue = np.array(TISSUE) * random.normal(1, (0.03, 0.07, 0.07))
    tone = 0.06 * plane.field(110, random) + 0.03 * plane.field(20, random)
    red = np.clip(plane.field(90, random) - 0.9, 0, 1) * np.float32(random.uniform(0, 0.35))
    colour = (1 + tone) * tissue[:, None, None] * (1 - red * np.array((0.1, 1, 1))[:, None, None])
    vessels = np.zeros(plane.shape)
    for wavelength, width in ((70, 0.09), (36, 0.12)):
        course = np.exp(-((plane.field(wavelength, random) / width) ** 2))
        vessels = np.maximum(vessels, course * np.clip(plane.field(120, random) + 0.3, 0, 1))
    vessels *= random.uniform(0.4, 1.3)
    return np.asarray(colour * (1 - vessels * (1 - np.array(BLOOD))[:, None, None]), np.float32)


def _polyp(plane: Plane, view: tuple[float, float], random: Generator) -> tuple[Polyp, Array]:
    """Return a polyp somewhere in the middle of the view, and the height (y, x) that it adds."""
    tint = str(random.choice(list(TINTS)))
    kind = str(random.choice(list(KINDS), p=list(KINDS.values())))
    radius = float(np.clip(RADIUS * np.exp(SPREAD * random.standard_normal()), SMALLEST, LARGEST))
    centre = (random.uniform(-0.28, 0.28) * view[0], random.uniform(-0.28, 0.28) * view[1])
    distance = _outline(plane, centre, radius, random)
    inner = np.clip(1 + distance / np.float32(radius), 0, 1)  # 0 in the middle, 1 at the edge
    if kind == "flat":
        profile = random.uniform(0.12, 0.25) * radius * (1 - inner**6)
    else:
        profile = random.uniform(0.4, 0.7) * radius * (1 - inner**2) ** 0.65
    share = occupancy(distance, plane.step)
    pits = random.uniform(0.2, 1.2) * plane.field(random.uniform(6, 14), random) * share
    rim = -0.25 * radius * np.exp(-((distance / 4) ** 2)) * (distance > 0) if kind == "pedunculated" else 0
    return Polyp(kind, tint, centre, radius, share), np.asarray(profile + pits + rim, np.float32)


def _outline(plane: Plane, centre: tuple[float, float], radius: float, random: Generator) -> Array:
    """Return the signed distance (y, x) to the edge of a lobed ellipse, negative inside."""
    x, y = plane.axes()
    turn, longer = random.uniform(0, np.pi), random.uniform(1, 1.45)
    along = (x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn)
    across = (y - centre[1]) * np.cos(turn) - (x - centre[0]) * np.sin(turn)
    along, across = along / np.sqrt(longer), across * np.sqrt(longer)
    angle = np.arctan2(across, along)
    lobes = sum(random.normal(0, 0.13) / order * np.cos(order * angle + random.uniform(0, 6.3)) for order in (2, 3, 5))
    return np.asarray(np.hypot(along, across) - radius * (1 + lobes), np.float32)


def _grown(colour: Array, polyp: Polyp, plane: Plane, random: Generator) -> Array:
    """Return the wall's colour with the polyp's: tinted, grainy, its vessels no longer those of the wall."""
    plain = colour.mean((1, 2), keepdims=True) * (1 + 0.05 * plane.field(9, random))
    tinted = (0.4 * colour + 0.6 * plain) * np.array(TINTS[polyp.tint])[:, None, None]
    return np.asarray(colour + (tinted - colour) * polyp.share, np.float32)


def _stained(colour: Array, taken: Array, plane: Plane, random: Generator) -> Array:
    """Return the colour with up to three stains of stool beside the polyps."""
    x, y = plane.axes()
    for _ in range(int(random.integers(0, 4))):
        x0, y0 = (random.uniform(-0.4, 0.4) * size * plane.step for size in plane.shape[::-1])
        distance = np.hypot(x - x0, y - y0) + 6 * plane.field(30, random) - random.uniform(6, 24)
        share = occupancy(np.asarray(distance, np.float32), plane.step) * (1 - np.clip(taken, 0, 1))
        colour = colour + (np.array(STAIN, np.float32)[:, None, None] - colour) * (share * np.float32(0.8))
    return np.asarray(colour, np.float32)
